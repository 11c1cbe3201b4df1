/** The clusters that a simulation goes through, and the conditions of each beside the faults that all have. */

import { ODDS, type Odds } from "./network.ts";
import { ALL_RULES, type Rules } from "../store/rules.ts";

/** Names of the rules that a scenario can switch off. */
export const RULE_NAMES = Object.keys(ALL_RULES) as readonly (keyof Rules)[];

/** Which nodes are peers of each other. */
export type Topology = "mesh" | "line" | "ring" | "star";

/** A cluster and its conditions. */
export interface Scenario {
  name: string;
  nodes: number;
  topology: Topology;
  /** Entries a node holds: one number for all, or one each. */
  maxSize: number | number[];
  maxGraves: number;
  keys: number;
  steps: number;
  /** Whether writes are pushed at once. */
  eager: boolean;
  /** Writes in a page, at most. */
  maxWrites: number;
  /** Steps of one long partition; 0 leaves partitions to chance. */
  partitionSteps: number;
  /** Whether every node has itself as a peer too, and every other peer twice. */
  hasAliases: boolean;
  /** Whether single clocks are two minutes ahead for a while. */
  isFuture: boolean;
  /** How far the clocks of the first nodes are wrong until they are corrected, in milliseconds. */
  skewsMs: readonly number[];
  /**
   * Whether each start of a node is of another build: it has some of the features of peers by chance, and may be of a later one,
   * which says more than this one knows to those that pass over it.
   */
  isMixed: boolean;
  /** Milliseconds that every message is on its way, in one direction, beside what chance adds. */
  wayMs: number;
  /** Fingerprints held at most of keys whose writes have left, and bits of the hash in each; `undefined` is the store's. */
  maxForgotten?: number;
  hashBits?: number;
  /** Origins up to which each is listed in messages, and those that have a log of their own; `undefined` is the store's. */
  maxListed?: number;
  maxLogs?: number;
  /** Cells of the table of fingerprints, and entries, that are looked at for a page; `undefined` is the product's. */
  pageCells?: number;
  sweepPlaces?: number;
  /** Moves of fingerprints that a walk under way can make up for; `undefined` is the store's. */
  movesKept?: number;
  /** Bits of tables in which each version is exact; `undefined` is the store's. */
  exactBits?: number;
  /** Nodes that have no peers until three fifths of the steps have passed. */
  lonely: readonly number[];
  /** Nodes that start, with nothing, when three fifths of the steps have passed. */
  joins: readonly number[];
  /** By what chance a node is paused in a step, if none is: it takes nothing and sends nothing, and keeps its memory. */
  pauseChance: number;
  /** Operations that clients do, in each step, on every other node while one is paused. */
  pauseUses: number;
  /** By what chance a node begins to make a snapshot in a step; where that is above 0, most starts load one, of any age and of any node. */
  snapshotChance: number;
  /** How many nodes start again in a step, on average; where that is 1 or more, only the last node does. */
  restartChance: number;
  /** What clients do, in place of what they usually do, during the long partition. */
  storm?: "deletions" | "evictions";
  /** By what chance a node gets `burstUses` operations at once in a step. */
  burstChance: number;
  burstUses: number;
  /** Which part of the entries that clients store have a time to live; which part of all operations are clears, of all and of prefixes. */
  timedShare: number;
  clearShare: number;
  prefixShare: number;
  /** Clears of prefixes that a node holds at most; `undefined` is the store's. */
  maxPrefixes?: number;
  /** By what chance messages are lost, repeated and long delayed. */
  odds: Odds;
  /** Nodes that clients only read from. */
  readers: readonly number[];
  /** Whether the last messages to a node come again after it has started again. */
  hasEchoes: boolean;
  /** Whether nodes have room enough to remember all that leaves, so that no entry is dropped that is the newest. */
  keeps: boolean;
  /** Whether a run takes seconds. */
  isLong: boolean;
  /** Rules switched off. */
  without?: keyof Rules;
}

const FORGETFUL: Partial<Scenario> = { keys: 50, steps: 130, maxGraves: 2, maxForgotten: 8, hashBits: 6 };
const KEEPING: Partial<Scenario> = { keys: 200, maxGraves: 5, timedShare: 0.1, clearShare: 0, keeps: true };
/** From the time of the simulation to 1970 and before. */
const YEARS_BACK_MS = -1.8e12;
const NAMESPACES: Partial<Scenario> = { prefixShare: 0.03 };
const SNAPSHOTS: Partial<Scenario> = { snapshotChance: 0.05, restartChance: 0.03 };
const FEW_LISTED: Partial<Scenario> = { maxListed: 4, maxLogs: 2 };
const SMALL_STEPS: Partial<Scenario> = { sweepPlaces: 40, movesKept: 2 };
const PAUSES: Partial<Scenario> = { pauseChance: 0.03, pauseUses: 12 };
const BUSY: Partial<Scenario> = {
  keys: 2000,
  steps: 80,
  maxSize: [1500, 200, 3000, 3000],
  maxGraves: 100,
  maxWrites: 256,
  timedShare: 0.1,
  clearShare: 0,
  burstChance: 0.2,
  burstUses: 500,
  exactBits: 17,
  keeps: true,
  isLong: true,
};
const LONG: Partial<Scenario> = { steps: 150, maxSize: [60, 20, 60, 20], maxGraves: 10, isLong: true };

