/** What a cache in memory holds for a value: the value itself or, if told to, a copy. It holds nothing itself. */

import { Buffer } from "node:buffer";

import { MAX_COUNTER } from "../base/call_checks.ts";
import { checkData } from "../base/checks.ts";
import { MAX_VALUE_BYTES } from "../base/limits.ts";
import { type Unsigned, unsignedOf } from "../base/unsigned.ts";
import type { ValueOptions } from "../base/value_options.ts";
import { MOST_DIGITS } from "../wire/counter_value.ts";
import { CLIENT_UNITS } from "../wire/decoding_budget.ts";
import { decodePart, encodeValue } from "../wire/values.ts";

const utf8 = new TextEncoder();

/** A copy of a value: the bytes that a server would hold. */
class Copy {
  constructor(readonly flags: number, readonly bytes: Buffer) {}

  /** What may be a number: a server looks at no more than the bytes, whoever has made them. */
  get digits(): string | undefined {
    return this.bytes.length <= MOST_DIGITS ? this.bytes.toString("latin1") : undefined;
  }
}

/** Stands for what is held for a value that is larger than a server takes. */
export const TOO_LARGE: unique symbol = Symbol("too large");

/** Makes what is held of values, and values of what is held. */
export class HeldValues {
  readonly #copies: boolean;
  /** How values become bytes, where they are copied and an option says so. */
  readonly #options: ValueOptions | undefined;

  /** @param copies Whether values are checked and copied as they are with a server. */
  constructor(copies: boolean, options: ValueOptions | undefined) {
    this.#copies = copies;
    this.#options = options;
  }

  /**
   * Returns what is held for a value; with copies `TOO_LARGE` if it is larger than a server takes.
   *
   * @throws {TypeError} If it is a promise or, with copies, holds something that a server cannot keep; and whatever a codec throws.
   * @throws {RangeError} If it is nested too deep, or would cost too much to read; only with copies.
   */
  hold(data: unknown): unknown {
    checkData(data);
    return this.#copies ? this.#copyOf(data) : data;
  }

  /**
   * Returns the value for what is held: the same, or what is read from a copy.
   *
   * @throws {ProtocolError} If the codec does not read it.
   */
  give(held: unknown): unknown {
    if (!this.#copies || !(held instanceof Copy)) return held;
    const { flags, bytes } = held;
    return decodePart(flags, { bytes, from: 0, to: bytes.length }, CLIENT_UNITS, this.#options?.codec);
  }

  /** Returns the number that is held; `undefined` if it is none to which can be added. */
  counter(held: unknown): Unsigned | undefined {
    const value = held instanceof Copy ? held.digits : held;
    if (typeof value === "number") {
      return Number.isSafeInteger(value) && (value > 0 || Object.is(value, 0)) ? value : undefined;
    }
    if (typeof value === "bigint") return value > Number.MAX_SAFE_INTEGER && value <= MAX_COUNTER ? value : undefined;
    if (typeof value !== "string" || !/^\d{1,20}$/.test(value)) return undefined;
    const counter = BigInt(value);
    return counter <= MAX_COUNTER ? unsignedOf(counter) : undefined;
  }

  #copyOf(data: unknown): Copy | typeof TOO_LARGE {
    const { flags, payload } = encodeValue(data, CLIENT_UNITS, this.#options);
    const bytes = Buffer.from(typeof payload === "string" ? utf8.encode(payload) : payload); // a copy in either case
    return bytes.length <= MAX_VALUE_BYTES ? new Copy(flags, bytes) : TOO_LARGE;
  }
}
