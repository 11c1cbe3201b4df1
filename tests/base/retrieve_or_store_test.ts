/** Options of retrieveOrStore: what is taken, what is refused, and what the error says. */

import { assertEquals, assertStrictEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { RetrieveOrStoreOptions } from "../../lib/base/cache.ts";
import { checkRetrieveOrStore } from "../../lib/base/retrieve_or_store.ts";

Deno.test("checkRetrieveOrStore() returns options that are right as they are, and none where there are none", () => {
  const options = {
    ...{ ttlMs: 0, renewOnHit: true, staleWhileRevalidateMs: Infinity, staleIfErrorMs: 5 },
    ...{ timeoutMs: 0.5, signal: new AbortController().signal },
  };
  assertStrictEquals(checkRetrieveOrStore(() => {}, options), options);
  for (const none of [undefined, null, {}, { ttlMs: null as unknown as undefined }]) {
    assertEquals(checkRetrieveOrStore(() => {}, none), {});
  }
});

Deno.test("checkRetrieveOrStore() says which option is wrong, what is allowed and what it received", () => {
  const cases: [unknown, ErrorConstructor, string][] = [
    [{ ttl: 5 }, TypeError, "unknown option ttl: did you mean ttlMs?"],
    [60_000, TypeError, "options must be an object: received 60000"],
    [[], TypeError, "options must be an object: received an array"],
    [{ ttlMs: -1 }, RangeError, "ttlMs must be 0 to 9007199254740991, or Infinity: received -1"],
    [{ ttlMs: "5" }, RangeError, 'received "5"'],
    [{ renewOnHit: 1 }, RangeError, "renewOnHit must be true or false: received 1"],
    [{ staleWhileRevalidateMs: NaN }, RangeError, "staleWhileRevalidateMs must be 0 to 9007199254740991, or Infinity"],
    [{ staleIfErrorMs: -0.5 }, RangeError, "staleIfErrorMs must be 0 to 9007199254740991, or Infinity"],
    [{ timeoutMs: 0 }, RangeError, "timeoutMs must be more than 0 and below 2³⁰: received 0"],
    [{ timeoutMs: 2 ** 30 }, RangeError, "timeoutMs must be more than 0 and below 2³⁰: received 1073741824"],
    [{ signal: {} }, RangeError, "signal must be an AbortSignal: received an object"],
  ];
  for (const [options, kind, words] of cases) {
    const error = assertThrows(() => checkRetrieveOrStore(() => {}, options as RetrieveOrStoreOptions), kind, words);
    assertStringIncludes((error as Error).message, "Cannot retrieve or store: ");
  }
  assertThrows(() => checkRetrieveOrStore(7, {}), TypeError, "compute must be a function: received 7");
});
