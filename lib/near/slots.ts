/**
 * The server's memory of who may keep near copies of what: for each slot the connections that have read a key of it, and for
 * each connection the slots in which something has changed since. It knows keys and connections, not how a client is told.
 */

import type { ByteSpan } from "../base/byte_span.ts";
import { giveBack } from "../base/memory.ts";
import type { NearStats } from "../base/stats.ts";
import type { Store } from "../store/store.ts";
import { CAUSE, type Cause, type StoreListener } from "../store/store_listener.ts";
import type { FrameWriter } from "../wire/frame.ts";
import { MAX_PUSHED_SLOTS, slotOf, SLOTS, writeInvalid } from "../wire/near.ts";

/** Bits of a slot's word: connections whose numbers differ by a multiple of that share one. */
const BITS = 32;

/**
 * All slots. There is a table of them while any connection asks for it: until then nothing listens to the store, which has no
 * more work than without.
 */
export class Slots implements StoreListener {
  readonly causes: number = CAUSE.written | CAUSE.deleted | CAUSE.applied | CAUSE.cleared | CAUSE.overtaken;
  /** Counters for statistics. */
  readonly stats: NearStats = { nearConnections: 0, nearInvalidations: 0, nearResets: 0 };
  readonly #store: Pick<Store, "listen">;
  /** For each slot a bit for each connection that has read a key of it since it was marked; empty while nobody reads. */
  #words: Int32Array<ArrayBuffer> = new Int32Array(0);
  /** The readers of each bit. */
  readonly #readers: SlotReader[][] = Array.from({ length: BITS }, () => []);
  #made = 0;
  #unlisten: () => void = () => {};

  constructor(store: Pick<Store, "listen">) {
    this.#store = store;
  }

  /** Begins to remember what a connection reads; `onMark` is called each time that something has been marked for it. */
  newReader(onMark: () => void): SlotReader {
    if (this.stats.nearConnections++ === 0) {
      this.#words = new Int32Array(SLOTS);
      this.#unlisten = this.#store.listen(this);
    }
    const bit = this.#made++ % BITS;
    const readers = this.#readers[bit];
    const reader: SlotReader = new SlotReader(this.stats, {
      onMark,
      register: (slot) => this.#words[slot] |= 1 << bit,
      end: () => this.#forget(reader, readers),
    });
    readers.push(reader);
    return reader;
  }

  /** Marks what has changed in the store. */
  changed(cause: Cause, key: ByteSpan | undefined): void {
    if (cause === CAUSE.cleared || key === undefined) this.#markAll();
    else this.#mark(slotOf(key));
  }

  /** Marks the slot of a key of which only the hash is known. */
  overtaken(hash: number): void {
    this.#mark(hash & SLOTS - 1);
  }

  #mark(slot: number): void {
    const word = this.#words[slot];
    if (word === 0) return;
    this.#words[slot] = 0;
    for (let left = word; left !== 0; left &= left - 1) {
      for (const reader of this.#readers[31 - Math.clz32(left & -left)]) reader.mark(slot);
    }
  }

  #markAll(): void {
    this.#words.fill(0);
    for (const readers of this.#readers) for (const reader of readers) reader.markAll();
  }

  #forget(reader: SlotReader, readers: SlotReader[]): void {
    readers.splice(readers.indexOf(reader), 1);
    if (--this.stats.nearConnections > 0) return;
    this.#unlisten();
    giveBack(this.#words);
    this.#words = new Int32Array(0);
  }
}

/** What a reader has to do with the table. */
interface Place {
  readonly onMark: () => void;
  readonly register: (slot: number) => void;
  readonly end: () => void;
}

/** One connection whose client keeps near copies. */
export class SlotReader {
  /** Whether something has been marked that has not been written. */
  hasMarks = false;
  readonly #stats: NearStats;
  readonly #place: Place;
  /** The slots that have been marked. */
  readonly #marked = new Set<number>();
  #isAll = false;
  #hasEnded = false;

  /** Only {@linkcode Slots} makes them. */
  constructor(stats: NearStats, place: Place) {
    this.#stats = stats;
    this.#place = place;
  }

  /** Takes note that the client reads a key. This comes before the key is looked up. */
  register(key: ByteSpan): void {
    this.#place.register(slotOf(key));
  }

  /** Marks a slot. Too many become all. */
  mark(slot: number): void {
    if (!this.#isAll) this.#marked.add(slot);
    if (this.#marked.size > MAX_PUSHED_SLOTS) return this.markAll();
    this.hasMarks = true;
    this.#place.onMark();
  }

  /** Marks all slots. */
  markAll(): void {
    this.#marked.clear();
    this.#isAll = this.hasMarks = true;
    this.#place.onMark();
  }

  /** Writes what has been marked, which is marked no more then. No frame may be under way. */
  write(output: FrameWriter): void {
    if (!this.hasMarks) return;
    writeInvalid(output, this.#isAll ? undefined : this.#marked);
    if (this.#isAll) this.#stats.nearResets++;
    else this.#stats.nearInvalidations += this.#marked.size;
    this.#marked.clear();
    this.#isAll = this.hasMarks = false;
  }

  /** Forgets the connection, which has ended: nothing is marked for it any more. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#place.end();
  }
}
