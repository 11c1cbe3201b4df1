/**
 * memcached's text protocol: commands in lines, values in blocks. It answers as memcached does, byte for byte except as
 * docs/memcached.md lists. It knows where lines and blocks end; classic_commands.ts and meta_commands.ts know what they say.
 */

import {
  type Allowance,
  type ConnectionContext,
  type HandlerState,
  OUTPUT_BYTES,
  type ProtocolHandler,
} from "../wire/protocol_handler.ts";
import type { Access } from "../wire/access.ts";
import type { InputBuffer } from "../wire/input_buffer.ts";
import { Lookahead } from "./lookahead.ts";
import { ClassicCommands } from "./classic_commands.ts";
import { TextAuthentication } from "./text_authentication.ts";
import { GET_NEEDS, mayUse } from "./text_gate.ts";
import { TextLine } from "./text_line.ts";
import { isMode, type Mode } from "./commands.ts";
import { MetaCommands } from "./meta_commands.ts";
import { MEMCACHED_VERSION, type MemcachedHost } from "./statistics.ts";
import type { OutputBuffer } from "../wire/output_buffer.ts";
import type { ByteSpan } from "../base/byte_span.ts";
import { rolesText } from "../base/roles.ts";

const [CR, LF, SPACE] = [13, 10, 0x20];
/** Bytes after which a line must have ended, unless it is a `get` or `gets`. */
const MAX_LINE_BYTES = 2048;
/** Bytes after which the line of a `get` or `gets` must have ended. */
const MAX_KEYS_LINE_BYTES = 1024 * 1024;
/** Spaces that may come before a `get` or `gets` of more than `MAX_LINE_BYTES`. */
const MAX_INDENT = 100;
/** Words of a line that memcached looks at, at most. */
const MAX_WORDS = 23;

/** Answers one client in memcached's text protocol. */
export class TextHandler implements ProtocolHandler {
  readonly #host: MemcachedHost;
  readonly #input: InputBuffer;
  readonly #output: OutputBuffer;
  readonly #access: Access;
  readonly #allowance: Allowance;
  readonly #classic: ClassicCommands;
  readonly #meta: MetaCommands;
  readonly #line = new TextLine();
  readonly #span: ByteSpan = { bytes: new Uint8Array(0), from: 0, to: 0 };
  readonly #ahead: Lookahead;
  /** Asks who the client is; `undefined` where it is known. */
  #authentication: TextAuthentication | undefined;
  /** Bytes of the arriving line that have been searched for its end. */
  #searched = 0;

  constructor(host: MemcachedHost, context: ConnectionContext) {
    const { access, input, output, allowance } = context;
    this.#host = host;
    this.#access = access;
    if (!access.isKnown) this.#authentication = new TextAuthentication(context);
    this.#input = input;
    this.#output = output;
    this.#allowance = allowance;
    this.#classic = new ClassicCommands(host, output, allowance);
    this.#meta = new MetaCommands(host.memcached, output);
    this.#ahead = new Lookahead(host.memcached.nextKeys);
  }

