/** The feature `near` of the native protocol: copies in place of values, and changes that are told before any later reply. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { settled } from "../support/memory_stream.ts";
import { ask, type Asked, invalid, NearTalk } from "../support/near_talk.ts";
import { sessionHost, type TestHost } from "../support/session_host.ts";
import { spanOf } from "../../lib/base/byte_span.ts";
import { age, type EntryInput } from "../../lib/store/entry.ts";
import { CAUSE } from "../../lib/store/store_listener.ts";
import type { StoreOptions } from "../../lib/store/store_options.ts";
import { LocalCache } from "../../lib/server/local_cache.ts";
import { writeControl } from "../../lib/wire/control.ts";
import { REQUEST } from "../../lib/wire/frame.ts";
import { GOSSIP_VERSION, NEAR, PEER_FEATURES } from "../../lib/wire/hello.ts";
import { sessionOf } from "../support/access.ts";
import { written } from "../support/frames.ts";

const NOW_MS = 1_767_225_600_000;
const keyOf = (text: string) => spanOf(new TextEncoder().encode(text));

function hostAt(settings: Partial<StoreOptions> = {}): { host: TestHost; clock: { nowMs: number } } {
  const clock = { nowMs: NOW_MS };
  return { host: sessionHost({ clock: { now: () => clock.nowMs }, ...settings }), clock };
}

Deno.test("a client that names near is sent copies, with what remains of them, and others are sent values", () => {
  const { host, clock } = hostAt({ ttlMs: 60_000 });
  const [near, plain] = [new NearTalk(host), new NearTalk(host, {}, [])];
  plain.say(ask.set("renewed", "a"), ask.set("fixed", "b", 5000, true), ask.set("ever", "c", 0));
  near.heard();
  clock.nowMs += 1000;
  assertEquals(near.say(ask.get("fixed"), ask.get("ever"), ask.get("renewed"), ask.get("none")), [
    "COPY 1 4000 of 0: b",
    "COPY 3 Infinity of Infinity: c",
    "COPY 3 60000 of 60000: a",
    "MISS",
  ]);
  assertEquals(near.say(ask.getMany("none", "fixed", "renewed")), ["VALUES miss; 1 4000 of 0: b; 3 60000 of 60000: a"]);
  assertEquals(plain.say(ask.get("fixed"), ask.getMany("none", "renewed")), ["VALUE b", "VALUES miss; a"]);
});

Deno.test("a copy says that hits renew nothing where the server renews nothing", () => {
  const { host, clock } = hostAt({ ttlMs: 60_000, renewOnHit: false });
  const near = new NearTalk(host);
  near.say(ask.set("k", "v"), ask.set("ever", "w", 0));
  clock.nowMs += 1000.5;
  assertEquals(near.say(ask.get("k"), ask.get("ever"), ask.use("k")), [
    "COPY 1 58999 of 0: v",
    "COPY 1 Infinity of 0: w",
    "LEFT 58999 of 0",
  ]);
});

Deno.test("a copy of an aging entry is fresh until its time, not until it is dropped", () => {
  const { host, clock } = hostAt();
  const near = new NearTalk(host);
  const entry: EntryInput = { flags: 0, value: keyOf("v"), ttlMs: undefined };
  age(entry, 1000, 5000, clock.nowMs);
  host.store.set(keyOf("k"), entry);
  clock.nowMs += 300;
  assertEquals(near.say(ask.get("k"), ask.use("k")), ["COPY 1 700 of 0: v", "LEFT 700 of 0"]);
});

/** Requests of a writer, each with its reply, that change what a reader of `k` would get. */
const WRITES: Readonly<Record<string, [asked: Asked, reply: string]>> = {
  "SET": [ask.set("k", "new"), "OK"],
  "SET that is too large": [ask.set("k", "x".repeat(100_000)), "REFUSED too-large"],
  "TOUCH": [ask.touch("k"), "OK"],
  "DELETE": [ask.delete("k"), "OK"],
  "TAKE": [ask.take("k"), "VALUE 41"],
  "INCREMENT": [ask.increment("k", 1n), "VALUE 42"],
  "SET_IF": [ask.setIf("k", "present", "new"), "OK"],
  "SET_MANY": [ask.setMany("k", "new"), "DONE"],
  "DELETE_MANY": [ask.deleteMany("k"), "DONE"],
};

