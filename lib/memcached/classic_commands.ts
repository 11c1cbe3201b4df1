/**
 * memcached's classic commands: `get`, `set`, `incr` and the like. It knows words and entries, not where a line ends or a
 * value begins.
 */

import { MAX_MEMCACHED_ANNOUNCED_BYTES, MAX_MEMCACHED_KEY_BYTES } from "../base/limits.ts";
import { type Allowance, OUTPUT_BYTES, unitsOf } from "../wire/protocol_handler.ts";
import type { TextLine } from "./text_line.ts";
import { KeyListing } from "./key_listing.ts";
import type { MemcachedCommands, Mode, Stored, StoreRequest } from "./commands.ts";
import type { PrefixCounters } from "./prefixes.ts";
import { type MemcachedHost, statistics } from "./statistics.ts";
import { writeDecimal, writeText } from "./ascii.ts";
import type { OutputBuffer } from "../wire/output_buffer.ts";
import { type ByteSpan, copySpan } from "../base/byte_span.ts";

const [CR, LF, SPACE] = [13, 10, 0x20];
/** Bytes beside key and value in a reply to `get`, at most. */
const REPLY_BYTES = 64;

const REPLIES: Record<Stored, string> = {
  "stored": "STORED",
  "not-stored": "NOT_STORED",
  "exists": "EXISTS",
  "not-found": "NOT_FOUND",
  "too-large": "SERVER_ERROR object too large for cache",
  "no-memory": "SERVER_ERROR out of memory storing object",
};
const BAD_FORMAT = "CLIENT_ERROR bad command line format";
/** Numbers of memcached's slab classes are lower. All entries are of class 1. */
const CLASSES = 64;

/** A retrieval under way: its line may ask for more than one write can hold. */
interface Retrieval {
  readonly bytes: Uint8Array;
  /** Where the next key is looked for; `end` is where the line ends. */
  at: number;
  end: number;
  readonly withCas: boolean;
  /** The time to live that the entries are given, if any. */
  readonly ttlMs: number | undefined;
  /** Whether the line has a key that is too long, at which the retrieval ends without a reply but the refusal. */
  isRefused: boolean;
}

/** memcached's classic commands. */
export class ClassicCommands {
  readonly #host: MemcachedHost;
  readonly #memcached: MemcachedCommands;
  readonly #prefixes: PrefixCounters;
  readonly #output: OutputBuffer;
  readonly #allowance: Allowance;
  readonly #key: ByteSpan = { bytes: new Uint8Array(0), from: 0, to: 0 };
  /** The storage command under way, until its value has arrived. */
  readonly #request: StoreRequest = { mode: "set", flags: 0, value: this.#key, ttlMs: 0, cas: 0 };
  #retrieval: Retrieval | undefined;
  #listing: KeyListing | undefined;
  /** Whether the command under way gets no reply. */
  #isQuiet = false;

  constructor(host: MemcachedHost, output: OutputBuffer, allowance: Allowance) {
    this.#host = host;
    this.#memcached = host.memcached;
    this.#prefixes = host.memcached.prefixes;
    this.#output = output;
    this.#allowance = allowance;
  }

  /** Whether a command is under way whose reply may be longer than one write, which `goOn` continues. */
  get isUnderWay(): boolean {
    return this.#retrieval !== undefined || this.#listing !== undefined;
  }

  /** `get` with one key, the most common command of all. */
  getOne(key: ByteSpan, hash: number): void {
    const position = this.#memcached.get(key, hash);
    if (this.#prefixes.isOn) this.#prefixes.got(key, position !== 0);
    if (position !== 0) this.#writeEntry(key, position, false);
    this.#end();
  }

  /** `get`, `gets`, `gat` and `gats`; `first` is the index of the first key, 2 if a time to live comes before. */
  get(line: TextLine, first: number, withCas: boolean): undefined {
    this.#isQuiet = false;
    if (line.count < 2) return this.say("ERROR");
    let ttlMs: number | undefined;
    if (first === 2) {
      const seconds = line.int32(1);
      if (seconds === undefined) return this.say("CLIENT_ERROR invalid exptime argument");
      ttlMs = this.#memcached.ttlOf(seconds);
    }
    const { bytes } = line;
    let end = line.to(0);
    while (bytes[end] !== LF && bytes[end] !== 0) end++;
    if (bytes[end] === LF && bytes[end - 1] === CR) end--;
    const retrieval: Retrieval = { bytes, at: line.to(first - 1), end, withCas, ttlMs, isRefused: false };
    this.#endAtLongKey(retrieval);
    this.#retrieval = retrieval;
  }

  /** Ends a retrieval at a key that is too long: the keys before are looked up nevertheless, without a reply. */
  #endAtLongKey(retrieval: Retrieval): void {
    const { at } = retrieval;
    const key = this.#key;
    while (!retrieval.isRefused && this.#nextKey(retrieval)) {
      if (key.to - key.from <= MAX_MEMCACHED_KEY_BYTES) continue;
      retrieval.isRefused = true;
      retrieval.end = key.from;
    }
    retrieval.at = at;
  }

