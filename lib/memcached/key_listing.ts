/**
 * Lists the keys of all entries, as `lru_crawler` and `stats cachedump` do: a part at a time, so that others have their turn and
 * nothing waits for a client that does not read. It knows how a line is written, not how a command is.
 */

import { type ByteSpan, spanOf } from "../base/byte_span.ts";
import { MAX_MEMCACHED_KEY_BYTES } from "../base/limits.ts";
import { MARK } from "../store/entry.ts";
import { HASHES_END } from "../store/hash_index.ts";
import type { OutputBuffer } from "../wire/output_buffer.ts";
import { type Allowance, OUTPUT_BYTES } from "../wire/protocol_handler.ts";
import { writeText } from "./ascii.ts";
import { base64Of } from "./base64.ts";
import type { MemcachedCommands } from "./commands.ts";

/** How keys are listed. */
export type ListingForm = "metadump" | "mgdump" | "cachedump";

const [NUL, LF, CR, SPACE] = [0, 10, 13, 0x20];
/** Bytes of a `cachedump`, at most, its end included. */
const MAX_CACHEDUMP_BYTES = 2 * 1024 * 1024;
/** Bytes of a line beside its key, at most. */
const LINE_BYTES = 256;
const ENDS: Readonly<Record<ListingForm, string>> = { metadump: "END\r\n", mgdump: "EN\r\n", cachedump: "END\r\n" };

/** For each byte how it is written in a `metadump`: letters, digits and `-._~` as they are, others as `%` and two digits. */
function uriEncoding(): readonly string[] {
  return Array.from({ length: 256 }, (_, byte) => {
    const letter = String.fromCharCode(byte);
    return /[A-Za-z0-9._~-]/.test(letter) ? letter : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  });
}

/** Made when it is needed: that takes 4 ms. */
let uriEncoded: readonly string[] | undefined;

/** One listing under way. What is stored or removed meanwhile may be listed or not; what is there all the time is, once. */
export class KeyListing {
  readonly #memcached: MemcachedCommands;
  readonly #form: ListingForm;
  /** Keys that may still be listed. */
  #left: number;
  /** The hash from which on the listing goes on. */
  #from: number;
  #bytes = 0;
  #key = new Uint8Array(MAX_MEMCACHED_KEY_BYTES);

  /** @param most Keys at most. */
  constructor(memcached: MemcachedCommands, form: ListingForm, most = Infinity) {
    this.#memcached = memcached;
    this.#form = form;
    this.#left = most;
    this.#from = most === 0 ? HASHES_END : 0;
  }

  /** Writes a part. Returns whether it was the last one. */
  write(output: OutputBuffer, allowance: Allowance): boolean {
    while (this.#from < HASHES_END) {
      const { found, next } = this.#memcached.store.walk(this.#from);
      allowance.spend(found.length);
      for (let i = 0; i < found.length && this.#left > 0; i++) {
        const { hash, position } = found[i];
        const isFull = output.length >= OUTPUT_BYTES || allowance.isOver;
        // Not before the first, or it would never go on; not between two of one hash, which it could not go on with.
        if (isFull && i > 0 && hash !== found[i - 1].hash) {
          this.#from = hash;
          return false;
        }
        this.#line(output, position);
        allowance.spend(1 + this.#memcached.takeWork());
      }
      this.#from = this.#left > 0 ? next : HASHES_END;
      if (output.length >= OUTPUT_BYTES || allowance.isOver) return false;
    }
    output.text(ENDS[this.#form]);
    return true;
  }

  #line(output: OutputBuffer, position: number): void {
    const { reader } = this.#memcached.store;
    const length = reader.keyBytes(position);
    if (length > this.#key.length) this.#key = new Uint8Array(length);
    reader.copyKey(position, this.#key, 0);
    const key = spanOf(this.#key.subarray(0, length));
    const marks = reader.marks(position);
    output.ensure(LINE_BYTES + 3 * length);
    if (this.#form === "metadump") return this.#metadump(output, key, position);
    // No command of memcached's could ask for another one.
    if (length === 0 || length > MAX_MEMCACHED_KEY_BYTES) return;
    const isBinary = (marks & MARK.binaryKey) !== 0 || !isWord(key);
    if (this.#form === "mgdump") this.#add(output, isBinary ? `mg ${base64Of(key)} b\r\n` : `mg ${textOf(key)}\r\n`);
    else if (!isBinary) this.#cachedump(output, key, position);
  }

  #metadump(output: OutputBuffer, { bytes }: ByteSpan, position: number): void {
    const memcached = this.#memcached;
    const { reader, nowMs } = memcached.store;
    let key = "";
    uriEncoded ??= uriEncoding();
    for (const byte of bytes) key += uriEncoded[byte];
    const exp = expirySeconds(reader.freshUntilMs(position));
    const la = Math.floor(nowMs / 1000) - memcached.idleSeconds(position);
    const fetch = (reader.marks(position) & MARK.fetched) === 0 ? "no" : "yes";
    const state = `exp=${exp ?? -1} la=${la} cas=${memcached.casOf(position)} fetch=${fetch}`;
    this.#add(output, `key=${key} ${state} cls=1 size=${memcached.sizeOf(position)}\n`);
  }

  #cachedump(output: OutputBuffer, key: ByteSpan, position: number): void {
    const { reader } = this.#memcached.store;
    const exp = expirySeconds(reader.freshUntilMs(position));
    const line = `ITEM ${textOf(key)} [${reader.valueBytes(position)} b; ${exp ?? 0} s]\r\n`;
    this.#bytes += line.length;
    if (this.#bytes + ENDS.cachedump.length > MAX_CACHEDUMP_BYTES) this.#left = 0;
    else this.#add(output, line);
  }

  /** Adds a line, one byte for each character. */
  #add(output: OutputBuffer, line: string): void {
    this.#left--;
    output.length = writeText(output.buffer, output.length, line);
  }
}

/** When an entry expires, in seconds since 1970; `undefined` is never. */
function expirySeconds(endMs: number): number | undefined {
  return endMs === Infinity ? undefined : Math.floor(endMs / 1000);
}

/** Whether a key could stand in a line: clients of other protocols may have keys with spaces and line ends. */
function isWord({ bytes }: ByteSpan): boolean {
  return !bytes.some((byte) => byte === NUL || byte === LF || byte === CR || byte === SPACE);
}

/** A key with one character for each byte. */
function textOf({ bytes }: ByteSpan): string {
  return String.fromCharCode(...bytes);
}
