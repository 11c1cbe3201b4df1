/** memcached's commands on a store, whatever protocol they come in. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { type ByteSpan, spanOf } from "../../lib/base/byte_span.ts";
import {
  EXPIRED,
  type MemcachedCommands,
  MemcachedCounters,
  type Mode,
  type Stored,
  type StoreRequest,
} from "../../lib/memcached/commands.ts";
import { bytesOf, textOf } from "../support/memcached_oracle.ts";
import { sessionHost, type TestHost } from "../support/session_host.ts";

const START_MS = 1_800_000_000_000;
const KEY = spanOf(bytesOf("k"));

/** Commands on a store of their own, whose clock a test sets. */
class Setting {
  nowMs = START_MS;
  readonly host: TestHost;
  readonly commands: MemcachedCommands;

  constructor(maxItemBytes = 2048) {
    this.host = sessionHost({ clock: { now: () => this.nowMs } }, maxItemBytes);
    this.commands = this.host.memcached;
  }

  set(mode: Mode, value: string, rest: Partial<StoreRequest> = {}, key: ByteSpan = KEY): Stored {
    return this.commands.set(key, { mode, flags: 0, value: spanOf(bytesOf(value)), ttlMs: Infinity, cas: 0, ...rest });
  }

  /** Where the entry is. */
  get position(): number {
    return this.host.store.peek(KEY);
  }

  /** Flags and value of the entry. */
  get entry(): [flags: number, value: string] | undefined {
    const { position, host: { store: { reader } } } = this;
    if (position === 0) return undefined;
    const value = new Uint8Array(reader.valueBytes(position));
    reader.copyValue(position, value, 0);
    return [reader.flags(position), textOf(value)];
  }

  /** Counters that are not 0. */
  get counts(): Partial<MemcachedCounters> {
    return Object.fromEntries(Object.entries(this.commands.counters).filter(([, count]) => count !== 0));
  }
}

Deno.test("MemcachedCommands.ttlOf() reads memcached's seconds", () => {
  const { commands } = new Setting();
  const cases: [seconds: number, ttlMs: number][] = [
    [0, Infinity],
    [-1, EXPIRED],
    [1, 1000],
    [2_592_000, 2_592_000_000],
    [2_592_001, EXPIRED],
    [1_800_000_000, EXPIRED],
    [1_800_000_001, 1000],
  ];
  for (const [seconds, ttlMs] of cases) assertStrictEquals(commands.ttlOf(seconds), ttlMs, `${seconds}`);
});

Deno.test("MemcachedCommands.fits() counts an item as memcached does: its head, and its flags where they are not 0", () => {
  const { commands } = new Setting(1024);
  const most = 1024 - 59 - 3;
  assertEquals([commands.fits(3, most, 0), commands.fits(3, most + 1, 0), commands.fits(4, most, 0)], [
    true,
    false,
    false,
  ]);
  assertEquals([commands.fits(3, most - 4, 7), commands.fits(3, most - 3, 7)], [true, false]);
});

Deno.test("MemcachedCommands.set() stores by mode, and counts", () => {
  const setting = new Setting();
  assertEquals([setting.set("replace", "a"), setting.set("append", "a"), setting.set("prepend", "a")], [
    "not-stored",
    "not-stored",
    "not-stored",
  ]);
  assertStrictEquals(setting.set("cas", "a", { cas: 9 }), "not-found");
  assertStrictEquals(setting.entry, undefined);
  assertEquals([setting.set("add", "b", { flags: 5 }), setting.set("add", "c")], ["stored", "not-stored"]);
  assertEquals(setting.entry, [5, "b"]);
  assertEquals([setting.set("append", "c", { flags: 9 }), setting.set("prepend", "a", { flags: 9 })], [
    "stored",
    "stored",
  ]);
  assertEquals(setting.entry, [5, "abc"]);
  assertEquals([setting.set("replace", "d", { flags: 6 }), setting.entry], ["stored", [6, "d"]]);
  assertEquals([setting.set("set", "e"), setting.entry], ["stored", [0, "e"]]);
  assertEquals(setting.counts, { cmd_set: 10, cas_misses: 1 });
});

