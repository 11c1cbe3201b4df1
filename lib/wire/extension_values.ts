/** What extensions of MessagePack stand for, out of their bytes or the items that they hold. */

import type { Buffer } from "node:buffer";
import { bytesAt, float64At, int32At, uint16At, uint32At } from "./big_endian.ts";
import type { DecodingBudget } from "./decoding_budget.ts";
import { headersOf } from "./headers_values.ts";
import { mapOf, setOf } from "./key_collisions.ts";
import { ARRAY_INDEX, BUFFER_KINDS, EXT, TIMESTAMP } from "./msgpack_types.ts";
import { spendTemporal, temporalOf } from "./temporal_values.ts";
import { decodeText } from "./utf8_text.ts";

const ERROR_CLASSES: Record<string, ErrorConstructor> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** Whether an extension holds bytes, of which its value is made. */
export function holdsBytes(type: number): boolean {
  return type <= EXT.temporal || type === TIMESTAMP;
}

/** Whether an extension holds an array, of whose items its value is made. */
export function holdsItems(type: number): boolean {
  return type >= EXT.record && type <= EXT.headers;
}

/**
 * Makes the value of an extension out of its payload, which is copied.
 *
 * @throws {TypeError | RangeError | SyntaxError} If the payload is not what the type stands for.
 */
export function valueOfPayload(
  type: number,
  bytes: Buffer,
  from: number,
  to: number,
  budget: DecodingBudget,
): unknown {
  switch (type) {
    case EXT.undefined:
      return nothing(to - from, undefined);
    case EXT.negativeZero:
      return nothing(to - from, -0);
    case EXT.bigint:
      return bigintOf(decodeText(bytes, from, to));
    case EXT.utf16:
      return utf16Text(bytes, from, to);
    case EXT.date:
      return dateOf(bytes, from, to);
    case EXT.url:
      return new URL(decodeText(bytes, from, to));
    case EXT.buffer:
      return bufferOf(bytes, from, to);
    case EXT.temporal:
      return temporalValue(bytes, from, to, budget);
    default:
      return timestampOf(bytes, from, to);
  }
}

/**
 * Makes the value of an extension out of the items that it holds.
 *
 * @throws {TypeError | RangeError | SyntaxError} If the items are not what the type stands for, or cost too much.
 */
export function valueOfItems(type: number, items: unknown[], budget: DecodingBudget): unknown {
  switch (type) {
    case EXT.record:
      return define({}, pairs(items, 0));
    case EXT.map:
      checkPairs(items.length);
      return mapOf(items, budget);
    case EXT.set:
      return setOf(items, budget);
    case EXT.regexp:
      return regExpOf(items, budget);
    case EXT.error:
      return errorOf(items);
    default:
      return headersOf(items, budget);
  }
}

function nothing<T>(length: number, value: T): T {
  if (length > 0) throw new TypeError("an extension with a payload that has none");
  return value;
}