/** The scenarios that a simulation goes through. */
export const SCENARIOS: readonly Scenario[] = [
  scenario("room for all, mesh", {}),
  scenario("room for all, line", { topology: "line" }),
  scenario("room for all, star of 5", { topology: "star", nodes: 5 }),
  scenario("room for all, ring of 6, no pushes", { topology: "ring", nodes: 6, eager: false }),
  scenario("room for all, mesh of 10, peers asked by chance", { nodes: 10, steps: 80 }),
  scenario("room for all, small pages, line", { topology: "line", nodes: 3, maxWrites: 5 }),
  scenario("room for all, peers twice and themselves", { nodes: 3, hasAliases: true }),
  scenario("room for all, clocks far ahead", { isFuture: true }),
  scenario("clocks wrong, then corrected", { skewsMs: [59_900, 0, -3000, -90_000] }),
  scenario("clocks wrong, then corrected, few graves", {
    maxGraves: 5,
    skewsMs: [-7_200_000, 0, 59_000, -25_000],
    restartChance: 0.01,
  }),
  scenario("clocks of 1970, then corrected", {
    nodes: 3,
    skewsMs: [YEARS_BACK_MS, YEARS_BACK_MS, YEARS_BACK_MS + 5000],
  }),
  scenario("long ways, longer than three rounds", { wayMs: 1900, keys: 200, maxWrites: 10, steps: 150 }),
  scenario("long ways, few graves, line", { wayMs: 1900, maxGraves: 20, nodes: 3, topology: "line" }),
  scenario("mixed features", { isMixed: true, restartChance: 0.02, steps: 200 }),
  scenario("mixed features, few graves, small pages, line", {
    isMixed: true,
    restartChance: 0.02,
    steps: 200,
    maxSize: [40, 20, 60, 20],
    maxGraves: 10,
    maxWrites: 5,
    topology: "line",
  }),
  scenario("few graves", { maxGraves: 20 }),
  scenario("few graves, small pages, mesh", { maxGraves: 5, maxWrites: 5 }),
  scenario("few graves, long partition, small pages", { maxGraves: 10, maxWrites: 5, partitionSteps: 120 }),
  scenario("few graves, clocks far ahead, line", { maxGraves: 20, isFuture: true, topology: "line" }),
  scenario("eviction, mesh", { maxSize: 25, maxGraves: 20 }),
  scenario("eviction, line of unequal nodes", { maxSize: [40, 20, 10, 20], maxGraves: 20, topology: "line" }),
  scenario("eviction, ring of 5", { maxSize: 10, maxGraves: 5, topology: "ring", nodes: 5 }),
  scenario("eviction, long partition, small pages", { maxSize: 20, maxGraves: 10, maxWrites: 5, partitionSteps: 120 }),
  scenario("eviction, peers twice and themselves", { maxSize: 25, maxGraves: 10, nodes: 3, hasAliases: true }),
  scenario("eviction, a single grave, line, no pushes", { maxSize: 10, maxGraves: 1, topology: "line", eager: false }),
  // Nodes that forget, of unequal sizes.
  scenario("small middle of a line", { ...FORGETFUL, nodes: 3, topology: "line", maxSize: [30, 6, 30] }),
  scenario("lonely node, linked later", { ...FORGETFUL, nodes: 3, maxSize: [6, 40, 40], lonely: [0] }),
  scenario("paused nodes", { ...FORGETFUL, nodes: 3, maxSize: [6, 40, 12], ...PAUSES }),
  scenario("two halves apart", { ...FORGETFUL, maxSize: [40, 20, 40, 10], maxGraves: 3, partitionSteps: 120 }),
  scenario("cold join", { ...FORGETFUL, maxSize: [10, 10, 30, 30], joins: [3], maxWrites: 5 }),
  scenario("restarts", { ...FORGETFUL, maxSize: [10, 25, 25, 25], maxGraves: 3, restartChance: 0.06 }),
  scenario("restarts, few listed", { nodes: 3, restartChance: 0.15, keys: 60, ...FEW_LISTED }),
  scenario("restarts, few listed, no pushes", {
    ...FORGETFUL,
    ...FEW_LISTED,
    nodes: 3,
    maxSize: [10, 25, 25],
    eager: false,
    restartChance: 0.1,
    maxWrites: 5,
  }),
  scenario("two halves apart, few listed", { keys: 60, partitionSteps: 120, restartChance: 0.15, ...FEW_LISTED }),
  scenario("cold join, few listed", { keys: 60, joins: [3], maxWrites: 5, restartChance: 0.15, ...FEW_LISTED }),
  scenario("many origins, ring of 6", { ...FORGETFUL, nodes: 6, topology: "ring", maxSize: 20, restartChance: 0.12 }),
  scenario("full table, small steps", {
    ...SMALL_STEPS,
    pageCells: 150,
    keys: 300,
    maxForgotten: 500, // so that more leaves than is remembered in some of a few clusters, though few catch-ups break off
    maxGraves: 5,
    maxSize: [20, 60, 60, 200],
    restartChance: 0.04,
    timedShare: 0.2,
    clearShare: 0,
  }),
  scenario("tiny memory", { ...FORGETFUL, maxSize: 12, maxGraves: 1, maxForgotten: 4, hashBits: 4 }),
  scenario("tiny pages, much loss", {
    ...FORGETFUL,
    maxSize: [8, 30, 30, 15],
    maxWrites: 3,
    odds: { ...ODDS, loss: 0.2 },
  }),
  scenario("no pushes, line of unequal nodes", {
    ...FORGETFUL,
    maxSize: [30, 8, 8, 30],
    topology: "line",
    eager: false,
  }),
  scenario("room for entries, few graves", { ...FORGETFUL, maxSize: 100, maxGraves: 3 }),
  scenario("late answers to former starts", {
    nodes: 3,
    topology: "line",
    keys: 120,
    steps: 120,
    maxWrites: 3,
    restartChance: 0.1,
    timedShare: 0,
    clearShare: 0,
    hasEchoes: true,
  }),
  scenario("a cold join that breaks off", {
    keys: 120,
    steps: 130,
    maxSize: [1000, 1000, 1000, 20],
    maxGraves: 25,
    maxWrites: 3,
    joins: [3],
    readers: [3],
    pauseChance: 0.2,
    timedShare: 0,
    clearShare: 0,
    odds: { loss: 0.4, repetition: 0.02, longDelay: 0.02 },
  }),
  // Clears of prefixes; where few are held, the others are forgotten.
  scenario("namespaces, mesh", { ...NAMESPACES }),
  scenario("namespaces, small pages, line", { ...NAMESPACES, topology: "line", nodes: 3, maxWrites: 5 }),
  scenario("namespaces, few graves, long partition", {
    ...NAMESPACES,
    maxGraves: 5,
    maxWrites: 5,
    partitionSteps: 120,
  }),
  scenario("namespaces, few kept, line", { ...NAMESPACES, maxPrefixes: 2, maxGraves: 20, topology: "line" }),
  scenario("namespaces, few kept, eviction, small pages", {
    ...NAMESPACES,
    maxPrefixes: 2,
    maxSize: [25, 10, 40, 25],
    maxGraves: 10,
    maxWrites: 5,
  }),
  scenario("namespaces, restarts", { ...NAMESPACES, ...FORGETFUL, maxSize: [10, 25, 25, 25], restartChance: 0.06 }),
  scenario("namespaces, lonely node", {
    ...NAMESPACES,
    ...FORGETFUL,
    maxPrefixes: 3,
    nodes: 3,
    maxSize: [6, 40, 40],
    lonely: [0],
  }),
  scenario("namespaces, one kept, two halves apart", { ...NAMESPACES, maxPrefixes: 1, partitionSteps: 120 }),
  // Starts that load a snapshot: the last, an older one, one of another node, and several nodes the same.
  scenario("snapshots, mesh", { ...SNAPSHOTS }),
  scenario("snapshots, line, no pushes", { ...SNAPSHOTS, topology: "line", eager: false }),
  scenario("snapshots, few graves, small pages", { ...SNAPSHOTS, maxGraves: 5, maxWrites: 5 }),
  scenario("snapshots, few graves, long partition", { ...SNAPSHOTS, maxGraves: 10, maxWrites: 5, partitionSteps: 120 }),
  scenario("snapshots, eviction, unequal nodes", { ...SNAPSHOTS, maxSize: [40, 20, 10, 25], maxGraves: 10 }),
  scenario("snapshots, older than what is remembered", {
    ...FORGETFUL,
    ...SNAPSHOTS,
    steps: 200,
    maxSize: [10, 25, 40, 25],
  }),
  scenario("snapshots, tiny memory, small pages", {
    ...FORGETFUL,
    ...SNAPSHOTS,
    maxSize: 12,
    maxGraves: 1,
    maxForgotten: 4,
    hashBits: 4,
    maxWrites: 4,
  }),
  scenario("snapshots, few listed", { ...SNAPSHOTS, ...FEW_LISTED, restartChance: 0.08 }),
  scenario("snapshots, namespaces", { ...SNAPSHOTS, ...NAMESPACES, maxWrites: 5 }),
  scenario("snapshots, namespaces, few kept", { ...SNAPSHOTS, ...NAMESPACES, maxPrefixes: 2, maxGraves: 10 }),
  scenario("snapshots, clocks wrong, then corrected", { ...SNAPSHOTS, skewsMs: [59_900, 0, -3000, -90_000] }),
  scenario("snapshots, mixed features", { ...SNAPSHOTS, isMixed: true, steps: 200 }),
  // Nodes that can remember all that leaves: nothing is dropped that is the newest.
  scenario("kept, lonely node", { ...KEEPING, nodes: 3, maxSize: [8, 1000, 1000], lonely: [0] }),
  scenario("kept, lonely middle of a line", {
    ...KEEPING,
    nodes: 3,
    maxSize: [1000, 8, 1000],
    topology: "line",
    lonely: [1],
  }),
  scenario("kept, paused nodes", { ...KEEPING, nodes: 3, maxSize: [20, 1000, 1000], ...PAUSES }),
  scenario("kept, two halves apart", { ...KEEPING, maxSize: [1000, 20, 1000, 20], partitionSteps: 120 }),
  scenario("kept, cold join", { ...KEEPING, maxSize: [20, 1000, 1000, 1000], joins: [3], maxWrites: 10 }),
  scenario("kept, restarts", { ...KEEPING, maxSize: [20, 1000, 1000, 1000], restartChance: 0.06 }),
  scenario("kept, snapshots", { ...KEEPING, ...SNAPSHOTS, maxSize: [20, 1000, 1000, 1000] }),
  scenario("kept, cold join, small steps", {
    ...KEEPING,
    ...SMALL_STEPS,
    pageCells: 4500,
    maxSize: [20, 1000, 1000, 1000],
    joins: [3],
  }),
  scenario("kept, storm of deletions", { ...KEEPING, maxSize: 1000, partitionSteps: 120, storm: "deletions" }),
  scenario("kept, storm of evictions", {
    ...KEEPING,
    maxSize: [30, 1000, 30, 1000],
    partitionSteps: 120,
    storm: "evictions",
  }),
  // Thousands of writes and origins.
  scenario("busy, pauses at thousands of writes", { ...BUSY, ...PAUSES, pauseUses: 300, pauseChance: 0.1 }),
  scenario("busy, lonely node", { ...BUSY, nodes: 3, maxSize: [50, 3000, 3000], lonely: [0], burstUses: 2500 }),
  scenario("busy, cold join", { ...BUSY, joins: [3] }),
  scenario("busy, several versions in a span", { ...BUSY, ...PAUSES, exactBits: undefined, keeps: false }),
  scenario("thousands of origins", { ...LONG, restartChance: 20 }),
  scenario("more origins than are told apart", { ...LONG, nodes: 3, steps: 120, restartChance: 50 }),
];

