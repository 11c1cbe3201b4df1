/** Near copies of clients beside real servers: what is seen of others' writes, and when, also where the network fails. */

import { assert, assertEquals, assertStrictEquals, assertStringIncludes } from "@std/assert";
import { type ClientOptions, OrmucoCacheClient } from "../../mod.ts";
import type { CacheError } from "../../lib/base/errors.ts";
import { portOf } from "../support/ports.ts";
import { TcpProxy } from "../support/proxy.ts";
import { clientOf, PATIENT_MS, startedServer } from "../support/servers.ts";
import { exchange } from "../support/text_socket.ts";
import { until } from "../support/waiting.ts";

/** A patient client that keeps near copies for long, so that only what a test does ends them. */
function nearClient(address: string, near: ClientOptions["near"] = { maxStaleMs: 60_000 }): OrmucoCacheClient {
  const onError = (error: CacheError) => {
    throw error;
  };
  return new OrmucoCacheClient({ servers: [address], timeoutMs: PATIENT_MS, near, onError });
}

async function nearOf(client: OrmucoCacheClient): Promise<{ hits: number; entries: number; isOn: boolean }> {
  const { hits, entries, isOn } = (await client.stats()).near!;
  return { hits, entries, isOn };
}

/** Retrieves of a client, and how many of them were near hits. */
async function reads(client: OrmucoCacheClient, ...keys: string[]): Promise<[values: unknown[], nearHits: number]> {
  const before = (await client.stats()).near!.hits;
  const values: unknown[] = [];
  for (const key of keys) values.push(await client.retrieve(key));
  return [values, (await client.stats()).near!.hits - before];
}

Deno.test("a second retrieval is answered by a near copy, the same object, and what another stores is told at once", async () => {
  await using server = await startedServer();
  await using other = clientOf(server);
  await using client = nearClient(server.address!);
  await other.store("k", { version: 1 });
  const first = await client.retrieve("k");
  assertStrictEquals(await client.retrieve("k"), first);
  assertEquals(await nearOf(client), { hits: 1, entries: 1, isOn: true });
  await other.store("k", { version: 2 });
  await until("the push has come", async () => (await client.stats()).near!.entries === 0);
  assertEquals(await reads(client, "k", "k"), [[{ version: 2 }, { version: 2 }], 1]);
});

Deno.test("a client is told of removals and clears, and of what others than clients write: the server itself, and memcached's clients", async () => {
  await using server = await startedServer();
  await using other = clientOf(server);
  await using client = nearClient(server.address!);
  const port = portOf(server.address!);
  const changes: [string, () => Promise<unknown>][] = [
    ["remove", () => other.remove("k")],
    ["clear", () => other.clear()],
    ["server.cache.store", () => server.cache.store("k", 2)],
    ["server.cache.remove", () => server.cache.remove("k")],
    ["memcached's set", () => exchange(port, "set k 0 0 1\r\n2\r\n", (reply) => reply === "STORED\r\n")],
    ["memcached's flush_all", () => exchange(port, "flush_all\r\n", (reply) => reply === "OK\r\n")],
  ];
  for (const [what, change] of changes) {
    await other.store("k", 1);
    assertEquals(await reads(client, "k", "k"), [[1, 1], 1], what);
    await change();
    await until(`told of ${what}`, async () => (await client.stats()).near!.entries === 0);
    assertEquals((await client.retrieve("k")) === 1, false, what);
  }
});

Deno.test("a client sees its own completed writes, removals and clears", async () => {
  await using server = await startedServer();
  await using client = nearClient(server.address!);
  for (let i = 0; i < 50; i++) {
    await client.store("k", i);
    assertEquals(await reads(client, "k", "k"), [[i, i], 1]);
  }
  await client.remove("k");
  assertEquals(await client.retrieve("k"), undefined);
  await client.store("k", "again");
  await client.retrieve("k");
  await client.clear();
  assertEquals(await client.retrieve("k"), undefined);
  assertEquals(await client.has("k"), false);
});

