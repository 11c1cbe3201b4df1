/**
 * MessagePack with extension types, for the values that JSON would change. It turns a value into what the MessagePack
 * library encodes, and back; the table of types is in docs/protocol.md. It knows nothing of flags or frames.
 */

import { decode, encode, ExtData, ExtensionCodec } from "@msgpack/msgpack";
import { checkMessagePack, type ExtensionKinds } from "./msgpack_check.ts";
import { type DecodingBudget, DecodingCostError } from "./decoding_budget.ts";
import { headersItems, headersOf, spendHeaders } from "./headers_values.ts";
import { mapOf, setOf, spendKeys } from "./key_collisions.ts";
import { spendTemporal, temporalOf, type TemporalText, temporalText } from "./temporal_values.ts";
import { MAX_CONTAINERS, MAX_DEPTH, MAX_PARTS, MAX_VALUE_BYTES } from "../base/limits.ts";

/** Extension types. Those from `record` on hold one MessagePack array, whose depth counts. */
export const EXT = {
  undefined: 0,
  negativeZero: 1,
  bigint: 2,
  utf16: 3,
  date: 4,
  url: 5,
  buffer: 6,
  temporal: 7,
  record: 16,
  map: 17,
  set: 18,
  regexp: 19,
  error: 20,
  headers: 21,
} as const;

const TIMESTAMP = 0xff; // MessagePack's own, type -1
const leaf = (units: number, unitsPerPart: number) => ({ isNested: false, isObject: false, units, unitsPerPart });
const nested = (units: number, unitsPerPart: number) => ({ isNested: true, isObject: false, units, unitsPerPart });
/** What each type costs; see decoding_budget.ts. */
const EXTENSION_KINDS: ExtensionKinds = new Map([
  [EXT.undefined, leaf(150, 0)],
  [EXT.negativeZero, leaf(150, 0)],
  [EXT.bigint, leaf(1200, 20)],
  [EXT.utf16, leaf(500, 20)],
  [EXT.date, leaf(1000, 0)],
  [EXT.url, leaf(3500, 40)],
  [EXT.buffer, leaf(4000, 2)],
  [EXT.temporal, leaf(3000, 20)], // and what spendTemporal() finds
  [EXT.record, { ...nested(1200, 700), isObject: true }],
  [EXT.map, nested(1000, 150)],
  [EXT.set, nested(1000, 150)],
  [EXT.regexp, nested(2000, 0)], // and what spendRegExp() finds
  [EXT.error, nested(16_000, 3000)],
  [EXT.headers, nested(2000, 1500)], // and what spendHeaders() finds
  [TIMESTAMP, leaf(1300, 0)],
]);

/** Kinds of `buffer`: the index is the first byte of the payload, and the bytes follow in little-endian order. */
const BUFFER_KINDS = [
  "ArrayBuffer",
  "DataView",
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
  "Float16Array",
];

const ERROR_CLASSES: Record<string, ErrorConstructor> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** What to store in place of an instance of a class that holds something. */
const HINTS: Record<string, string> = {
  Promise: "await it first",
  Response: "store what it holds: await response.text(), .json() or .bytes()",
  Request: "store what it holds: await request.text(), .json() or .bytes()",
  Blob: "store its bytes: await blob.bytes()",
  File: "store its bytes: await file.bytes()",
  ReadableStream: "read it first: await new Response(stream).bytes()",
};

/** Keys that the engine may take for array indices. */
const ARRAY_INDEX = /^[0-9]{1,10}$/;

const empty = new Uint8Array(0);
const utf8 = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const extensions = new ExtensionCodec<DecodingBudget>();
/** Four levels more than a value may have: the library counts from 1, and `Walk` bounds the nesting of extensions. */
const encodeOptions = { maxDepth: MAX_DEPTH + 4 };

