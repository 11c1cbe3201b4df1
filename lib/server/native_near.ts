/**
 * The native protocol's feature `near` on one connection: what its client reads is sent as copies, and what changes then is
 * told before any later reply. It knows the store and the slots, not the other requests.
 */

import { MARK } from "../store/entry.ts";
import type { Store } from "../store/store.ts";
import type { SlotReader, Slots } from "../near/slots.ts";
import type { PushQueue } from "./push_queue.ts";
import type { ByteSpan } from "../base/byte_span.ts";
import { type FrameWriter, REPLY } from "../wire/frame.ts";
import { COPY_MARK, type CopyTerms, writeCopy, writeLeft, writeListedCopy } from "../wire/near.ts";
import type { ConnectionContext } from "../wire/protocol_handler.ts";

/** The part of a server that near copies need. */
export interface NearHost {
  readonly store: Store;
  readonly near: Slots;
  readonly pushes: PushQueue;
}

/** Says what remains of the entry at a position, of which a copy may be kept: an aging one is fresh for less than it is kept. */
export function setTerms(terms: CopyTerms, { reader, renewOnHit, nowMs }: Store, position: number): CopyTerms {
  const isRenewed = renewOnHit && (reader.marks(position) & MARK.fixed) === 0;
  terms.marks = isRenewed ? COPY_MARK.kept | COPY_MARK.renews : COPY_MARK.kept;
  terms.freshMs = Math.max(0, reader.freshUntilMs(position) - nowMs);
  terms.ttlMs = isRenewed ? reader.ttlMs(position) : 0;
  return terms;
}

/** One connection whose client keeps near copies. */
export class NativeNear {
  readonly #store: Store;
  readonly #output: FrameWriter;
  readonly #context: Pick<ConnectionContext, "output" | "push">;
  readonly #reader: SlotReader;
  /** What is said of an entry; one object for all. */
  readonly #terms: CopyTerms = { marks: 0, freshMs: 0, ttlMs: 0 };
  readonly #pushes: PushQueue;
  readonly #write = (output: FrameWriter) => this.#reader.write(output);
  readonly #push = () => {
    if (this.#reader.hasMarks) this.#context.push(this.#write);
  };

  constructor({ store, near, pushes }: NearHost, context: Pick<ConnectionContext, "output" | "push">) {
    this.#store = store;
    this.#output = context.output;
    this.#context = context;
    this.#pushes = pushes;
    // What is marked is told soon, if no reply tells it before; where the client does not read, with the next reply or mark.
    this.#reader = near.newReader(() => pushes.add(this.#push));
  }

  /** Writes what has been marked. This comes before each reply is begun, and after what it answers has been done. */
  say(): void {
    if (this.#reader.hasMarks) this.#reader.write(this.#output);
  }

  /** Takes note that the client reads a key. This comes before the key is looked up. */
  register(key: ByteSpan): void {
    this.#reader.register(key);
  }

  /** Answers a `GET`. */
  get(key: ByteSpan): void {
    const position = this.#lookUp(key);
    if (position === 0) return this.#output.empty(REPLY.miss);
    const { reader } = this.#store;
    const valueBytes = reader.valueBytes(position);
    const at = writeCopy(this.#output, this.#termsOf(position), reader.flags(position), valueBytes);
    this.#output.giveValue(reader, position, valueBytes, at);
  }

  /** Answers a `USE`: to the entry it is a hit like others. */
  use(key: ByteSpan): void {
    const position = this.#lookUp(key);
    if (position === 0) this.#output.empty(REPLY.miss);
    else writeLeft(this.#output, this.#termsOf(position));
  }

  /** Writes an entry that has been found into a list. */
  list(position: number, valueBytes: number): void {
    const { reader } = this.#store;
    const at = writeListedCopy(this.#output, this.#termsOf(position), reader.flags(position), valueBytes);
    reader.copyValue(position, this.#output.buffer, at);
  }

  /** The connection has ended. */
  end(): void {
    this.#reader.end();
    this.#pushes.remove(this.#push);
  }

  #lookUp(key: ByteSpan): number {
    this.#reader.register(key);
    const position = this.#store.get(key);
    this.say();
    return position;
  }

  #termsOf(position: number): CopyTerms {
    return setTerms(this.#terms, this.#store, position);
  }
}
