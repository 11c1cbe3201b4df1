/**
 * memcached's text protocol: commands in lines, values in blocks. It answers as memcached does, byte for byte but for what
 * docs/memcached.md lists. It knows where lines and blocks end; what they say is for the classic and the meta commands.
 */

import { type Conversation, OUTPUT_BYTES, type SessionState } from "./conversation.ts";
import { MAX_PREFETCHED } from "./entries.ts";
import type { InputBuffer } from "./input_buffer.ts";
import { MemcachedClassic } from "./memcached_classic.ts";
import { Line } from "./memcached_line.ts";
import type { Mode } from "./memcached.ts";
import { MemcachedMeta } from "./memcached_meta.ts";
import { MEMCACHED_VERSION, type MemcachedHost } from "./memcached_stats.ts";
import type { OutputBuffer } from "./output_buffer.ts";
import type { Span } from "./span.ts";

const [CR, LF, SPACE] = [13, 10, 0x20];
/** "get " as a number. */
const GET_ = 0x67657420;
const MAX_KEY_BYTES = 250;
/** A line that has not ended after this many bytes is none, unless it asks for many keys … */
const MAX_LINE_BYTES = 2048;
/** … and then this many. */
const MAX_KEYS_LINE_BYTES = 1024 * 1024;
/** Spaces that may come before such a line. */
const MAX_INDENT = 100;
/** Words of a line that memcached looks at. */
const MAX_WORDS = 23;

/** A conversation in memcached's text protocol. */
export class MemcachedText implements Conversation {
  readonly #host: MemcachedHost;
  readonly #input: InputBuffer;
  readonly #output: OutputBuffer;
  readonly #classic: MemcachedClassic;
  readonly #meta: MemcachedMeta;
  readonly #line = new Line();
  readonly #span: Span = { bytes: new Uint8Array(0), from: 0, to: 0 };
  /** Bytes of a value that is not taken, still to come. */
  #swallow = 0;
  /** Where the keys of some commands `get` end, and their hashes. */
  readonly #ends = new Int32Array(MAX_PREFETCHED);
  readonly #hashes = new Int32Array(MAX_PREFETCHED);

  constructor(host: MemcachedHost, input: InputBuffer, output: OutputBuffer) {
    this.#host = host;
    this.#input = input;
    this.#output = output;
    this.#classic = new MemcachedClassic(host, output);
    this.#meta = new MemcachedMeta(host.memcached, output);
  }

  /** Answers the commands that have arrived. */
  run(): SessionState {
    const input = this.#input;
    const output = this.#output;
    while (true) {
      if (output.length >= OUTPUT_BYTES) return "output-full";
      if (this.#classic.isRetrieving) {
        this.#classic.retrieve();
        continue;
      }
      if (this.#swallow > 0) this.#pass();
      if (input.from === input.to) return "needs-input";
      if (this.#getSome()) continue;
      const state = this.#command();
      if (state !== undefined) return state;
    }
  }

  /** There are no last words in this protocol. */
  close(): void {}

  /** Commands `get` with one key that follow each other, in as few steps as can be. Returns whether there were any. */
  #getSome(): boolean {
    const input = this.#input;
    const { bytes, to } = input;
    const key = this.#span;
    const ends = this.#ends;
    const hashes = this.#hashes;
    const { store } = this.#host.memcached;
    key.bytes = bytes;
    let count = 0;
    for (let from = input.from; count < MAX_PREFETCHED; from = ends[count++] + 2) {
      const end = getLineEnd(bytes, from, to);
      if (end < 0) break;
      ends[count] = end;
      key.from = from + 4;
      key.to = end;
      hashes[count] = store.hash(key);
    }
    if (count > 1) store.prefetch(hashes, count);
    for (let i = 0; i < count && this.#output.length < OUTPUT_BYTES; i++) {
      key.from = input.from + 4;
      key.to = ends[i];
      input.from = ends[i] + 2;
      this.#host.counters.requests++;
      this.#classic.getOne(key, hashes[i]);
    }
    return count > 0;
  }

  /** Answers a command, if a whole one is there. Returns what is to be done before the next, if anything. */
  #command(): SessionState | undefined {
    const input = this.#input;
    const { bytes, from, to } = input;
    let at = from;
    while (at < to && bytes[at] !== LF) at++;
    if (at === to) return this.#isLineStill(to - from) ? "needs-input" : this.#refuse();
    const line = this.#line;
    line.split(bytes, from, at > from + 1 && bytes[at - 1] === CR ? at - 1 : at);
    input.from = at + 1;
    const state = this.#dispatch(line);
    if (state === "needs-input") {
      input.from = from; // the line is read again when its value is there
      return state;
    }
    input.announced = 0;
    this.#host.counters.requests++;
    return state;
  }

