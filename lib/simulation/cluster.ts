/**
 * A simulated cluster: nodes with the product's own store and gossip, the network between them, time, and the invariants.
 * It knows no clients and chooses no faults: simulator.ts does.
 */

import { EntryTime } from "../base/entry_time.ts";
import { Gossip } from "../replication/gossip.ts";
import { MESSAGE, type Message, shorten } from "../replication/message.ts";
import { readMessage } from "../replication/message_reader.ts";
import { PEER_FEATURES, type PeerFeature } from "../wire/hello.ts";
import { ALL_RULES, type Rules } from "../store/rules.ts";
import { Invariants } from "./invariants.ts";
import type { KeepingCounts } from "./keeping.ts";
import { peersOf, type Scenario } from "./scenarios.ts";
import { type Packet, SimulatedNetwork } from "./network.ts";
import { SimulatedSnapshots, type StoredSnapshot } from "./snapshots.ts";
import { Store } from "../store/store.ts";
import { START_MS, type Trace } from "./trace.ts";

/** Counts of what has happened: a fault that never happened has not been tested. */
export interface Counts extends KeepingCounts {
  evictions: number;
  /** Starts with nothing in memory; `restartsInJoin` are those during the first catch-up after another start. */
  restarts: number;
  restartsInJoin: number;
  /** Snapshots made; `loads` are starts that loaded one, and `brokenLoads` those of them of which a page was damaged. */
  snapshots: number;
  loads: number;
  brokenLoads: number;
  /** Times that a node was dead for a while. */
  deaths: number;
  /** Partitions both ways; `oneWay` are those one way. */
  partitions: number;
  oneWay: number;
  /** Answers that came to a node after it had started again. */
  late: number;
  /** Messages refused because their clock was too far ahead. */
  fromFuture: number;
  /** Messages dropped because too many were on their way. */
  overflows: number;
  clears: number;
  /** Clears of prefixes. */
  prefixes: number;
  /** Deadlines that peers put off. */
  extended: number;
  /** Verifications of live entries; `unconfirmed` are the entries that they dropped, `covered` those that fingerprints did. */
  verifications: number;
  unconfirmed: number;
  covered: number;
  /** Times that orphans of a catch-up were adopted. */
  adoptions: number;
  /** Times that a node was paused: it took nothing and sent nothing for a while, and kept its memory. */
  pauses: number;
  /** Messages of later builds that this one did not know, or of which it did not know all. */
  unknown: number;
  /** Nodes that were alone and then got peers; `joins` are those that started only then. */
  links: number;
  joins: number;
}

/** A node of a cluster. */
export interface Node {
  store: Store;
  gossip: Gossip;
  origin: number;
  /** The features that it names to its peers. */
  features: readonly PeerFeature[];
  /** Whether it is of a later build, which says more than this one knows to peers that pass over it. */
  isLater: boolean;
  /** How far the node's clock is wrong, in milliseconds. */
  skewMs: number;
  /** Pages of the node's first catch-up after which it is started again; 0 if it is not. */
  pages: number;
}

/** A message as it was sent, perhaps to several nodes at once. */
interface Sent {
  source: Uint8Array;
  bytes: Uint8Array;
  message: Message;
}

/** A message on its way, and between which starts of two nodes. */
interface Carried extends Pick<Sent, "bytes"> {
  /** What this build knows of it; `undefined` if that is nothing. */
  message: Message | undefined;
  between: readonly [from: number, to: number];
}

/** By what chance a later build says something beside a message; by as much more, something at its end. */
const LATER_CHANCE = 0.2;
/** A type that no message has, and the bytes with which all begin. */
const UNKNOWN_TYPE = 200;
const HEAD_BYTES = 21;
/** Rounds for which a node asks peers that it meets what they hold. */
const JOIN_ROUNDS = 10;
/** Writes in a page of a snapshot, at most; and by what chance a page of one that is loaded is damaged. */
const SNAPSHOT_WRITES = 15;
const DAMAGE_CHANCE = 0.02;

/** Nodes, network, time and invariants. */
export class Cluster {
  readonly nodes: Node[] = [];
  readonly network: SimulatedNetwork<Carried>;
  readonly snapshots: SimulatedSnapshots;
  readonly invariants: Invariants;
  /** Nodes that are dead or paused, or that have not joined yet. */
  readonly down = new Set<number>();
  /** Nodes that have no peers yet. */
  readonly alone: Set<number>;
  /** Descriptions of violated invariants. */
  readonly violations: string[] = [];
  /** The key that the first violation was about. */
  key: number | undefined;
  nowMs = 1000;
  /** A hash of all messages delivered. */
  fingerprint = 0;
  /** Counts of what has happened, without what living nodes count themselves. */
  readonly counts: Counts = {
    evictions: 0,
    restarts: 0,
    restartsInJoin: 0,
    snapshots: 0,
    loads: 0,
    brokenLoads: 0,
    deaths: 0,
    partitions: 0,
    oneWay: 0,
    late: 0,
    fromFuture: 0,
    overflows: 0,
    clears: 0,
    prefixes: 0,
    extended: 0,
    verifications: 0,
    unconfirmed: 0,
    covered: 0,
    adoptions: 0,
    pauses: 0,
    unknown: 0,
    links: 0,
    joins: 0,
    needed: 0,
    needless: 0,
    refused: 0,
  };

