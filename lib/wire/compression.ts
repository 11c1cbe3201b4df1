/**
 * Compresses bytes by DEFLATE (RFC 1951), which every runtime has and every language reads, and unpacks what anybody may have
 * written: bounded in bytes, memory and work. Of `node:zlib` it uses what is computation alone: calls that return what they have
 * made. It knows nothing of values.
 */

import { Buffer } from "node:buffer";
import { MAX_VALUE_BYTES } from "../base/limits.ts";
import { nodeProcess } from "../base/node_process.ts";
import type { DecodingBudget } from "./decoding_budget.ts";

/**
 * Units of a byte before and after it is unpacked. A few bytes may begin a block with tables of its own that yields nothing: of
 * such blocks, a byte takes 100 ns.
 */
const COST = { compressed: 100, unpacked: 3 } as const;
/** A third of the time of the usual level 6, for a tenth more bytes. */
const LEVEL = 2;
/** Bytes from which on the first ones are tried, so that little time is spent on what is compressed already. */
const TRIED_OVER_BYTES = 64 * 1024;
const TRIED_BYTES = 16 * 1024;
/** Bytes that come out of one, at most. */
const MOST_OF_A_BYTE = 1032;

type Zlib = typeof import("node:zlib");
let loaded: Zlib | undefined;
/** Whether `maxOutputLength` has an effect: in Deno 2.4 it has none. */
let isBounded = true;

/** It takes 30 ms to load, so that is left until a value is compressed. */
function zlib(): Zlib {
  if (loaded !== undefined) return loaded;
  loaded = nodeProcess().getBuiltinModule("node:zlib");
  try {
    loaded.inflateRawSync(loaded.deflateRawSync(new Uint8Array(9)), { maxOutputLength: 1 });
    isBounded = false;
  } catch {
    // It is bounded.
  }
  return loaded;
}

/** Returns bytes compressed; `undefined` where that makes them no smaller, or too costly to read for what the budget has left. */
export function compressed(bytes: Uint8Array, budget: DecodingBudget): Uint8Array | undefined {
  const { deflateRawSync } = zlib();
  if (bytes.length > TRIED_OVER_BYTES) {
    const tried = deflateRawSync(bytes.subarray(0, TRIED_BYTES), { level: LEVEL });
    if (tried.length > TRIED_BYTES * 7 / 8) return undefined;
  }
  const smaller = deflateRawSync(bytes, { level: LEVEL });
  const units = COST.compressed * smaller.length + COST.unpacked * bytes.length;
  return smaller.length < bytes.length && units <= budget.left ? smaller : undefined;
}

/**
 * Unpacks bytes, as many as a value may have and the budget allows.
 *
 * @throws {RangeError} If there are more of them, or they cost too much.
 * @throws {Error} If they are not compressed.
 */
export function unpacked(bytes: Uint8Array, budget: DecodingBudget): Buffer {
  budget.spend(COST.compressed * bytes.length, "what is compressed");
  const most = Math.min(MAX_VALUE_BYTES, Math.floor(budget.left / COST.unpacked));
  const found = inflated(bytes, Math.max(1, most));
  if (found === undefined) throw new RangeError(`more than ${most} bytes when it is unpacked`);
  budget.spend(COST.unpacked * found.length, "what is compressed");
  return found;
}

/** Returns what is compressed, or `undefined` if that has more bytes. */
function inflated(bytes: Uint8Array, most: number): Buffer | undefined {
  const { inflateRawSync } = zlib();
  if (!isBounded) return inflatedInto(bytes, Math.min(most, MOST_OF_A_BYTE * bytes.length));
  try {
    return inflateRawSync(bytes, { maxOutputLength: most });
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") return undefined;
    throw error;
  }
}

/** What streams of Deno 2.4 are made of, as far as it is needed here. */
interface Handle {
  /** Returns how many bytes are left of each. */
  writeSync(
    ...call: [flush: number, from: Uint8Array, at: number, length: number, to: Uint8Array, at: number, length: number]
  ): [input: number, output: number];
}

/** The same for Deno 2.4: one write into an array of that many bytes, and one that must not be used. */
function inflatedInto(bytes: Uint8Array, most: number): Buffer | undefined {
  const { InflateRaw, constants } = zlib() as Zlib & { InflateRaw: new (options: object) => unknown };
  const { _handle } = new InflateRaw({}) as { _handle: Handle };
  const output = new Uint8Array(most + 1);
  const [, left] = _handle.writeSync(constants.Z_FINISH, bytes, 0, bytes.length, output, 0, output.length);
  return left === 0 ? undefined : Buffer.from(output.buffer, 0, output.length - left);
}
