/** Checks of options: what is named where one is wrong, and what is taken. */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  BOOLEAN_OPTION,
  checkOptions,
  FUNCTION_OPTION,
  listOption,
  nearestName,
  numberOption,
  objectOption,
  type OptionRules,
  shown,
  textOption,
  TTL_OPTION,
} from "../../lib/base/options.ts";

interface Options {
  maxSize?: number;
  ttlMs?: number;
  renewOnHit?: boolean;
  onError?: () => void;
  servers?: string[];
  token?: string;
  tls?: { cert?: string };
}

const NAME = textOption("a name", (text) => /^[a-z]+$/.test(text));
const RULES: OptionRules<Options> = {
  maxSize: numberOption({ least: 1, most: 9, isWhole: true, orInfinity: true }),
  ttlMs: TTL_OPTION,
  renewOnHit: BOOLEAN_OPTION,
  onError: FUNCTION_OPTION,
  servers: listOption("an array of names", NAME),
  token: textOption("a secret", (text) => text.length > 2, true),
  tls: objectOption({ cert: NAME }),
};

const check = (options: unknown) => checkOptions("make it", options as Options, RULES);

Deno.test("checkOptions() returns what was given, without what stands for a default", () => {
  const onError = () => {};
  const options = {
    maxSize: 9,
    ttlMs: 0,
    renewOnHit: false,
    onError,
    servers: ["a"],
    token: "abc",
    tls: { cert: "a" },
  };
  assertEquals(check(options), options);
  assertEquals(check({ maxSize: Infinity, ttlMs: undefined, tls: { cert: null }, token: null }), {
    maxSize: Infinity,
    tls: {},
  });
  assertEquals(
    check(
      new class {
        get maxSize() {
          return 5;
        }
      }(),
    ),
    { maxSize: 5 },
  );
});

const WRONG: [unknown, typeof RangeError | typeof TypeError, string][] = [
  [{ maxSize: 1.5 }, RangeError, "maxSize must be a whole number from 1 to 9, or Infinity: received 1.5"],
  [{ maxSize: "5" }, RangeError, 'maxSize must be a whole number from 1 to 9, or Infinity: received "5"'],
  [{ maxSize: 5n }, RangeError, "maxSize must be a whole number from 1 to 9, or Infinity: received 5n"],
  [{ ttlMs: "60000" }, RangeError, 'ttlMs must be 0 to 9007199254740991, or Infinity: received "60000"'],
  [{ ttlMs: NaN }, RangeError, "ttlMs must be 0 to 9007199254740991, or Infinity: received NaN"],
  [{ renewOnHit: "false" }, RangeError, 'renewOnHit must be true or false: received "false"'],
  [{ onError: "x" }, RangeError, 'onError must be a function: received "x"'],
  [{ servers: "a" }, TypeError, 'servers must be an array of names: received "a"'],
  [{ servers: ["a", "B"] }, RangeError, 'servers must be a name: received "B"'],
  [{ servers: [{}] }, RangeError, "servers must be a name: received an object"],
  [{ token: "xy" }, RangeError, "token must be a secret"],
  [{ tls: 1 }, TypeError, "tls must be an object: received 1"],
  [{ tls: { cert: "" } }, RangeError, 'tls.cert must be a name: received ""'],
  [{ tls: { crt: "a" } }, TypeError, "unknown option tls.crt: did you mean tls.cert?"],
  [{ server: "a" }, TypeError, "unknown option server: did you mean servers?"],
  [{ maxsize: 5 }, TypeError, "unknown option maxsize: did you mean maxSize?"],
  [{ ttl: 5 }, TypeError, "unknown option ttl: did you mean ttlMs?"],
  [
    { hosts: undefined },
    TypeError,
    "unknown option hosts: there are maxSize, ttlMs, renewOnHit, onError, servers, token, tls",
  ],
  [5, TypeError, "options must be an object: received 5"],
  [null, TypeError, "options must be an object: received null"],
  [["a"], TypeError, "options must be an object: received an array"],
];

for (const [options, type, words] of WRONG) {
  Deno.test(`checkOptions() throws a ${type.name} that says ${words}`, () => {
    assertStrictEquals(assertThrows(() => check(options), type).message, `Cannot make it: ${words}`);
  });
}

Deno.test("nearestName() finds what was meant, and nothing where no name is near", () => {
  const names = ["maxSize", "maxBytes", "timeoutMs", "servers", "log"];
  const near = ["MAXSIZE", "maxsiz", "timeout", "server", "maxByte", "logs"].map((name) => nearestName(name, names));
  assertEquals(near, ["maxSize", "maxSize", "timeoutMs", "servers", "maxBytes", "log"]);
  for (const name of ["", "x", "password", "constructor", "y".repeat(10_000)]) {
    assertEquals(nearestName(name, names), undefined);
  }
});

Deno.test("shown() keeps what is large or could be secret out of a message", () => {
  assertEquals(shown("x".repeat(1000)).length, 83);
  assertEquals([[1], { a: 1 }, () => {}, null, 2n, true].map(shown), [
    "an array",
    "an object",
    "a function",
    "null",
    "2n",
    "true",
  ]);
});