  readonly #scenario: Scenario;
  readonly #seed: number;
  readonly #random: () => number;
  readonly #trace: Trace | undefined;
  #sent: Sent | undefined;
  #origins = 0;

  constructor(scenario: Scenario, seed: number, random: () => number, trace?: Trace) {
    this.#scenario = scenario;
    this.#seed = seed;
    this.#random = random;
    this.#trace = trace;
    this.network = new SimulatedNetwork(scenario.nodes, random, scenario.odds, scenario.wayMs);
    this.snapshots = new SimulatedSnapshots(Math.min(scenario.maxWrites, SNAPSHOT_WRITES));
    this.invariants = new Invariants(scenario, this.nodes, (what, key) => this.violate(what, key));
    const isNode = (i: number) => i < scenario.nodes;
    this.alone = new Set([...scenario.lonely, ...scenario.joins].filter(isNode));
    for (const i of scenario.joins.filter(isNode)) this.down.add(i);
    for (let i = 0; i < scenario.nodes; i++) {
      const skewMs = Math.floor((random() - 0.5) * 2000);
      this.#start(i, scenario.skewsMs[i] ?? skewMs);
    }
  }

  /** Starts a node with nothing in memory, or with a snapshot, which it loads before it greets its peers. */
  #start(i: number, skewMs: number, snapshot?: StoredSnapshot): void {
    const { maxSize, maxGraves, maxWrites, eager } = this.#scenario;
    const rules = this.#rules;
    const origin = ++this.#origins;
    const features = PEER_FEATURES.filter(() => !this.#scenario.isMixed || this.#random() < 0.5);
    const isLater = this.#scenario.isMixed && this.#random() < 0.5;
    const wallMs = () => START_MS + this.nowMs + node.skewMs;
    const time = new EntryTime(this.nowMs, START_MS + this.nowMs + skewMs);
    const now = () => {
      if (rules.corrections) time.compare(this.nowMs, wallMs());
      return time.at(this.nowMs);
    };
    const store: Store = new Store({
      maxSize: typeof maxSize === "number" ? maxSize : maxSize[i % maxSize.length],
      maxBytes: 8 * 1024 * 1024,
      maxGraves,
      maxPrefixes: this.#scenario.maxPrefixes,
      maxForgotten: this.#scenario.maxForgotten,
      hashBits: this.#scenario.hashBits,
      maxListed: this.#scenario.maxListed,
      maxLogs: this.#scenario.maxLogs,
      pageCells: this.#scenario.pageCells,
      movesKept: this.#scenario.movesKept,
      exactBits: this.#scenario.exactBits,
      ttlMs: 0,
      renewOnHit: true,
      hashKey: [this.#seed, i],
      clock: { now, wallAheadMs: () => time.wallAheadMs },
      origin,
      rules,
      replicates: true,
    });
    const gossip = new Gossip({
      store,
      origin,
      maxWrites,
      sweepPlaces: this.#scenario.sweepPlaces,
      eager,
      rules,
      joinRounds: JOIN_ROUNDS,
      send: (to, bytes) => this.#send(i, to, bytes),
      isReady: (to) => this.network.isReady(i, to),
      receive: (bytes, link) => this.#receive(i, link, bytes, readMessage(bytes, true)!),
    });
    const node: Node = { store, gossip, origin, features, isLater, skewMs, pages: 0 };
    this.nodes[i] = node;
    this.snapshots.drop(i);
    this.invariants.started(i);
    const loads = snapshot !== undefined && this.snapshots.load(i, node, snapshot, rules);
    this.note(() => `node ${i} starts as ${origin}${loads ? `, with a snapshot of ${snapshot.origin}` : ""}`);
    if (loads) this.counts.loads++;
    else this.#meet(i);
  }

  get #rules(): Rules {
    const { without } = this.#scenario;
    return without === undefined ? ALL_RULES : { ...ALL_RULES, [without]: false };
  }

