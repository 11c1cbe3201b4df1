/** Clients with a codec of their own, and with compression, in every way in which they store and retrieve. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { CacheError, type ClientOptions, type OrmucoCache, type ValueCodec } from "../../mod.ts";
import { portOf } from "../support/ports.ts";
import { clientOf, reportingClient, startedServer } from "../support/servers.ts";
import { exchange } from "../support/text_socket.ts";
import { until } from "../support/waiting.ts";

class Point {
  constructor(readonly x: number) {}
}

const utf8 = new TextEncoder();

/** Writes points, and refuses others: by an error of a kind that a cache knows well. */
class PointCodec implements ValueCodec {
  fails = false;
  encode(value: unknown): Uint8Array {
    if (value instanceof Point) return utf8.encode(`point ${value.x}${" ".repeat(100)}`);
    throw new CacheError("refused", "no point");
  }
  decode(bytes: Uint8Array): unknown {
    if (this.fails) throw new RangeError("out of order");
    return new Point(Number(new TextDecoder().decode(bytes).slice(6)));
  }
}

const OPTIONS: ClientOptions[] = [{}, { compressOverBytes: 20 }, { near: true }, { near: { copies: true } }];

/** Each kind of client with a codec, and what its codec is. */
async function withClients(
  use: (client: OrmucoCache, codec: PointCodec, errors: CacheError[], options: ClientOptions) => Promise<void>,
): Promise<void> {
  for (const options of [...OPTIONS, { copies: true }, { copies: true, compressOverBytes: 20 }]) {
    await using server = await startedServer();
    const codec = new PointCodec();
    const { client, errors } = reportingClient(options.copies ? [] : [server.address!], { ...options, codec });
    await using _client = client;
    await use(client, codec, errors, options);
  }
}

/** That a value is a point. */
function assertPoint(value: unknown, x: number): void {
  assert(value instanceof Point, Deno.inspect(value));
  assertStrictEquals(value.x, x);
}

Deno.test("a client with a codec stores and retrieves what that makes of values, by all of its methods", async () => {
  await withClients(async (client, _codec, errors, { near }) => {
    assertEquals(await client.store("a", new Point(1)), true);
    for (let i = 0; i < 2; i++) { // the second time from near copies, where there are any
      assertPoint(await client.retrieve("a"), 1);
      assertPoint(await client.retrieveOrStore("b", () => new Point(2)), 2);
      const many = await client.retrieveMany(["a", "b", "c"]);
      assertEquals([...many.keys()], ["a", "b"]);
      assertPoint(many.get("a"), 1);
    }
    assertEquals(errors, []);
    const isShared = await client.retrieve("a") === await client.retrieve("a");
    assertEquals(isShared, near === true);
    if (near !== undefined) assert((await client.stats()).near!.hits > 0);
  });
});

Deno.test("increment() takes digits that a codec has made for a number, which goes through it no more, and nothing else", async () => {
  const codec: ValueCodec = { encode: (value) => utf8.encode(String(value)), decode: (bytes) => [...bytes] };
  await using server = await startedServer();
  for (const servers of [[server.address!], []]) {
    const { client } = reportingClient(servers, { codec, copies: servers.length === 0 || undefined });
    await using _client = client;
    await client.storeMany([["digits", 41], ["others", "a1"]]);
    assertEquals(await client.retrieve("digits"), [0x34, 0x31]);
    assertEquals([await client.increment("digits"), await client.retrieve("digits")], [42, 42]);
    assertStrictEquals((await assertRejects(() => client.increment("others"), CacheError)).code, "refused");
    assertEquals(await client.retrieve("others"), [0x61, 0x31]);
  }
});

Deno.test("take() removes what it cannot read, too, and tells of it", async () => {
  await using server = await startedServer();
  const { client: writer } = reportingClient([server.address!], { codec: new PointCodec() });
  await using _writer = writer;
  await writer.store("k", new Point(1));
  const { client, errors } = reportingClient([server.address!]);
  await using _client = client;
  assertEquals([await client.take("k"), await writer.has("k")], [undefined, false]);
  assertEquals(errors.map(({ code }) => code), ["protocol"]);
});