/** Encodes any supported value that the budget allows; see `encodeValue` for what it throws. */
export function encodeMsgpack(value: unknown, budget: DecodingBudget): Uint8Array {
  const bytes = encode(new Walk(budget).wire(value), encodeOptions);
  if (bytes.length > MAX_VALUE_BYTES) return bytes; // its size will be the reason to refuse it
  try {
    checkMessagePack(bytes, EXTENSION_KINDS, budget);
  } catch (error) {
    if (error instanceof DecodingCostError) {
      throw new RangeError(`Cannot encode data: ${error.message}`, { cause: error });
    }
    throw error;
  }
  return bytes;
}

/** Decodes a value after a check of its structure. MessagePack's own byte arrays become views of the input. */
export function decodeMsgpack(bytes: Uint8Array, budget: DecodingBudget): unknown {
  checkMessagePack(bytes, EXTENSION_KINDS, budget);
  return decode(bytes, { extensionCodec: extensions, context: budget });
}

/** The encoding of one value: it keeps the path for messages, and the ancestors to find cycles. */
class Walk {
  readonly #budget: DecodingBudget;
  readonly #path: string[] = ["data"];
  readonly #ancestors: object[] = [];
  #parts = 0;
  #containers = 0;

  constructor(budget: DecodingBudget) {
    this.#budget = budget;
  }

  /** Returns what the library encodes in place of `value`. */
  wire(value: unknown): unknown {
    if (++this.#parts > MAX_PARTS) throw new RangeError(`Cannot encode data: more than ${MAX_PARTS} parts`);
    switch (typeof value) {
      case "boolean":
        return value;
      case "number":
        return Object.is(value, -0) ? new ExtData(EXT.negativeZero, empty) : value;
      case "string":
        return isPlainText(value) ? value : new ExtData(EXT.utf16, utf16Bytes(value));
      case "undefined":
        return new ExtData(EXT.undefined, empty);
      case "bigint":
        return new ExtData(EXT.bigint, utf8.encode(value.toString(16)));
      case "object":
        return value === null ? null : this.#object(value);
      default:
        return this.#refuse(`a ${typeof value}`);
    }
  }

  #object(value: object): unknown {
    if (this.#ancestors.includes(value)) return this.#refuse("a cycle");
    if (this.#ancestors.length === MAX_DEPTH) {
      throw new RangeError(`Cannot encode data: nested deeper than ${MAX_DEPTH}: at ${this.#where()}`);
    }
    if (++this.#containers > MAX_CONTAINERS) {
      throw new RangeError(`Cannot encode data: more than ${MAX_CONTAINERS} arrays, objects and the like`);
    }
    this.#ancestors.push(value);
    const wire = this.#known(value);
    this.#ancestors.pop();
    return wire;
  }

  #known(value: object): unknown {
    if (Array.isArray(value)) return Array.from(value, (item, i) => this.#child(`[${i}]`, item));
    if (value instanceof Date) return new ExtData(EXT.date, float64Bytes(value.getTime()));
    if (value instanceof Map) {
      this.#spend((budget) => spendKeys(value.keys(), value.size, budget));
      return this.#nested(EXT.map, this.#mapItems(value));
    }
    if (value instanceof Set) {
      this.#spend((budget) => spendKeys(value, value.size, budget));
      return this.#nested(EXT.set, Array.from(value, (item, i) => this.#child(`.values()[${i}]`, item)));
    }
    if (value instanceof RegExp) {
      this.#spend((budget) => budget.spendRegExp(value.source, value.flags));
      return this.#nested(EXT.regexp, [this.wire(value.source), value.flags]);
    }
    if (value instanceof URL) return new ExtData(EXT.url, utf8.encode(value.href));
    if (value instanceof Error) return this.#nested(EXT.error, this.#errorItems(value));
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return bufferWire(value) ?? this.#refuseClass(value);
    const prototype = Object.getPrototypeOf(value);
    if (prototype === null || Object.getPrototypeOf(prototype) === null) return this.#record(value);
    return this.#rare(value);
  }

  /** Of what is rare, so that nothing else pays for it. */
  #rare(value: object): unknown {
    if (value instanceof Headers) {
      const items = headersItems(value);
      this.#spend((budget) => spendHeaders(items, budget));
      return this.#nested(EXT.headers, items);
    }
    const temporal = temporalText(value);
    if (temporal === undefined) return this.#refuseClass(value);
    this.#spend((budget) => spendTemporal(temporal, budget));
    return new ExtData(EXT.temporal, temporalBytes(temporal));
  }

