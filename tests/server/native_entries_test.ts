/** Requests for entries, numbers, conditions, many entries, keys and prefixes, in conversations without a socket. */

import { assert, assertEquals } from "@std/assert";
import { MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import type { Session } from "../../lib/server/session.ts";
import { age, type EntryInput, MARK } from "../../lib/store/entry.ts";
import type { StoreOptions } from "../../lib/store/store_options.ts";
import { MISS, readYesNo, writeKeyed, writeKeyList, writeSet } from "../../lib/wire/calls.ts";
import { readError } from "../../lib/wire/control.ts";
import {
  doneReader,
  type FoundEntry,
  type ListedEntry,
  readEntry,
  writeIncrement,
  writeSetIf,
  writeSetMany,
} from "../../lib/wire/entry_calls.ts";
import { type FrameReader, type FrameWriter, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { writeHello } from "../../lib/wire/hello.ts";
import { encodeValue } from "../../lib/wire/values.ts";
import { sessionOf } from "../support/access.ts";
import { framesOf, written } from "../support/frames.ts";
import { ask as memcached } from "../support/memcached_talk.ts";
import { sessionHost, type TestHost } from "../support/session_host.ts";
import { span } from "../support/store_entries.ts";
import { NOW_MS } from "../support/stores.ts";

type OnlyIf = "absent" | "present" | number;

/** A client of a host of its own, whose time a test sets. */
class Talk {
  readonly clock = { nowMs: NOW_MS };
  readonly host: TestHost;
  readonly #session: Session;

  constructor(settings: Partial<StoreOptions> = {}) {
    this.host = sessionHost({ clock: { now: () => this.clock.nowMs }, ...settings });
    this.#session = sessionOf(this.host);
    this.ask((output) => writeHello(output, "test/1"));
  }

  ask(write: (output: FrameWriter) => void): FrameReader {
    this.#session.input.push(written(write));
    this.#session.run();
    const frames = framesOf(this.#session.output.taken().slice());
    this.#session.output.reset();
    assertEquals(frames.length, 1);
    return frames[0];
  }

  set(key: string, value: unknown, ttlMs = 0, isFixed = false): void {
    assert(readYesNo(this.ask((output) => writeSet(output, key, encodeValue(value), ttlMs, isFixed))));
  }

  get(key: string): string {
    return told(this.ask((output) => writeKeyed(output, REQUEST.get, key)));
  }

  take(key: string): string {
    return told(this.ask((output) => writeKeyed(output, REQUEST.take, key)));
  }

  entry(key: string): FoundEntry | typeof MISS {
    return readEntry(this.ask((output) => writeKeyed(output, REQUEST.entry, key)));
  }

  version(key: string): number {
    const entry = this.entry(key);
    assert(entry !== MISS, `${key} is a miss`);
    return entry.version;
  }

  increment(key: string, by: bigint, initial?: bigint, ttlMs?: number): string {
    return told(this.ask((output) => writeIncrement(output, key, by, initial, ttlMs)));
  }

  setIf(onlyIf: OnlyIf, value: unknown, { key = "k", ttlMs = 0, isFixed = false } = {}): string {
    return told(this.ask((output) => writeSetIf(output, key, onlyIf, encodeValue(value), ttlMs, isFixed)));
  }

  setMany(entries: readonly ListedEntry[], ttlMs: number | undefined, isFixed = false): boolean[] {
    return doneReader(entries.length)(this.ask((output) => writeSetMany(output, entries, ttlMs, isFixed)));
  }

  deleteMany(...keys: string[]): boolean[] {
    return doneReader(keys.length)(this.ask((output) => writeKeyList(output, REQUEST.deleteMany, keys)));
  }

  has(...keys: string[]): boolean[] {
    return keys.map((key) => this.host.store.has(span(key)));
  }

  /** Stores an entry that is fresh for 10 ms, and kept for 10 more. */
  age(key: string, text: string): void {
    const entry: EntryInput = { flags: 0, value: span(text), ttlMs: 0 };
    age(entry, 10, 10, this.clock.nowMs);
    this.host.store.set(span(key), entry);
  }
}

/** What a reply says, in short. */
function told(frame: FrameReader): string {
  const { code, start, end } = frame;
  if (code === REPLY.value) return frame.buffer.toString("utf8", start + 4, end);
  if (code === REPLY.refused) return readError(frame).code;
  return code === REPLY.ok ? "OK" : code === REPLY.miss ? "MISS" : `code ${code}`;
}

function listed(...keys: string[]): ListedEntry[] {
  return keys.map((key) => ({ key, value: encodeValue(`value of ${key}`) }));
}

Deno.test("ENTRY gives a value, what remains of its entry, and its version, and counts as a hit", () => {
  const talk = new Talk();
  assertEquals(talk.entry("k"), MISS);
  talk.set("k", "v");
  const entry = talk.entry("k");
  assertEquals(entry, { value: "v", remainingMs: Infinity, version: talk.host.store.clock });
  const { hits, misses } = talk.host.store.stats();
  assertEquals([hits, misses], [1, 1]);
});

Deno.test("ENTRY renews an entry as GET does, and says what remains then", () => {
  const talk = new Talk();
  talk.set("renewed", "v", 1000);
  talk.set("fixed", "v", 1000, true);
  talk.age("aging", "v");
  const remaining = () =>
    ["renewed", "fixed", "aging"].map((key) => {
      const entry = talk.entry(key);
      return entry === MISS ? MISS : entry.remainingMs;
    });
  talk.clock.nowMs += 9.5;
  assertEquals(remaining(), [1000, 990, 0]);
  talk.clock.nowMs += 0.5;
  assertEquals(remaining(), [1000, 990, MISS], "an entry that is no longer fresh is a miss");
  talk.clock.nowMs += 990;
  assertEquals(remaining(), [1000, MISS, MISS]);
});

Deno.test("every change of an entry changes its version, and a use does not", () => {
  const talk = new Talk();
  talk.set("k", 1);
  const versions = [talk.version("k")];
  const changes: (() => unknown)[] = [
    () => talk.set("k", 1),
    () => talk.increment("k", 0n),
    () => talk.setIf("present", 1),
    () => talk.setMany(listed("k"), 0),
    () => talk.host.store.touch(span("k"), undefined),
  ];
  for (const change of changes) {
    talk.get("k");
    talk.entry("k");
    assertEquals(talk.version("k"), versions.at(-1));
    change();
    versions.push(talk.version("k"));
  }
  assertEquals(versions, [...new Set(versions)].sort((a, b) => a - b));
});

Deno.test("the version is the CAS that memcached's clients see", () => {
  const talk = new Talk();
  talk.set("k", "hi");
  assertEquals(memcached("gets k\r\n", talk.host), `VALUE k ${0x4f430001} 2 ${talk.version("k")}\r\nhi\r\nEND\r\n`);
});

Deno.test("TAKE gives a value once, and counts as a hit and a deletion", () => {
  const talk = new Talk();
  talk.set("k", "v");
  assertEquals([talk.take("k"), talk.take("k"), talk.get("k")], ["v", "MISS", "MISS"]);
  const { hits, misses, deletions, entries } = talk.host.store.stats();
  assertEquals({ hits, misses, deletions, entries }, { hits: 1, misses: 2, deletions: 1, entries: 0 });
});

Deno.test("TAKE gives values of any size, also where the output grows for them", () => {
  const talk = new Talk();
  for (const length of [0, 1, 4000, 5000, 1_000_000]) {
    talk.set("k", "é".repeat(length));
    assertEquals(talk.take("k"), "é".repeat(length));
  }
});

Deno.test("a TAKE that misses changes nothing: what is no longer fresh is kept, and no deletion is told to peers", () => {
  const talk = new Talk();
  talk.age("k", "v");
  talk.clock.nowMs += 10;
  const before = talk.host.store.clock;
  assertEquals([talk.take("k"), talk.take("none")], ["MISS", "MISS"]);
  assertEquals([talk.host.store.kept(span("k")) !== 0, talk.host.store.clock], [true, before]);
});

Deno.test("INCREMENT adds and subtracts, from 0 to 2⁶⁴ − 1", () => {
  const talk = new Talk();
  talk.set("k", 5);
  const steps: [by: bigint, value: string][] = [
    [7n, "12"],
    [-2n, "10"],
    [0n, "10"],
    [-11n, "0"],
    [2n ** 53n, "9007199254740992"],
    [-1n, "9007199254740991"],
    [2n ** 64n - 1n, "9007199254740990"],
    [-(2n ** 64n - 1n), "0"],
    [2n ** 64n - 1n, "18446744073709551615"],
    [2n, "1"],
  ];
  for (const [by, value] of steps) assertEquals([talk.increment("k", by), talk.get("k")], [value, value], `${by}`);
});

Deno.test("INCREMENT makes an entry where it is told to, which no hit renews", () => {
  const talk = new Talk({ ttlMs: 100 });
  assertEquals([talk.increment("k", 1n), talk.has("k")], ["MISS", [false]]);
  assertEquals([talk.increment("k", 1n, 2n ** 64n - 1n), talk.increment("k", 1n, 7n)], ["18446744073709551615", "0"]);
  assertEquals([talk.increment("own", 1n, 7n, 50), talk.increment("ever", -1n, 0n, 0)], ["7", "0"]);
  talk.clock.nowMs += 49;
  assertEquals(["k", "own", "ever"].map((key) => talk.get(key)), ["0", "7", "0"]);
  talk.clock.nowMs += 1;
  assertEquals(talk.has("k", "own", "ever"), [true, false, true]);
  talk.clock.nowMs += 50;
  assertEquals(talk.has("k", "own", "ever"), [false, false, true]);
});

Deno.test("INCREMENT leaves the times of an entry, and makes its flags 0", () => {
  const talk = new Talk();
  talk.set("k", "41", 100, true);
  talk.clock.nowMs += 40;
  assertEquals(talk.increment("k", 1n, 0n, 5000), "42");
  const { reader } = talk.host.store;
  const position = talk.host.store.peek(span("k"));
  assertEquals([reader.flags(position), reader.deadlineMs(position) - talk.clock.nowMs], [0, 60]);
});

Deno.test("INCREMENT refuses what is no number, and changes nothing", () => {
  const talk = new Talk();
  for (const value of ["", "a", "-1", "1.5", "18446744073709551616", true, [1]]) {
    talk.set("k", value);
    const before = talk.host.store.clock;
    assertEquals(talk.increment("k", 1n, 0n), "not-a-number");
    assertEquals(talk.host.store.clock, before);
  }
});

Deno.test("INCREMENT and memcached's commands count on in the same entry", () => {
  const talk = new Talk();
  talk.increment("k", 1n, 100n);
  assertEquals(memcached("decr k 1\r\nincr k 0\r\nset m 0 0 2\r\n41\r\n", talk.host), "99\r\n99\r\nSTORED\r\n");
  assertEquals([talk.increment("k", 5n), talk.increment("m", 1n)], ["104", "42"]);
  assertEquals(memcached("get k\r\n", talk.host), "VALUE k 0 3\r\n104\r\nEND\r\n");
});

Deno.test("what is no longer fresh is a miss to an INCREMENT, and absent to a SET_IF", () => {
  const talk = new Talk();
  talk.age("n", "41");
  talk.age("k", "v");
  const version = talk.version("k");
  talk.clock.nowMs += 10;
  assertEquals([talk.increment("n", 1n), talk.increment("n", 1n, 5n)], ["MISS", "5"]);
  assertEquals([talk.setIf(version, "w"), talk.setIf("present", "w")], ["MISS", "MISS"]);
  assertEquals([talk.setIf("absent", "w"), talk.get("k")], ["OK", "w"]);
});

Deno.test("SET_IF stores where what it asks for is there, and changes nothing else", () => {
  const talk = new Talk();
  assertEquals([talk.setIf("present", "a"), talk.setIf(0, "a"), talk.setIf(1, "a")], ["MISS", "MISS", "MISS"]);
  assertEquals([talk.setIf("absent", "a"), talk.get("k")], ["OK", "a"]);
  const first = talk.version("k");
  assertEquals([talk.setIf("absent", "b"), talk.setIf(first + 1, "b"), talk.setIf(0, "b")], ["MISS", "MISS", "MISS"]);
  assertEquals([talk.version("k"), talk.get("k")], [first, "a"]);
  assertEquals([talk.setIf(first, "c"), talk.setIf(first, "d"), talk.get("k")], ["OK", "MISS", "c"]);
  assertEquals([talk.setIf("present", "e"), talk.get("k")], ["OK", "e"]);
});

Deno.test("SET_IF gives an entry its own ttl, which a hit renews unless it has the flag", () => {
  const talk = new Talk();
  talk.setIf("absent", "v", { key: "renewed", ttlMs: 100 });
  talk.setIf("absent", "v", { key: "fixed", ttlMs: 100, isFixed: true });
  talk.clock.nowMs += 60;
  assertEquals([talk.get("renewed"), talk.get("fixed")], ["v", "v"]);
  talk.clock.nowMs += 60;
  assertEquals([talk.get("renewed"), talk.get("fixed")], ["v", "MISS"]);
});

for (const [maxBytes, bytes] of [[64 * 1024, 60_000], [64 * 1024 * 1024, MAX_VALUE_BYTES + 1]]) {
  Deno.test(`a value of ${bytes} bytes that is too large leaves no older one in a SET_MANY, and changes nothing in a SET_IF`, () => {
    const talk = new Talk({ maxBytes });
    const large = new Uint8Array(bytes);
    talk.set("k", "old");
    assertEquals([talk.setIf("absent", large), talk.setIf("present", large)], ["too-large", "too-large"]);
    assertEquals(talk.get("k"), "old");
    assertEquals(talk.setMany([{ key: "k", value: encodeValue(large) }], 0), [false]);
    assertEquals(talk.get("k"), "MISS");
  });
}

Deno.test("SET_MANY stores entries in their order, and says of each whether it was stored", () => {
  const talk = new Talk({ maxBytes: 64 * 1024 });
  talk.set("large", "old");
  const large = { key: "large", value: encodeValue(new Uint8Array(60_000)) };
  const twice = [{ key: "a", value: encodeValue("first") }, { key: "a", value: encodeValue("last") }];
  assertEquals(talk.setMany([...listed("é"), large, ...twice], 0), [true, false, true, true]);
  assertEquals(["é", "large", "a"].map((key) => talk.get(key)), ["value of é", "MISS", "last"]);
});

Deno.test("SET_MANY gives each entry its ttl and its flags", () => {
  const talk = new Talk({ ttlMs: 200 });
  talk.setMany([{ key: "renewed", value: { flags: 7, payload: "v" } }], 100);
  talk.setMany(listed("fixed"), 100, true);
  talk.setMany(listed("default"), undefined);
  talk.setMany(listed("ever"), 0);
  const { reader } = talk.host.store;
  const of = (key: string) => {
    const position = talk.host.store.peek(span(key));
    return [reader.ttlMs(position), reader.marks(position) & MARK.fixed, reader.flags(position)];
  };
  const text = encodeValue("").flags;
  assertEquals(["renewed", "fixed", "default", "ever"].map(of), [
    [100, 0, 7],
    [100, MARK.fixed, text],
    [200, 0, text],
    [Infinity, 0, text],
  ]);
});

Deno.test("SET_MANY and DELETE_MANY take 1,024 entries", () => {
  const talk = new Talk({ maxSize: 2000 });
  const keys = Array.from({ length: 1024 }, (_, i) => `key ${i}`);
  assertEquals(talk.setMany(listed(...keys), 0), keys.map(() => true));
  assertEquals([talk.host.store.stats().entries, talk.get("key 1023")], [1024, "value of key 1023"]);
  assertEquals(talk.deleteMany(...keys), keys.map(() => true));
  assertEquals(talk.host.store.stats().entries, 0);
});

Deno.test("DELETE_MANY says of each key whether it had an entry, which it has once", () => {
  const talk = new Talk();
  talk.setMany(listed("a", "b", "c"), 0);
  talk.age("aging", "v");
  talk.clock.nowMs += 10;
  assertEquals(talk.deleteMany("a", "none", "c", "a", "aging"), [true, false, true, false, false]);
  assertEquals([talk.has("a", "b", "c"), talk.host.store.kept(span("aging"))], [[false, true, false], 0]);
});

Deno.test("SET_MANY and DELETE_MANY cost their connection a unit of work for each entry", () => {
  let spent = 0;
  const host = sessionHost();
  const session = sessionOf(host, { allowance: { isOver: false, spend: (units) => spent += units } });
  const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`);
  session.input.push(written((output) => {
    writeHello(output, "test/1");
    writeSetMany(output, listed(...keys), 0, false);
    writeKeyList(output, REQUEST.deleteMany, keys);
  }));
  session.run();
  assertEquals(spent, 100 + 100 + 3);
});

Deno.test("of many CLEAR_PREFIX that arrive at once, a connection's allowance bounds how many are answered before others", () => {
  const host = sessionHost();
  let left = 4096;
  const allowance = { isOver: false, spend: (units: number) => void (allowance.isOver = (left -= units) <= 0) };
  const session = sessionOf(host, { allowance });
  session.input.push(written((output) => {
    writeHello(output, "test/1");
    for (let i = 0; i < 1000; i++) writeKeyed(output, REQUEST.clearPrefix, `prefix ${i}`);
  }));
  assertEquals(session.run(), "output-full");
  assert(host.counters.requests < 20, `${host.counters.requests}`);
});

Deno.test("CLEAR_PREFIX removes the entries whose keys begin with it, and no others", () => {
  const talk = new Talk();
  talk.setMany(listed("users:1", "users:2", "users", "users;", "user:1", "é1", "è1"), 0);
  const clear = (prefix: string) => told(talk.ask((output) => writeKeyed(output, REQUEST.clearPrefix, prefix)));
  assertEquals([clear("users:"), clear("none"), clear("é")], ["OK", "OK", "OK"]);
  const keys = ["users:1", "users:2", "users", "users;", "user:1", "é1", "è1"];
  assertEquals(talk.has(...keys), [false, false, true, true, true, false, true]);
  talk.set("users:1", "again");
  assertEquals(talk.get("users:1"), "again");
});
