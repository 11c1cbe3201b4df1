/** What follows the key of a meta command: flags and their tokens. It knows words, not what a command does with them. */

import { MAX_MEMCACHED_KEY_BYTES } from "../base/limits.ts";
import { bytesOfBase64 } from "./base64.ts";
import type { TextLine } from "./text_line.ts";
import type { MemcachedCommands } from "./commands.ts";
import type { Unsigned } from "../base/unsigned.ts";
import type { ByteSpan } from "../base/byte_span.ts";

/** Words of a command, its name and key included. */
const MAX_WORDS = 19;
const MAX_OPAQUE_BYTES = 32;
const BAD_FORMAT = "CLIENT_ERROR bad command line format";
const BAD_TOKEN = "CLIENT_ERROR bad token in command line format";

/** Flags that may follow a command's key. */
const FLAGS = "bNTRlOPLkstcfvhuqFCMJDIEx";

/** Flags of a command, and their tokens. */
export class MetaFlags {
  /** The flags that are present, one bit each, by their place in `FLAGS`. */
  #bits = 0;
  mode = "";
  ttlMs: number | undefined;
  vivifyTtlMs: number | undefined;
  recacheSeconds = 0;
  clientFlags = 0;
  cas: Unsigned = 0;
  newCas: Unsigned = 0;
  delta: Unsigned = 1;
  initial: Unsigned = 0;

  /** Whether a flag is present. */
  has(flag: string): boolean {
    return (this.#bits >>> FLAGS.indexOf(flag) & 1) === 1;
  }

  /** Adds a flag. Returns whether it was absent before. */
  add(flag: string): boolean {
    const bit = 1 << FLAGS.indexOf(flag);
    const isNew = (this.#bits & bit) === 0;
    this.#bits |= bit;
    return isNew;
  }
}

/** Reads the flags of one command after another. */
export class MetaFlagReader {
  /** Flags of the command read last. */
  flags: MetaFlags = new MetaFlags();
  readonly #memcached: MemcachedCommands;
  readonly #key: ByteSpan;
  readonly #decoded = new Uint8Array(MAX_MEMCACHED_KEY_BYTES);

  /** @param key Is pointed to the key of the command read last. */
  constructor(memcached: MemcachedCommands, key: ByteSpan) {
    this.#memcached = memcached;
    this.#key = key;
  }

  /** Reads a line's key and flags. Returns what is wrong with them, if anything. */
  read(line: TextLine, first: number): string | undefined {
    line.span(1, this.#key);
    const flags = this.flags = new MetaFlags();
    let error: string | undefined;
    for (let word = first; word < line.count; word++) {
      const flag = String.fromCharCode(line.first(word));
      if (line.first(word) >= 127) return "CLIENT_ERROR duplicate flag";
      if (!FLAGS.includes(flag)) return "CLIENT_ERROR invalid flag";
      if (!flags.add(flag)) return "CLIENT_ERROR duplicate flag";
      const wrong = this.#readFlag(flag, line, word);
      // The last error is reported, but an error of F replaces no earlier one.
      error = flag === "F" ? error ?? wrong : wrong ?? error;
    }
    return error;
  }

  /** Reads a flag's token. Returns what is wrong with it, if anything. */
  #readFlag(flag: string, line: TextLine, word: number): string | undefined {
    const flags = this.flags;
    switch (flag) {
      case "b":
        return this.decodeKey() ? undefined : "CLIENT_ERROR error decoding key";
      case "N":
      case "T":
      case "R": {
        const seconds = line.int32(word, 1);
        if (seconds === undefined) return BAD_TOKEN;
        const ttlMs = this.#memcached.ttlOf(seconds);
        if (flag === "N") flags.vivifyTtlMs = ttlMs;
        else if (flag === "T") flags.ttlMs = ttlMs;
        else flags.recacheSeconds = ttlMs === Infinity ? 0 : Math.ceil(ttlMs / 1000);
        return undefined;
      }
      case "F":
        flags.clientFlags = line.uint32(word, 1) ?? -1;
        return flags.clientFlags < 0 ? BAD_FORMAT : undefined;
      case "M":
        flags.mode = line.length(word) === 2 ? String.fromCharCode(line.bytes[line.from(word) + 1]) : "";
        return flags.mode === "" ? "CLIENT_ERROR incorrect length for M token" : undefined;
      case "C":
      case "E":
      case "J":
      case "D":
        return this.#readUnsigned(flag, line.unsigned(word, 1));
      default:
        return undefined;
    }
  }

  #readUnsigned(flag: "C" | "E" | "J" | "D", value: Unsigned | undefined): string | undefined {
    const flags = this.flags;
    switch (flag) {
      case "C":
        flags.cas = value ?? 0;
        return value === undefined ? BAD_TOKEN : undefined;
      case "E":
        flags.newCas = value ?? 0;
        return value === undefined ? BAD_TOKEN : undefined;
      case "J":
        flags.initial = value ?? 0;
        return value === undefined ? "CLIENT_ERROR invalid numeric initial value" : undefined;
      case "D":
        flags.delta = value ?? 0;
        return value === undefined ? "CLIENT_ERROR invalid numeric delta value" : undefined;
    }
  }

  /** Decodes the key from base64; returns false if it is not base64. */
  decodeKey(): boolean {
    const key = this.#key;
    const length = bytesOfBase64(key, this.#decoded);
    key.bytes = this.#decoded;
    key.from = 0;
    key.to = length;
    return length > 0;
  }
}

/** What is wrong with a command's line, if anything, whatever its flags are. */
export function lineError(line: TextLine, tooMany: string): string | undefined {
  if (line.count < 2) return "ERROR";
  if (line.length(1) > MAX_MEMCACHED_KEY_BYTES) return BAD_FORMAT;
  return line.count > MAX_WORDS ? tooMany : undefined;
}

/** Whether a command's opaque is longer than `MAX_OPAQUE_BYTES`. */
export function hasLongOpaque(line: TextLine): boolean {
  for (let word = 2; word < line.count; word++) {
    if (line.first(word) === 0x4f && line.length(word) > MAX_OPAQUE_BYTES) return true;
  }
  return false;
}
