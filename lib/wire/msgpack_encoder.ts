/**
 * Encodes what JSON would change as MessagePack with extension types, in one pass: it finds cycles, bounds depth and parts, and
 * refuses what has no likeness, while it writes. It knows nothing of flags or frames.
 */

import { MAX_CONTAINERS, MAX_DEPTH, MAX_PARTS, MAX_VALUE_BYTES } from "../base/limits.ts";
import type { DecodingBudget } from "./decoding_budget.ts";
import { headersItems, spendHeaders } from "./headers_values.ts";
import { spendKeys } from "./key_collisions.ts";
import { MsgpackOutput, TooManyBytesError } from "./msgpack_output.ts";
import { BUFFER_KINDS, EXT, isRecordKey } from "./msgpack_types.ts";
import { spendTemporal, temporalText } from "./temporal_values.ts";

/** What to store in place of an instance of a class that holds something. */
const HINTS: Record<string, string> = {
  Promise: "await it first",
  Response: "store what it holds: await response.text(), .json() or .bytes()",
  Request: "store what it holds: await request.text(), .json() or .bytes()",
  Blob: "store its bytes: await blob.bytes()",
  File: "store its bytes: await file.bytes()",
  ReadableStream: "read it first: await new Response(stream).bytes()",
};

/** The output of the last value; `undefined` while one is encoded, since a getter may have another one encoded meanwhile. */
let spare: MsgpackOutput | undefined;

/**
 * Encodes any supported value, and spends what it has that costs more than its bytes say; see `encodeValue` for what it throws.
 * More than 16 MiB are not all of it.
 */
export function encodeMsgpack(value: unknown, budget: DecodingBudget): Uint8Array {
  const output = spare ?? new MsgpackOutput();
  spare = undefined;
  try {
    new Walk(output, budget).value(value);
    return output.taken();
  } catch (error) {
    if (!(error instanceof TooManyBytesError)) throw error;
    return new Uint8Array(MAX_VALUE_BYTES + 1); // its size will be the reason to refuse it
  } finally {
    output.dropped();
    spare = output;
  }
}

/** Which part of a container is at hand: an index, or a key; `undefined` if it is the container itself. */
type Step = number | string | undefined;

/** The encoding of one value. */
class Walk {
  readonly #output: MsgpackOutput;
  readonly #budget: DecodingBudget;
  /** The objects around the value at hand, and the part of each within which that is. */
  readonly #around: object[] = [];
  readonly #steps: Step[] = [];
  #parts = 0;
  #containers = 0;

  constructor(output: MsgpackOutput, budget: DecodingBudget) {
    this.#output = output;
    this.#budget = budget;
  }

  value(value: unknown): void {
    if (++this.#parts > MAX_PARTS) throw new RangeError(`Cannot encode data: more than ${MAX_PARTS} parts`);
    switch (typeof value) {
      case "string":
        return this.#text(value);
      case "number":
        return Object.is(value, -0) ? this.#output.emptyExtension(EXT.negativeZero) : this.#output.number(value);
      case "boolean":
        return this.#output.byte(value ? 0xc3 : 0xc2);
      case "undefined":
        return this.#output.emptyExtension(EXT.undefined);
      case "object":
        return value === null ? this.#output.byte(0xc0) : this.#object(value);
      case "bigint":
        return this.#textExtension(EXT.bigint, value.toString(16));
      default:
        return this.#refuse(`a ${typeof value}`);
    }
  }

  #text(text: string): void {
    if (this.#output.shortText(text)) return;
    if (isPlainText(text)) return this.#output.text(text);
    const begun = this.#output.begin();
    this.#output.utf16(text);
    this.#output.end(begun, EXT.utf16);
  }

  #textExtension(type: number, text: string): void {
    const begun = this.#output.begin();
    this.#output.plainText(text);
    this.#output.end(begun, type);
  }

