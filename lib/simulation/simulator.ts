/**
 * Runs clusters in one process: clients use them, faults happen to them, and then they rest. One seed gives one course of
 * events.
 */

import { Cluster, type Counts, type Node } from "./cluster.ts";
import { generator } from "./seeded_random.ts";
import { diameterOf, linksOf, type Scenario } from "./scenarios.ts";
import { spanOf } from "../base/byte_span.ts";
import { age, type EntryInput } from "../store/entry.ts";
import { Trace } from "./trace.ts";
import { MAX_AHEAD_MS, MAX_PEER_AHEAD_MS, versionAt } from "../store/version.ts";

/** The outcome of a run. */
export interface Outcome {
  seed: number;
  /** Violated invariants, with the time of each; none if all is well. */
  violations: string[];
  /** The events that led to the first violation. */
  trace: string[];
  /** Rounds until all nodes knew the same writes, once the network was whole. */
  rounds: number;
  counts: Counts;
  /** A hash of all messages delivered: equal runs have equal hashes. */
  fingerprint: number;
}

/** The outcome of many runs of a scenario: the most rounds, and the sums of all counts. */
export interface Summary extends Partial<Counts> {
  scenario: string;
  seeds: number;
  /** Runs with violations; `first` is the first of them. */
  bad: number;
  first?: Outcome;
  rounds: number;
}

/** A fault that lasts until a step. */
interface Lasting {
  until: number;
  end: () => void;
}

const STEP_MS = 50;
const ROUND_MS = 1000;
/** Rounds in which all that is on long ways arrives, and its answers. */
const LONG_WAYS = 20;
/** Milliseconds that a node which starts again and again lives. */
const RESTART_MS = 5;
const MAX_ROUNDS = 100;
/** Rounds that a node may still wait for an answer that was lost before the network was whole. */
const PATIENCE = 3;
/** Links of a node up to which it asks all of them in a round; with more, it asks some by chance. */
const ALL_LINKS = 8;
const FUTURE_MS = 120_000;
/** Milliseconds until all messages on their way have arrived, and all entries that can expire have, by right clocks. */
const EXPIRY_MS = 5000;
const LONG_PARTITION_FROM = 60;
/** The part of all steps after which nodes that were alone get peers. */
const LINK_AT = 0.6;
/** Operations of a burst after which peers are told. */
const TURN_USES = 10;
/** One in this many entries that expire ages: for half of its time it is kept and not fresh. */
const AGING_EVERY = 8;

/** Runs a scenario with a seed; a run with violations is repeated, to record what led to them. */
export function simulate(scenario: Scenario, seed: number): Outcome {
  const simulation = new Simulation(scenario, seed);
  const outcome = simulation.run();
  if (outcome.violations.length === 0) return outcome;
  const trace = new Trace(simulation.cluster.key);
  new Simulation(scenario, seed, trace).run();
  return { ...outcome, trace: trace.lines };
}

/** Runs a scenario with `seeds` seeds from `first` on; `onRun` is called after each run. */
export function simulateAll(scenario: Scenario, first: number, seeds: number, onRun: (run: Outcome) => void): Summary {
  const summary: Summary = { scenario: scenario.name, seeds, bad: 0, rounds: 0 };
  for (let seed = first; seed < first + seeds; seed++) {
    const outcome = simulate(scenario, seed);
    if (outcome.violations.length > 0) {
      summary.bad++;
      summary.first ??= outcome;
    }
    summary.rounds = Math.max(summary.rounds, outcome.rounds);
    for (const what of Object.keys(outcome.counts) as (keyof Counts)[]) {
      summary[what] = (summary[what] ?? 0) + outcome.counts[what];
    }
    onRun(outcome);
  }
  return summary;
}

class Simulation {
  readonly cluster: Cluster;
  readonly #scenario: Scenario;
  readonly #seed: number;
  readonly #random: () => number;
  readonly #lasting: Lasting[] = [];
  #step = 0;
  #stored = 0;
  /** The node that is paused, if any. */
  #paused: number | undefined;