  /** Encodes a plain object as a MessagePack map, or as a `record` if it has a key that the library would change. */
  #record(value: object): unknown {
    const keys = Object.keys(value);
    const items = keys.map((key) => this.#child(member(key), (value as Record<string, unknown>)[key]));
    if (keys.every((key) => key !== "__proto__" && isPlainText(key) && !ARRAY_INDEX.test(key))) {
      return Object.fromEntries(keys.map((key, i) => [key, items[i]]));
    }
    return this.#nested(EXT.record, keys.flatMap((key, i) => [this.wire(key), items[i]]));
  }

  #mapItems(map: Map<unknown, unknown>): unknown[] {
    return [...map].flatMap(([key, item], i) => [
      this.#child(`.keys()[${i}]`, key),
      this.#child(typeof key === "string" ? `.get(${JSON.stringify(key)})` : `.values()[${i}]`, item),
    ]);
  }

  /** Name, message and stack, then the other own properties, including `cause` and `errors`. */
  #errorItems(error: Error): unknown[] {
    const items: unknown[] = [this.wire(error.name), this.wire(error.message), this.wire(error.stack)];
    const own = new Set(Object.keys(error));
    for (const key of ["cause", "errors"]) if (Object.hasOwn(error, key)) own.add(key);
    for (const key of ["name", "message", "stack"]) own.delete(key);
    for (const key of own) {
      items.push(this.wire(key), this.#child(member(key), (error as unknown as Record<string, unknown>)[key]));
    }
    return items;
  }

  /** Spends on the value at hand; an error names its path. */
  #spend(on: (budget: DecodingBudget) => void): void {
    try {
      on(this.#budget);
    } catch (error) {
      throw new RangeError(`Cannot encode ${this.#where()}: ${(error as Error).message}`, { cause: error });
    }
  }

  #child(step: string, value: unknown): unknown {
    this.#path.push(step);
    const wire = this.wire(value);
    this.#path.pop();
    return wire;
  }

  #nested(type: number, items: unknown[]): ExtData {
    return new ExtData(type, encode(items, encodeOptions));
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
    const path = this.#path.join("");
    return path.length <= 200 ? path : `${path.slice(0, 100)} … ${path.slice(-100)}`;
  }
}

/** Whether the library decodes a text unchanged: it drops a byte order mark at the start of a long one. */
function isPlainText(text: string): boolean {
  return text.isWellFormed() && text.charCodeAt(0) !== 0xfeff;
}

function member(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function utf16Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(2 * text.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i));
  return bytes;
}

function float64Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return bytes;
}

function bufferWire(value: ArrayBufferView | ArrayBuffer): unknown {
  const kind = BUFFER_KINDS.indexOf(Object.prototype.toString.call(value).slice(8, -1));
  if (kind === -1) return undefined;
  const bytes = ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
  const payload = new Uint8Array(1 + bytes.length);
  payload[0] = kind;
  payload.set(bytes, 1);
  return new ExtData(EXT.buffer, payload);
}

function temporalBytes({ kind, text }: TemporalText): Uint8Array {
  return Uint8Array.of(kind, ...utf8.encode(text));
}

function register(type: number, build: (payload: Uint8Array, budget: DecodingBudget) => unknown): void {
  extensions.register({ type, encode: () => null, decode: (payload, _type, budget) => build(payload, budget) });
}

function registerNested(type: number, build: (items: unknown[], budget: DecodingBudget) => unknown): void {
  extensions.register({
    type,
    encode: () => null,
    decode: (payload, _type, budget) => {
      // An array: that was checked.
      return build(decode(payload, { extensionCodec: extensions, context: budget }) as unknown[], budget);
    },
  });
}

