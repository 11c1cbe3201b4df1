/** A client with servers that are not there, refuse, stop, stay silent or send what they should not. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { OrmucoCacheClient } from "../../mod.ts";
import { MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { writeSet } from "../../lib/wire/calls.ts";
import { REPLY } from "../../lib/wire/frame.ts";
import { FLAGS } from "../../lib/wire/values.ts";
import { ATTACKS } from "../support/costly_values.ts";
import { type Answer, FakeServer } from "../support/fake_server.ts";
import { greetingAnd, NativeSocket } from "../support/native_socket.ts";
import { freeAddress } from "../support/ports.ts";
import { clientOf, reportingClient, startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

/** For calls that must time out. */
const HASTY_MS = 50;

Deno.test("OrmucoCacheClient's first call reaches the next server when the first cannot be reached", async () => {
  await using server = await startedServer();
  await using silent = new FakeServer(() => {}, { greets: false });
  for (const first of [freeAddress(), silent.address]) {
    const { client, errors } = reportingClient([first, server.address!], { timeoutMs: 1000 });
    await using cache = client;
    assertEquals([await cache.store("k", 1), await cache.retrieve("k")], [true, 1]);
    assertEquals(errors.length, 1, "the failure of the first is told");
    assertEquals((await cache.stats()).failures, {
      unreachable: 0,
      timeout: 0,
      refused: 0,
      protocol: 0,
      busy: 0,
      compute: 0,
    });
  }
});

Deno.test("OrmucoCacheClient says which key a refusal concerns, and what the limit is", async () => {
  await using server = await startedServer({ maxBytes: 64 * 1024 });
  const { client, errors } = reportingClient([server.address!]);
  await using cache = client;
  assertEquals(await cache.store("page", new Uint8Array(65_536)), false);
  assertMatch(
    errors[0].message,
    /^Cannot store "page": the server refused \(too-large\): .* \d+ bytes of at most \d+$/,
  );
});

Deno.test("OrmucoCacheClient counts a value larger than a server takes as not stored", async () => {
  await using server = await startedServer();
  const { client, errors } = reportingClient([server.address!]);
  await using cache = client;
  assertEquals(await cache.store("k", new Uint8Array(MAX_VALUE_BYTES + 5000)), false);
  assertEquals(await cache.store("k", new Uint8Array(MAX_VALUE_BYTES + 1)), false);
  assertEquals(errors.map(({ code }) => code), ["refused", "refused"]);
  assertEquals(await cache.store("k", new Uint8Array(MAX_VALUE_BYTES)), true);
  assertEquals((await cache.retrieve<Uint8Array>("k"))!.length, MAX_VALUE_BYTES);
});

Deno.test("OrmucoCacheClient makes a miss of a server that is not there, tells once, and then fails at once", async () => {
  const { client, errors } = reportingClient([freeAddress()]);
  await using cache = client;
  const results = await Promise.all([cache.retrieve("k"), cache.store("k", 1), cache.has("k"), cache.clear()]);
  assertEquals(results, [undefined, false, false, false]);
  assertEquals(await cache.retrieve("k"), undefined);
  assertEquals((await cache.retrieveMany(["k"])).size, 0);
  assertEquals(errors.map(({ code }) => code).slice(0, 1), ["unreachable"]);
  assertStringIncludes(errors[0].message, "Cannot use server 127.0.0.1:");
  assert((await cache.stats()).failures.unreachable >= 6);
});

Deno.test("OrmucoCacheClient makes a miss of a server that accepts and says nothing", async () => {
  await using server = new FakeServer(() => {}, { greets: false });
  const { client, errors } = reportingClient([server.address], { timeoutMs: HASTY_MS });
  await using cache = client;
  assertEquals([await cache.retrieve("k"), await cache.store("k", 1)], [undefined, false]);
  assertEquals(errors[0].code, "timeout");
});

Deno.test("OrmucoCacheClient makes a miss of a server that greets and then says nothing, and drops it", async () => {
  await using server: FakeServer = new FakeServer((_code, output) => {
    if (server.connections >= 2) output.empty(REPLY.miss);
  });
  const { client, errors } = reportingClient([server.address], { timeoutMs: HASTY_MS });
  await using cache = client;
  assertEquals(await Promise.all([cache.retrieve("k"), cache.store("k", 1)]), [undefined, false]);
  assertEquals(errors[0].code, "timeout");
  await until("it has connected again", async () => {
    await cache.has("k");
    return server.connections >= 2;
  });
  const before = errors.length;
  assertEquals([await cache.has("k"), errors.length], [false, before], "the new connection works");
});

