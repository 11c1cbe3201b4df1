/**
 * Stands in for `@std/assert` where only npm is reachable: the few assertions that the tests use, on
 * `node:assert`. `assertEquals` is stricter than the real one about prototypes.
 */

import assert from "node:assert/strict";

// deno-lint-ignore no-explicit-any -- as the real package declares it
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

export function assert_(condition: unknown, message?: string): asserts condition {
  assert.ok(condition, message);
}
export { assert_ as assert };

export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  assert.deepStrictEqual(actual, expected, message);
}

export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T {
  assert.ok(Object.is(actual, expected), message ?? `${String(actual)} is not ${String(expected)}`);
}

export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  assert.match(actual, expected, message);
}

export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  assert.ok(actual.includes(expected), message ?? `${JSON.stringify(actual)} lacks ${JSON.stringify(expected)}`);
}

export function assertInstanceOf<T>(
  actual: unknown,
  // deno-lint-ignore no-explicit-any -- as the real package declares it
  expected: abstract new (...args: any[]) => T,
): asserts actual is T {
  assert.ok(actual instanceof expected, `not an instance of ${expected.name}`);
}

export function assertThrows(run: () => unknown): unknown;
export function assertThrows<E extends Error>(run: () => unknown, type: ErrorClass<E>, includes?: string): E;
export function assertThrows(run: () => unknown, type: ErrorClass<Error> = Error, includes = ""): unknown {
  try {
    run();
  } catch (error) {
    return expected(error, type, includes);
  }
  assert.fail("expected function to throw");
}

export function assertRejects(run: () => PromiseLike<unknown>): Promise<unknown>;
export function assertRejects<E extends Error>(
  run: () => PromiseLike<unknown>,
  type: ErrorClass<E>,
  includes?: string,
): Promise<E>;
export async function assertRejects(
  run: () => PromiseLike<unknown>,
  type: ErrorClass<Error> = Error,
  includes = "",
): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    return expected(error, type, includes);
  }
  assert.fail("expected function to reject");
}

function expected<E extends Error>(error: unknown, type: ErrorClass<E>, includes: string): E {
  assert.ok(error instanceof type, `expected ${type.name}: received ${error}`);
  assert.ok(error.message.includes(includes), `expected "${includes}" in: ${error.message}`);
  return error;
}
