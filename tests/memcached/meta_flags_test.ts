/** Flags of meta commands: what they carry, and what is said of those that are wrong. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { EXPIRED } from "../../lib/memcached/commands.ts";
import { hasLongOpaque, lineError, MetaFlagReader, MetaFlags } from "../../lib/memcached/meta_flags.ts";
import { TextLine } from "../../lib/memcached/text_line.ts";
import { bytesOf, textOf } from "../support/memcached_oracle.ts";
import { sessionHost } from "../support/session_host.ts";

const BAD_TOKEN = "CLIENT_ERROR bad token in command line format";
const BAD_FORMAT = "CLIENT_ERROR bad command line format";

function lineOf(text: string): TextLine {
  const line = new TextLine();
  line.split(bytesOf(text), 0, text.length);
  return line;
}

/** Reads the flags of commands, one after another. */
class Reading {
  readonly #key = { bytes: new Uint8Array(0), from: 0, to: 0 };
  readonly #reader = new MetaFlagReader(sessionHost({ clock: { now: () => 1_800_000_000_000 } }).memcached, this.#key);

  /** Flags of a command; what is wrong with them; its key. */
  of(flags: string, key = "key"): { flags: MetaFlags; error: string | undefined; key: string } {
    const error = this.#reader.read(lineOf(`mg ${key} ${flags}`), 2);
    const { bytes, from, to } = this.#key;
    return { flags: this.#reader.flags, error, key: textOf(bytes.subarray(from, to)) };
  }
}

Deno.test("MetaFlags.add() tells each flag's first time from the next", () => {
  const flags = new MetaFlags();
  assertEquals([flags.has("b"), flags.has("x")], [false, false]);
  assertEquals([flags.add("b"), flags.add("x"), flags.add("b"), flags.add("x")], [true, true, false, false]);
  assertEquals([flags.has("b"), flags.has("x"), flags.has("k")], [true, true, false]);
});

Deno.test("MetaFlagReader takes the flags of memcached and the x of ours, and no others", () => {
  const carried: Record<string, string> = { F: "1", M: "S", N: "1", T: "1", R: "1", C: "1", E: "1", J: "1", D: "1" };
  const known = new Set("bNTRlOPLkstcfvhuqFCMJDIEx");
  const reading = new Reading();
  for (let code = 0x21; code < 0x7f; code++) {
    const flag = String.fromCharCode(code);
    const { flags, error } = reading.of(`${flag}${carried[flag] ?? ""}`, "aGk=");
    assertStrictEquals(error, known.has(flag) ? undefined : "CLIENT_ERROR invalid flag", flag);
    if (!known.has(flag)) continue;
    assertStrictEquals([...known].filter((other) => flags.has(other)).join(""), flag);
  }
});

Deno.test("MetaFlagReader reads what comes with flags", () => {
  const { flags, error, key } = new Reading().of("N30 T60 R90 F7 MA C5 E6 J8 D9 Oopaque k");
  assertEquals([error, key], [undefined, "key"]);
  const { ttlMs, vivifyTtlMs, recacheSeconds, clientFlags, mode, cas, newCas, initial, delta } = flags;
  assertEquals({ ttlMs, vivifyTtlMs, recacheSeconds, clientFlags, mode, cas, newCas, initial, delta }, {
    ttlMs: 60_000,
    vivifyTtlMs: 30_000,
    recacheSeconds: 90,
    clientFlags: 7,
    mode: "A",
    cas: 5,
    newCas: 6,
    initial: 8,
    delta: 9,
  });
});

Deno.test("MetaFlagReader begins anew with each command", () => {
  const reading = new Reading();
  reading.of("N30 T60 R90 F7 MA C5 E6 J8 D9 b", "aGk=");
  const { flags, key } = reading.of("");
  assertEquals(flags, new MetaFlags());
  assertStrictEquals(key, "key");
  const { ttlMs, vivifyTtlMs, recacheSeconds, clientFlags, mode, cas, newCas, initial, delta } = flags;
  assertEquals([ttlMs, vivifyTtlMs, mode], [undefined, undefined, ""]);
  assertEquals([recacheSeconds, clientFlags, cas, newCas, initial, delta], [0, 0, 0, 0, 0, 1]);
  assertEquals(["N", "T", "R", "F", "M", "C", "E", "J", "D", "b"].filter((flag) => flags.has(flag)), []);
});

Deno.test("MetaFlagReader reads times as memcached does: none, over, and since 1970", () => {
  const reading = new Reading();
  const times = (seconds: number) => {
    const { flags } = reading.of(`N${seconds} T${seconds} R${seconds}`);
    return [flags.vivifyTtlMs, flags.ttlMs, flags.recacheSeconds];
  };
  assertEquals(times(0), [Infinity, Infinity, 0]);
  assertEquals(times(-1).slice(0, 2), [EXPIRED, EXPIRED]);
  assertEquals(times(1_800_000_020), [20_000, 20_000, 20]);
  assertEquals(times(1_799_999_999).slice(0, 2), [EXPIRED, EXPIRED]);
});

Deno.test("MetaFlagReader reads numbers of 64 bits, and flags of 32", () => {
  const most = 2n ** 64n - 1n;
  const { flags, error } = new Reading().of(`C${most} E${most} J${most} D${most} F4294967297`);
  assertStrictEquals(error, undefined);
  assertEquals([flags.cas, flags.newCas, flags.initial, flags.delta, flags.clientFlags], [most, most, most, most, 1]);
});

for (
  const [flags, error] of [
    ["N", BAD_TOKEN],
    ["Tx", BAD_TOKEN],
    ["R1x", BAD_TOKEN],
    ["F", BAD_FORMAT],
    ["F-1", BAD_FORMAT],
    ["C", BAD_TOKEN],
    ["E-1", BAD_TOKEN],
    ["Jx", "CLIENT_ERROR invalid numeric initial value"],
    ["D", "CLIENT_ERROR invalid numeric delta value"],
    ["M", "CLIENT_ERROR incorrect length for M token"],
    ["MAA", "CLIENT_ERROR incorrect length for M token"],
    ["b", "CLIENT_ERROR error decoding key"],
    ["k k", "CLIENT_ERROR duplicate flag"],
    ["Oa k Ob", "CLIENT_ERROR duplicate flag"],
    ["\x7f", "CLIENT_ERROR duplicate flag"],
    ["\xe9", "CLIENT_ERROR duplicate flag"],
    ["k z", "CLIENT_ERROR invalid flag"],
    ["Tx z k k", "CLIENT_ERROR invalid flag"],
    ["Tx k k z", "CLIENT_ERROR duplicate flag"],
    ["Tx Jx", "CLIENT_ERROR invalid numeric initial value"],
    ["Jx Tx k", BAD_TOKEN],
    ["Jx F", "CLIENT_ERROR invalid numeric initial value"],
    ["F Jx", "CLIENT_ERROR invalid numeric initial value"],
  ]
) {
  Deno.test(`MetaFlagReader says ${error} to ${JSON.stringify(flags)}`, () => {
    assertStrictEquals(new Reading().of(flags).error, error);
  });
}

Deno.test("MetaFlagReader leads to the bytes of a key in base64, wherever its flag stands", () => {
  const reading = new Reading();
  for (const flags of ["b", "k b v"]) assertStrictEquals(reading.of(flags, "aGkgdGhlcmU=").key, "hi there");
  assertStrictEquals(reading.of("k", "aGkgdGhlcmU=").key, "aGkgdGhlcmU=");
});

Deno.test("lineError() refuses a command without a key, with one too long, and of too many words", () => {
  const error = (text: string) => lineError(lineOf(text), "too many");
  assertEquals([error("mg"), error("mg k"), error("")], ["ERROR", undefined, "ERROR"]);
  assertEquals([error(`mg ${"k".repeat(250)}`), error(`mg ${"k".repeat(251)}`)], [undefined, BAD_FORMAT]);
  assertEquals([error(`mg k${" k".repeat(17)}`), error(`mg k${" k".repeat(18)}`)], [undefined, "too many"]);
});

Deno.test("hasLongOpaque() tells an opaque of more than 31 bytes from others", () => {
  const [fits, long] = ["O".padEnd(32, "x"), "O".padEnd(33, "x")];
  assertEquals(
    [`mg ${long} k`, `mg k ${fits}`, `mg k v ${long}`, `mg k ${long}`, `mg k v${long}`].map((text) => {
      return hasLongOpaque(lineOf(text));
    }),
    [false, false, true, true, false],
  );
});
