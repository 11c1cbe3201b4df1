/**
 * All writes that are held, as logs: one of each of a few origins, and one of all others, so that there may be any number of
 * origins. It knows positions, versions and origins, not what is known or has left.
 */

import type { Origin } from "./origins.ts";
import type { Records } from "./records.ts";
import { Chunks, WriteLog } from "./write_log.ts";

/** Origins that have a log of their own. */
const MAX_LOGS = 64;

/** Where a merge of logs stands in one of them. */
interface Head {
  position: number;
  readonly rest: Generator<number, void, void>;
}

/** The logs of all origins. */
export class Logs {
  /** Logs of one origin each, the first of which is this node's own; and behind the last of them that of all others. */
  readonly all: WriteLog[] = [];
  readonly #records: Records;
  readonly #chunks: Chunks;
  readonly #maxLogs: number;

  /** @param own This node's origin; `maxLogs` is how many origins have a log of their own. */
  constructor(records: Records, own: Origin, maxLogs = MAX_LOGS) {
    this.#records = records;
    this.#chunks = new Chunks(records);
    this.#maxLogs = maxLogs;
    this.#of(own);
  }

  /** Memory taken, in bytes. */
  get bytes(): number {
    return this.#chunks.bytes;
  }

  /** Bytes that the next write may add to `bytes`. */
  get growthBytes(): number {
    return this.#chunks.growthBytes;
  }

  /** Gives a region of memory none of which is in use back to the system. Returns whether there was one. */
  giveBackRegion(): boolean {
    return this.#chunks.giveBackRegion();
  }

  /** Adds the record at a position, whose write is counted under an origin. */
  add(position: number, origin: Origin): void {
    (origin.log ?? this.#of(origin)).add(position, origin);
  }

  /** Takes the record at a position out of its log. */
  remove(position: number): void {
    this.#chunks.remove(position);
  }

  /** Updates the place of a record that has moved to position `to`. */
  moved(to: number): void {
    this.#chunks.moved(to);
  }

  /** The log of an origin without one: the next, or one that has become empty, or that of all others. */
  #of(origin: Origin): WriteLog {
    const { all } = this;
    const empty = all.findIndex(({ size, owner }, i) => i > 0 && size === 0 && owner !== undefined);
    if (all.length < this.#maxLogs || empty > 0) {
      if (empty > 0) (all[empty].owner as Origin).log = undefined;
      origin.log = new WriteLog(this.#records, this.#chunks, origin);
      all[empty > 0 ? empty : all.length] = origin.log;
    } else {
      if (all.length === this.#maxLogs) all.push(new WriteLog(this.#records, this.#chunks));
      origin.log = all[this.#maxLogs];
    }
    return origin.log;
  }

  /** The origin under which the write at a position is counted. */
  originAt(position: number): Origin {
    return this.#chunks.owner(position) as Origin;
  }

  /** Position of an origin's write of version `h`, or 0. */
  at(origin: Origin, h: number): number {
    return origin.size === 0 ? 0 : origin.log!.at(h, origin);
  }

  /** Positions of an origin's writes after version `h`, the oldest first. */
  *after(origin: Origin, h: number): Generator<number, void, void> {
    const { log } = origin;
    if (log === undefined || origin.newest <= h || origin.size === 0) return;
    for (const position of log.after(h)) if (log.owner === origin || this.originAt(position) === origin) yield position;
  }

  /** Those of some origins of which more is held than is known. */
  holdingBeyond(origins: Iterable<Origin>): Set<Origin> {
    const holding = new Set<Origin>();
    let least = Infinity;
    for (const origin of origins) {
      const { log, size, newest, known } = origin;
      if (log === undefined || size === 0 || newest <= known) continue;
      if (log.owner === undefined) least = Math.min(least, known);
      else if (!log.after(known).next().done) holding.add(origin);
    }
    for (const position of least === Infinity ? [] : this.all[this.#maxLogs].after(least)) {
      const origin = this.originAt(position);
      if (this.#records.h(position) > origin.known) holding.add(origin);
    }
    return holding;
  }

  /** How many writes of some origins are known here and unknown to a peer, who knows them as `have` says. */
  count(origins: readonly Origin[], have: (id: number) => number): number {
    let [count, least] = [0, Infinity];
    for (const { id, known, log } of origins) {
      if (log?.owner !== undefined) count += log.countAfter(have(id)) - log.countAfter(known);
      else if (log !== undefined) least = Math.min(least, have(id));
    }
    for (const position of least === Infinity ? [] : this.all[this.#maxLogs].after(least)) {
      const { id, known } = this.originAt(position);
      const h = this.#records.h(position);
      if (h <= known && h > have(id)) count++;
    }
    return count;
  }

  /** The lowest version of those that `count` counts; `Infinity` if there are none. */
  oldest(origins: readonly Origin[], have: (id: number) => number): number {
    let oldest = Infinity;
    for (const origin of origins) {
      const { value: position } = this.after(origin, have(origin.id)).next();
      const h = position === undefined ? Infinity : this.#records.h(position);
      if (h <= origin.known && h < oldest) oldest = h;
    }
    return oldest;
  }

  /** Positions of all writes from a version on, or from another one in each log, in the order of pages. */
  ascending(from: number | ((log: WriteLog) => number)): Generator<number, void, void> {
    return this.#merged((log) => log.after((typeof from === "number" ? from : from(log)) - 1), 1);
  }

  /** Positions of all writes up to a version, in the opposite order. */
  descending(upTo: number): Generator<number, void, void> {
    return this.#merged((log) => log.before(upTo + 1), -1);
  }

  *#merged(partOf: (log: WriteLog) => Head["rest"], sign: number): Generator<number, void, void> {
    const heads = this.all.flatMap((log): Head[] => {
      const rest = partOf(log);
      const { value: position } = rest.next();
      return position === undefined ? [] : [{ position, rest }];
    });
    while (heads.length > 0) {
      let next = 0;
      for (let i = 1; i < heads.length; i++) {
        if (sign * this.#compare(heads[i].position, heads[next].position) < 0) next = i;
      }
      yield heads[next].position;
      const { value: position } = heads[next].rest.next();
      if (position === undefined) heads.splice(next, 1);
      else heads[next].position = position;
    }
  }

  #compare(a: number, b: number): number {
    return this.#records.h(a) - this.#records.h(b) || this.originAt(a).id - this.originAt(b).id;
  }
}
