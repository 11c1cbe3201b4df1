/**
 * What must never happen in a cluster under any faults, checked by all nodes and every message. The invariants are listed
 * in docs/replication.md. What has been violated begins with a word for the harm:
 *
 * - `stale`: a node serves a version although it has held or knows a newer one;
 * - `resurrected`: an entry is back that had left, had been cleared, or that nobody brought;
 * - `lost`: a node has dropped or passed over a write for no reason;
 * - `diverged`: nodes hold different entries, values or clears although they should not;
 * - `endless`: nodes do not come to agree, or to rest, or send more for it than they need;
 * - `bounds`: a limit is exceeded, or a node claims what cannot be;
 * - `clock`: a deadline moves that should not;
 * - `crash`: a node throws.
 */

import type { Gossip } from "../replication/gossip.ts";
import { LONG_WAY_PAGES } from "../replication/round_trips.ts";
import { MESSAGE, type Message, type Page, type Write } from "../replication/message.ts";
import { exceeds } from "../store/known.ts";
import type { Known } from "../store/known.ts";
import { ENTRY, PREFIX, TRAVELS } from "../store/entry.ts";
import { Keeping, type KeepingCounts } from "./keeping.ts";
import { MadeWrites } from "./made_writes.ts";
import { heldClears, keysUnder, TakenClears } from "./prefixes.ts";
import { linksOf, type Scenario } from "./scenarios.ts";
import { type ByteSpan, spanOf } from "../base/byte_span.ts";
import type { Store } from "../store/store.ts";
import { keyName, keyOf, showVersion } from "./trace.ts";
import { compareVersions, type Version } from "../store/version.ts";

/** A node that is checked. */
export interface CheckedNode {
  readonly store: Store;
  readonly gossip: Gossip;
  readonly origin: number;
}

/** What is remembered of a node since its start. */
interface Life {
  /** For each key, the newest version that the node has held as an entry, a grave, or a clear of a prefix. */
  readonly held: Map<number, Version>;
  /** Versions that have lived at the node. */
  readonly lived: Set<string>;
  /** How far the node knew each origin's writes. */
  readonly known: Map<number, number>;
  /** The highest version of each origin that came to the node in a message. */
  readonly told: Map<number, number>;
  /** What the node drops and refuses. */
  readonly keeping: Keeping;
  readonly clears: TakenClears;
}

/** The living entry of a key: its version, its marks and times, and when it expires. */
interface Living {
  readonly key: number;
  readonly terms: string;
  readonly name: string | undefined;
  readonly deadlineMs: number;
}

/** Bytes of a message beside its lists, at most. */
const HEAD_BYTES = 64;
/** Bytes that an origin takes in a message, at most; `WRITE_BYTES` are those of a write in a simulation. */
const ORIGIN_BYTES = 5 * 12 + 4;
const WRITE_BYTES = 48;
const DEPARTURE_BYTES = 12;

/** Checks what must never happen: with every message, and whenever the simulation looks at a node. */
export class Invariants {
  /** The keys that are in use. */
  readonly keys: readonly ByteSpan[];
  readonly #scenario: Scenario;
  readonly #nodes: readonly CheckedNode[];
  readonly #violate: (what: string, key?: number) => void;
  readonly #lives: Life[] = [];
  /** How much nodes have dropped and refused. */
  readonly kept: KeepingCounts = { needed: 0, needless: 0, refused: 0 };
  readonly #made = new MadeWrites();
  /** The origins of all starts of nodes; other numbers are those of adopted writes. */
  readonly #starts = new Set<number>();
  /** For each version, the value that was stored, and the marks and times that it was given. */
  readonly #values = new Map<string, number>();
  readonly #terms = new Map<string, string>();
  readonly #hasRoomForEntries: boolean;
  /** Versions of clears of prefixes. */
  readonly #clears = new Set<string>();

  constructor(scenario: Scenario, nodes: readonly CheckedNode[], violate: (what: string, key?: number) => void) {
    this.#scenario = scenario;
    this.#nodes = nodes;
    this.#violate = violate;
    this.keys = Array.from({ length: scenario.keys }, (_, key) => spanOf(keyName(key)));
    const { maxSize, keys } = scenario;
    this.#hasRoomForEntries = typeof maxSize === "number" && maxSize >= keys;
  }