Deno.test("OrmucoCacheClient.retrieveMany() makes a miss of one value that cannot be read, and finds the others", async () => {
  await using server = await startedServer();
  const { client, errors } = reportingClient([server.address!]);
  await using cache = client;
  await cache.store("good", 1);
  const [flags, value] = [0x4f430002, "{not JSON"];
  using socket = await NativeSocket.to(server);
  await socket.write(greetingAnd((output) => writeSet(output, "bad", { flags, payload: value }, undefined)));
  await until("the bad one is there", () => cache.has("bad"));
  assertEquals(await cache.retrieveMany(["bad", "good"]), new Map([["good", 1]]));
  assertMatch(errors[0].message, /^Cannot retrieve "bad": Cannot decode value/);
});

Deno.test("OrmucoCacheClient is not disturbed by an onError that rejects, or calls it again", async () => {
  const cache: OrmucoCacheClient = new OrmucoCacheClient({
    servers: [freeAddress()],
    onError: async () => {
      await cache.retrieve("again");
      await cache.close();
      throw new Error("mine");
    },
  });
  assertEquals(await cache.retrieve("k"), undefined);
  await cache.close();
});

Deno.test("OrmucoCacheClient drops a server that trickles", async () => {
  // One byte of a reply for each request, never a whole one.
  await using server = new FakeServer((_code, output) => output.uint8(0));
  const { client, errors } = reportingClient([server.address], { timeoutMs: HASTY_MS });
  await using cache = client;
  await until("it has connected again", async () => {
    await cache.retrieve("k");
    return server.connections > 1;
  });
  assert(errors.every(({ code }) => code === "timeout" || code === "unreachable" || code === "protocol"));
});