function bigintOf(text: string): bigint {
  if (!/^-?[0-9a-f]+$/.test(text)) throw new TypeError("extension 2 holds no hexadecimal number");
  return text.startsWith("-") ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`);
}

function utf16Text(bytes: Buffer, from: number, to: number): string {
  if ((to - from) % 2 !== 0) throw new RangeError("extension 3 ends within a UTF-16 unit");
  let text = "";
  for (let at = from; at < to;) {
    const units: number[] = [];
    for (; at < to && units.length < 8192; at += 2) units.push(uint16At(bytes, at));
    text += String.fromCharCode(...units);
  }
  return text;
}

function dateOf(bytes: Buffer, from: number, to: number): Date {
  if (to - from < 8) throw new RangeError("extension 4 holds no float 64");
  return new Date(float64At(bytes, from));
}

/** MessagePack's own: seconds since 1970 in 32 bits; in 34, behind nanoseconds; or in 64 with a sign, behind nanoseconds. */
function timestampOf(bytes: Buffer, from: number, to: number): Date {
  switch (to - from) {
    case 4:
      return new Date(uint32At(bytes, from) * 1e3);
    case 8: {
      const first = uint32At(bytes, from);
      return new Date(((first & 3) * 2 ** 32 + uint32At(bytes, from + 4)) * 1e3 + (first >>> 2) / 1e6);
    }
    case 12: {
      const seconds = int32At(bytes, from + 4) * 2 ** 32 + uint32At(bytes, from + 8);
      return new Date(seconds * 1e3 + uint32At(bytes, from) / 1e6);
    }
    default:
      throw new TypeError(`a timestamp of ${to - from} bytes`);
  }
}

function bufferOf(bytes: Buffer, from: number, to: number): unknown {
  const kind = to > from ? bytes[from] : -1;
  const name = BUFFER_KINDS[kind];
  // Looked up by name because Float16Array is younger than the oldest runtime we support.
  const type = (globalThis as unknown as Record<string, new (buffer: ArrayBuffer) => unknown>)[name ?? ""];
  if (type === undefined) throw new TypeError(`unknown kind of buffer ${kind}`);
  const copy = bytesAt(bytes, from + 1, to);
  if (name === "Uint8Array") return copy; // small ones then need no memory outside the heap
  const { buffer } = copy;
  return name === "ArrayBuffer" ? buffer : new type(buffer);
}

function temporalValue(bytes: Buffer, from: number, to: number, budget: DecodingBudget): object {
  const temporal = { kind: to > from ? bytes[from] : -1, text: decodeText(bytes, Math.min(from + 1, to), to) };
  spendTemporal(temporal, budget);
  return temporalOf(temporal);
}

function regExpOf([source, flags, ...rest]: unknown[], budget: DecodingBudget): RegExp {
  if (typeof source !== "string" || typeof flags !== "string" || rest.length > 0) {
    throw new TypeError("extension 19 holds no source and flags");
  }
  budget.spendRegExp(source, flags);
  return new RegExp(source, flags);
}

function checkPairs(items: number): void {
  if (items % 2 !== 0) throw new TypeError("an extension with a key that has no value");
}

function pairs(items: unknown[], from: number): [string, unknown][] {
  checkPairs(items.length - from);
  const found: [string, unknown][] = [];
  for (let i = from; i + 1 < items.length; i += 2) found.push([items[i] as string, items[i + 1]]);
  return found;
}

/** Gives an object enumerable properties of its own with any keys, `__proto__` included. */
function define<T extends object>(target: T, properties: [string, unknown][]): T {
  if (properties.some(([key]) => ARRAY_INDEX.test(key))) {
    // This makes the engine keep indices in a dictionary: in an array, one large index would take kilobytes.
    const indexed = target as Record<number, unknown>;
    indexed[2 ** 31] = 0;
    delete indexed[2 ** 31];
  }
  for (const [key, value] of properties) {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  }
  return target;
}

function errorOf(items: unknown[]): Error {
  const [name, message, stack] = items;
  const rest = pairs(items, 3);
  const isAggregate = name === "AggregateError";
  const type = ERROR_CLASSES[Object.hasOwn(ERROR_CLASSES, name as string) ? name as string : "Error"];
  const error = withoutStack(() =>
    isAggregate ? new AggregateError([], message as string) : new type(message as string)
  );
  if (error.name !== name) hidden(error, "name", name);
  hidden(error, "stack", stack);
  const isHidden = (key: string) => key === "cause" || (key === "errors" && isAggregate);
  for (const [key, value] of rest) if (isHidden(key)) hidden(error, key, value);
  return define(error, rest.filter(([key]) => !isHidden(key)));
}

/** Makes an error without looking for its stack, which is one of the items. */
function withoutStack(make: () => Error): Error {
  const limited = Error as unknown as { stackTraceLimit: number };
  const { stackTraceLimit } = limited;
  limited.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    limited.stackTraceLimit = stackTraceLimit; // also where the message is an object that has no text
  }
}

/** Sets a property of an error as the engine does: writable and not enumerable. */
function hidden(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, enumerable: false, configurable: true });
}
