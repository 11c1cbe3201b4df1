/** Whether two values are the same in all that a codec is to keep. */

import { assert } from "@std/assert";

/** A value in short, for messages. */
export function shown(value: unknown): string {
  return Deno.inspect(value).slice(0, 99);
}

/** Where two values differ, as a path, or `undefined`. Stricter than assertEquals: classes, -0, order and own keys. */
export function difference(actual: unknown, expected: unknown, path = "data"): string | undefined {
  if (typeof expected !== "object" || expected === null || typeof actual !== "object" || actual === null) {
    return Object.is(actual, expected) ? undefined : `${path}: ${shown(actual)} for ${shown(expected)}`;
  }
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) {
    return `${path}: class ${actual.constructor?.name} for ${expected.constructor?.name}`;
  }
  return listDifference(parts(actual), parts(expected), path);
}

function listDifference(actual: unknown[], expected: unknown[], path: string): string | undefined {
  if (actual.length !== expected.length) return `${path}: ${actual.length} parts for ${expected.length}`;
  for (let i = 0; i < expected.length; i++) {
    const found = difference(actual[i], expected[i], `${path}/${i}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** All that makes an object's value, in order. */
function parts(value: object): unknown[] {
  if (Array.isArray(value)) return value;
  if (value instanceof Map) return [...value].flat();
  if (value instanceof Set) return [...value];
  if (value instanceof Date) return [value.getTime()];
  if (value instanceof RegExp) return [value.source, value.flags];
  if (value instanceof URL) return [value.href];
  if (value instanceof Headers) return [...value].flat();
  if (Object.prototype.toString.call(value).startsWith("[object Temporal.")) return [String(value)];
  if (value instanceof ArrayBuffer) return Array.from(new Uint8Array(value));
  if (ArrayBuffer.isView(value)) {
    return Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }
  const record = value as Record<string, unknown>;
  if (!(value instanceof Error)) return Object.keys(value).flatMap((key) => [key, record[key]]);
  const own = Object.getOwnPropertyNames(value).filter((key) => !["name", "message", "stack"].includes(key)).sort();
  const enumerable = own.map((key) => Object.prototype.propertyIsEnumerable.call(value, key));
  return [value.name, value.message, value.stack, ...own, ...enumerable, ...own.map((key) => record[key])];
}

/** Throws if two values differ, and says where. */
export function assertSame(actual: unknown, expected: unknown, note = ""): void {
  const found = difference(actual, expected);
  assert(found === undefined, `${note} ${found}`);
}
