/**
 * The native protocol's feature `lease` on one connection: who asks for a value that is not there is given leave to compute it,
 * or waits for whom has that. It knows the store and the leases, not the other requests.
 */

import type { ByteSpan } from "../base/byte_span.ts";
import { MAX_VALUE_BYTES } from "../base/limits.ts";
import { Asker, type Leases, MAX_WAITS } from "../near/leases.ts";
import { age, type EntryInput, MARK } from "../store/entry.ts";
import type { Store } from "../store/store.ts";
import { type FrameReader, type FrameWriter, REPLY } from "../wire/frame.ts";
import {
  FILL_HEAD_BYTES,
  type LeaseToken,
  MAX_LEASE_MS,
  tokenAt,
  writeAgain,
  writeStaleToken,
  writeToken,
} from "../wire/leases.ts";
import { COPY_MARK, type CopyTerms, msAt, writeCopy, writeInvalid } from "../wire/near.ts";
import type { ConnectionContext } from "../wire/protocol_handler.ts";
import { type NativeNear, setTerms } from "./native_near.ts";
import { entryTooLarge, isTurned, keyOf, RequestRefusal, ttlOf, valueTooLarge } from "./native_request.ts";

/** The part of a server that leases need. */
export interface LeaseHost {
  readonly store: Store;
  readonly leases: Leases;
  /** Makes a token that nobody can guess. */
  newToken(): LeaseToken;
}

/** What leases need of the connection. */
export interface LeaseContext extends Pick<ConnectionContext, "push"> {
  readonly input: FrameReader;
  readonly output: FrameWriter;
}

const NO_BYTES = new Uint8Array(0);

/** One connection whose client asks for leases. */
export class NativeLeases {
  readonly #host: LeaseHost;
  readonly #context: LeaseContext;
  readonly #near: NativeNear | undefined;
  readonly #asker: Asker = new Asker((key) => this.#again(key));
  /** The keys for which the client is to ask again and has not been told; `undefined` stands for all. */
  #told: Uint8Array[] | undefined = [];
  #isQueued = false;
  /** Reused by all requests, none of which keeps them. */
  readonly #terms: CopyTerms = { marks: 0, freshMs: 0, ttlMs: 0 };
  readonly #entry: EntryInput = { flags: 0, marks: 0, value: { bytes: NO_BYTES, from: 0, to: 0 }, ttlMs: undefined };
  readonly #write = (output: FrameWriter) => this.#writeTold(output);

  /** @param near What is told beside, if the client keeps near copies too. */
  constructor(host: LeaseHost, context: LeaseContext, near: NativeNear | undefined) {
    this.#host = host;
    this.#context = context;
    this.#near = near;
  }