/** Requests that are answered by one frame, also where `x` has an entry. */
const REPLIES: readonly Asked[] = [
  ...[ask.ping, ask.has("x"), ask.get("x"), ask.getMany("x"), ask.stats, ask.unknown, ask.use("x")],
  ...[ask.entry("x"), ask.take("x"), ask.increment("x", 1n), ask.setIf("x", "present", 1), ask.keys("x")],
  ask.explain("x"),
  ask.insight,
];

for (const [name, [asked, reply]] of Object.entries(WRITES)) {
  Deno.test(`${name} is told to its own client before it is answered, between the replies of one read`, () => {
    const { host } = hostAt({ maxBytes: 64 * 1024 });
    const near = new NearTalk(host);
    near.say(ask.set("k", "41"));
    assertEquals(near.say(ask.get("k"), asked, ask.ping), [
      "COPY 3 Infinity of Infinity: 41",
      invalid("k"),
      reply,
      "OK",
    ]);
  });

  Deno.test(`${name} is told to other readers before their next reply, whatever that answers`, () => {
    const { host } = hostAt({ maxBytes: 64 * 1024 });
    const writer = new NearTalk(host, {}, []);
    for (const next of REPLIES) {
      const near = new NearTalk(host);
      writer.say(ask.set("k", "41"), ask.set("x", "5"));
      near.say(ask.get("k"));
      writer.say(asked);
      assertEquals([near.heard(), near.say(next)[0], near.say(next).length], [[], invalid("k"), 1]);
    }
  });
}

Deno.test("a removal of a key that is not here is told to those who have missed it", () => {
  const { host } = hostAt();
  const near = new NearTalk(host);
  assertEquals(near.say(ask.get("k"), ask.delete("k")), ["MISS", invalid("k"), "MISS"]);
  assertEquals(near.say(ask.use("k"), ask.delete("k")), ["MISS", invalid("k"), "MISS"]);
});

Deno.test("a CLEAR is told as all, before it is answered, to those too who have read nothing", () => {
  const { host } = hostAt();
  const [near, idle] = [new NearTalk(host), new NearTalk(host)];
  assertEquals(near.say(ask.get("k"), ask.clear, ask.ping), ["MISS", "INVALID all", "OK", "OK"]);
  assertEquals(idle.say(ask.ping), ["INVALID all", "OK"]);
});

Deno.test("a CLEAR_PREFIX is told as all, before it is answered", () => {
  const { host } = hostAt();
  const [near, idle] = [new NearTalk(host), new NearTalk(host)];
  near.say(ask.set("k:1", "v"));
  assertEquals(near.say(ask.get("k:1"), ask.clearPrefix("k:"), ask.get("k:1")), [
    "COPY 3 Infinity of Infinity: v",
    "INVALID all",
    "OK",
    "MISS",
  ]);
  assertEquals(idle.say(ask.ping), ["INVALID all", "OK"]);
});

Deno.test("ENTRY and TAKE are answered no copies, and what they are asked for is not registered", () => {
  const { host } = hostAt();
  const [near, writer] = [new NearTalk(host), new NearTalk(host, {}, [])];
  near.say(ask.set("k", "v"));
  assertEquals(near.say(ask.entry("k"), ask.entry("none")), ["ENTRY", "MISS"]);
  writer.say(ask.set("k", "w"));
  assertEquals(near.say(ask.ping, ask.take("k")), ["OK", "VALUE w"]);
});

