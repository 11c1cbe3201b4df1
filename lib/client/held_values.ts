/** What a cache in memory holds for a value: the value itself or, if told to, a copy. It holds nothing itself. */

import { Buffer } from "node:buffer";

import { MAX_COUNTER } from "../base/call_checks.ts";
import { checkData } from "../base/checks.ts";
import { CacheError } from "../base/errors.ts";
import { MAX_VALUE_BYTES } from "../base/limits.ts";
import { type Unsigned, unsignedOf } from "../base/unsigned.ts";
import { decodePart, encodeValue } from "../wire/values.ts";

const utf8 = new TextEncoder();

/** A copy of a value: the bytes that a server would hold. */
class Copy {
  constructor(readonly flags: number, readonly bytes: Buffer) {}
}

/** Makes what is held of values, and values of what is held. */
export class HeldValues {
  readonly #copies: boolean;

  /** @param copies Whether values are checked and copied as they are with a server. */
  constructor(copies: boolean) {
    this.#copies = copies;
  }

  /**
   * Returns what is held for a value.
   *
   * @throws {CacheError} If the value is larger than a server takes; only with copies, like the following.
   * @throws {TypeError} If it is a promise, also without copies, or holds something that a server cannot keep.
   * @throws {RangeError} If it is nested too deep, or would cost too much to read.
   */
  hold(data: unknown): unknown {
    checkData(data);
    return this.#copies ? copyOf(data) : data;
  }

  /** Returns the value for what is held: the same, or what is read from a copy. */
  give(held: unknown): unknown {
    if (!this.#copies || !(held instanceof Copy)) return held;
    const { flags, bytes } = held;
    return decodePart(flags, { bytes, from: 0, to: bytes.length });
  }

  /** Returns the number that is held; `undefined` if it is none to which can be added. */
  counter(held: unknown): Unsigned | undefined {
    const value = this.give(held);
    if (typeof value === "number") {
      return Number.isSafeInteger(value) && (value > 0 || Object.is(value, 0)) ? value : undefined;
    }
    if (typeof value === "bigint") {
      // A counter is held as it is, since nobody can change it: what is read from a copy is none.
      const isCounter = !(held instanceof Copy) && value > Number.MAX_SAFE_INTEGER && value <= MAX_COUNTER;
      return isCounter ? value : undefined;
    }
    if (typeof value !== "string" || !/^\d{1,20}$/.test(value)) return undefined;
    const counter = BigInt(value);
    return counter <= MAX_COUNTER ? unsignedOf(counter) : undefined;
  }
}

function copyOf(data: unknown): Copy {
  const { flags, payload } = encodeValue(data);
  const bytes = Buffer.from(typeof payload === "string" ? utf8.encode(payload) : payload); // a copy in either case
  if (bytes.length <= MAX_VALUE_BYTES) return new Copy(flags, bytes);
  throw new CacheError("refused", `the value has more than ${MAX_VALUE_BYTES} bytes`);
}