  /** Lets a node that has started greet its peers. */
  #meet(i: number): void {
    for (const link of this.#linksOf(i)) this.nodes[i].gossip.connect(link, this.#agreed(i, link));
    if (this.#scenario.isMixed) this.#greet(i);
  }

  /** Whether a node loads a snapshot, and has not greeted its peers. */
  isLoading(i: number): boolean {
    return this.snapshots.loading(i) !== undefined;
  }

  /** Makes the next page of a node's snapshot, or loads one. */
  goOn(i: number): void {
    const node = this.nodes[i];
    const loading = this.snapshots.loading(i);
    if (loading === undefined) {
      if (this.snapshots.goOn(i, node)) this.counts.snapshots++;
      return;
    }
    const isDamaged = this.network.isFaulty && this.#random() < DAMAGE_CHANCE;
    if (isDamaged) this.counts.brokenLoads++;
    const bytes = isDamaged ? undefined : loading.left.pop();
    if (bytes !== undefined) {
      this.invariants.loads(i, readMessage(bytes), () => {
        try {
          loading.load.take(bytes);
        } catch (error) {
          this.violate(`crash: node ${i} throws: ${error}`);
        }
      });
    } else {
      this.snapshots.end(i, node);
      this.note(() => `node ${i} has loaded ${isDamaged ? "a part of " : ""}a snapshot`);
      this.invariants.look(i);
      this.#meet(i);
    }
  }

  /** The links of a node: to its peers, except where one of the two is still alone, and to itself. */
  #linksOf(i: number): number[] {
    const { nodes, hasAliases } = this.#scenario;
    const links: number[] = [];
    for (const peer of peersOf(i, this.#scenario)) {
      if (this.alone.has(i) || this.alone.has(peer)) continue;
      links.push(peer);
      if (hasAliases) links.push(peer + nodes);
    }
    if (hasAliases) links.push(i + nodes);
    return links;
  }

  /** Links the nodes that have been alone with their peers, of which those that had not joined yet start now. */
  link(): void {
    const joining = this.#scenario.joins.filter((i) => this.alone.has(i));
    const linked = [...this.alone];
    this.alone.clear();
    for (const i of joining) {
      this.down.delete(i);
      this.counts.joins++;
      this.#start(i, this.nodes[i].skewMs);
    }
    for (const i of linked) {
      this.counts.links++;
      this.note(() => `node ${i} gets peers`);
      for (const link of this.#linksOf(i)) {
        const peer = link % this.#scenario.nodes;
        if (!joining.includes(i)) this.#connect(i, link);
        if (!linked.includes(peer)) this.#connect(peer, link < this.#scenario.nodes ? i : i + this.#scenario.nodes);
      }
    }
  }

  /** The features that a node and its peer at a link have agreed on; where builds are mixed, none while that has not started yet. */
  #agreed(i: number, link: number): PeerFeature[] {
    const theirs = this.nodes[link % this.#scenario.nodes]?.features ?? (this.#scenario.isMixed ? [] : PEER_FEATURES);
    return this.nodes[i].features.filter((name) => theirs.includes(name));
  }

  /** Lets the peers of a node that has started greet it: their connections to its last start have ended. */
  #greet(i: number): void {
    for (const link of this.#linksOf(i)) {
      const { nodes } = this.#scenario;
      const [peer, back] = [link % nodes, link < nodes ? i : i + nodes];
      if (peer === i || this.nodes[peer] === undefined) continue;
      this.nodes[peer].gossip.disconnect(back);
      this.#connect(peer, back);
    }
  }

  #connect(i: number, link: number): void {
    const { gossip } = this.nodes[i];
    gossip.connect(link, this.#agreed(i, link));
    if (!this.down.has(i)) gossip.ask(link);
  }

