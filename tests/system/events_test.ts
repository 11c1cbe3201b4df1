/** What every `OrmucoCache` tells its listener, and the channels of the process: one list of calls for all kinds of caches. */

import { assertEquals, assertRejects } from "@std/assert";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { FLAGS } from "../../lib/wire/values.ts";
import { type CacheEvent, type ClientOptions, type OrmucoCache, OrmucoCacheClient } from "../../mod.ts";
import { KINDS, MAX_SIZE } from "../support/caches.ts";
import { held } from "../support/compute_backend.ts";
import { freeAddress, portOf } from "../support/ports.ts";
import { clientOf, madeServer, PATIENT_MS, startedServer } from "../support/servers.ts";
import { stillTime } from "../support/still_time.ts";
import { exchange } from "../support/text_socket.ts";
import { turn, until } from "../support/waiting.ts";

/** Types of events, as names of channels have them. */
const TYPES: CacheEvent["type"][] = ["hit", "miss", "store", "remove", "clear", "evict", "error", "reconnect"];

/** An event in words, with its key without what all keys of a cache begin with. */
function inWords(event: CacheEvent, prefix = ""): string {
  const rest = (key: string) => key.startsWith(prefix) ? key.slice(prefix.length) : `${key} without ${prefix}`;
  if (event.type === "error") return `error ${event.error.code}`;
  if (event.type === "reconnect") return `reconnect ${event.server}`;
  if (event.type === "clear") return `clear ${rest(event.prefix)}`;
  return `${event.type} ${rest(event.key)}${event.type === "evict" ? ` ${event.reason}` : ""}`;
}

/** What a call tells of a cache that has the entries `a`, `b` and the number `n`. */
const CALLS: Record<string, { call: (cache: OrmucoCache) => unknown; tells: string[] }> = {
  "a store": { call: (cache) => cache.store("k", 1), tells: ["store k"] },
  "a store in place of another": { call: (cache) => cache.store("a", 1), tells: ["store a"] },
  "a store on a condition": { call: (cache) => cache.store("k", 1, { onlyIf: "absent" }), tells: ["store k"] },
  "a store on a condition that is not so": { call: (cache) => cache.store("a", 1, { onlyIf: "absent" }), tells: [] },
  "a store that is refused": {
    call: (cache) => assertRejects(() => cache.store("a", Promise.resolve(1))),
    tells: [],
  },
  "a hit": { call: (cache) => cache.retrieve("a"), tells: ["hit a"] },
  "a hit with options": { call: (cache) => cache.retrieve("a", { timeoutMs: 1e6 }), tells: ["hit a"] },
  "two hits, the second of which may be near": {
    call: async (cache) => [await cache.retrieve("a"), await cache.retrieve("a")],
    tells: ["hit a", "hit a"],
  },
  "a miss": { call: (cache) => cache.retrieve("none"), tells: ["miss none"] },
  "a hit of an entry": { call: (cache) => cache.retrieveEntry("a"), tells: ["hit a"] },
  "a miss of an entry": { call: (cache) => cache.retrieveEntry("none"), tells: ["miss none"] },
  "values of many keys": {
    call: (cache) => cache.retrieveMany(["a", "none", "b", "a"]),
    tells: ["hit a", "miss none", "hit b"],
  },
  "values of many keys, of which one may be near": {
    call: async (cache) => [await cache.retrieve("b"), await cache.retrieveMany(["a", "none", "b"])],
    tells: ["hit b", "hit a", "miss none", "hit b"],
  },
  "a take": { call: (cache) => cache.take("a"), tells: ["hit a", "remove a"] },
  "a take of nothing": { call: (cache) => cache.take("none"), tells: ["miss none"] },
  "a store of many": { call: (cache) => cache.storeMany([["k", 1], ["a", 2]]), tells: ["store k", "store a"] },
  "a number that is added to": { call: (cache) => cache.increment("n"), tells: ["store n"] },
  "a number that is made": { call: (cache) => cache.increment("k", 1, { initial: 1 }), tells: ["store k"] },
  "a number that there is not": { call: (cache) => cache.increment("none"), tells: [] },
  "what is no number": { call: (cache) => assertRejects(() => cache.increment("a")), tells: [] },
  "a removal": { call: (cache) => cache.remove("a"), tells: ["remove a"] },
  "a removal of nothing": { call: (cache) => cache.remove("none"), tells: [] },
  "a removal of many": { call: (cache) => cache.removeMany(["a", "none", "b"]), tells: ["remove a", "remove b"] },
  "a look, a touch, a ping and statistics": {
    call: (cache) => Promise.all([cache.has("a"), cache.touch("a"), cache.ping(), cache.stats()]),
    tells: [],
  },
  "a computation": { call: (cache) => cache.retrieveOrStore("k", () => 1), tells: ["miss k", "store k"] },
  "a value in place of a computation": {
    call: (cache) => cache.retrieveOrStore<unknown>("a", () => 1),
    tells: ["hit a"],
  },
  "a computation that fails": {
    call: (cache) => assertRejects(() => cache.retrieveOrStore("k", () => Promise.reject(new Error("none")))),
    tells: ["miss k"],
  },
  "a computation for many callers at once": {
    call: (cache) =>
      Promise.all(Array.from({ length: 10 }, () => cache.retrieveOrStore("k", () => Promise.resolve(1)))),
    tells: ["miss k", "store k"],
  },
  "a clear": { call: (cache) => cache.clear(), tells: ["clear "] },
  "a clear of a namespace": { call: (cache) => cache.namespace("users:").clear(), tells: ["clear users:"] },
};