  constructor(scenario: Scenario, seed: number, trace?: Trace) {
    this.#scenario = scenario;
    this.#seed = seed;
    this.#random = generator(seed);
    this.cluster = new Cluster(scenario, seed, this.#random, trace);
  }

  run(): Outcome {
    const { cluster } = this;
    const { steps, nodes } = this.#scenario;
    for (; this.#step < steps; this.#step++) {
      for (let i = 0; i < nodes; i++) if (!cluster.down.has(i)) this.#use(i);
      this.#endLasting(this.#step);
      if (this.#step === Math.floor(LINK_AT * steps)) this.#link();
      this.#fault();
      cluster.pass(STEP_MS);
      cluster.invariants.look(this.#step % nodes);
    }
    const rounds = this.#settle();
    cluster.invariants.atRest();
    for (const node of cluster.nodes) cluster.count(node);
    const { violations, fingerprint, network: { overflows }, invariants: { kept } } = cluster;
    const counts = { ...cluster.counts, ...kept, overflows };
    return { seed: this.#seed, violations, trace: [], rounds, counts, fingerprint };
  }

  /** Lets nodes that were alone get peers; in every second course of events, wrong clocks are corrected as well. */
  #link(): void {
    this.cluster.link();
    if (this.#seed % 2 === 0) this.#correct();
  }

  /** Corrects the clocks that are wrong from the beginning. */
  #correct(): void {
    for (const [i, ms] of this.#scenario.skewsMs.entries()) {
      if (i < this.cluster.nodes.length && this.#isWrong(i)) this.#jump(i, -ms);
    }
  }

  /** Whether a clock is wrong by so much that others do not believe it, or it does not believe others. */
  #isWrong(i: number): boolean {
    return Math.abs(this.cluster.nodes[i].skewMs) >= MAX_PEER_AHEAD_MS;
  }

  /** Lets a few rounds pass, after which nodes whose clocks are right must agree, while one that is ahead writes. */
  #agreeInSpite(): void {
    const { nodes } = this.cluster;
    const right = nodes.filter((_, i) => !this.#isWrong(i));
    for (let rounds = 0; !this.#agree(right); rounds++) {
      if (rounds === MAX_ROUNDS) return this.cluster.violate("endless: nodes whose clocks are right do not agree");
      for (const [i, { skewMs }] of nodes.entries()) if (this.#isWrong(i) && skewMs > 0) this.#set(i, 0, 0);
      this.#round();
    }
  }

  /** Lets clients do a few operations on a node. */
  #use(i: number): void {
    const { store, gossip } = this.cluster.nodes[i];
    const { burstChance, burstUses, pauseUses, storm, partitionSteps } = this.#scenario;
    const isStorm = storm !== undefined && this.#step >= LONG_PARTITION_FROM &&
      this.#step < LONG_PARTITION_FROM + partitionSteps;
    for (let left = this.#below(4); left > 0; left--) isStorm ? this.#rage(i) : this.#operate(i);
    if (this.#paused !== undefined) this.#operateMuch(i, pauseUses);
    if (burstChance > 0 && this.#random() < burstChance) this.#operateMuch(i, burstUses);
    if (this.#random() < 0.1) store.maintain();
    for (let left = this.#scenario.snapshotChance > 0 ? this.#below(3) : 0; left > 0; left--) this.cluster.goOn(i);
    if (this.cluster.isLoading(i)) return; // it has no peers yet
    if (this.#random() < 0.5) {
      gossip.measure();
      gossip.round(this.#random);
    } else {
      gossip.flush();
    }
  }

  /** Lets clients do many operations on a node at once; peers are told of them in between. */
  #operateMuch(i: number, uses: number): void {
    for (let left = uses; left > 0; left--) {
      this.#operate(i);
      if (left % TURN_USES === 0) this.cluster.nodes[i].gossip.flush();
    }
  }

  /** Lets a client do one operation on a node. */
  #operate(i: number): void {
    const { store } = this.cluster.nodes[i];
    const { keys, timedShare, clearShare, prefixShare, readers } = this.#scenario;
    const k = Math.floor(this.#random() * this.#random() * keys);
    const key = this.cluster.invariants.keys[k];
    if (readers.includes(i)) return void store.get(key);
    const dice = this.#random();
    if (dice < 0.5) return this.#set(i, k, this.#random() < timedShare ? 50 + this.#below(3000) : 0);
    if (dice < 0.65) {
      return this.#delete(i, k);
    } else if (dice < 0.65 + clearShare) {
      store.clear();
      this.cluster.counts.clears++;
      this.cluster.note(() => `node ${i} clears`);
    } else if (dice < 0.65 + clearShare + prefixShare) {
      return this.#clearPrefix(i, k);
    } else {
      store.get(key);
    }
    this.cluster.invariants.used(i, k);
  }

  /** Lets a client do, on any key, what fills graves: delete, or store so that others have to leave. */
  #rage(i: number): void {
    const k = this.#below(this.#scenario.keys);
    if (this.#scenario.storm === "deletions") this.#delete(i, k);
    else this.#set(i, k, 0);
  }

  #set(i: number, k: number, ttlMs: number): void {
    const { nodes, invariants } = this.cluster;
    const stored = this.#stored++;
    const value = new Uint8Array(4);
    new DataView(value.buffer).setUint32(0, stored);
    const entry: EntryInput = { flags: k, value: spanOf(value), ttlMs };
    if (stored % AGING_EVERY === 0) age(entry, ttlMs / 2, Math.floor(ttlMs / 2), nodes[i].store.nowMs);
    nodes[i].store.set(invariants.keys[k], entry);
    this.cluster.note(() => `node ${i} stores key ${k}${ttlMs === 0 ? "" : ` for ${ttlMs} ms`}`, k);
    invariants.used(i, k, stored);
  }

  #delete(i: number, k: number): void {
    const { nodes, invariants } = this.cluster;
    nodes[i].store.delete(invariants.keys[k]);
    this.cluster.note(() => `node ${i} deletes key ${k}`, k);
    invariants.used(i, k);
  }

  /** Clears all keys that begin as one does, up to one of the digits of its number. */
  #clearPrefix(i: number, k: number): void {
    const { nodes, invariants, counts } = this.cluster;
    const { bytes, to } = invariants.keys[k];
    const prefix = { bytes, from: 0, to: to - this.#below(String(k).length) };
    nodes[i].store.clearPrefix(prefix);
    counts.prefixes++;
    this.cluster.note(() => `node ${i} clears ${new TextDecoder().decode(bytes.subarray(0, prefix.to))}`);
    invariants.cleared(i, prefix);
  }

  /** Lets a fault happen by chance; in most steps there is none. */
  #fault(): void {
    const { partitionSteps, isFuture, pauseChance, restartChance, snapshotChance } = this.#scenario;
    if (restartChance >= 1) this.#restartOften(restartChance);
    if (partitionSteps > 0 && this.#step === LONG_PARTITION_FROM) {
      this.#partition(false);
      return this.#until(partitionSteps, () => this.#heal());
    }
    const i = this.#below(this.cluster.nodes.length);
    const partitions = partitionSteps > 0 ? 0 : 0.01;
    const future = isFuture ? 0.01 : 0;
    const faults: [chance: number, befall: () => void][] = [
      [partitions, () => this.#partition(false)],
      [partitions, () => this.#partition(true)],
      [2 * partitions, () => this.#heal()],
      [restartChance % 1, () => this.#restart(i)],
      [snapshotChance, () => this.cluster.snapshots.begin(i, this.cluster.nodes[i])],
      [0.005, () => this.#die(i)],
      [0.01, () => this.#slowDown(i)],
      [0.003, () => this.#jump(i, Math.floor((this.#random() - 0.5) * 4000))],
      [future, () => this.#jumpFar(i)],
      [future / 2, () => this.#rest()],
      [this.#paused === undefined ? pauseChance : 0, () => this.#pause(i)],
    ];
    let dice = this.#random();
    faults.find(([chance]) => (dice -= chance) < 0)?.[1]();
  }

  /**
   * Lets a node start again; where there are snapshots, most starts load one, at times several nodes the same, or all nodes at once
   * some or other.
   */
  #restart(i: number): void {
    const { cluster, cluster: { snapshots: { stored } } } = this;
    if (stored.length === 0 || this.#random() < 0.2) return cluster.restart(i);
    if (this.#random() < 0.3) this.#jump(i, -this.#below(4000));
    const any = () => this.#random() < 0.5 ? stored.at(-1)! : stored[this.#below(stored.length)];
    const [snapshot, isOutage] = [any(), this.#random() < 0.1];
    cluster.restart(i, snapshot);
    for (const other of cluster.nodes.keys()) {
      if (other === i || cluster.down.has(other) || (!isOutage && this.#random() < 0.9)) continue;
      cluster.restart(other, isOutage ? any() : snapshot);
    }
  }

  #partition(isOneWay: boolean): void {
    const sides = this.cluster.nodes.map(() => this.#below(2));
    this.cluster.network.split(sides, isOneWay);
    this.cluster.counts[isOneWay ? "oneWay" : "partitions"]++;
    this.cluster.note(() =>
      isOneWay ? `sides ${sides}: those of 1 no longer hear those of 0` : `sides ${sides}: a partition`
    );
  }

  #heal(): void {
    this.cluster.network.heal();
    this.cluster.note(() => "the network is whole");
  }

  #slowDown(i: number): void {
    this.cluster.network.slow.add(i);
    this.cluster.note(() => `node ${i} reads slowly`);
    this.#until(20 + this.#below(40), () => this.cluster.network.slow.delete(i));
  }

  #rest(): void {
    this.cluster.note(() => "nothing happens for long");
    this.cluster.pass(FUTURE_MS);
  }

  /** Lets a node neither receive nor send for a while, and then come back with its memory or without. */
  #die(i: number): void {
    if (this.cluster.down.has(i)) return;
    this.cluster.down.add(i);
    this.cluster.counts.deaths++;
    this.cluster.note(() => `node ${i} is dead`);
    const isRestart = this.#random() < 0.5;
    this.#until(10 + this.#below(60), () => {
      this.cluster.down.delete(i);
      this.cluster.note(() => `node ${i} is back`);
      if (isRestart) this.#restart(i);
    });
  }

  /** Lets a node take nothing and send nothing for a while; what is sent to it is lost, or waits. */
  #pause(i: number): void {
    const { cluster } = this;
    if (cluster.down.has(i)) return;
    this.#paused = i;
    cluster.counts.pauses++;
    const isWaiting = this.#random() < 0.5;
    cluster.note(() => `node ${i} pauses, and what is sent to it ${isWaiting ? "waits" : "is lost"}`);
    cluster.down.add(i);
    if (isWaiting) cluster.network.paused.add(i);
    this.#until(5 + this.#below(60), () => {
      this.#paused = undefined;
      cluster.down.delete(i);
      cluster.network.resume(cluster.nowMs, i);
      cluster.note(() => `node ${i} goes on`);
    });
  }

  /** Lets the last node start again several times in a step, with a write each time. */
  #restartOften(times: number): void {
    const i = this.cluster.nodes.length - 1;
    for (let left = Math.floor(times); left > 0; left--) {
      if (this.cluster.down.has(i)) return;
      this.cluster.restart(i);
      this.#set(i, this.#below(this.#scenario.keys), 0);
      this.cluster.nodes[i].gossip.flush();
      this.cluster.pass(RESTART_MS);
    }
  }

  #jump(i: number, ms: number): void {
    const node = this.cluster.nodes[i];
    node.skewMs += ms;
    this.cluster.note(() => `the clock of node ${i} jumps, and is now wrong by ${node.skewMs} ms`);
  }

  #jumpFar(i: number): void {
    this.#jump(i, FUTURE_MS);
    this.#until(10 + this.#below(40), () => this.#jump(i, -FUTURE_MS));
  }

  #until(steps: number, end: () => void): void {
    this.#lasting.push({ until: this.#step + steps, end });
  }

  #endLasting(step: number): void {
    for (let at = this.#lasting.length - 1; at >= 0; at--) {
      if (this.#lasting[at].until <= step) this.#lasting.splice(at, 1)[0].end();
    }
  }

  /** Makes the network whole, and waits until no writes are sent. Returns the rounds until all nodes agreed. */
  #settle(): number {
    this.#endLasting(Infinity);
    this.#heal();
    this.cluster.network.isFaulty = false;
    for (const i of this.cluster.nodes.keys()) while (this.cluster.isLoading(i)) this.cluster.goOn(i);
    this.cluster.pass(this.#scenario.isFuture ? EXPIRY_MS + FUTURE_MS : EXPIRY_MS);
    if (this.#scenario.skewsMs.length > 0) {
      this.#agreeInSpite();
      this.#correct();
    }
    while (!this.#isBelievable()) this.cluster.pass(ROUND_MS);
    const { mostSent } = this.cluster.invariants;
    const sent = () => this.#sum(({ gossip }) => gossip.stats.sent);
    const verifications = () => this.#sum(({ gossip }) => gossip.verified.verifications);
    const adoptions = () => this.#sum(({ gossip }) => gossip.adoptions);
    const [sentBefore, verificationsBefore, adoptionsBefore] = [sent(), verifications(), adoptions()];
    let [rounds, patienceMs] = [0, 0];
    for (; !this.#agree() && rounds < MAX_ROUNDS; rounds++) {
      patienceMs = Math.max(patienceMs, ...this.cluster.nodes.map(({ gossip }) => gossip.patienceMs()));
      this.#round();
    }
    if (rounds === MAX_ROUNDS) this.cluster.violate("endless: no agreement");
    // What is adopted is given once more, under another number.
    const limit = adoptions() === adoptionsBefore ? mostSent : 2 * mostSent;
    if (sent() - sentBefore > limit) {
      this.cluster.violate(`endless: ${sent() - sentBefore} writes sent, not ${limit} at most`);
    }
    const explained = this.#scenario.maxListed === undefined ? 0 : 1; // a round more where a base has to be explained
    // Orphans that are left by a catch-up which has waited for an answer wait themselves, and then are told of.
    const adopted = adoptions() === adoptionsBefore ? 0 : PATIENCE + 1;
    const paged = this.#scenario.pageCells === undefined ? 0 : 1; // and for fingerprints on pages of few cells
    const patience = Math.max(PATIENCE, Math.ceil(patienceMs / ROUND_MS)); // where answers came late before
    const most = patience + 1 + diameterOf(this.#scenario) + explained + adopted + paged;
    if (this.#scenario.wayMs > 0) this.#drain();
    const isQuick = this.#scenario.wayMs === 0 && verifications() === verificationsBefore &&
      linksOf(0, this.#scenario) <= ALL_LINKS;
    if (isQuick && rounds > most) this.cluster.violate(`endless: ${rounds} rounds to agree, not ${most}`);
    for (let i = 0; i < MAX_ROUNDS && this.cluster.nodes.some(({ gossip }) => gossip.isJoining); i++) this.#round();
    this.#round(); // questions from before are answered, though pushes may have brought what they ask for
    const [sentAfter, verificationsAfter] = [sent(), verifications()];
    for (let i = 0; i < 20; i++) this.#round();
    if (sent() !== sentAfter) this.cluster.violate(`endless: ${sent() - sentAfter} writes sent after agreement`);
    if (verifications() !== verificationsAfter) this.cluster.violate("endless: verifications after agreement");
    return rounds;
  }

  /** Lets what is on long ways arrive, and what follows from it. */
  #drain(): void {
    for (let rounds = 0; rounds < LONG_WAYS; rounds++) this.#round();
  }

  /** Whether all versions are believed by all nodes: those of a clock that was far ahead are once time has caught up. */
  #isBelievable(): boolean {
    const most = Math.max(...this.cluster.nodes.map(({ store }) => store.clock));
    return this.cluster.nodes.every(({ store: { wallMs } }) => most <= versionAt(wallMs + MAX_AHEAD_MS));
  }

  #round(): void {
    for (const { store, gossip } of this.cluster.nodes) {
      while (store.maintain());
      gossip.measure();
      gossip.round(this.#random);
    }
    this.cluster.pass(ROUND_MS);
  }

  /** Whether all nodes know the same writes, and none holds orphans, which are adopted before long. */
  #agree(nodes: readonly Node[] = this.cluster.nodes): boolean {
    if (nodes.some(({ store }) => store.history.orphaned.length > 0)) return false;
    const known = ({ store }: Node) =>
      store.history.origins.filter(({ known }) => known > 0).map(({ id, known }) => `${id}:${known}`).sort().join();
    return new Set(nodes.map(known)).size <= 1;
  }

  #sum(part: (node: Node) => number): number {
    return this.cluster.nodes.reduce((sum, node) => sum + part(node), 0);
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }
}