  /** Starts a node again with nothing in memory, or with a snapshot. */
  restart(i: number, snapshot?: StoredSnapshot): void {
    this.count(this.nodes[i]);
    this.counts.restarts++;
    this.#start(i, this.nodes[i].skewMs, snapshot);
    if (this.#scenario.hasEchoes && this.network.isFaulty) this.network.repeat(this.nowMs, i);
    if (this.#random() < 0.5) this.nodes[i].pages = 1 + Math.floor(this.#random() * 4);
  }

  /** Adds what a node has counted since its start to `counts`. */
  count({ store, gossip }: Node): void {
    this.counts.evictions += store.stats().evictions;
    this.counts.fromFuture += gossip.stats.fromFuture;
    this.counts.extended += gossip.stats.extended;
    this.counts.verifications += gossip.verified.verifications;
    this.counts.unconfirmed += gossip.verified.unconfirmed;
    this.counts.covered += gossip.verified.covered;
    this.counts.adoptions += gossip.adoptions;
  }

  #send(i: number, link: number, bytes: Uint8Array): void {
    if (this.#sent?.source !== bytes) {
      const copy = bytes.slice();
      this.#sent = { source: bytes, bytes: copy, message: readMessage(copy) };
      this.invariants.sent(i, this.#sent.message, copy.length);
    }
    const between = [this.nodes[i].origin, this.nodes[link % this.#scenario.nodes].origin] as const;
    const { isLater } = this.nodes[i];
    const says = isLater && this.#agreed(i, link).includes("skip-unknown") ? this.#random() : 1;
    const { bytes: known, message } = this.#sent;
    const more = Uint8Array.from({ length: 8 }, (_, at) => 256 * says * at);
    if (says < LATER_CHANCE) {
      const unknown = Uint8Array.of(UNKNOWN_TYPE, ...known.subarray(1, HEAD_BYTES), ...more);
      this.network.send(this.nowMs, i, link, { bytes: unknown, message: undefined, between });
    }
    const longer = says < 2 * LATER_CHANCE ? Uint8Array.of(...known, ...more) : known;
    this.network.send(this.nowMs, i, link, { bytes: longer, message, between });
  }

  /** Lets `ms` milliseconds pass, and delivers the messages that arrive meanwhile. */
  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    const hasRoom = (packet: Packet<Carried>) => this.#hasRoom(packet);
    const next = () => this.network.next(endMs, hasRoom);
    for (let packet = next(); packet !== undefined; packet = next()) {
      this.nowMs = Math.max(this.nowMs, packet.atMs);
      if (!this.down.has(packet.to) && !this.isLoading(packet.to)) this.#deliver(packet);
      this.#hasRoom(packet);
    }
    this.nowMs = endMs;
  }

  /** Lets the sender of a message that has left its way send more, whether it has arrived or not. */
  #hasRoom(packet: Packet<Carried>): void {
    this.nowMs = Math.max(this.nowMs, packet.atMs);
    if (!this.down.has(packet.from)) this.nodes[packet.from].gossip.resume(this.network.linkOf(packet));
  }

  #deliver({ from, to, link, content: { bytes, message, between } }: Packet<Carried>): void {
    const node = this.nodes[to];
    // What two builds have agreed on ends with their connection, as does what is on its way.
    if (this.#scenario.isMixed && (between[0] !== this.nodes[from].origin || between[1] !== node.origin)) return;
    this.#mix(this.nowMs, from, to, bytes.length);
    for (let at = 0; at < bytes.length; at += 7) this.#mix(bytes[at]);
    if (message === undefined) return this.#hearUnknown(to, link, bytes);
    const isLate = "to" in message && message.to !== node.origin;
    if (isLate) this.counts.late++;
    const what = isLate ? "hears, too late," : "hears";
    this.#trace?.heard(this.nowMs, `node ${to} (${node.origin}) ${what} from ${from} (${message.from})`, message);
    this.#receive(to, link, bytes, message);
    if (!this.network.isFaulty || isLate || message.type !== MESSAGE.page || !message.more) return;
    if (node.pages > 0 && --node.pages === 0) {
      this.counts.restartsInJoin++;
      this.restart(to);
    }
  }

  /** Lets a node hear a message of which it knows nothing: nothing may come of it. */
  #hearUnknown(to: number, link: number, bytes: Uint8Array): void {
    const { store } = this.nodes[to];
    const held = () => `${store.history.digest} ${store.stats().entries}`;
    const before = held();
    this.counts.unknown++;
    try {
      this.nodes[to].gossip.receive(link, bytes);
    } catch (error) {
      this.violate(`crash: node ${to} throws: ${error}`);
    }
    if (held() !== before) this.violate(`misread: node ${to} makes something of a message that it does not know`);
  }

  #receive(to: number, link: number, bytes: Uint8Array, message: Message): void {
    const judged = "writes" in message
      ? { ...message, writes: message.writes.map((write) => ({ ...write })) }
      : message;
    this.invariants.takes(to, judged, () => {
      try {
        const { gossip } = this.nodes[to];
        gossip.receive(link, bytes);
        if ("writes" in judged) shorten(judged.writes, gossip.peer(link)?.lateMs ?? 0); // what was late may be over
      } catch (error) {
        this.violate(`crash: node ${to} throws: ${error}`);
      }
    });
  }

  #mix(...numbers: number[]): void {
    for (const number of numbers) this.fingerprint = (Math.imul(this.fingerprint, 31) + number) | 0;
  }

  /** Takes note of a violated invariant. */
  violate(what: string, key?: number): void {
    if (this.violations.length === 0) {
      this.key = key;
      this.#trace?.end();
    }
    this.violations.push(`${this.nowMs} ms: ${what}`);
  }

  /** Takes note of an event, and of the key that the event is about. */
  note(what: () => string, key?: number): void {
    this.#trace?.note(this.nowMs, what(), key);
  }
}