/** Has a cache used that has these entries. */
async function withEntries(
  kind: string,
  use: (cache: OrmucoCache, prefix: string) => Promise<unknown>,
  onEvent?: (event: CacheEvent) => void,
): Promise<void> {
  await KINDS[kind](async (cache, prefix) => {
    await cache.storeMany([["a", "A"], ["b", "B"]]);
    await cache.increment("n", 1, { initial: 1 });
    await use(cache, prefix);
  }, { onEvent });
}

/** Hears the process's channels, while it is not disposed of. */
function listening(types = TYPES): Disposable & { readonly told: CacheEvent[] } {
  const told: CacheEvent[] = [];
  const hear = (event: unknown) => void told.push(event as CacheEvent);
  for (const type of types) subscribe(`ormuco-cache:${type}`, hear);
  return {
    told,
    [Symbol.dispose]() {
      for (const type of types) unsubscribe(`ormuco-cache:${type}`, hear);
    },
  };
}

for (const kind of Object.keys(KINDS)) {
  Deno.test(`${kind} tells its listener of each call what it finds, stores and removes`, async () => {
    for (const [what, { call, tells }] of Object.entries(CALLS)) {
      const told: CacheEvent[] = [];
      await withEntries(kind, async (cache, prefix) => {
        told.length = 0;
        await call(cache);
        assertEquals(told.map((event) => inWords(event, prefix)), tells, what);
      }, (event) => told.push(event));
    }
  });

  Deno.test(`${kind} is heard on channels from when somebody subscribes until nobody does, and else makes no event`, () =>
    withEntries(kind, async (cache, prefix) => {
      let told: CacheEvent[];
      {
        using channels = listening();
        told = channels.told;
        await cache.retrieveMany(["a", "none"]);
        await cache.store("k", 1);
        await cache.remove("k");
        await cache.clear();
      }
      const expected = ["hit a", "miss none", "store k", "remove k", "clear "];
      assertEquals(told.map((event) => inWords(event, prefix)), expected);
      await cache.retrieve("none");
      assertEquals(told.length, expected.length);
      using misses = listening(["miss"]);
      await cache.store("k", 1);
      await cache.retrieveMany(["k", "none"]);
      assertEquals(misses.told.map((event) => inWords(event, prefix)), ["miss none"]);
    }));

  Deno.test(`${kind} goes on where its listener throws, or rejects`, async () => {
    let isAsync = false;
    const onEvent = () => {
      if (isAsync) return Promise.reject(new Error("rejected by a listener"));
      throw new Error("thrown by a listener");
    };
    await withEntries(kind, async (cache) => {
      for (isAsync of [false, true]) {
        await cache.store("k", [1]);
        assertEquals(await cache.retrieve("k"), [1]);
        assertEquals(await cache.retrieveMany(["k", "none"]), new Map([["k", [1]]]));
        assertEquals(await cache.retrieveOrStore<unknown>("other", () => 2), 2);
        assertEquals([await cache.take("k"), await cache.remove("other"), await cache.clear()], [[1], true, true]);
        await turn();
      }
    }, onEvent);
  });

  Deno.test(`${kind} may be used by its listener`, async () => {
    const found: unknown[] = [];
    let use: ((event: CacheEvent) => void) | undefined;
    await withEntries(kind, async (cache) => {
      use = async ({ type }) => {
        if (type === "hit") return; // of the calls here, or it would have no end
        use = undefined;
        found.push(await cache.retrieve("a"));
        await cache.storeMany([["k", 3], ["other", type]]);
        found.push(await cache.retrieve("other"));
      };
      assertEquals((await cache.retrieveEntry<string>("none"))?.value, undefined);
      await until("the listener is done", () => found.length === 2);
      assertEquals([found, await cache.retrieve("k")], [["A", "miss"], 3]);
    }, (event) => use?.(event));
  });

  Deno.test(`${kind} tells of a computation that fails behind an older value`, async () => {
    const told: CacheEvent[] = [];
    using time = stillTime();
    await withEntries(kind, async (cache, prefix) => {
      const options = { ttlMs: 1000, staleIfErrorMs: 60_000 };
      await cache.retrieveOrStore("k", () => 1, options);
      time.nowMs += 2000;
      told.length = 0;
      assertEquals(await cache.retrieveOrStore("k", () => Promise.reject(new Error("too slow")), options), 1);
      await until("it is told", () => told.length === 2);
      const [, event] = told;
      assertEquals(told.map((event) => inWords(event, prefix)), ["miss k", "error compute"]);
      assertEquals(event.type === "error" && event.error.message, `Cannot compute "${prefix}k": too slow`);
    }, (event) => told.push(event));
  });
}

