/** The reply to one request for keys: some keys that begin with a prefix, for a bounded piece of work. It knows no other request. */

import type { ByteSpan } from "../base/byte_span.ts";
import { MAX_KEYS_PER_GET } from "../base/limits.ts";
import type { Store } from "../store/store.ts";
import { KEYS_END, KEYS_HEAD_BYTES, setNext } from "../wire/entry_calls.ts";
import { type FrameWriter, REPLY } from "../wire/frame.ts";
import { type Allowance, unitsOf } from "../wire/protocol_handler.ts";

/** Bytes of keys after which no more are looked for. */
const MAX_BYTES = 1024 * 1024;
/** Units of work, each about a microsecond, after which no other piece of the table is looked at. */
const ENOUGH = 1024;
/** Units of work after which the list ends within a piece; only long keys come to that. */
const MAX_WORK = 2 * ENOUGH;
/** Units of work that a piece of the table costs, whatever is in it. */
const PIECE = 256;

/** A list of keys that is being written. */
export class KeysPage {
  readonly #store: Store;
  readonly #output: FrameWriter;
  readonly #allowance: Allowance;
  readonly #prefix: ByteSpan;
  #count = 0;
  #bytes = 0;
  #work = 0;

  constructor(store: Store, { output, allowance }: { output: FrameWriter; allowance: Allowance }, prefix: ByteSpan) {
    this.#store = store;
    this.#output = output;
    this.#allowance = allowance;
    this.#prefix = prefix;
  }

  /** Writes the whole frame, of keys from a place on. */
  write(from: number): void {
    const output = this.#output;
    output.begin(REPLY.keys);
    const head = output.length;
    output.room(KEYS_HEAD_BYTES);
    const next = this.#list(from);
    setNext(output, head, next, this.#count);
    output.end();
  }

  /** Lists keys. Returns the place behind them: all keys of one hash go together, so that it lies between two. */
  #list(from: number): number {
    while (from < KEYS_END && (this.#work === 0 || !this.#isEnough)) {
      const { found, next } = this.#store.walk(from);
      const before = this.#work;
      this.#work += PIECE;
      let i = 0;
      while (i < found.length && !(this.#isFull && i > 0 && found[i].hash !== found[i - 1].hash)) {
        this.#add(found[i++].position);
      }
      this.#allowance.spend(this.#work - before);
      if (i < found.length) return found[i].hash;
      from = next;
    }
    return from;
  }

  /** Whether no other piece is to be looked at. */
  get #isEnough(): boolean {
    return this.#work >= ENOUGH || this.#isFull || this.#allowance.isOver;
  }

  get #isFull(): boolean {
    return this.#count >= MAX_KEYS_PER_GET || this.#bytes >= MAX_BYTES || this.#work >= MAX_WORK;
  }

  /** Adds the key of the entry at a position, if it begins with the prefix: it is looked at in the place for it. */
  #add(position: number): void {
    const [output, prefix] = [this.#output, this.#prefix];
    const { reader } = this.#store;
    const bytes = reader.keyBytes(position);
    this.#work += 1 + unitsOf(bytes);
    if (bytes < prefix.to - prefix.from) return;
    const at = output.room(2 + bytes);
    reader.copyKey(position, output.buffer, at + 2);
    for (let i = prefix.from, j = at + 2; i < prefix.to; i++, j++) {
      if (output.buffer[j] === prefix.bytes[i]) continue;
      output.length = at;
      return;
    }
    output.view.setUint16(at, bytes);
    this.#count++;
    this.#bytes += bytes;
  }
}