Deno.test("MemcachedCommands.set() compares states, of which each write makes a new one", () => {
  const setting = new Setting();
  setting.set("set", "a");
  const first = setting.commands.casOf(setting.position);
  assertStrictEquals(setting.set("cas", "b", { cas: first }), "stored");
  const second = setting.commands.casOf(setting.position);
  assertStrictEquals(first === second, false);
  assertStrictEquals(setting.set("cas", "c", { cas: first }), "exists");
  assertStrictEquals(setting.set("append", "c", { cas: first }), "exists");
  assertEquals(setting.entry, [0, "b"]);
  assertStrictEquals(setting.set("append", "c", { cas: second }), "stored");
  assertEquals(setting.entry, [0, "bc"]);
  assertEquals(setting.counts, { cmd_set: 5, cas_hits: 1, cas_badval: 1 });
});

Deno.test("MemcachedCommands.set() gives an entry the state that it is told, whatever its size", () => {
  const setting = new Setting();
  for (const newCas of [7, 2n ** 64n - 1n]) {
    setting.set("set", "value", { newCas });
    assertEquals([setting.commands.casOf(setting.position), setting.entry], [newCas, [0, "value"]]);
  }
});

Deno.test("MemcachedCommands.set() stores a stale value for a state that is lower, where it is told to", () => {
  const setting = new Setting();
  setting.set("set", "a", { newCas: 10 });
  assertStrictEquals(setting.set("cas", "b", { cas: 11, invalidates: true }), "exists");
  assertStrictEquals(setting.set("cas", "b", { cas: 9 }), "exists");
  assertStrictEquals(setting.set("cas", "b", { cas: 9, invalidates: true }), "stored");
  assertEquals(setting.entry, [0, "b"]);
});

Deno.test("MemcachedCommands.set() refuses what is too large, and what it adds to then stays", () => {
  const setting = new Setting(1024);
  assertStrictEquals(setting.set("set", "x".repeat(1000)), "too-large");
  setting.set("set", "x".repeat(600));
  assertStrictEquals(setting.set("append", "y".repeat(600)), "not-stored");
  assertStrictEquals(setting.entry?.[1].length, 600);
  assertEquals(setting.counts, { cmd_set: 3, store_too_large: 1 });
});

Deno.test("MemcachedCommands.set() leaves nothing of an entry whose time is over", () => {
  const setting = new Setting();
  setting.set("set", "a");
  assertEquals([setting.set("set", "b", { ttlMs: EXPIRED }), setting.entry], ["stored", undefined]);
});

Deno.test("MemcachedCommands.set() makes an entry to append to, where it is told how long that lives", () => {
  const setting = new Setting();
  assertStrictEquals(setting.set("append", "a", { vivifyTtlMs: 5000 }), "stored");
  assertEquals([setting.entry, setting.commands.ttlSeconds(setting.position)], [[0, "a"], 5]);
});

Deno.test("MemcachedCommands.set() tells when there is no memory", () => {
  const setting = new Setting();
  setting.host.store.set = () => false;
  assertStrictEquals(setting.set("set", "a"), "no-memory");
});

Deno.test("MemcachedCommands.get() counts hits and misses", () => {
  const setting = new Setting();
  assertStrictEquals(setting.commands.get(KEY), 0);
  setting.set("set", "a");
  assertStrictEquals(setting.commands.get(KEY), setting.position);
  assertEquals(setting.counts, { cmd_get: 2, cmd_set: 1, get_hits: 1, get_misses: 1 });
});

Deno.test("MemcachedCommands tell how long an entry lives, and since when it was not used", () => {
  const setting = new Setting();
  const { commands } = setting;
  setting.set("set", "a", { ttlMs: 20_000 });
  setting.nowMs += 4500;
  assertEquals([commands.ttlSeconds(setting.position), commands.idleSeconds(setting.position)], [16, 4]);
  commands.get(KEY);
  assertEquals([commands.ttlSeconds(setting.position), commands.idleSeconds(setting.position)], [16, 0]);
  setting.nowMs += 20_000;
  assertStrictEquals(commands.get(KEY), 0);
  setting.set("set", "a");
  assertStrictEquals(commands.ttlSeconds(setting.position), -1);
});

