/**
 * memcached's meta commands: two letters, a key, and flags that say what to do and what to return. It knows words and
 * entries, not where a line ends.
 */

import { MAX_MEMCACHED_ANNOUNCED_BYTES, MAX_MEMCACHED_KEY_BYTES } from "../base/limits.ts";
import { base64Of } from "./base64.ts";
import type { TextLine } from "./text_line.ts";
import { Asker } from "../near/leases.ts";
import type { MemcachedCommands, Mode, Stored } from "./commands.ts";
import { hasLongOpaque, lineError, MetaFlagReader, type MetaFlags } from "./meta_flags.ts";
import type { Unsigned } from "../base/unsigned.ts";
import { writeText } from "./ascii.ts";
import type { OutputBuffer } from "../wire/output_buffer.ts";
import { MARK } from "../store/entry.ts";
import type { ByteSpan } from "../base/byte_span.ts";
import { Wins } from "./wins.ts";

const BAD_FORMAT = "CLIENT_ERROR bad command line format";
const TOO_MANY = "CLIENT_ERROR options flags too long";
/** The only error that `md` and `ma` report of a wrong flag. */
const BAD_FLAG = "CLIENT_ERROR invalid or duplicate flag";
const LONG_OPAQUE = "CLIENT_ERROR opaque token too long";

const CODES: Partial<Record<Stored, string>> = {
  "stored": "HD",
  "not-stored": "NS",
  "exists": "EX",
  "not-found": "NF",
};
const MODES: Record<string, Mode> = { E: "add", A: "append", P: "prepend", R: "replace", S: "set" };

/** memcached's meta commands. */
export class MetaCommands {
  readonly #memcached: MemcachedCommands;
  readonly #output: OutputBuffer;
  readonly #key: ByteSpan = { bytes: new Uint8Array(0), from: 0, to: 0 };
  readonly #reader: MetaFlagReader;
  /** Stands for this connection once something may be promised to it. Nobody is told of the end of another's promise. */
  #asker: Asker | undefined;
  #wins: Wins | undefined;

  constructor(memcached: MemcachedCommands, output: OutputBuffer) {
    this.#memcached = memcached;
    this.#output = output;
    this.#reader = new MetaFlagReader(memcached, this.#key);
  }

  /** Ends what has been promised to the connection, which has ended. */
  end(): void {
    this.#wins?.end();
    if (this.#asker !== undefined) this.#memcached.promises.leave(this.#asker);
  }

  get #flags(): MetaFlags {
    return this.#reader.flags;
  }

  /** `mg`: looks an entry up, and may promise its replacement or, where there is none, the first one. */
  get(line: TextLine): undefined {
    const error = lineError(line, "CLIENT_ERROR options flags are too long") ?? this.#reader.read(line, 2);
    if (error !== undefined) return this.#error(error);
    const memcached = this.#memcached;
    const flags = this.#flags;
    const before = this.#seen(flags);
    const position = flags.has("u") ? memcached.store.peek(this.#key) : memcached.get(this.#key);
    if (hasLongOpaque(line)) return this.#error(LONG_OPAQUE); // too late for the entry, as in memcached
    if (position !== 0) return this.#hit(line, position, before);
    if (flags.has("N")) return this.#vivify(line);
    this.#miss(line);
  }

  /** What is known of an entry's use before this lookup changes it. */
  #seen(flags: MetaFlags): { wasFetched: boolean; idleSeconds: number } {
    const position = flags.has("h") || flags.has("l") ? this.#memcached.store.peek(this.#key) : 0;
    if (position === 0) return { wasFetched: false, idleSeconds: 0 };
    const { reader } = this.#memcached.store;
    const wasFetched = (reader.marks(position) & MARK.fetched) !== 0;
    return { wasFetched, idleSeconds: this.#memcached.idleSeconds(position) };
  }

  /** Promises a key without an entry to the first who asks. That one and the others are told of an empty value. */
  #vivify(line: TextLine): undefined {
    const flags = this.#flags;
    const { nowMs } = this.#memcached.store;
    const asked = { ttlMs: flags.vivifyTtlMs!, newCas: flags.newCas };
    this.#asker ??= new Asker(() => {});
    const { promised: { cas, lease }, isWon } = this.#memcached.vivify(this.#key, asked, this.#asker);
    const { deadlineMs, usedMs, isUsed } = lease;
    const isSame = cas !== 0 && flags.has("C") && flags.cas === cas;
    const withValue = flags.has("v") && !isSame;
    // To who has won, `t` shows the time to live only after `N`.
    let ttl = isWon ? -1 : secondsOf(deadlineMs - nowMs);
    this.#text(withValue ? "VA 0" : "HD");
    for (let word = 2; word < line.count; word++) {
      const flag = String.fromCharCode(line.first(word));
      if (flag === "N" && isWon) ttl = secondsOf(asked.ttlMs);
      else if (flag === "s" || flag === "f") this.#text(` ${flag}0`);
      else if (flag === "t") this.#text(` t${ttl}`);
      else if (flag === "c") this.#text(` c${cas}`);
      else if (flag === "l") this.#text(` l${Math.max(0, Math.floor((nowMs - usedMs) / 1000))}`);
      else if (flag === "h") this.#text(` h${Number(isUsed)}`);
      else this.#echo(line, word, false);
    }
    this.#text(isWon ? " W\r\n" : " Z\r\n");
    if (withValue) this.#text("\r\n");
    if (!flags.has("u")) Object.assign(lease, { usedMs: nowMs, isUsed: true });
  }