Deno.test("reads beside an own write under way are answered by the server, in its order", async () => {
  await using server = await startedServer();
  await using client = nearClient(server.address!);
  await client.store("k", 1);
  await client.retrieve("k");
  const asked = client.retrieve("k");
  const [isStored, during] = await Promise.all([client.store("k", 2), client.retrieve("k")]);
  assertEquals([await asked, isStored, during, await client.retrieve("k")], [1, true, 2, 2]);
  assertEquals(await Promise.all([client.remove("k"), client.retrieve("k")]), [true, undefined]);
  await client.store("k", 3);
  await client.retrieve("k");
  assertEquals(await Promise.all([client.clear(), client.retrieve("k")]), [true, undefined]);
});

Deno.test("retrieveMany takes what is near and asks for the rest, in the order asked", async () => {
  await using server = await startedServer();
  await using client = nearClient(server.address!);
  for (const key of ["a", "b", "c", "d"]) await client.store(key, key.toUpperCase());
  await client.retrieveMany(["b", "d"]);
  const requests = (await client.stats()).server!.requests!;
  const found = await client.retrieveMany(["a", "b", "none", "c", "d", "b"]);
  assertEquals([...found], [["a", "A"], ["b", "B"], ["c", "C"], ["d", "D"]]);
  const again = await client.retrieveMany(["d", "c"]);
  assertEquals([...again], [["d", "D"], ["c", "C"]]);
  const { hits, misses, near, server: of } = await client.stats();
  assertEquals([hits, misses, near!.hits, of!.requests! - requests], [8, 1, 4, 2]);
});

Deno.test("an undefined value is a near hit", async () => {
  await using server = await startedServer();
  await using client = nearClient(server.address!);
  await client.store("k", undefined);
  assertEquals(await reads(client, "k", "k", "none", "none"), [[undefined, undefined, undefined, undefined], 1]);
});

Deno.test("retrieveOrStore takes what is near, also undefined and null, and counts it once", async () => {
  for (const value of [undefined, null, 0, "text"]) {
    await using server = await startedServer();
    await using client = nearClient(server.address!);
    await client.store("k", value);
    await client.retrieve("k");
    assertEquals(await client.retrieveOrStore<unknown>("k", () => "never"), value);
    const { hits, near } = await client.stats();
    assertEquals([hits, near!.hits, server.stats().hits], [2, 1, 1]);
  }
});

Deno.test("with copies every reader has a value of its own", async () => {
  await using server = await startedServer();
  await using client = nearClient(server.address!, { copies: true });
  await client.store("k", { list: [1] });
  for (let i = 0; i < 3; i++) {
    const value = await client.retrieve<{ list: number[] }>("k");
    assertEquals(value, { list: [1] });
    value!.list.push(2);
  }
});

Deno.test("where the network hangs, a near copy is used no longer than maxStaleMs after the last proof, and then a read asks", async () => {
  await using server = await startedServer();
  await using other = clientOf(server);
  await using proxy = new TcpProxy(portOf(server.address!));
  await using client = nearClient(proxy.address, { maxStaleMs: 100 });
  await other.store("k", "older");
  await client.retrieve("k");
  const provenMs = performance.now(); // nothing is proven as of a later time
  proxy.hold();
  await other.store("k", "newer");
  let asked: Promise<unknown> | undefined;
  await until("a read asks the server", async () => {
    const nowMs = performance.now();
    const read = client.retrieve("k");
    const value = await Promise.race([read, turnAfter()]);
    if (value === LATER) asked = read;
    else assert(value === "older" && nowMs - provenMs <= 100, `${value} after ${nowMs - provenMs} ms`);
    return asked !== undefined;
  });
  proxy.heal();
  assertEquals(await asked, "newer");
  assertEquals((await client.stats()).near!.fenced >= 1, true);
});

const LATER = Symbol("later");

/** Resolves when a value that is there has had its turn. */
async function turnAfter(): Promise<typeof LATER> {
  for (let i = 0; i < 5; i++) await undefined;
  return LATER;
}