Deno.test("all keys of a list are registered, those that are missed and left out too; HAS and PING register none", () => {
  const { host } = hostAt();
  const near = new NearTalk(host);
  near.say(ask.set("a", "1"));
  near.session.input.maxBodyBytes = 40; // else 16 MiB would be the least to leave out
  assertEquals(near.say(ask.getMany("a", "none")), ["VALUES 3 Infinity of Infinity: 1; miss"]);
  near.session.input.maxBodyBytes = 30;
  assertEquals(near.say(ask.getMany("a", "last")), ["VALUES omitted; miss"]);
  near.say(ask.has("has"), ask.ping);
  assertEquals(near.say(...["a", "none", "last", "has"].map(ask.delete)), [
    ...[invalid("a"), "OK"],
    ...[invalid("none"), "MISS"],
    ...[invalid("last"), "MISS"],
    "MISS",
  ]);
});

Deno.test("a list that is bad registers nothing", () => {
  const { host } = hostAt();
  const near = new NearTalk(host);
  const bad: Asked = (output) => {
    ask.getMany("a", "b")(output);
    output.buffer[output.length - 4] = 9; // the last key's length
  };
  assertEquals(near.say(bad, ask.delete("a")), ["REFUSED bad-request", "MISS"]);
});

Deno.test("USE renews an entry as a hit does, is no write, and is told to peers as a hit is", () => {
  const { host, clock } = hostAt({ ttlMs: 1000 });
  const heard: number[] = [];
  const near = new NearTalk(host);
  near.say(ask.set("k", "v"), ask.get("k"));
  const version = host.store.versionOf(keyOf("k"));
  host.store.listen({ causes: 255, changed: (cause) => heard.push(cause) });
  clock.nowMs += 700;
  assertEquals(near.say(ask.use("k")), ["LEFT 1000 of 1000"]);
  assertEquals([heard, host.store.versionOf(keyOf("k"))], [[CAUSE.renewed], version]);
  clock.nowMs += 700;
  assertEquals(near.say(ask.use("k"), ask.use("none")), ["LEFT 1000 of 1000", "MISS"]);
  clock.nowMs += 1000;
  assertEquals(near.say(ask.use("k")), ["MISS"]);
});

Deno.test("USE is a use: the entry that was used before it is evicted first", () => {
  const { host } = hostAt({ maxSize: 2 });
  const near = new NearTalk(host);
  near.say(ask.set("a", "1", 0, true), ask.set("b", "2"), ask.use("a"), ask.set("c", "3"));
  assertEquals(near.say(ask.has("a"), ask.has("b")), ["OK", "MISS"]);
});

Deno.test("USE is refused where near is not in force", () => {
  const plain = new NearTalk(hostAt().host, {}, []);
  plain.say(ask.set("k", "v"));
  assertEquals(plain.say(ask.use("k"), ask.ping), ["REFUSED bad-request", "OK"]);
});

Deno.test("what others write is told at the end of the turn, all of it in one frame, where nothing is to be answered", async () => {
  const { host } = hostAt();
  let pushes = 0;
  const [near, writer] = [new NearTalk(host, { onPush: () => pushes++ }), new NearTalk(host, {}, [])];
  near.say(ask.get("a"), ask.get("b"), ask.get("c"));
  writer.say(ask.set("a", "1"), ask.delete("b"), ask.set("other", "1"));
  assertEquals([near.heard(), pushes], [[], 0]);
  await settled();
  assertEquals([near.heard(), pushes], [[invalid("a", "b")], 1]);
  await settled();
  assertEquals([near.heard(), pushes], [[], 1]);
});

Deno.test("what has been told before a reply is not told again at the end of the turn", async () => {
  const { host } = hostAt();
  let pushes = 0;
  const near = new NearTalk(host, { onPush: () => pushes++ });
  near.say(ask.get("k"), ask.set("k", "v"));
  await settled();
  assertEquals([near.heard(), pushes], [[], 0]);
});