  /** Says what could not be said before, since the client did not read. No frame may be under way. */
  say(): void {
    if (this.#told?.length !== 0) this.#writeTold(this.#context.output);
  }

  /** Answers a `LEASE`. */
  lease(): void {
    const { input, output } = this.#context;
    const { store, leases, newToken } = this.#host;
    const key = keyOf(input, 5);
    const leaseMs = input.uint32(key.to);
    const accepts = input.uint8(key.to + 4);
    if (leaseMs < 1 || leaseMs > MAX_LEASE_MS || accepts > 1) {
      const received = `${leaseMs} ms, ${accepts}`;
      throw new RequestRefusal(
        "bad-request",
        `a LEASE is of 1 to ${MAX_LEASE_MS} ms, and 0 or 1: received ${received}`,
      );
    }
    this.#near?.register(key);
    const position = store.get(key);
    const stale = position === 0 && accepts === 1 ? store.kept(key) : 0;
    if (position !== 0) return this.#copy(position, false);
    const { nowMs } = store;
    const token = newToken();
    const answer = leases.ask(key, this.#asker, { ...token, nowMs, leaseMs, hasStale: stale !== 0 });
    if (answer === "stale") return this.#copy(stale, true);
    this.#near?.say();
    if (answer === "wait") return output.empty(REPLY.wait);
    if (stale === 0) return writeToken(output, token);
    store.use(stale);
    const { reader } = store;
    const valueBytes = reader.valueBytes(stale);
    const at = writeStaleToken(output, token, this.#staleTerms(stale), reader.flags(stale), valueBytes);
    reader.copyValue(stale, output.buffer, at);
  }

  /** Answers a `FILL`. */
  fill(): void {
    const { input, output } = this.#context;
    const { store, leases } = this.#host;
    const valueBytes = input.end - input.start - input.keyBytes - FILL_HEAD_BYTES;
    if (valueBytes < 0) {
      throw new RequestRefusal("bad-request", `a FILL has ${FILL_HEAD_BYTES} bytes or more after its key`);
    }
    const key = keyOf(input, FILL_HEAD_BYTES + valueBytes);
    const isFixed = isTurned(input.uint32(key.to + 12));
    const ttlMs = ttlOf(input, key.to + 12, isFixed) ?? store.ttlMs;
    if (leases.isValid(key, tokenAt(input, key.to))) this.#store(key, valueBytes, ttlMs, isFixed);
    else return this.#reply(REPLY.lost);
    this.#near?.say();
    output.empty(REPLY.ok);
  }

  #store(key: ByteSpan, valueBytes: number, ttlMs: number, isFixed: boolean): void {
    const { input } = this.#context;
    const { store } = this.#host;
    if (valueBytes > MAX_VALUE_BYTES) {
      store.delete(key);
      throw valueTooLarge(valueBytes);
    }
    const entry = this.#entry;
    entry.flags = input.uint32(key.to + 8);
    entry.marks = isFixed ? MARK.fixed : 0;
    entry.value.bytes = key.bytes;
    entry.value.from = key.to + FILL_HEAD_BYTES;
    entry.value.to = input.end;
    age(entry, ttlMs, msAt(input, key.to + 20), store.nowMs);
    if (!store.set(key, entry)) throw entryTooLarge(store, key, valueBytes);
  }

  /** Answers a `GIVE`. */
  give(): void {
    const { input } = this.#context;
    const { store, leases } = this.#host;
    const key = keyOf(input, 8);
    const isValid = leases.takeBack(key, tokenAt(input, key.to), store.nowMs, store.kept(key) !== 0);
    this.#reply(isValid ? REPLY.ok : REPLY.lost);
  }

  /** The connection has ended. */
  end(): void {
    this.#host.leases.leave(this.#asker);
  }

  #reply(code: number): void {
    this.#near?.say();
    this.#context.output.empty(code);
  }

  /** Replies with an entry, which is fresh or stale. */
  #copy(position: number, isStale: boolean): void {
    const { output } = this.#context;
    const { store } = this.#host;
    const { reader } = store;
    if (isStale) store.use(position);
    const terms = isStale ? this.#staleTerms(position) : setTerms(this.#terms, store, position);
    if (!isStale && this.#near === undefined) terms.marks = terms.ttlMs = 0;
    const valueBytes = reader.valueBytes(position);
    this.#near?.say();
    const at = writeCopy(output, terms, reader.flags(position), valueBytes);
    output.giveValue(reader, position, valueBytes, at);
  }

  /** What is said of a stale entry: for how long it has not been fresh. */
  #staleTerms(position: number): CopyTerms {
    const { reader, nowMs } = this.#host.store;
    const terms = this.#terms;
    terms.marks = COPY_MARK.stale;
    terms.freshMs = 0;
    terms.ttlMs = Math.max(0, nowMs - reader.freshUntilMs(position));
    return terms;
  }

  /** Has the client told to ask again, at the end of this turn. Where it does not read that waits, for its next request. */
  #again(key: Uint8Array | undefined): void {
    if (key === undefined || this.#told === undefined || this.#told.length === MAX_WAITS) this.#told = undefined;
    else this.#told.push(key);
    if (this.#isQueued) return;
    this.#isQueued = true;
    queueMicrotask(() => {
      this.#isQueued = false;
      if (this.#told?.length !== 0) this.#context.push(this.#write);
    });
  }

  #writeTold(output: FrameWriter): void {
    if (this.#told === undefined) writeInvalid(output, undefined);
    else for (const key of this.#told) writeAgain(output, key);
    this.#told = [];
  }
}
