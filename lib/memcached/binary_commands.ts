/**
 * memcached's commands in packets. It knows requests, entries and replies, not when a packet has arrived or what happens
 * after a packet that is no command.
 */

import type { MemcachedCommands, Mode, Stored, StoreRequest } from "./commands.ts";
import { groupOf, isDetail, isReset } from "./binary_gate.ts";
import { BinaryReplies, type BinaryRequest, type Failure, STATUS } from "./binary_packet.ts";
import type { Unsigned } from "../base/unsigned.ts";
import type { PrefixCounters } from "./prefixes.ts";
import { MEMCACHED_VERSION, type MemcachedHost, statistics, type StatLines } from "./statistics.ts";
import type { OutputBuffer } from "../wire/output_buffer.ts";
import { unitsOf } from "../wire/protocol_handler.ts";
import { type ByteSpan, copySpan, spanOf } from "../base/byte_span.ts";

const [DELTA_EXTRAS_BYTES, EXPIRY_BYTES, FLAGS_BYTES] = [20, 4, 4];
/** An expiry by which `increment` and `decrement` create no entry. */
const NO_CREATION = 0xffff_ffff;

/** Statuses of storage commands that failed; `add` and `replace` have other statuses for "not stored". */
const FAILURES: Record<Exclude<Stored, "stored">, Failure> = {
  "not-stored": STATUS.notStored,
  "exists": STATUS.exists,
  "not-found": STATUS.notFound,
  "too-large": STATUS.tooLarge,
  "no-memory": STATUS.noMemory,
};

/** memcached's commands in packets. Methods that return a boolean tell whether the packet has the form of the command. */
export class BinaryCommands {
  /** Whether the command gets no reply to its usual result: a success or, for retrievals, a miss. */
  isQuiet = false;
  readonly #host: MemcachedHost;
  readonly #memcached: MemcachedCommands;
  readonly #prefixes: PrefixCounters;
  readonly #request: BinaryRequest;
  readonly #replies: BinaryReplies;
  readonly #output: OutputBuffer;
  /** The storage command under way, until its value has arrived. */
  readonly #store: StoreRequest = { mode: "set", flags: 0, value: spanOf(new Uint8Array(0)), ttlMs: 0, cas: 0 };

  constructor(host: MemcachedHost, request: BinaryRequest, output: OutputBuffer) {
    this.#host = host;
    this.#memcached = host.memcached;
    this.#prefixes = host.memcached.prefixes;
    this.#request = request;
    this.#replies = new BinaryReplies(request, output);
    this.#output = output;
  }

  /** Replies that a command failed. */
  fail(status: Failure): void {
    this.#replies.fail(status);
  }

  /** Replies that a command has succeeded, unless it is a quiet one. */
  succeed(): void {
    if (!this.isQuiet) this.#replies.head(STATUS.ok);
  }