  /** Takes note that a node starts with nothing in memory. */
  started(i: number): void {
    this.#starts.add(this.#nodes[i].origin);
    const onLoss = (what: string, key: number, version: Version) => {
      if (this.#scenario.keeps) this.#violate(`lost: node ${i} ${what} ${nameOf(key, version)} for no reason`, key);
    };
    const keeping = new Keeping(this.#nodes[i].store, this.#made, this.kept, onLoss);
    const clears = new TakenClears(this.#nodes[i].store);
    this.#lives[i] = { held: new Map(), lived: new Set(), known: new Map(), told: new Map(), keeping, clears };
  }

  /** Checks a node after a client has used a key there; `value` is what the client has stored, if anything. */
  used(i: number, key: number, value?: number): void {
    const { name, terms } = this.#living(i, key);
    if (name !== undefined) {
      if (value !== undefined) this.#values.set(name, value);
      if (value !== undefined) this.#terms.set(name, terms);
      this.#lives[i].lived.add(name);
    }
    this.#checkHeld(i, key);
    this.#checkKnown(i);
    const held = this.#lives[i].held.get(key);
    if (held !== undefined) this.#made.add(key, held);
  }

  /** Checks a node after a client has cleared a prefix there. */
  cleared(i: number, prefix: ByteSpan): void {
    const { store, origin } = this.#nodes[i];
    const version = { h: store.history.knownOf(origin), origin };
    for (const key of keysUnder(prefix, this.keys)) this.#made.add(key, version);
    this.#hold(i, prefix, version);
    this.#checkKnown(i);
  }

  /** Takes note of a clear that a node has taken. */
  #hold(i: number, prefix: ByteSpan, version: Version): void {
    const { held } = this.#lives[i];
    this.#clears.add(showVersion(version));
    for (const key of keysUnder(prefix, this.keys)) {
      const before = held.get(key);
      if (before === undefined || compareVersions(before, version) < 0) held.set(key, version);
      this.#checkHeld(i, key);
    }
  }

  /** Checks that a message that a node sends is bounded. */
  sent(i: number, message: Message, bytes: number): void {
    const { maxWrites } = this.#scenario;
    const writes = "writes" in message ? message.writes : [];
    // Entries of one version are asked about together.
    const more = message.type === MESSAGE.verify ? this.#nodes.length : 0;
    const most = more + (message.type === MESSAGE.page ? LONG_WAY_PAGES * maxWrites : maxWrites);
    if (writes.length > most) this.#violate(`bounds: node ${i} sends ${writes.length} writes at once`);
    const origins = Math.max(...this.#nodes.map(({ store }) => store.history.origins.length)); // it may be told of all
    const departures = message.type === MESSAGE.page ? message.departures.length : 0;
    const places = "places" in message ? message.places.length : 0;
    const answers = message.type === MESSAGE.verified ? message.confirmed.length : 0;
    const lists = writes.length * WRITE_BYTES + (departures + places) * DEPARTURE_BYTES + answers;
    if (bytes > HEAD_BYTES + (1 + origins) * ORIGIN_BYTES + lists) {
      this.#violate(`bounds: node ${i} sends ${bytes} bytes with ${writes.length} writes of ${origins} origins`);
    }
  }

  /** Checks a node while it takes a message, by calling `take`. */
  takes(i: number, message: Message, take: () => void): void {
    const { store, gossip, origin } = this.#nodes[i];
    const changes = message.type === MESSAGE.page || message.type === MESSAGE.push || message.type === MESSAGE.touch;
    const all = changes ? message.writes : [];
    const writes = all.filter(({ kind }) => kind !== PREFIX);
    const before = writes.map((write) => this.#living(i, keyOf(write)));
    this.#tell(i, message, all);
    const isPage = message.type === MESSAGE.page && message.to === origin;
    const isJudged = isPage && this.#hasRoomForEntries && !exceeds(dealtOf(store), message.known);
    const mine = store.history.known;
    const { isJoining } = gossip;
    const { applied, repeated } = gossip.stats;
    const { keeping, held, clears } = this.#lives[i];
    const living = keeping.before(message.type === MESSAGE.page || message.type === MESSAGE.verified);
    clears.among([]);
    take();
    for (const { key, version } of clears.among(all)) this.#hold(i, key, version);
    const isTaken = gossip.stats.applied + gossip.stats.repeated > applied + repeated;
    for (let w = 0; w < writes.length; w++) {
      this.#checkWrite(i, writes[w], before[w], message.type === MESSAGE.touch, isJoining ? undefined : mine);
    }
    // The page itself may have ended an orphan, of which its sender knows nothing.
    if (isJudged && isTaken && !exceeds(dealtOf(store), message.known)) this.#checkTaken(i, message, mine);
    keeping.judgeDrops(living);
    if (isTaken && message.type !== MESSAGE.touch) keeping.judgeRefusals(writes, mine, held);
    this.#checkKnown(i);
  }

  /** Takes note of the versions that come to a node in a message. */
  #tell(i: number, message: Message, writes: readonly Write[]): void {
    const { told } = this.#lives[i];
    for (const { version: { h, origin, by = origin } } of writes) told.set(by, Math.max(h, told.get(by) ?? 0));
    const { lossy, departures } = message.type === MESSAGE.page ? message : { lossy: [], departures: [] };
    for (const [id, h] of [...lossy, ...departures.map(({ id, upTo }) => [id, upTo] as const)]) {
      told.set(id, Math.max(h, told.get(id) ?? 0));
    }
  }

  /** Checks a node while it takes a message of a snapshot, by calling `take`: nothing of it replaces what clients have written since. */
  loads(i: number, message: Message, take: () => void): void {
    const { store, origin } = this.#nodes[i];
    const { lived, clears } = this.#lives[i];
    const all = message.type === MESSAGE.page ? message.writes : [];
    const keys = all.flatMap((write) => write.kind === PREFIX ? [] : [keyOf(write)]);
    const own = keys.flatMap((key) => {
      const version = store.versionOf(this.keys[key]);
      return version?.origin === origin ? [{ key, version }] : [];
    });
    this.#tell(i, message, all);
    clears.among([]);
    take();
    for (const { key, version } of clears.among(all)) this.#hold(i, key, version);
    for (const { key, version } of own) {
      const now = store.versionOf(this.keys[key]);
      if (now !== undefined && compareVersions(now, version) !== 0) {
        this.#violate(`stale: node ${i} loads ${nameOf(key, now)} over ${showVersion(version)}, written since`, key);
      }
    }
    for (const key of keys) {
      const { name, terms } = this.#living(i, key);
      if (name !== undefined && (this.#terms.get(name) ?? terms) !== terms) {
        this.#violate(`diverged: ${name} has other marks or times at node ${i}: ${terms}`, key);
      }
      if (name !== undefined) lived.add(name);
      this.#checkHeld(i, key);
    }
    this.#checkKnown(i);
  }

  /** Checks everything that a node holds. */
  look(i: number): void {
    const { store, store: { history, reader } } = this.#nodes[i];
    const { count, newest } = heldClears(store, this.keys);
    if (count > (this.#scenario.maxPrefixes ?? Infinity)) this.#violate(`bounds: node ${i} holds ${count} clears`);
    for (let key = 0; key < this.keys.length; key++) {
      const { name } = this.#living(i, key);
      if (name !== undefined && !this.#lives[i].lived.has(name)) {
        this.#violate(`resurrected: ${name} appears at node ${i}`, key);
      }
      this.#checkHeld(i, key);
      this.#checkClaim(i, key, newest.get(key));
    }
    let graves = 0;
    for (const log of history.logs.all) {
      for (const position of log.after(0)) if (![ENTRY, PREFIX].includes(reader.kind(position))) graves++;
    }
    if (graves > this.#scenario.maxGraves) this.#violate(`bounds: node ${i} has ${graves} graves`);
  }

  /** Checks that a write brings back no version that has left the node, and that only a version's touch moves its deadline. */
  #checkWrite(i: number, { version }: Write, before: Living, isTouch: boolean, mine: Known | undefined): void {
    const { key } = before;
    const { name, terms, deadlineMs } = this.#living(i, key);
    if (name !== undefined && (this.#terms.get(name) ?? terms) !== terms) {
      this.#violate(`diverged: ${name} has other marks or times at node ${i}: ${terms}`, key);
    }
    const { lived } = this.#lives[i];
    const { h, origin, by = origin } = version;
    // An orphan may leave and come back; so may what a peer still holds, while a node joins it.
    const isKnown = mine !== undefined && h <= Math.max(mine.get(origin) ?? 0, mine.get(by) ?? 0);
    if (name !== before.name) {
      if (name !== undefined && isTouch) this.#violate(`resurrected: a touch brings ${name} to node ${i}`, key);
      if (name !== undefined && lived.has(name) && isKnown) {
        this.#violate(`resurrected: node ${i} takes in ${name} again`, key);
      }
      if (name !== undefined) lived.add(name);
    } else if (deadlineMs !== before.deadlineMs) {
      if (!isTouch && isKnown) this.#violate(`clock: the deadline of ${name} at node ${i} moves without a touch`, key);
      if (name !== nameOf(key, version)) {
        this.#violate(`clock: the deadline of ${name} moves with ${showVersion(version)}`, key);
      }
      if (deadlineMs < before.deadlineMs && isKnown) {
        this.#violate(`clock: a touch takes time from ${name} at node ${i}`, key);
      }
    }
    this.#checkHeld(i, key);
  }

  /** Checks that a node serves no older version of a key than it has held before, as an entry or a grave. */
  #checkHeld(i: number, key: number): void {
    const { store } = this.#nodes[i];
    const { held } = this.#lives[i];
    const version = store.versionOf(this.keys[key]);
    if (version === undefined) return;
    const before = held.get(key);
    if (before === undefined || compareVersions(version, before) > 0) held.set(key, version);
    else if (compareVersions(version, before) < 0 && store.kept(this.keys[key]) !== 0) {
      const isClear = this.#clears.has(showVersion(before));
      const what = `node ${i} serves ${showVersion(version)} of key ${key} after ${showVersion(before)}`;
      this.#violate(isClear ? `resurrected: ${what}, a clear` : `stale: ${what}`, key);
    }
  }

  /**
   * Checks that a node holds an entry, a grave or a clear at or above every write that it claims to know, or has forgotten such a
   * one and says so; and that no older copy lives there.
   */
  #checkClaim(i: number, key: number, clear: Version | undefined): void {
    const { store } = this.#nodes[i];
    const { history } = store;
    const held = store.versionOf(this.keys[key]);
    const made = this.#made.of(key);
    let isForgotten = false;
    for (let w = made.length - 1; w >= 0; w--) {
      const write = made[w];
      if (write.h <= history.cleared || (held !== undefined && compareVersions(held, write) >= 0)) return;
      if (clear !== undefined && compareVersions(clear, write) >= 0) return;
      isForgotten ||= history.hasNewer(this.keys[key], { ...write, origin: 0 }) || this.#hasForgotten(store, write);
      if (write.h > history.knownOf(write.origin)) continue;
      const name = nameOf(key, write);
      if (store.kept(this.keys[key]) !== 0) {
        this.#violate(`stale: node ${i} serves ${showVersion(held!)} of key ${key}, and knows of ${name}`, key);
      } else if (!isForgotten) {
        this.#violate(`lost: node ${i} claims to know ${name}, and has no trace of it`, key);
      }
      return;
    }
  }

  /** Whether a store tells peers that it has forgotten a write, or more: under the write's origin, or an adopted number. */
  #hasForgotten({ history }: Store, { h, origin }: Version): boolean {
    return history.origins.some(({ id, forgotten }) => forgotten >= h && (id === origin || !this.#starts.has(id)));
  }

  /** Checks that a node forgets nothing that it has neither known nor been told, and knows no less than before. */
  #checkKnown(i: number): void {
    const { known: before, told } = this.#lives[i];
    let missing = before.size;
    for (const { id, known, forgotten } of this.#nodes[i].store.history.origins) {
      if (forgotten > Math.max(known, told.get(id) ?? 0)) {
        this.#violate(`bounds: node ${i} has forgotten of ${id} what it has not known`);
      }
      const was = before.get(id);
      if (was !== undefined) missing--;
      if (was !== undefined && known < was) this.#violate(`bounds: node ${i} knows less of ${id} than before`);
      if (known > (was ?? 0)) before.set(id, known);
    }
    if (missing > 0) this.#violate(`bounds: node ${i} no longer knows of ${missing} origins`);
  }

  /**
   * Checks that a node with room for all loses no write of a page whose sender knows all that the node knows, other than
   * one that may have been an orphan here whose grave has been dropped.
   */
  #checkTaken(i: number, { writes }: Page, mine: Known): void {
    const { history } = this.#nodes[i].store;
    for (const write of writes) {
      const { version, entry } = write;
      if (entry === undefined || entry.remainingMs <= 0 || version.h <= history.cleared) continue;
      const { origin, by = origin } = version;
      if (version.h <= Math.max(mine.get(origin) ?? 0, mine.get(by) ?? 0)) continue;
      const key = keyOf(write);
      const held = this.#lives[i].held.get(key);
      if (held === undefined || compareVersions(held, version) < 0) {
        this.#violate(`lost: node ${i} loses ${nameOf(key, version)}`, key);
      }
    }
  }

  /**
   * Writes that may be sent, at most, until all nodes know the same writes. A node asks one peer at a time, and for each
   * write once, or twice where it verifies first; but before it has begun, each of its peers may send it a page.
   */
  get mostSent(): number {
    const { maxWrites } = this.#scenario;
    let most = 0;
    for (const [i, { store: { history: { known } }, gossip: { isJoining } }] of this.#nodes.entries()) {
      if (isJoining) {
        most += this.#nodes.reduce((sum, { store }, other) => sum + (other === i ? 0 : store.stats().entries), 0);
      }
      const lacked = new Set<string>();
      for (const { store: { history, reader } } of this.#nodes) {
        for (const origin of history.origins) {
          const { id } = origin;
          for (const position of history.logs.after(origin, known.get(id) ?? 0)) {
            lacked.add(`${reader.h(position)}/${id}`);
          }
        }
      }
      most += 2 * lacked.size + linksOf(i, this.#scenario) * Math.min(lacked.size, LONG_WAY_PAGES * maxWrites);
    }
    return most;
  }

  /** Checks at rest that every live copy is the newest version that any node has held, and none is from before a clear. */
  atRest(): void {
    const newest = new Map<number, Version>();
    for (const { held } of this.#lives) {
      for (const [key, version] of held) {
        const known = newest.get(key);
        if (known === undefined || compareVersions(version, known) > 0) newest.set(key, version);
      }
    }
    const cleared = Math.max(...this.#nodes.map(({ store }) => store.history.cleared));
    const copies = this.#nodes.map(({ store }, i) => {
      this.look(i);
      if (store.history.cleared !== cleared) this.#violate(`diverged: node ${i} has not heard of the last clear`);
      const live: string[] = [];
      for (let key = 0; key < this.keys.length; key++) {
        const position = store.kept(this.keys[key]);
        if (position === 0) continue;
        const version = store.history.version(position);
        const name = nameOf(key, version);
        // Of an older version, whose successor was lost with all nodes that held it, not every node need have a copy.
        if (!this.#made.hasNewer(key, version) && !this.#made.hasTwin(key, version)) live.push(name);
        const best = newest.get(key)!;
        if (compareVersions(version, best) < 0) {
          const isClear = this.#clears.has(showVersion(best));
          const what = `node ${i} keeps ${name}`;
          this.#violate(
            isClear ? `resurrected: ${what} from before a clear` : `stale: ${what}, not ${showVersion(best)}`,
            key,
          );
        }
        if (version.h <= cleared) this.#violate(`resurrected: node ${i} keeps ${name} from before a clear`, key);
        if (valueAt(store, position) !== this.#values.get(name)) {
          this.#violate(`diverged: ${name} differs at node ${i}`, key);
        }
      }
      return live;
    });
    const { maxGraves, maxPrefixes } = this.#scenario;
    if (!this.#hasRoomForEntries || maxGraves < this.keys.length || maxPrefixes !== undefined) return;
    for (const name of copies.flat()) {
      if (copies.some((live) => !live.includes(name))) {
        return this.#violate(
          `diverged: nodes with room for all hold different entries: ${name}`,
          Number.parseInt(name.slice(4)),
        );
      }
    }
  }

  #living(i: number, key: number): Living {
    const { store } = this.#nodes[i];
    const position = store.kept(this.keys[key]);
    if (position === 0) return { key, name: undefined, terms: "", deadlineMs: 0 };
    const { reader } = store;
    const terms = `${reader.marks(position) & TRAVELS}, ${reader.ttlMs(position)} ms`;
    const name = nameOf(key, store.history.version(position));
    return { key, name, terms, deadlineMs: reader.deadlineMs(position) };
  }
}

function nameOf(key: number, version: Version): string {
  return `key ${key}: ${showVersion(version)}`;
}

/** How far a node has dealt with the writes of each origin, orphans that have left among them. */
function dealtOf({ history }: Store): Known {
  return new Map(history.origins.map(({ id, known, forgotten, left }) => [id, Math.max(known, forgotten, left)]));
}

function valueAt(store: Store, position: number): number {
  const bytes = new Uint8Array(4);
  store.reader.copyValue(position, bytes, 0);
  return new DataView(bytes.buffer).getUint32(0);
}