  #hit(line: TextLine, position: number, seen: { wasFetched: boolean; idleSeconds: number }): undefined {
    const memcached = this.#memcached;
    const { reader } = memcached.store;
    const flags = this.#flags;
    const marks = reader.marks(position);
    const length = reader.valueBytes(position);
    const cas = memcached.casOf(position);
    const withValue = flags.has("v") && !(flags.has("C") && flags.cas === cas);
    const isPromised = (marks & MARK.promised) !== 0;
    let isWon = (marks & MARK.stale) !== 0 && !isPromised;
    let ttl = memcached.ttlSeconds(position);
    this.#text(withValue ? `VA ${length}` : "HD");
    for (let word = 2; word < line.count; word++) {
      switch (String.fromCharCode(line.first(word))) {
        case "T":
          ttl = secondsOf(flags.ttlMs!);
          break;
        case "R":
          isWon ||= !isPromised && ttl >= 0 && ttl < flags.recacheSeconds;
          break;
        case "s":
          this.#text(` s${length}`);
          break;
        case "t":
          this.#text(` t${ttl}`);
          break;
        case "c":
          this.#text(` c${cas}`);
          break;
        case "f":
          this.#text(` f${reader.flags(position)}`);
          break;
        case "l":
          this.#text(` l${seen.idleSeconds}`);
          break;
        case "h":
          this.#text(` h${Number(seen.wasFetched)}`);
          break;
        default:
          this.#echo(line, word, (marks & MARK.binaryKey) !== 0);
      }
    }
    if (isPromised) this.#text(" Z");
    if ((marks & MARK.stale) !== 0) this.#text(" X");
    if (isWon) this.#text(" W");
    this.#text("\r\n");
    if (withValue) this.#value(position, length);
    if (isWon) this.#promise(position);
    if (flags.has("T")) this.#touch(position);
  }

  #promise(position: number): void {
    this.#memcached.store.promise(position);
    this.#wins ??= new Wins(this.#memcached);
    this.#wins.add(this.#key, position);
  }

  #touch(position: number): void {
    const { counters } = this.#memcached;
    counters.cmd_touch++;
    counters.touch_hits++;
    this.#memcached.touch(this.#key, position, this.#flags.ttlMs!);
  }

  #value(position: number, length: number): void {
    const output = this.#output;
    const copied = output.copiedBytes(length);
    const at = output.room(copied + 2);
    output.giveValue(this.#memcached.store.reader, position, length, at);
    writeText(output.buffer, at + copied, "\r\n");
  }

  #miss(line: TextLine): undefined {
    if (this.#flags.has("q")) return;
    this.#text("EN");
    this.#tail(line, 2);
  }

  /** Length in bytes of the value that follows an `ms`, or what is wrong with the line. */
  lengthOf(line: TextLine): number | string {
    const error = line.count === 2 ? BAD_FORMAT : lineError(line, TOO_MANY);
    if (error !== undefined) return error;
    const length = line.int32(2);
    return length === undefined || length < 0 || length > MAX_MEMCACHED_ANNOUNCED_BYTES ? BAD_FORMAT : length;
  }

  /** Reads the flags of an `ms`. Returns what is wrong with them, in which case the caller must skip the value. */
  prepareSet(line: TextLine, length: number): string | undefined {
    const error = this.#reader.read(line, 3);
    if (error !== undefined) return error;
    const flags = this.#flags;
    if (flags.mode !== "" && MODES[flags.mode] === undefined) return "CLIENT_ERROR invalid mode for ms M token";
    if (hasLongOpaque(line)) return LONG_OPAQUE;
    const memcached = this.#memcached;
    if (memcached.fits(this.#key.to - this.#key.from, length, flags.clientFlags)) return undefined;
    memcached.counters.store_too_large++;
    memcached.drop(this.#key);
    return "SERVER_ERROR object too large for cache";
  }

  /** `ms`: stores the value, after `prepareSet`. */
  set(line: TextLine, value: ByteSpan): undefined {
    const memcached = this.#memcached;
    const flags = this.#flags;
    const asked = MODES[flags.mode] ?? "set";
    const mode = flags.has("C") && (asked === "set" || asked === "replace") ? "cas" : asked;
    const stored = memcached.set(this.#key, {
      mode,
      flags: flags.clientFlags,
      value,
      ttlMs: flags.ttlMs ?? Infinity,
      cas: flags.cas,
      newCas: flags.newCas,
      invalidates: flags.has("I") && mode === "cas",
      hasBinaryKey: flags.has("b"),
      vivifyTtlMs: flags.vivifyTtlMs,
    });
    const code = CODES[stored];
    if (code === undefined) return this.#error("SERVER_ERROR out of memory storing object");
    if (code === "HD" && flags.has("q")) return;
    this.#text(code);
    const position = code === "HD" ? memcached.store.peek(this.#key) : 0;
    for (let word = 3; word < line.count; word++) {
      const flag = String.fromCharCode(line.first(word));
      if (flag === "c") this.#text(` c${position === 0 ? 0 : memcached.casOf(position)}`);
      else if (flag === "s") this.#text(` s${this.#sizeOf(position, value)}`);
      else this.#echo(line, word, flags.has("b"));
    }
    this.#text("\r\n");
  }

  #sizeOf(position: number, value: ByteSpan): number {
    return position === 0 ? value.to - value.from : this.#memcached.store.reader.valueBytes(position);
  }

  /** `md`: removes an entry, marks it as stale, or empties its value. */
  delete(line: TextLine): undefined {
    const error = lineError(line, TOO_MANY) ?? (this.#reader.read(line, 2) && BAD_FLAG);
    if (error !== undefined) return this.#error(error);
    if (hasLongOpaque(line)) return this.#error(LONG_OPAQUE);
    const flags = this.#flags;
    const code = this.#remove();
    if (code === "HD" && flags.has("q")) return;
    this.#text(code);
    this.#tail(line, 2);
  }

  #remove(): "HD" | "NF" | "EX" {
    const memcached = this.#memcached;
    const { ttlMs, newCas, cas } = this.#flags;
    const position = memcached.store.peek(this.#key);
    if (position === 0) {
      memcached.counters.delete_misses++;
      memcached.endPromise(this.#key, this.#flags.has("C") ? cas : undefined);
      return "NF";
    }
    if (this.#flags.has("C") && memcached.casOf(position) !== cas) {
      memcached.counters.delete_misses++;
      return "EX";
    }
    const isEmptied = this.#flags.has("x");
    if (isEmptied) memcached.empty(this.#key, position, { ttlMs, newCas });
    const left = isEmptied ? memcached.store.peek(this.#key) : position;
    if (left !== 0 && this.#flags.has("I")) memcached.invalidate(this.#key, left, { ttlMs, newCas });
    else if (!isEmptied) memcached.delete(this.#key);
    return "HD";
  }

  /** `ma`: adds to a number, and may create it. */
  arithmetic(line: TextLine): undefined {
    const error = lineError(line, TOO_MANY) ?? (this.#reader.read(line, 2) && BAD_FLAG);
    if (error !== undefined) return this.#error(error);
    const flags = this.#flags;
    const isDown = flags.mode === "D" || flags.mode === "-";
    if (!["", "I", "+", "D", "-"].includes(flags.mode)) return this.#error("CLIENT_ERROR invalid mode for ma M token");
    const memcached = this.#memcached;
    const { newCas, cas } = flags;
    const delta = memcached.delta(this.#key, { by: flags.delta, isDown, cas, newCas });
    if (delta === "non-numeric") return this.#error("CLIENT_ERROR cannot increment or decrement non-numeric value");
    if (delta === "no-memory") return this.#error("SERVER_ERROR out of memory");
    if (typeof delta !== "string") return this.#sum(line, delta.position, { value: delta.value, isMade: false });
    if (delta === "exists" || !flags.has("N")) {
      if (hasLongOpaque(line)) return this.#error(LONG_OPAQUE);
      this.#text(delta === "exists" ? "EX" : "NF");
      return this.#tail(line, 2);
    }
    const bytes = new TextEncoder().encode(`${flags.initial}`);
    const value = { bytes, from: 0, to: bytes.length };
    memcached.set(this.#key, { mode: "add", flags: 0, value, ttlMs: flags.vivifyTtlMs!, cas: 0, newCas });
    this.#sum(line, memcached.store.peek(this.#key), { value: flags.initial, isMade: true });
  }

  #sum(line: TextLine, found: number, { value, isMade }: { value: Unsigned; isMade: boolean }): undefined {
    const memcached = this.#memcached;
    const flags = this.#flags;
    const cas = found === 0 ? 0 : memcached.casOf(found);
    let ttl = isMade ? -1 : memcached.ttlSeconds(found);
    const position = flags.ttlMs === undefined || found === 0 ? found : memcached.touch(this.#key, found, flags.ttlMs);
    if (hasLongOpaque(line)) return this.#error(LONG_OPAQUE);
    if (flags.has("q") && !isMade) return;
    const digits = `${value}`;
    this.#text(flags.has("v") ? `VA ${digits.length}` : "HD");
    let hasTtl = false;
    for (let word = 2; word < line.count; word++) {
      switch (String.fromCharCode(line.first(word))) {
        case "T":
          hasTtl = true;
          break;
        case "N":
          if (isMade) ttl = secondsOf(flags.vivifyTtlMs!);
          break;
        case "t":
          this.#text(` t${hasTtl && position !== 0 ? memcached.ttlSeconds(position) : ttl}`);
          break;
        case "c":
          this.#text(` c${cas}`);
          break;
        default:
          this.#echo(line, word, flags.has("b"));
      }
    }
    this.#text(flags.has("v") ? `\r\n${digits}\r\n` : "\r\n");
  }

  /** `me`: describes an entry, for debugging. */
  debug(line: TextLine): undefined {
    const memcached = this.#memcached;
    memcached.counters.cmd_meta++;
    if (line.count < 2 || line.length(1) > MAX_MEMCACHED_KEY_BYTES) return this.#error(BAD_FORMAT);
    line.span(1, this.#key);
    if (line.count > 2 && line.is(2, "b") && !this.#reader.decodeKey()) return this.#error(BAD_FORMAT);
    const position = memcached.store.peek(this.#key);
    if (position === 0) return this.#error("EN");
    const { reader } = memcached.store;
    const marks = reader.marks(position);
    const ttl = memcached.ttlSeconds(position);
    this.#text("ME ");
    this.#writeKey((marks & MARK.binaryKey) !== 0);
    this.#text(` exp=${ttl < 0 ? -1 : -ttl} la=${memcached.idleSeconds(position)} cas=${memcached.casOf(position)}`);
    this.#text(` fetch=${(marks & MARK.fetched) === 0 ? "no" : "yes"} cls=1 size=${memcached.sizeOf(position)}\r\n`);
  }

  /** Writes the end of a reply that is not about an entry. */
  #tail(line: TextLine, first: number): undefined {
    for (let word = first; word < line.count; word++) this.#echo(line, word, this.#flags.has("b"));
    this.#text("\r\n");
  }

  /** Returns opaque and key as they came. */
  #echo(line: TextLine, word: number, isBinary: boolean): void {
    switch (line.first(word)) {
      case 0x4f: // O
        this.#text(" ");
        this.#output.bytes(line.bytes.subarray(line.from(word), line.to(word)));
        break;
      case 0x6b: // k
        this.#text(" k");
        this.#writeKey(isBinary);
        if (isBinary) this.#text(" b");
    }
  }

  #writeKey(isBinary: boolean): void {
    const { bytes, from, to } = this.#key;
    if (isBinary) this.#text(base64Of(this.#key));
    else this.#output.bytes(bytes.subarray(from, to));
  }

  #error(error: string): undefined {
    this.#text(error);
    this.#text("\r\n");
  }

  #text(text: string): void {
    const output = this.#output;
    output.ensure(text.length);
    output.length = writeText(output.buffer, output.length, text);
  }
}

function secondsOf(ttlMs: number): number {
  return ttlMs === Infinity ? -1 : Math.max(0, Math.ceil(ttlMs / 1000));
}