Deno.test("MemcachedCommands.delta() adds and subtracts, in place where the number is no longer than before", () => {
  const setting = new Setting();
  const { commands } = setting;
  const delta = (by: number | bigint, isDown: boolean, cas: number | bigint = 0) => {
    const result = commands.delta(KEY, { by, isDown, cas });
    return typeof result === "string" ? result : result.value;
  };
  assertEquals([delta(1, false), delta(1, true)], ["not-found", "not-found"]);
  setting.set("set", "x");
  assertStrictEquals(delta(1, false), "non-numeric");
  setting.set("set", "");
  assertStrictEquals(delta(1, false), "non-numeric");
  setting.set("set", "10", { flags: 5 });
  assertEquals([delta(1, true), setting.entry], [9, [5, "9 "]]);
  assertEquals([delta(91, false), setting.entry], [100, [5, "100"]]);
  assertEquals([delta(2n ** 64n - 1n, false), setting.entry], [99, [5, "99 "]]);
  assertEquals([delta(100, true), setting.entry], [0, [5, "0  "]]);
  assertEquals([delta(1, false, 9), setting.entry], ["exists", [5, "0  "]]);
  assertEquals(delta(1, false, commands.casOf(setting.position)), 1);
  assertEquals(setting.counts, { cmd_set: 3, incr_misses: 1, decr_misses: 1, incr_hits: 3, decr_hits: 2 });
});

Deno.test("MemcachedCommands.touch() changes the time to live and not the state, and ends an entry whose time is over", () => {
  const setting = new Setting();
  const { commands } = setting;
  setting.set("set", "a", { flags: 5 });
  const cas = commands.casOf(setting.position);
  for (const ttlMs of [5000, 9000]) {
    assertStrictEquals(commands.touch(KEY, setting.position, ttlMs), setting.position);
    assertEquals([commands.ttlSeconds(setting.position), setting.entry], [ttlMs / 1000, [5, "a"]]);
    assertStrictEquals(commands.casOf(setting.position), cas);
  }
  assertEquals([commands.touch(KEY, setting.position, EXPIRED), setting.entry], [0, undefined]);
});

Deno.test("MemcachedCommands.empty() takes the value and leaves the state, unless it is told another", () => {
  const setting = new Setting();
  const { commands } = setting;
  setting.set("set", "a", { flags: 5, ttlMs: 5000 });
  const cas = commands.casOf(setting.position);
  commands.empty(KEY, setting.position, {});
  assertEquals([setting.entry, commands.casOf(setting.position), commands.ttlSeconds(setting.position)], [
    [0, ""],
    cas,
    -1,
  ]);
  commands.empty(KEY, setting.position, { newCas: 7, ttlMs: 9000 });
  assertEquals([commands.casOf(setting.position), commands.ttlSeconds(setting.position)], [7, 9]);
});

Deno.test("MemcachedCommands.invalidate() keeps the value in a new state, or removes an entry whose time is over", () => {
  const setting = new Setting();
  const { commands } = setting;
  setting.set("set", "a", { flags: 5 });
  const cas = commands.casOf(setting.position);
  commands.invalidate(KEY, setting.position, {});
  assertEquals([setting.entry, commands.casOf(setting.position) === cas], [[5, "a"], false]);
  commands.invalidate(KEY, setting.position, { newCas: 7, ttlMs: 9000 });
  const { position } = setting;
  assertEquals([setting.entry, commands.casOf(position), commands.ttlSeconds(position)], [[5, "a"], 7, 9]);
  commands.invalidate(KEY, setting.position, { ttlMs: EXPIRED });
  assertStrictEquals(setting.entry, undefined);
});

Deno.test("MemcachedCommands.delete() counts, and drop() does not", () => {
  const setting = new Setting();
  setting.set("set", "a");
  assertEquals([setting.commands.delete(KEY), setting.commands.delete(KEY)], [true, false]);
  setting.set("set", "a");
  setting.commands.drop(KEY);
  setting.commands.drop(KEY);
  assertStrictEquals(setting.entry, undefined);
  assertEquals(setting.counts, { cmd_set: 2, delete_hits: 1, delete_misses: 1 });
});

Deno.test("MemcachedCommands.flush() clears now or later, and the last call counts", () => {
  const setting = new Setting();
  const { commands, host } = setting;
  setting.set("set", "a");
  commands.flush(10);
  assertEquals([setting.entry, host.later?.ms], [[0, "a"], 10_000]);
  commands.flush(20);
  assertEquals(host.later?.ms, 20_000);
  host.later!.run();
  assertStrictEquals(setting.entry, undefined);
  setting.set("set", "b");
  commands.flush(0);
  assertEquals([setting.entry, host.later?.ms], [undefined, Infinity]);
  assertStrictEquals(setting.counts.cmd_flush, 3);
});

Deno.test("MemcachedCommands.resetCounters() begins anew, in the same object", () => {
  const setting = new Setting();
  const { counters } = setting.commands;
  setting.set("set", "a");
  setting.commands.resetCounters();
  assertEquals(counters, new MemcachedCounters());
  assertStrictEquals(setting.commands.counters, counters);
});