Deno.test("store() and retrieveOrStore() reject with what a codec throws, of whatever kind, and store() leaves no older value", async () => {
  await withClients(async (client, _codec, errors) => {
    await client.store("k", new Point(1));
    assertEquals((await assertRejects(() => client.store("k", 5), CacheError)).message, "no point");
    assertEquals(await client.has("k"), false);
    assertEquals((await assertRejects(() => client.retrieveOrStore("k", () => 5), CacheError)).message, "no point");
    assertPoint(await client.retrieveOrStore("k", () => new Point(3)), 3);
    assertEquals(errors, []);
  });
});

Deno.test("a value that a codec cannot decode is a miss and a failure that onError is told of, and computed anew", async () => {
  await withClients(async (client, codec, errors) => {
    await client.store("k", new Point(1));
    codec.fails = true;
    assertEquals(await client.retrieve("k"), undefined);
    assertEquals((await client.retrieveMany(["k"])).size, 0);
    const { failures, misses, hits } = await client.stats();
    assertEquals([failures.protocol, misses, hits], [2, 2, 0]);
    assertEquals(errors.map(({ code, message }) => [code, message]), [
      ["protocol", 'Cannot retrieve "k": Cannot decode value: out of order'],
      ["protocol", 'Cannot retrieve "k": Cannot decode value: out of order'],
    ]);
    assertPoint(await client.retrieveOrStore("k", () => new Point(2)), 2);
    codec.fails = false;
    assertPoint(await client.retrieve("k"), 2);
  });
});

Deno.test("a near copy that a codec does not make again is asked for", async () => {
  await using server = await startedServer();
  const codec = new PointCodec();
  const { client, errors } = reportingClient([server.address!], { codec, near: { copies: true, maxStaleMs: 60_000 } });
  await using _client = client;
  await client.store("k", new Point(1));
  assertPoint(await client.retrieve("k"), 1);
  assertEquals((await client.stats()).near!.entries, 1);
  codec.fails = true;
  assertEquals(await client.retrieve("k"), undefined);
  const { entries, hits } = (await client.stats()).near!;
  assertEquals([entries, hits, errors.length], [0, 0, 1]);
});

Deno.test("who has no codec has a miss of what was stored with one; memcached's clients have its bytes, and flags of its own", async () => {
  await using server = await startedServer();
  const { client: plain, errors } = reportingClient([server.address!]);
  await using _plain = plain;
  await using client = reportingClient([server.address!], { codec: new PointCodec() }).client;
  await client.store("k", new Point(1));
  assertEquals([await plain.retrieve("k"), await server.cache.retrieve("k")], [undefined, undefined]);
  assertEquals((await server.cache.stats()).failures.protocol, 1);
  assertEquals(errors.map(({ message }) => message), [
    'Cannot retrieve "k": Cannot decode value: it was stored with a codec, and there is none here',
  ]);
  const reply = await exchange(portOf(server.address!), "get k\r\n", (reply) => reply.endsWith("END\r\n"));
  assertEquals(reply, `VALUE k ${0x4f430004} 107\r\npoint 1${" ".repeat(100)}\r\nEND\r\n`);
  await plain.store("k", { plain: true });
  assertEquals(await client.retrieve<unknown>("k"), { plain: true });
});

Deno.test("values that are compressed are smaller on the server, and every kind of cache reads them, near ones by their size", async () => {
  const text = "a".repeat(100_000);
  await using server = await startedServer({ compressOverBytes: 1000, near: true });
  await using client = reportingClient([server.address!], { compressOverBytes: 1000 }).client;
  await using plain = clientOf(server);
  await using near = reportingClient([server.address!], { near: { maxTotalSize: 150_000 } }).client;
  for (const writer of [client, server.cache]) {
    await writer.store("k", text);
    assertStrictEquals(await writer.retrieveOrStore("computed", () => text), text);
    const reply = await exchange(portOf(server.address!), "mg k s f\r\n", (reply) => reply.endsWith("\r\n"));
    assert(/^HD s\d{3} f1329790993\r\n$/.test(reply), reply);
    for (const reader of [client, plain, near, server.cache]) {
      for (const key of ["k", "computed"]) assertStrictEquals(await reader.retrieve(key), text);
    }
    await until("one of two copies is kept", async () => (await near.stats()).near!.entries === 1);
  }
});
