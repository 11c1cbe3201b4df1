/** Values of Temporal where the runtime has none, or another: what is said of them. */

import { assertStrictEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/base/errors.ts";
import { decodeValue, encodeValue } from "../../lib/wire/values.ts";
import { TEMPORAL } from "../support/value_samples.ts";
import { encoded } from "../support/value_bytes.ts";

const test = TEMPORAL.Instant === undefined ? Deno.test.ignore : Deno.test;

test("decodeValue() refuses a value that holds a Temporal, and says why, where the runtime has none", () => {
  const { flags, bytes } = encoded({ at: [TEMPORAL.PlainDate] });
  const property = Object.getOwnPropertyDescriptor(globalThis, "Temporal")!;
  Reflect.deleteProperty(globalThis, "Temporal");
  try {
    assertStrictEquals(
      assertThrows(() => decodeValue(flags, bytes), ProtocolError).message,
      "Cannot decode value: this runtime has no Temporal, of which it holds a PlainDate",
    );
  } finally {
    Object.defineProperty(globalThis, "Temporal", property);
  }
  decodeValue(flags, bytes);
});

test("encodeValue() takes nothing for a Temporal that only says so", () => {
  class PlainDate {
    get [Symbol.toStringTag](): string {
      return "Temporal.PlainDate";
    }
  }
  assertThrows(() => encodeValue(new PlainDate()), TypeError, "received an instance of PlainDate");
});