register(EXT.undefined, (payload) => nothing(payload, undefined));
register(EXT.negativeZero, (payload) => nothing(payload, -0));
register(EXT.bigint, (payload) => decodeBigint(utf8Decoder.decode(payload)));
register(EXT.utf16, decodeUtf16);
register(EXT.date, (payload) => new Date(viewOf(payload).getFloat64(0)));
register(EXT.url, (payload) => new URL(utf8Decoder.decode(payload)));
register(EXT.buffer, decodeBuffer);
register(EXT.temporal, decodeTemporal);
registerNested(EXT.record, (items) => define({}, pairs(items, 0)));
registerNested(EXT.map, decodeMap);
registerNested(EXT.set, setOf);
registerNested(EXT.regexp, decodeRegExp);
registerNested(EXT.error, decodeError);
registerNested(EXT.headers, headersOf);

function nothing<T>(payload: Uint8Array, value: T): T {
  if (payload.length > 0) throw new TypeError("an extension with a payload that has none");
  return value;
}

function decodeMap(items: unknown[], budget: DecodingBudget): Map<unknown, unknown> {
  checkPairs(items.length);
  return mapOf(items, budget);
}

function decodeRegExp([source, flags, ...rest]: unknown[], budget: DecodingBudget): RegExp {
  if (typeof source !== "string" || typeof flags !== "string" || rest.length > 0) {
    throw new TypeError("extension 19 holds no source and flags");
  }
  budget.spendRegExp(source, flags);
  return new RegExp(source, flags);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function decodeBigint(text: string): bigint {
  if (!/^-?[0-9a-f]+$/.test(text)) throw new TypeError("extension 2 holds no hexadecimal number");
  return text.startsWith("-") ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`);
}

function decodeUtf16(payload: Uint8Array): string {
  const view = viewOf(payload);
  let text = "";
  for (let at = 0; at < payload.length;) {
    const units: number[] = [];
    for (; at < payload.length && units.length < 8192; at += 2) units.push(view.getUint16(at));
    text += String.fromCharCode(...units);
  }
  return text;
}

function decodeBuffer(payload: Uint8Array): unknown {
  const name = BUFFER_KINDS[payload[0]];
  // Looked up by name because Float16Array is younger than the oldest runtime we support.
  const type = (globalThis as unknown as Record<string, new (buffer: ArrayBuffer) => unknown>)[name ?? ""];
  if (type === undefined) throw new TypeError(`unknown kind of buffer ${payload[0]}`);
  const bytes = payload.slice(1);
  if (name === "Uint8Array") return bytes; // small ones then need no memory outside the heap
  const { buffer } = bytes;
  return name === "ArrayBuffer" ? buffer : new type(buffer);
}

function decodeTemporal(payload: Uint8Array, budget: DecodingBudget): object {
  const temporal = { kind: payload[0], text: utf8Decoder.decode(payload.subarray(1)) };
  spendTemporal(temporal, budget);
  return temporalOf(temporal);
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

function decodeError(items: unknown[]): Error {
  const [name, message, stack] = items;
  const rest = pairs(items, 3);
  const isAggregate = name === "AggregateError";
  const type = ERROR_CLASSES[Object.hasOwn(ERROR_CLASSES, name as string) ? name as string : "Error"];
  const { stackTraceLimit } = Error as unknown as { stackTraceLimit: number };
  Object.assign(Error, { stackTraceLimit: 0 }); // the stack is one of the items
  const error = isAggregate ? new AggregateError([], message as string) : new type(message as string);
  Object.assign(Error, { stackTraceLimit });
  if (error.name !== name) hidden(error, "name", name);
  hidden(error, "stack", stack);
  const isHidden = (key: string) => key === "cause" || (key === "errors" && isAggregate);
  for (const [key, value] of rest) if (isHidden(key)) hidden(error, key, value);
  return define(error, rest.filter(([key]) => !isHidden(key)));
}

/** Sets a property of an error as the engine does: writable and not enumerable. */
function hidden(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, enumerable: false, configurable: true });
}