const HOSTILE: [string, Answer][] = [
  ["rubbish", (_code, output) => output.bytes(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"))],
  ["a length out of bounds", (_code, output) => output.bytes(new Uint8Array(8).fill(0xff))],
  ["a reply that does not fit", (_code, output) => output.empty(REPLY.ok)],
  ["an unknown reply", (_code, output) => output.empty(0x8a)],
  ["a VALUE without flags", (_code, output) => output.empty(REPLY.value)],
  ["more replies than requests", (_code, output) => (output.empty(REPLY.miss), output.empty(REPLY.miss))],
  ["control data that is none", (_code, output) => {
    output.begin(REPLY.refused);
    output.bytes(new Uint8Array([0xc1]));
    output.end();
  }],
  ["control data nested without end", (_code, output) => {
    output.begin(REPLY.refused);
    output.bytes(new Uint8Array(1_000_000).fill(0x91));
    output.end();
  }],
  ["the end of the connection", (_code, _output, hangUp) => hangUp()],
];

for (const [what, answer] of HOSTILE) {
  Deno.test(`OrmucoCacheClient makes a miss of a server that sends ${what}, and fails over`, async () => {
    await using hostile = new FakeServer(answer);
    await using good = await startedServer();
    await using direct = clientOf(good);
    await direct.store("k", "v");
    const { client, errors } = reportingClient([hostile.address, good.address!]);
    await using cache = client;
    await cache.retrieve("k"); // a miss, but for a second reply too many: that shows only afterwards
    await until("the good one answers", async () => await cache.retrieve("k") === "v");
    assert(errors.length >= 1);
    assertEquals((await cache.stats()).connectedTo, good.address);
  });
}

Deno.test("OrmucoCacheClient makes a miss of a server that is none of ours", async () => {
  await using server = new FakeServer((_code, output) => output.bytes(new Uint8Array(2000).fill(0x20)), {
    greets: false,
  });
  const { client, errors } = reportingClient([server.address]);
  await using cache = client;
  assertEquals(await cache.retrieve("k"), undefined);
  assertEquals(errors.map(({ code }) => code), ["protocol"]);
});

Deno.test("OrmucoCacheClient makes a miss of a value that cannot be read, and keeps the connection", async () => {
  await using server = new FakeServer((_code, output) => {
    output.begin(REPLY.value);
    output.uint32(0x4f430002);
    output.text("{not JSON");
    output.end();
  });
  const { client, errors } = reportingClient([server.address]);
  await using cache = client;
  assertEquals(await Promise.all([cache.retrieve("a"), cache.retrieve("b")]), [undefined, undefined]);
  assertEquals(errors.map(({ code }) => code), ["protocol", "protocol"]);
  assertEquals([await cache.retrieve("c"), errors.length, server.connections], [undefined, 3, 1]);
});

Deno.test("OrmucoCacheClient uses the next server when one stops, and comes back when that one does", async () => {
  const [first, second] = [await startedServer(), await startedServer()];
  const addresses = [first.address!, second.address!];
  const { client } = reportingClient(addresses);
  await using cache = client;
  await cache.store("k", 1);
  assertEquals((await cache.stats()).connectedTo, addresses[0]);
  await first.stop();
  await until("it stores again", async () => await cache.store("k", 2));
  assertEquals((await cache.stats()).connectedTo, addresses[1]);
  const again = await startedServer({ listen: addresses[0] });
  await second.stop();
  await until("it stores again", async () => await cache.store("k", 3));
  assertEquals((await cache.stats()).connectedTo, addresses[0]);
  await again.stop();
});

Deno.test("OrmucoCacheClient finds a server again that was restarted", async () => {
  let server = await startedServer();
  const listen = server.address!;
  await using cache = clientOf(listen);
  await cache.store("k", 1);
  await server.stop();
  assertEquals(await cache.store("k", 2), false);
  server = await startedServer({ listen });
  await until("it stores again", async () => await cache.store("k", 3));
  assertEquals(await cache.retrieve("k"), 3);
  await server.stop();
});

Deno.test("OrmucoCacheClient fails calls at once when too much waits", async () => {
  await using server = new FakeServer(() => {});
  const { client, errors } = reportingClient([server.address], { timeoutMs: 1000 });
  await using cache = client;
  const chunk = new Uint8Array(15_000_000);
  const stores = Array.from({ length: 8 }, (_, i) => cache.store(`key:${i}`, chunk));
  await Promise.all(stores);
  assert(errors.some(({ code }) => code === "busy"), errors.map(({ code }) => code).join());
});

Deno.test("OrmucoCacheClient is not disturbed by an onError that throws", async () => {
  await using cache = new OrmucoCacheClient({
    servers: [freeAddress()],
    onError: () => {
      throw new Error("mine");
    },
  });
  assertEquals(await cache.retrieve("k"), undefined);
});

Deno.test("OrmucoCacheClient goes on after a first call whose value was too large to send", async () => {
  await using server = await startedServer();
  const { client, errors } = reportingClient([server.address!], { timeoutMs: 5000 });
  assertEquals(await client.store("key", new Uint8Array(MAX_VALUE_BYTES + 65_536)), false);
  await until("the connection is made, with nothing to write", () => server.stats().connections === 1);
  assertEquals([await client.store("key", 1), await client.retrieve("key")], [true, 1]);
  assertEquals(errors.map(({ code }) => code), ["refused"]);
  await client.close();
});

Deno.test("OrmucoCacheClients that are many in one process fill a server, and the others fail without asking it", async () => {
  const [places, count, atOnce] = [60, 300, 32];
  await using server = await startedServer({ maxConnections: places, maxSize: count });
  const all = Array.from({ length: count }, () => reportingClient([server.address!]));
  const stored = await Promise.all(all.map(({ client }, i) => client.store(`key ${i}`, i)));
  const sum = stored.filter((isStored) => isStored).length;
  assert(sum > places - atOnce && sum <= places, `${sum} are stored`);
  const failed = all.filter((_, i) => !stored[i]);
  for (const { errors } of failed) assertEquals(errors.map(({ code }) => code), ["unreachable"]);
  const { connectionsAccepted } = server.stats();
  assert(connectionsAccepted <= places + atOnce, `${connectionsAccepted} have tried`);
  await Promise.all(all.map(({ client }) => client.close()));
});

Deno.test("OrmucoCacheClients that wait to connect are not disturbed by one that is closed", async () => {
  await using server = await startedServer({ maxConnections: 200 });
  const all = Array.from({ length: 100 }, () => clientOf(server));
  const stored = all.map((client, i) => client.store(`key ${i}`, i));
  const closed = [0, 50].map((i) => all[i].close());
  await Promise.all([...stored, ...closed]);
  assertEquals((await Promise.all(stored)).filter((isStored) => isStored).length, 100, "a close waits for calls");
  await Promise.all(all.map((client) => client.close()));
});

Deno.test("OrmucoCacheClient lets the event loop go on while it reads many values that take long", async () => {
  await using server = await startedServer({ maxBytes: 64 * 1024 * 1024 });
  let turns = 0;
  const turnsAt: number[] = [];
  await using cache = new OrmucoCacheClient({
    servers: [server.address!],
    timeoutMs: 60_000,
    onError: () => turnsAt.push(turns),
  });
  // Objects with keys of their own; each value turns out to be no JSON at its end.
  const { bytes } = ATTACKS["JSON: objects of 100 keys of their own"](16_000);
  const value = { flags: FLAGS.json, payload: bytes.subarray(0, bytes.length - 1) };
  const keys = Array.from({ length: 300 }, (_, i) => `costly:${i}`);
  using socket = await NativeSocket.to(server);
  await socket.write(greetingAnd((output) => keys.forEach((key) => writeSet(output, key, value, undefined))));
  for (let replies = 0; replies <= keys.length; replies++) await socket.next();
  await cache.store("fine", 1);
  const timer = setInterval(() => turns++, 0);
  assertEquals(await cache.retrieveMany([...keys, "fine"]), new Map([["fine", 1]]));
  clearInterval(timer);
  assertEquals(turnsAt.length, keys.length);
  assert(turnsAt.at(-1)! > turnsAt[0], "all were read in one turn");
});
