/** The clusters that a simulation goes through, and the conditions of each beside the faults that all have. */

import { ALL_RULES, type Rules } from "../store/history.ts";

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
  /** Rules switched off. */
  without?: keyof Rules;
}

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
];

function scenario(name: string, differences: Partial<Scenario>): Scenario {
  const usual = { nodes: 4, topology: "mesh", maxSize: 1000, maxGraves: 1000, keys: 60, steps: 250 } as const;
  const plain = { eager: true, maxWrites: 40, partitionSteps: 0, hasAliases: false, isFuture: false };
  return { name, ...usual, ...plain, ...differences };
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