for (const kind of Object.keys(KINDS).filter((kind) => /LocalCache|without a server/.test(kind))) {
  Deno.test(`${kind} tells of entries that leave to make room, and when their time is over`, async () => {
    using time = stillTime();
    const told: CacheEvent[] = [];
    await KINDS[kind](async (cache, prefix) => {
      for (let i = 0; i < MAX_SIZE; i++) await cache.store(`key:${i}`, i, { ttlMs: i === 1 ? 1000 : 0 });
      await cache.store("new", 1);
      await cache.store("new", 2);
      await cache.remove("key:2");
      time.nowMs += 2000;
      assertEquals(await cache.has("key:1"), false);
      await turn();
      const left = told.filter(({ type }) => type === "evict").map((event) => inWords(event, prefix));
      assertEquals(left, ["evict key:0 evicted", "evict key:1 expired"]);
    }, { onEvent: (event) => told.push(event) });
  });
}

Deno.test("a stand-alone client tells the channel of entries that leave, without a listener of its own, but not of those that are cleared", async () => {
  using time = stillTime();
  using channels = listening(["evict"]);
  await using cache = new OrmucoCacheClient({ maxSize: 200 });
  for (let i = 0; i < 200; i++) {
    await cache.store(`${i < 100 ? "gone" : "kept"}:${i}`, i, { ttlMs: i < 110 ? 1000 : 0 });
  }
  await cache.namespace("gone:").clear();
  for (let i = 0; i < 101; i++) await cache.store(`new:${i}`, i);
  assertEquals(channels.told.map((event) => inWords(event)), ["evict kept:100 evicted"]);
  time.nowMs += 2000;
  await cache.store("kept:101", "in place of one whose time is over");
  assertEquals(channels.told.map((event) => inWords(event))[1], "evict kept:101 expired");
});

Deno.test("a server tells its listener of entries that leave whoever has stored them, the channel too, and of keys that are text", async () => {
  const told: string[] = [];
  await using server = await startedServer({ maxSize: 3, onEvent: (event) => told.push(inWords(event)) });
  await using client = clientOf(server);
  using channels = listening(["evict"]);
  const binary = String.fromCharCode(0xff);
  await client.storeMany([["a", 1], ["\ufeffb", 2]]);
  const set = new TextEncoder().encode(`set ${binary} 0 0 1\r\n1\r\n`).filter((byte) => byte !== 0xc3);
  using socket = await Deno.connect({ port: portOf(server.address!) });
  await socket.write(set);
  await until("it is stored", () => server.stats().entries === 3);
  await client.storeMany([["k", 1], ["l", 1], ["m", 1]]);
  assertEquals(told, ["evict a evicted", "evict \ufeffb evicted"]);
  assertEquals(channels.told.map((event) => inWords(event)), told);
});

Deno.test("a server's listener may change what the server holds when an entry leaves", async () => {
  const left: string[] = [];
  const server = madeServer({
    maxSize: 3,
    onEvent: async (event) => {
      if (event.type !== "evict") return;
      left.push(event.key);
      if (left.length < 3) await server.cache.store(`log:${left.length}`, event.key);
    },
  });
  for (const key of ["a", "b", "c", "d"]) await server.cache.store(key, key);
  await turn();
  assertEquals([left, server.stats().entries], [["a", "b", "c"], 3]);
  assertEquals(
    await server.cache.retrieveMany(["a", "d", "log:1", "log:2"]),
    new Map([["d", "d"], ["log:1", "a"], ["log:2", "b"]]),
  );
});