  #object(value: object): void {
    const around = this.#around;
    if (around.includes(value)) this.#refuse("a cycle");
    if (around.length === MAX_DEPTH) {
      throw new RangeError(`Cannot encode data: nested deeper than ${MAX_DEPTH}: at ${this.#where()}`);
    }
    if (++this.#containers > MAX_CONTAINERS) {
      throw new RangeError(`Cannot encode data: more than ${MAX_CONTAINERS} arrays, objects and the like`);
    }
    around.push(value);
    this.#steps.push(undefined);
    this.#known(value);
    around.pop();
    this.#steps.pop();
  }

  #known(value: object): void {
    if (Array.isArray(value)) return this.#items(value);
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) return this.#record(value);
    if (value instanceof Date) return this.#output.float64Extension(EXT.date, value.getTime());
    if (value instanceof Map) {
      this.#spend((budget) => spendKeys(value.keys(), value.size, budget));
      return this.#itemsExtension(EXT.map, keysAndValues(value));
    }
    if (value instanceof Set) {
      this.#spend((budget) => spendKeys(value, value.size, budget));
      return this.#itemsExtension(EXT.set, [...value]);
    }
    if (value instanceof RegExp) {
      this.#spend((budget) => budget.spendRegExp(value.source, value.flags));
      return this.#itemsExtension(EXT.regexp, [value.source, value.flags]);
    }
    if (value instanceof URL) return this.#textExtension(EXT.url, value.href);
    if (value instanceof Error) return this.#error(value);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return this.#buffer(value);
    if (Object.getPrototypeOf(prototype) === null) return this.#record(value);
    return this.#rare(value);
  }

  /** Of what is rare, so that nothing else pays for it. */
  #rare(value: object): void {
    if (value instanceof Headers) {
      const items = headersItems(value);
      this.#spend((budget) => spendHeaders(items, budget));
      return this.#itemsExtension(EXT.headers, items);
    }
    const temporal = temporalText(value);
    if (temporal === undefined) return this.#refuseClass(value);
    this.#spend((budget) => spendTemporal(temporal, budget));
    const begun = this.#output.begin();
    this.#output.byte(temporal.kind);
    this.#output.plainText(temporal.text);
    this.#output.end(begun, EXT.temporal);
  }

  #items(items: readonly unknown[]): void {
    const { length } = items;
    const level = this.#steps.length - 1;
    this.#output.array(length);
    for (let i = 0; i < length; i++) {
      this.#steps[level] = i;
      this.value(items[i]);
    }
  }

  #itemsExtension(type: number, items: readonly unknown[]): void {
    const begun = this.#output.begin();
    this.#items(items);
    this.#output.end(begun, type);
  }

  /** Writes a plain object as a MessagePack map, or as a `record` if it has a key that such a map must not have. */
  #record(value: object): void {
    const keys = Object.keys(value);
    const isPlain = keys.every(isPlainKey);
    const begun = isPlain ? 0 : this.#output.begin();
    if (isPlain) this.#output.map(keys.length);
    else this.#output.array(2 * keys.length);
    this.#members(value, keys);
    if (!isPlain) this.#output.end(begun, EXT.record);
  }

  /** Writes name, message and stack, then the other own properties, including `cause` and `errors`. */
  #error(error: Error): void {
    const own = new Set(Object.keys(error));
    for (const key of ["cause", "errors"]) if (Object.hasOwn(error, key)) own.add(key);
    for (const key of ["name", "message", "stack"]) own.delete(key);
    const begun = this.#output.begin();
    this.#output.array(3 + 2 * own.size);
    this.value(error.name);
    this.value(error.message);
    this.value(error.stack);
    this.#members(error, own);
    this.#output.end(begun, EXT.error);
  }

  #members(value: object, keys: Iterable<string>): void {
    const level = this.#steps.length - 1;
    for (const key of keys) {
      this.#text(key);
      this.#steps[level] = key;
      this.value((value as Record<string, unknown>)[key]);
    }
  }

  #buffer(value: ArrayBufferView | ArrayBuffer): void {
    const kind = BUFFER_KINDS.indexOf(Object.prototype.toString.call(value).slice(8, -1));
    if (kind === -1) return this.#refuseClass(value);
    const bytes = ArrayBuffer.isView(value)
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : new Uint8Array(value);
    const begun = this.#output.begin();
    this.#output.byte(kind);
    this.#output.bytes(bytes);
    this.#output.end(begun, EXT.buffer);
  }

  /** Spends on the value at hand; an error names its path. */
  #spend(on: (budget: DecodingBudget) => void): void {
    try {
      on(this.#budget);
    } catch (error) {
      throw new RangeError(`Cannot encode ${this.#where()}: ${(error as Error).message}`, { cause: error });
    }
  }

  #refuseClass(value: object): never {
    const name = value.constructor?.name || "a class";
    if (Object.hasOwn(HINTS, name)) return this.#refuse(`a ${name} (${HINTS[name]})`);
    return this.#refuse(`an instance of ${name} (store a plain object instead)`);
  }

  #refuse(what: string): never {
    throw new TypeError(`Cannot encode ${this.#where()}: received ${what}`);
  }

  /** The path as text; the middle of a long one is left out. */
  #where(): string {
    const path = `data${this.#around.map((container, level) => shownStep(container, this.#steps[level])).join("")}`;
    return path.length <= 200 ? path : `${path.slice(0, 100)} … ${path.slice(-100)}`;
  }
}

/** Keys and values in turn, as they are now. */
function keysAndValues(map: Map<unknown, unknown>): unknown[] {
  const items: unknown[] = [];
  for (const [key, value] of map) items.push(key, value);
  return items;
}

/** Whether a text is written as MessagePack has it: many decoders drop a byte order mark, and none has a lone surrogate. */
function isPlainText(text: string): boolean {
  return text.isWellFormed() && text.charCodeAt(0) !== 0xfeff;
}

function isPlainKey(key: string): boolean {
  return !isRecordKey(key) && isPlainText(key);
}

/** How a part of a container is reached. */
function shownStep(container: object, step: Step): string {
  if (step === undefined) return "";
  if (typeof step === "string") return /^[A-Za-z_$][\w$]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
  if (container instanceof Set) return `.values()[${step}]`;
  if (!(container instanceof Map)) return `[${step}]`;
  const index = step >> 1;
  if (step % 2 === 0) return `.keys()[${index}]`;
  const key = [...container.keys()][index];
  return typeof key === "string" ? `.get(${JSON.stringify(key)})` : `.values()[${index}]`;
}