  /** Points to the next key of a line; returns false if there is none. */
  #nextKey(retrieval: Retrieval): boolean {
    const { bytes, end } = retrieval;
    let { at } = retrieval;
    while (at < end && bytes[at] === SPACE) at++;
    const key = this.#key;
    key.bytes = bytes;
    key.from = at;
    while (at < end && bytes[at] !== SPACE) at++;
    key.to = retrieval.at = at;
    return key.from < at;
  }

  /** Prefetches what the lookups of the next keys will read. Returns the number of those keys. */
  #fetchAhead(retrieval: Retrieval): number {
    const { at } = retrieval;
    const keys = this.#memcached.listedKeys;
    keys.count = 0;
    while (!keys.isFull && this.#nextKey(retrieval)) keys.add(this.#key);
    retrieval.at = at;
    keys.prefetch();
    return keys.count;
  }

  /** Continues the command under way. */
  goOn(): void {
    if (this.#listing === undefined) this.#retrieve();
    else if (this.#listing.write(this.#output, this.#allowance)) this.#listing = undefined;
  }

  #retrieve(): void {
    const retrieval = this.#retrieval!;
    const { withCas, ttlMs, isRefused } = retrieval;
    const allowance = this.#allowance;
    const key = this.#key;
    const { hashes } = this.#memcached.listedKeys;
    for (let i = 0, ahead = 0;; i++) {
      if (i === ahead) {
        allowance.spend(ahead + this.#memcached.takeWork());
        if (allowance.isOver) return;
        ahead = this.#fetchAhead(retrieval);
        i = 0;
      }
      if (!this.#nextKey(retrieval)) break;
      const position = this.#memcached.get(key, hashes[i]);
      if (this.#prefixes.isOn) this.#prefixes.got(key, position !== 0);
      if (position !== 0 && !isRefused) this.#writeEntry(key, position, withCas);
      if (position !== 0 && ttlMs !== undefined) this.#touch(key, position, ttlMs);
      if (this.#output.collectedBytes >= OUTPUT_BYTES) return;
    }
    this.#retrieval = undefined;
    if (isRefused) this.say(BAD_FORMAT);
    else this.#end();
  }

  #end(): void {
    const output = this.#output;
    output.ensure(5);
    output.length = writeText(output.buffer, output.length, "END\r\n");
  }

  #touch(key: ByteSpan, position: number, ttlMs: number): void {
    const { counters } = this.#memcached;
    counters.cmd_touch++;
    counters.touch_hits++;
    this.#memcached.touch(key, position, ttlMs);
  }

  /** Writes a `VALUE` reply with an entry. */
  #writeEntry(key: ByteSpan, position: number, withCas: boolean): void {
    const output = this.#output;
    const { reader } = this.#memcached.store;
    const length = reader.valueBytes(position);
    const copied = output.copiedBytes(length);
    output.ensure(REPLY_BYTES + key.to - key.from + copied);
    const { buffer } = output;
    let at = writeText(buffer, output.length, "VALUE ");
    copySpan(key, buffer, at);
    at += key.to - key.from;
    buffer[at++] = SPACE;
    at = writeDecimal(buffer, at, reader.flags(position));
    buffer[at++] = SPACE;
    at = writeDecimal(buffer, at, length);
    if (withCas) at = writeText(buffer, at, ` ${this.#memcached.casOf(position)}`);
    buffer[at++] = CR;
    buffer[at++] = LF;
    output.giveValue(reader, position, length, at);
    at += copied;
    buffer[at++] = CR;
    buffer[at++] = LF;
    output.length = at;
  }

  /** Reads the line of a storage command. Returns the length of its value in bytes, or an error to reply. */
  lengthOf(mode: Mode, line: TextLine): number | string {
    this.#isQuiet = false;
    const least = mode === "cas" ? 6 : 5;
    if (line.count !== least && line.count !== least + 1) return "ERROR";
    this.#isQuiet = line.is(line.count - 1, "noreply");
    const [flags, seconds, length] = [line.uint32(2), line.int32(3), line.int32(4)];
    const cas = mode === "cas" ? line.unsigned(5) : 0;
    const isNone = flags === undefined || seconds === undefined || length === undefined || cas === undefined;
    if (line.length(1) > MAX_MEMCACHED_KEY_BYTES || isNone || length < 0 || length > MAX_MEMCACHED_ANNOUNCED_BYTES) {
      return BAD_FORMAT;
    }
    const request = this.#request;
    request.mode = mode;
    request.flags = flags;
    request.ttlMs = this.#memcached.ttlOf(seconds);
    request.cas = cas;
    line.span(1, this.#key);
    return length;
  }

  /** Returns an error if a value of `length` bytes cannot be stored, in which case the caller must skip the value. */
  prepareSet(length: number): string | undefined {
    const memcached = this.#memcached;
    const key = this.#key;
    if (memcached.fits(key.to - key.from, length, this.#request.flags)) return undefined;
    memcached.counters.store_too_large++;
    if (this.#prefixes.isOn) this.#prefixes.set(key);
    if (this.#request.mode === "set") memcached.drop(key);
    return REPLIES["too-large"];
  }

  /** Stores the value, after `lengthOf` and `prepareSet`; `undefined` is one that does not end where it should. */
  set(value: ByteSpan | undefined): undefined {
    if (this.#prefixes.isOn) this.#prefixes.set(this.#key);
    if (value === undefined) return this.say("CLIENT_ERROR bad data chunk");
    this.#request.value = value;
    this.say(REPLIES[this.#memcached.set(this.#key, this.#request)]);
  }

  /** `incr` and `decr`. */
  arithmetic(line: TextLine, isDown: boolean): undefined {
    if (line.count !== 3 && line.count !== 4) return this.say("ERROR");
    this.#isQuiet = line.is(line.count - 1, "noreply");
    if (line.length(1) > MAX_MEMCACHED_KEY_BYTES) return this.say(BAD_FORMAT);
    const by = line.unsigned(2);
    if (by === undefined) return this.say("CLIENT_ERROR invalid numeric delta argument");
    const delta = this.#memcached.delta(line.span(1, this.#key), { by, isDown, cas: 0 });
    if (delta === "not-found") return this.say("NOT_FOUND");
    if (delta === "non-numeric") {
      return this.say("CLIENT_ERROR cannot increment or decrement non-numeric value");
    }
    return this.say(typeof delta === "string" ? "SERVER_ERROR out of memory" : `${delta.value}`);
  }

  /** `touch`. */
  touch(line: TextLine): undefined {
    if (line.count !== 3 && line.count !== 4) return this.say("ERROR");
    this.#isQuiet = line.is(line.count - 1, "noreply");
    if (line.length(1) > MAX_MEMCACHED_KEY_BYTES) return this.say(BAD_FORMAT);
    const seconds = line.int32(2);
    if (seconds === undefined) return this.say("CLIENT_ERROR invalid exptime argument");
    const memcached = this.#memcached;
    const key = line.span(1, this.#key);
    const position = memcached.store.peek(key);
    if (position === 0) {
      memcached.counters.cmd_touch++;
      memcached.counters.touch_misses++;
      return this.say("NOT_FOUND");
    }
    memcached.store.use(position);
    memcached.store.fetched(position);
    this.#touch(key, position, memcached.ttlOf(seconds));
    return this.say("TOUCHED");
  }

  /** `delete`. */
  delete(line: TextLine): undefined {
    const { count } = line;
    if (count < 2 || count > 4) return this.say("ERROR");
    if (count > 2) {
      const hasZero = line.is(2, "0");
      this.#isQuiet = line.is(count - 1, "noreply");
      const isUsage = count === 3 ? hasZero || this.#isQuiet : hasZero && this.#isQuiet;
      if (!isUsage) return this.say(`${BAD_FORMAT}.  Usage: delete <key> [noreply]`);
    }
    if (line.length(1) > MAX_MEMCACHED_KEY_BYTES) return this.say(BAD_FORMAT);
    const key = line.span(1, this.#key);
    if (this.#prefixes.isOn) this.#prefixes.deleted(key);
    return this.say(this.#memcached.delete(key) ? "DELETED" : "NOT_FOUND");
  }

  /** `flush_all`. */
  flush(line: TextLine): undefined {
    if (line.count > 3) return this.say("ERROR");
    this.#isQuiet = line.is(line.count - 1, "noreply");
    const hasDelay = line.count !== (this.#isQuiet ? 2 : 1);
    const seconds = hasDelay ? line.int32(1) : 0;
    if (seconds === undefined) return this.say("CLIENT_ERROR invalid exptime argument");
    this.#memcached.flush(seconds);
    return this.say("OK");
  }

  /** `verbosity`, which has no effect. */
  verbosity(line: TextLine): undefined {
    if (line.count !== 2 && line.count !== 3) return this.say("ERROR");
    this.#isQuiet = line.is(line.count - 1, "noreply");
    return this.say(line.uint32(1) === undefined ? BAD_FORMAT : "OK");
  }

  /** `lru_crawler metadump` and `mgdump`, of all classes or of some. */
  crawl(line: TextLine): undefined {
    const form = line.count === 3 ? line.text(1) : "";
    if (form !== "metadump" && form !== "mgdump") return this.say("ERROR");
    const classes = line.text(2);
    let isListed = classes === "all" || classes === "hash";
    if (!isListed) {
      const named = classes.split(",").filter((name) => name !== "");
      if (named.length === 0) return this.say("NOTSTARTED no items to crawl");
      if (!named.every(isClass)) return this.say("BADCLASS invalid class id");
      isListed = named.some((name) => Number(name) === 1);
    }
    this.#listing = new KeyListing(this.#memcached, form, isListed ? Infinity : 0);
  }

  #cachedump(line: TextLine): undefined {
    if (line.count < 4) return this.say("CLIENT_ERROR bad command line");
    const [id, most] = [line.uint32(2), line.uint32(3)];
    if (id === undefined || most === undefined) return this.say(BAD_FORMAT);
    if (id >= CLASSES) return this.say("CLIENT_ERROR Illegal slab id");
    this.#listing = new KeyListing(this.#memcached, "cachedump", id === 1 ? most || Infinity : 0);
  }

  #detail(line: TextLine): undefined {
    const prefixes = this.#prefixes;
    const what = line.count > 2 ? line.text(2) : "";
    if (what === "dump") {
      const text = prefixes.dump();
      const output = this.#output;
      output.ensure(text.length);
      output.length = writeText(output.buffer, output.length, text);
      return this.#memcached.worked(unitsOf(text.length));
    }
    if (what !== "on" && what !== "off") return this.say("CLIENT_ERROR usage: stats detail on|off|dump");
    prefixes.isOn = what === "on";
    return this.say("OK");
  }

  /** `stats`. */
  stats(line: TextLine): undefined {
    const group = line.count > 1 ? line.text(1) : "";
    if (group === "cachedump") return this.#cachedump(line);
    if (group === "detail") return this.#detail(line);
    if (group === "reset") {
      this.#memcached.resetCounters();
      return this.say("RESET");
    }
    const lines = statistics(this.#host, group);
    if (lines === undefined) return this.say("ERROR");
    for (const [name, value] of lines) this.#output.text(`STAT ${name} ${value}\r\n`);
    return this.say("END");
  }

  /** Writes a reply, unless the command asked for none. Clears that request, which holds for one command only. */
  say(reply: string): undefined {
    const isQuiet = this.#isQuiet;
    this.#isQuiet = false;
    if (isQuiet) return;
    const output = this.#output;
    output.ensure(reply.length + 2);
    let at = writeText(output.buffer, output.length, reply);
    output.buffer[at++] = CR;
    output.buffer[at++] = LF;
    output.length = at;
  }
}

/** Whether a word is the number of a class. */
function isClass(word: string): boolean {
  return /^\d+$/.test(word) && Number(word) > 0 && Number(word) < CLASSES;
}