Deno.test("where the client does not read, what is marked waits for the next mark or the next reply", async () => {
  const { host } = hostAt();
  let mayPush = false;
  const near = new NearTalk(host, { mayPush: () => mayPush });
  near.say(ask.get("a"), ask.get("b"), ask.get("c"));
  host.store.delete(keyOf("a"));
  await settled();
  assertEquals(near.heard(), []);
  mayPush = true;
  host.store.delete(keyOf("b"));
  await settled();
  assertEquals(near.heard(), [invalid("a", "b")]);
  mayPush = false;
  host.store.delete(keyOf("c"));
  await settled();
  assertEquals(near.say(ask.ping), [invalid("c"), "OK"]);
});

Deno.test("more than 1,024 slots that wait are told as all", async () => {
  const { host } = hostAt();
  const near = new NearTalk(host, { mayPush: () => false });
  const keys = Array.from({ length: 1040 }, (_, i) => `key:${i}`);
  near.say(...keys.map(ask.get));
  for (const key of keys) host.store.delete(keyOf(key));
  await settled();
  assertEquals(near.say(ask.ping), ["INVALID all", "OK"]);
});

Deno.test("a connection that ends is told nothing more, and what it has read is forgotten", async () => {
  for (const end of ["release", "abandon"] as const) {
    const { host } = hostAt();
    const [near, other] = [new NearTalk(host), new NearTalk(host)];
    near.say(ask.get("k"));
    assertStrictEquals(host.near.stats.nearConnections, 2);
    near.session[end]();
    assertStrictEquals(host.near.stats.nearConnections, 1);
    near.session.release();
    assertStrictEquals(host.near.stats.nearConnections, 1);
    host.store.clear();
    await settled();
    assertEquals([near.heard(), other.heard()], [[], ["INVALID all"]]);
  }
});

Deno.test("a peer is not tracked, though it names the feature", () => {
  const { host } = hostAt();
  const session = sessionOf(host);
  const features = [NEAR, ...PEER_FEATURES];
  const hello = { protocol: 1, client: "test", peer: 7, gossip: GOSSIP_VERSION, features };
  session.input.push(written((output) => writeControl(output, REQUEST.hello, hello)));
  assertStrictEquals(session.run(), "peer");
  assertStrictEquals(host.near.stats.nearConnections, 0);
});

Deno.test("what is written in this process, without a connection, is told too", async () => {
  const { host } = hostAt();
  const near = new NearTalk(host);
  const cache = new LocalCache({ store: host.store, leases: host.leases, newToken: host.newToken, stats: host.stats });
  const changes: Record<string, () => Promise<unknown>> = {
    store: () => cache.store("k", 1),
    "store of what is refused": () => cache.store("k", () => {}).catch(() => {}),
    remove: () => cache.remove("k"),
  };
  for (const [name, change] of Object.entries(changes)) {
    near.say(ask.get("k"));
    await change();
    await settled();
    assertEquals(near.heard(), [invalid("k")], name);
  }
  await cache.clear();
  await settled();
  assertEquals(near.heard(), ["INVALID all"]);
});

Deno.test("what clients of memcached's protocols change is told too", async () => {
  const { host } = hostAt();
  const near = new NearTalk(host);
  const text = sessionOf(host);
  for (const line of ["set k 0 0 1\r\n1\r\n", "incr k 5\r\n", "touch k 50\r\n", "md k I T9\r\n", "delete k\r\n"]) {
    near.say(ask.get("k"));
    text.input.push(new TextEncoder().encode(line));
    text.run();
    await settled();
    assertEquals(near.heard(), [invalid("k")], line);
  }
  text.input.push(new TextEncoder().encode("flush_all\r\n"));
  text.run();
  await settled();
  assertEquals(near.heard(), ["INVALID all"]);
});

Deno.test("the statistics have the connections that keep near copies, and what they were told", () => {
  const { host } = hostAt();
  const near = new NearTalk(host);
  near.say(ask.get("k"), ask.set("k", "v"), ask.get("l"), ask.set("l", "v"), ask.clear);
  const { nearConnections, nearInvalidations, nearResets } = host.stats();
  assertEquals([nearConnections, nearInvalidations, nearResets], [1, 2, 1]);
});