Deno.test("after a lost connection there are no near copies, and another server's writes are seen", async () => {
  await using one = await startedServer();
  await using two = await startedServer();
  await using proxy = new TcpProxy(portOf(one.address!));
  await using client = new OrmucoCacheClient({
    servers: [proxy.address, two.address!],
    timeoutMs: PATIENT_MS,
    near: { maxStaleMs: 60_000 },
    onError: () => {},
  });
  await one.cache.store("k", "of one");
  await two.cache.store("k", "of two");
  assertEquals(await reads(client, "k", "k"), [["of one", "of one"], 1]);
  proxy.cut();
  await until("the other server answers", async () => (await client.stats()).connectedTo === two.address);
  assertEquals(await reads(client, "k", "k"), [["of two", "of two"], 1]);
});

Deno.test("a server that stops takes the near copies with it", async () => {
  const one = await startedServer();
  await using two = await startedServer();
  await using client = new OrmucoCacheClient({ servers: [one.address!, two.address!], near: { maxStaleMs: 60_000 } });
  await one.cache.store("k", "of one");
  await two.cache.store("k", "of two");
  assertEquals(await reads(client, "k", "k"), [["of one", "of one"], 1]);
  await one.stop();
  assertEquals(await reads(client, "k", "k"), [["of two", "of two"], 1]);
});

Deno.test("near hits tell the server of uses, so that an entry which hits renew does not expire behind its copy", async () => {
  await using server = await startedServer();
  await using client = nearClient(server.address!);
  await client.store("k", "v", { ttlMs: 3000 });
  await client.retrieve("k");
  const { hits } = (await client.stats()).server!;
  let nearReads = 0;
  await until("the server has heard of a use", async () => {
    assertEquals(await client.retrieve("k"), "v");
    nearReads++;
    return (await client.stats()).server!.hits! > hits!;
  });
  assertEquals((await client.stats()).near!.hits, nearReads);
});

Deno.test("an entry with a fixed time to live expires, however often it is a near hit", async () => {
  await using server = await startedServer();
  await using client = nearClient(server.address!);
  await client.store("k", "v", { ttlMs: 200, renewOnHit: false });
  await until("it is gone", async () => await client.retrieve("k") === undefined);
});

Deno.test("near copies are kept by a client that has to prove itself", async () => {
  await using server = await startedServer({ authToken: "secret-of-all" });
  await using client = new OrmucoCacheClient({ servers: [server.address!], authToken: "secret-of-all", near: true });
  await client.store("k", 1);
  assertEquals(await reads(client, "k", "k"), [[1, 1], 1]);
});

Deno.test("maxStaleMs 0 keeps no copies, and a client without the option shows nothing of them", async () => {
  await using server = await startedServer();
  await using none = nearClient(server.address!, { maxStaleMs: 0 });
  await using plain = clientOf(server);
  await none.store("k", 1);
  assertEquals(await reads(none, "k", "k"), [[1, 1], 0]);
  assertEquals(await nearOf(none), { hits: 0, entries: 0, isOn: false });
  await plain.retrieve("k");
  assertEquals(Object.hasOwn(await plain.stats(), "near"), false);
});

Deno.test("a debugger shows near copies of a client that keeps them", async () => {
  await using server = await startedServer();
  await using client = nearClient(server.address!, true);
  await client.store("k", 1);
  await client.retrieve("k");
  await client.retrieve("k");
  assertStringIncludes(Deno.inspect(client), "near: { hits: 1, fenced: 0, invalidations: 0, entries: 1, isOn: true }");
});

Deno.test("misuse is refused with near copies as without", async () => {
  await using server = await startedServer();
  await using client = nearClient(server.address!, true);
  for (const key of ["", undefined, 5, null]) {
    const error = await client.retrieve(key as string).catch((error: unknown) => error);
    assert(error instanceof RangeError, `${key}`);
    const many = await client.retrieveMany([key as string]).catch((error: unknown) => error);
    assert(many instanceof RangeError, `${key}`);
    const stored = await client.store(key as string, 1).catch((error: unknown) => error);
    assert(stored instanceof RangeError, `${key}`);
  }
  await client.store("k", 1);
  await client.retrieve("k");
  assert(await client.store("k", () => {}).catch((error: unknown) => error) instanceof TypeError);
  assertEquals(await client.retrieve("k"), undefined, "what is refused leaves no older value");
});