  /** Whether the request has a key, extras of `extrasBytes` bytes and no value. */
  #isKeyed(extrasBytes: number): boolean {
    const request = this.#request;
    return request.keyBytes > 0 && request.extrasBytes === extrasBytes && request.valueBytes === 0;
  }

  /** `get`, and `getk`, which repeats the key. */
  get(withKey: boolean): boolean {
    if (!this.#isKeyed(0)) return false;
    const { key } = this.#request;
    const position = this.#memcached.get(key);
    if (this.#prefixes.isOn) this.#prefixes.got(key, position !== 0);
    if (position === 0) this.#miss(withKey);
    else this.#writeEntry(position, withKey, true);
    return true;
  }

  #miss(withKey: boolean): void {
    if (this.isQuiet) return;
    if (withKey) this.#replies.missingKey(this.#request.key);
    else this.#replies.fail(STATUS.notFound);
  }

  #writeEntry(position: number, withKey: boolean, withValue: boolean): void {
    const { key, keyBytes } = this.#request;
    const { reader } = this.#memcached.store;
    let at = this.#replies.head(STATUS.ok, {
      cas: this.#memcached.casOf(position),
      extrasBytes: FLAGS_BYTES,
      keyBytes: withKey ? keyBytes : 0,
      valueBytes: withValue ? reader.valueBytes(position) : 0,
    });
    const { buffer, view } = this.#output;
    view.setUint32(at, reader.flags(position));
    at += FLAGS_BYTES;
    if (withKey) {
      copySpan(key, buffer, at);
      at += keyBytes;
    }
    if (withValue) this.#output.giveValue(reader, position, reader.valueBytes(position), at);
  }

  /** `touch`, `gat` and `gatk`: gives an entry another time to live. The reply shows the entry as it was before. */
  touch(withKey: boolean, withValue: boolean): boolean {
    const { key, keyBytes, extrasBytes } = this.#request;
    if (keyBytes === 0 || extrasBytes !== EXPIRY_BYTES) return false;
    const memcached = this.#memcached;
    const { store, counters } = memcached;
    const position = store.peek(key);
    if (this.#prefixes.isOn) this.#prefixes.got(key, position !== 0);
    counters.cmd_touch++;
    if (position === 0) {
      counters.touch_misses++;
      this.#miss(withKey);
      return true;
    }
    counters.touch_hits++;
    store.use(position);
    memcached.store.fetched(position);
    this.#writeEntry(position, withKey, withValue);
    memcached.touch(key, position, memcached.ttlOf(this.#request.extra32(0)));
    return true;
  }

  /** Prepares a storage command whose value has yet to arrive. Returns whether the item is small enough. */
  prepareSet(mode: Mode): boolean {
    const { keyBytes, extrasBytes, valueBytes, cas } = this.#request;
    const memcached = this.#memcached;
    const store = this.#store;
    const isWhole = extrasBytes > 0;
    store.mode = isWhole && cas !== 0 ? "cas" : mode;
    store.flags = isWhole ? this.#request.extra32(0) : 0;
    store.ttlMs = isWhole ? memcached.ttlOf(this.#request.extra32(4)) : Infinity;
    store.cas = cas;
    if (memcached.fits(keyBytes, valueBytes, store.flags)) return true;
    memcached.counters.store_too_large++;
    if (this.#prefixes.isOn) this.#prefixes.set(this.#request.key);
    if (mode === "set") memcached.drop(this.#request.key);
    this.#replies.fail(STATUS.tooLarge);
    return false;
  }

  /** Stores the value, after `prepareSet`. */
  set(mode: Mode, value: ByteSpan): void {
    const { key } = this.#request;
    this.#store.value = value;
    if (this.#prefixes.isOn) this.#prefixes.set(key);
    const stored = this.#memcached.set(key, this.#store);
    if (stored !== "stored") this.#notStored(mode, stored);
    else if (!this.isQuiet) this.#replies.head(STATUS.ok, { cas: this.#casOf(key) });
  }

  #notStored(mode: Mode, stored: Exclude<Stored, "stored">): void {
    if (stored === "no-memory") {
      if (mode === "set") this.#memcached.drop(this.#request.key);
      this.#replies.fail(STATUS.noMemory, "Out of memory allocating item");
      return;
    }
    const isAbsent = stored === "not-stored" && mode === "replace";
    const isPresent = stored === "not-stored" && mode === "add";
    this.#replies.fail(isAbsent ? STATUS.notFound : isPresent ? STATUS.exists : FAILURES[stored]);
  }

  /** The CAS of an entry that was just written; 0 if the entry has expired already. */
  #casOf(key: ByteSpan): Unsigned {
    const position = this.#memcached.store.peek(key);
    return position === 0 ? 0 : this.#memcached.casOf(position);
  }

  /** `delete`. */
  delete(): boolean {
    if (!this.#isKeyed(0)) return false;
    const { key, cas } = this.#request;
    if (this.#prefixes.isOn) this.#prefixes.deleted(key);
    const position = cas === 0 ? 0 : this.#memcached.store.peek(key);
    if (position !== 0 && this.#memcached.casOf(position) !== cas) this.#replies.fail(STATUS.exists);
    else if (this.#memcached.delete(key)) this.succeed();
    else this.#replies.fail(STATUS.notFound);
    return true;
  }

  /** `increment` and `decrement`. */
  arithmetic(isDown: boolean): boolean {
    if (!this.#isKeyed(DELTA_EXTRAS_BYTES)) return false;
    const request = this.#request;
    if (request.extra32(16) !== NO_CREATION && !this.#memcached.store.has(request.key)) this.#create();
    else this.#add(isDown);
    return true;
  }

  #add(isDown: boolean): void {
    const { key, cas } = this.#request;
    const memcached = this.#memcached;
    const delta = memcached.delta(key, { by: this.#request.extra64(0), isDown, cas });
    if (typeof delta === "object") {
      if (!this.isQuiet) this.#replies.number(delta.value, memcached.casOf(delta.position));
    } else if (delta === "no-memory") this.#replies.fail(STATUS.noMemory, "Out of memory incrementing value");
    else this.#replies.fail(delta === "non-numeric" ? STATUS.nonNumeric : FAILURES[delta]);
  }

  /** Creates the entry of an addition with the initial number that the client has sent. */
  #create(): void {
    const request = this.#request;
    const { key } = request;
    const initial = request.extra64(8);
    const digits = Uint8Array.from(String(initial), (digit) => digit.charCodeAt(0));
    const ttlMs = this.#memcached.ttlOf(request.extra32(16));
    const stored = this.#memcached.set(key, { mode: "add", flags: 0, value: spanOf(digits), ttlMs, cas: 0 });
    if (stored !== "stored") this.#replies.fail(STATUS.noMemory, "Out of memory allocating new item");
    else if (!this.isQuiet) this.#replies.number(initial, this.#casOf(key));
  }

  /** `flush`, now or later. */
  flush(): boolean {
    const { extrasBytes, bodyBytes } = this.#request;
    if (bodyBytes !== extrasBytes || (extrasBytes !== 0 && extrasBytes !== EXPIRY_BYTES)) return false;
    this.#memcached.flush(extrasBytes === 0 ? 0 : this.#request.extra32(0));
    this.succeed();
    return true;
  }

  /** `version`. */
  version(): void {
    this.#replies.text(MEMCACHED_VERSION);
  }

  /** `stat`: replies with a packet per statistic, and then one without name and value. */
  stat(): boolean {
    const { key, extrasBytes } = this.#request;
    if (extrasBytes > 0) return false;
    const group = groupOf(key);
    if (isReset(group)) this.#memcached.resetCounters();
    const lines = isReset(group) ? [] : isDetail(group) ? this.#detail(group) : statistics(this.#host, group);
    if (lines === undefined) {
      this.#replies.fail(STATUS.notFound);
      return true;
    }
    for (const [name, value] of lines) this.#replies.statistic(name, `${value}`);
    this.succeed();
    return true;
  }

  /** Switches the counts by prefix on or off, or tells them in one packet; `undefined` if the group says none of that. */
  #detail(group: string): StatLines | undefined {
    const prefixes = this.#prefixes;
    const what = group.slice("detail".length);
    if (what.startsWith(" dump")) {
      const text = prefixes.dump();
      this.#memcached.worked(unitsOf(text.length));
      return [["detailed", text]];
    }
    if (!what.startsWith(" on") && !what.startsWith(" off")) return undefined;
    prefixes.isOn = what.startsWith(" on");
    return [];
  }
}