  /** Answers the commands that have arrived. */
  run(): HandlerState {
    const input = this.#input;
    const [output, allowance, memcached] = [this.#output, this.#allowance, this.#host.memcached];
    if (this.#authentication !== undefined) {
      const state = this.#authentication.run();
      if (state !== undefined) return state;
      this.#authentication = undefined;
      this.#host.counters.requests++;
    }
    const mayGet = (this.#access.allowed & GET_NEEDS) !== 0;
    this.#ahead.clear();
    while (true) {
      if (output.collectedBytes >= OUTPUT_BYTES || allowance.isOver) return "output-full";
      if (this.#classic.isUnderWay) {
        this.#classic.goOn();
        continue;
      }
      if (input.from === input.to) return "needs-input";
      if (mayGet && this.#getOne()) continue;
      const state = this.#command();
      const work = memcached.takeWork();
      if (work > 0) allowance.spend(work);
      if (state !== undefined) return state;
    }
  }

  /** Does nothing: this protocol announces no end of a connection. */
  close(): void {}

  /** Takes note that the connection has ended. */
  end(): void {
    this.#meta.end();
  }

  /** Answers a `get` with one key in as few steps as possible. Returns whether such a `get` was next. */
  #getOne(): boolean {
    const input = this.#input;
    const { bytes, from, to } = input;
    const end = this.#ahead.get(bytes, from, to);
    if (end === 0) return false;
    const key = this.#span;
    key.bytes = bytes;
    key.from = from + 4;
    key.to = end;
    input.from = end + 2;
    this.#searched = 0;
    this.#host.counters.requests++;
    this.#classic.getOne(key, this.#ahead.hash);
    return true;
  }

  /** Answers a command that has arrived whole. Returns what must happen before the next command, if anything. */
  #command(): HandlerState | undefined {
    const input = this.#input;
    const { bytes, from, to } = input;
    let at = from + this.#searched;
    while (at < to && bytes[at] !== LF) at++;
    this.#searched = at === to ? to - from : 0;
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

  /** Whether the `length` bytes that have arrived may still become a line. */
  #isLineStill(length: number): boolean {
    if (length <= MAX_LINE_BYTES) return true;
    const { bytes, from } = this.#input;
    let at = from;
    while (bytes[at] === SPACE && at - from <= MAX_INDENT) at++;
    const start = String.fromCharCode(...bytes.subarray(at, at + 5));
    return at - from <= MAX_INDENT && /^gets? /.test(start) && length <= MAX_KEYS_LINE_BYTES;
  }

  #dispatch(line: TextLine): HandlerState | undefined {
    const classic = this.#classic;
    if (line.count === 0 || line.length(0) < 2) return this.#say("ERROR");
    if (!this.#access.allowsAll && !mayUse(this.#access, line)) return this.#refuseRole(line);
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

  #dispatchMeta(name: string, line: TextLine): HandlerState | undefined {
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

  #dispatchRare(name: string, line: TextLine): HandlerState | undefined {
    switch (name) {
      case "flush_all":
        return this.#classic.flush(line);
      case "version":
        return this.#say(`VERSION ${MEMCACHED_VERSION}`);
      case "verbosity":
        return this.#classic.verbosity(line);
      case "stats":
        return this.#classic.stats(line);
      case "lru_crawler":
        return this.#classic.crawl(line);
      case "quit":
        return "closing";
      case "shutdown":
        return this.#say("ERROR: shutdown not enabled");
      default:
        // A browser, or somebody who makes a browser connect to this port.
        if (/^[^gsacidt]/.test(name) && line.text(Math.min(line.count, MAX_WORDS) - 1).startsWith("HTTP/")) {
          return this.#refuse();
        }
        return this.#say("ERROR");
    }
  }

  #refuse(): HandlerState {
    this.#host.counters.protocolErrors++;
    return "closing";
  }

  /** Refuses a command that the client's roles do not allow, and passes over its value. */
  #refuseRole(line: TextLine): undefined {
    this.#host.counters.refusals++;
    const name = line.text(0);
    const length = name === "ms"
      ? this.#meta.lengthOf(line)
      : isMode(name)
      ? this.#classic.lengthOf(name, line)
      : "none";
    if (typeof length === "number") this.#input.skip(length + 2);
    if (line.is(line.count - 1, "noreply")) return;
    return this.#say(`CLIENT_ERROR not allowed for ${rolesText(this.#access.roles)}`);
  }

  #set(mode: Mode, line: TextLine): HandlerState | undefined {
    const classic = this.#classic;
    const length = classic.lengthOf(mode, line);
    if (typeof length === "string") return classic.say(length);
    const error = classic.prepareSet(length);
    if (error !== undefined) {
      this.#input.skip(length + 2);
      return classic.say(error);
    }
    const value = this.#value(length);
    return value === "not-yet" ? "needs-input" : classic.set(value === "none" ? undefined : value);
  }

  #metaSet(line: TextLine): HandlerState | undefined {
    const meta = this.#meta;
    const length = meta.lengthOf(line);
    if (typeof length === "string") return this.#say(length);
    const error = meta.prepareSet(line, length);
    if (error !== undefined) {
      this.#input.skip(length + 2);
      return this.#say(error);
    }
    const value = this.#value(length);
    if (value === "none") return this.#say("CLIENT_ERROR bad data chunk");
    return value === "not-yet" ? "needs-input" : meta.set(line, value);
  }

  /** The block of `length` bytes after a line; "none" if the block does not end there. */
  #value(length: number): ByteSpan | "not-yet" | "none" {
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

  #say(reply: string): undefined {
    this.#output.text(`${reply}\r\n`);
  }
}