function scenario(name: string, differences: Partial<Scenario>): Scenario {
  const usual = { nodes: 4, topology: "mesh", maxSize: 1000, maxGraves: 1000, keys: 60, steps: 250 } as const;
  const plain = { eager: true, maxWrites: 40, partitionSteps: 0, hasAliases: false, isFuture: false };
  const rare = {
    pauseChance: 0,
    pauseUses: 0,
    snapshotChance: 0,
    restartChance: 0.005,
    burstChance: 0,
    burstUses: 0,
    lonely: [],
    joins: [],
  };
  const shares = {
    timedShare: 0.5,
    clearShare: 0.002,
    prefixShare: 0,
    odds: ODDS,
    skewsMs: [],
    isMixed: false,
    wayMs: 0,
    readers: [],
    hasEchoes: false,
    keeps: false,
    isLong: false,
  };
  return { name, ...usual, ...plain, ...rare, ...shares, ...differences };
}

/** The peers of a node. */
export function peersOf(node: number, { nodes, topology }: Scenario): number[] {
  const others = Array.from({ length: nodes }, (_, other) => other).filter((other) => other !== node);
  if (topology === "mesh") return others;
  if (topology === "star") return node === 0 ? others : [0];
  const ends = topology === "ring" ? nodes - 1 : 1;
  return others.filter((other) => [1, ends].includes(Math.abs(node - other)));
}

/** How many links a node has. */
export function linksOf(node: number, scenario: Scenario): number {
  const peers = peersOf(node, scenario).length;
  return scenario.hasAliases ? 2 * peers + 1 : peers;
}

/** Number of links between the two nodes that are farthest from each other. */
export function diameterOf({ nodes, topology }: Scenario): number {
  return { mesh: 1, star: 2, line: nodes - 1, ring: Math.floor(nodes / 2) }[topology];
}