  /** Whether what has come may yet become a line. */
  #isLineStill(length: number): boolean {
    if (length <= MAX_LINE_BYTES) return true;
    const { bytes, from } = this.#input;
    let at = from;
    while (bytes[at] === SPACE && at - from <= MAX_INDENT) at++;
    const start = String.fromCharCode(...bytes.subarray(at, at + 5));
    return at - from <= MAX_INDENT && /^gets? /.test(start) && length <= MAX_KEYS_LINE_BYTES;
  }

  #dispatch(line: Line): SessionState | undefined {
    const classic = this.#classic;
    if (line.count === 0 || line.length(0) < 2) return this.#say("ERROR");
    const name = line.text(0);
    switch (name) {
      case "get":
      case "bget":
        return classic.get(line, 1, false);
      case "gets":
        return classic.get(line, 1, true);
      case "gat":
        return classic.get(line, 2, false);
      case "gats":
        return classic.get(line, 2, true);
      case "set":
      case "add":
      case "replace":
      case "append":
      case "prepend":
      case "cas":
        return this.#set(name, line);
      case "incr":
        return classic.arithmetic(line, false);
      case "decr":
        return classic.arithmetic(line, true);
      case "touch":
        return classic.touch(line);
      case "delete":
        return classic.delete(line);
      default:
        return name.length === 2 && name[0] === "m" ? this.#dispatchMeta(name, line) : this.#dispatchRare(name, line);
    }
  }

  #dispatchMeta(name: string, line: Line): SessionState | undefined {
    const meta = this.#meta;
    switch (name) {
      case "mg":
        return meta.get(line);
      case "md":
        return meta.delete(line);
      case "ma":
        return meta.arithmetic(line);
      case "me":
        return meta.debug(line);
      case "mn":
        return this.#say("MN");
      case "ms":
        return this.#metaSet(line);
      default:
        return this.#say("ERROR");
    }
  }

  #dispatchRare(name: string, line: Line): SessionState | undefined {
    switch (name) {
      case "flush_all":
        return this.#classic.flush(line);
      case "version":
        return this.#say(`VERSION ${MEMCACHED_VERSION}`);
      case "verbosity":
        return this.#classic.verbosity(line);
      case "stats":
        return this.#classic.stats(line);
      case "quit":
        return "closing";
      case "shutdown":
        return this.#say("ERROR: shutdown not enabled");
      default:
        // A browser, or somebody who makes one speak to this port.
        if (/^[^gsacidt]/.test(name) && line.text(Math.min(line.count, MAX_WORDS) - 1).startsWith("HTTP/")) {
          return this.#refuse();
        }
        return this.#say("ERROR");
    }
  }

  #refuse(): SessionState {
    this.#host.counters.protocolErrors++;
    return "closing";
  }

  #set(mode: Mode, line: Line): SessionState | undefined {
    const classic = this.#classic;
    const length = classic.lengthOf(mode, line);
    if (typeof length === "string") return classic.say(length);
    const error = classic.prepareSet(length);
    if (error !== undefined) {
      this.#swallow = length + 2;
      return classic.say(error);
    }
    const value = this.#value(length);
    if (value === "none") return classic.say("CLIENT_ERROR bad data chunk");
    return value === "not-yet" ? "needs-input" : void classic.set(value);
  }

  #metaSet(line: Line): SessionState | undefined {
    const meta = this.#meta;
    const length = meta.lengthOf(line);
    if (typeof length === "string") return this.#say(length);
    const error = meta.prepareSet(line, length);
    if (error !== undefined) {
      this.#swallow = length + 2;
      return this.#say(error);
    }
    const value = this.#value(length);
    if (value === "none") return this.#say("CLIENT_ERROR bad data chunk");
    return value === "not-yet" ? "needs-input" : meta.set(line, value);
  }

  /** The block after a line: "none" if it does not end where it should. */
  #value(length: number): Span | "not-yet" | "none" {
    const input = this.#input;
    const { bytes, from } = input;
    const end = from + length + 2;
    if (end > input.to) {
      input.announced = end - this.#line.from(0);
      return "not-yet";
    }
    input.from = end;
    if (bytes[end - 2] !== CR || bytes[end - 1] !== LF) return "none";
    const value = this.#span;
    value.bytes = bytes;
    value.from = from;
    value.to = end - 2;
    return value;
  }

  #pass(): void {
    const input = this.#input;
    const passed = Math.min(this.#swallow, input.to - input.from);
    input.from += passed;
    this.#swallow -= passed;
  }

  #say(reply: string): undefined {
    this.#output.text(`${reply}\r\n`);
  }
}

/** Where the key of a `get` with one key ends, if that is what lies here, whole and as usual; else -1. */
function getLineEnd(bytes: Uint8Array, from: number, to: number): number {
  if (to - from < 7) return -1;
  if ((bytes[from] << 24 | bytes[from + 1] << 16 | bytes[from + 2] << 8 | bytes[from + 3]) !== GET_) return -1;
  let at = from + 4;
  while (at < to && bytes[at] > SPACE) at++;
  const length = at - from - 4;
  const isLine = at + 1 < to && bytes[at] === CR && bytes[at + 1] === LF;
  return isLine && length > 0 && length <= MAX_KEY_BYTES ? at : -1;
}