Deno.test("server.cache gives what it has found, whatever its listener does to the entry when it is told", async () => {
  const server = madeServer({
    onEvent: ({ type }) => {
      if (type !== "hit") return;
      server.cache.clear();
      server.cache.store("k", "another".repeat(10), { ttlMs: 1000 });
    },
  });
  const stored = () => server.cache.store("k", "first", { ttlMs: 0 });
  await stored();
  const { value, remainingMs } = (await server.cache.retrieveEntry("k"))!;
  assertEquals([value, remainingMs], ["first", Infinity]);
  await stored();
  assertEquals(await server.cache.take("k"), "first");
  assertEquals(await server.cache.has("k"), true, "it is the listener's");
});

Deno.test("server.cache tells of a value that it waits for when it is there, once, and of one that it cannot read", async () => {
  const told: CacheEvent[] = [];
  await using server = await startedServer({ onEvent: (event) => told.push(event) });
  await using client = clientOf(server);
  const made = held();
  const computed = client.retrieveOrStore("k", made.compute);
  await until("the client computes", () => made.calls === 1);
  const waited = server.cache.retrieveOrStore<unknown>("k", () => "never");
  await until("the server waits", () => server.stats().leaseWaits === 1);
  made.resolve("computed");
  assertEquals([await computed, await waited], ["computed", "computed"]);
  assertEquals(told.map((event) => inWords(event)), ["hit k"]);
  const { hits, misses } = await server.cache.stats();
  assertEquals([hits, misses], [1, 0]);

  told.length = 0;
  const set = `set bad ${FLAGS.json} 0 9\r\n{not JSON\r\n`;
  assertEquals(await exchange(portOf(server.address!), set, (reply) => reply.endsWith("\n")), "STORED\r\n");
  assertEquals(await server.cache.retrieve("bad"), undefined);
  assertEquals(told.map((event) => inWords(event)), ["miss bad", "error protocol"]);
  const [, event] = told;
  assertEquals(event.type === "error" && event.error.message.startsWith('Cannot retrieve "bad": '), true);
});

/** A client that keeps what it tells. */
function tellingClient(servers: string[], options?: ClientOptions): { client: OrmucoCacheClient; told: string[] } {
  const told: string[] = [];
  const onEvent = (event: CacheEvent) => void told.push(inWords(event));
  const client = new OrmucoCacheClient({ servers, timeoutMs: PATIENT_MS, onError: () => {}, onEvent, ...options });
  return { client, told };
}

Deno.test("OrmucoCacheClient tells its listener the same failures as onError, each once", async () => {
  const errors: unknown[] = [];
  const told: CacheEvent[] = [];
  await using cache = new OrmucoCacheClient({
    servers: [freeAddress()],
    onError: (error) => errors.push(error),
    onEvent: (event) => told.push(event),
  });
  await Promise.all([cache.retrieve("a"), cache.store("b", 1), cache.retrieveEntry("c"), cache.clear()]);
  await assertRejects(() => cache.ping());
  const failures = told.flatMap((event) => event.type === "error" ? [event.error] : []);
  assertEquals([failures, failures.length], [errors, 1]);
  assertEquals(told.map((event) => inWords(event)), ["error unreachable", "miss a", "miss c"]);
});

Deno.test("OrmucoCacheClient tells that it has a server again which was stopped and started, and nothing of its first connection", async () => {
  await using server = madeServer({ listen: freeAddress() });
  await server.startServer();
  const { client, told } = tellingClient([server.address!]);
  await using cache = client;
  await cache.store("a", 1);
  await server.stop();
  assertEquals(await cache.retrieve("a"), undefined);
  await server.startServer();
  await until("it has a server", async () => await cache.retrieve("a") === 1);
  const seen = told.filter((word) => !word.startsWith("miss"));
  assertEquals(seen, ["store a", "error unreachable", `reconnect ${server.address}`, "hit a"]);
});

Deno.test("OrmucoCacheClient tells of the next server when one is lost, or stops, but not when the first was never there", async () => {
  await using first = await startedServer();
  await using second = await startedServer();
  const { client, told } = tellingClient([freeAddress(), first.address!, second.address!]);
  await using cache = client;
  using channels = listening(["reconnect"]);
  assertEquals(await cache.store("a", 1), true);
  assertEquals(told, ["error unreachable", "store a"]);
  const address = first.address;
  await first.stop();
  await until(
    "it has the next",
    async () => await cache.store("b", 1) && (await cache.stats()).connectedTo !== address,
  );
  assertEquals(told.filter((word) => word.startsWith("reconnect")), [`reconnect ${second.address}`]);
  assertEquals(channels.told, [{ type: "reconnect", server: second.address! }]);
});
