/** A client by its public methods, stand-alone and with a server that does as it should. */

import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { type ClientOptions, OrmucoCacheClient } from "../../mod.ts";
import { REPLY } from "../../lib/wire/frame.ts";
import { FakeServer } from "../support/fake_server.ts";
import { run } from "../support/processes.ts";
import { clientOf, reportingClient, startedServer } from "../support/servers.ts";
import { stillTime } from "../support/still_time.ts";
import { until } from "../support/waiting.ts";

Deno.test("OrmucoCacheClient stand-alone keeps the values themselves", async () => {
  await using cache = new OrmucoCacheClient({});
  const value = { when: new Date(), run: () => 1 };
  assertEquals(await cache.store("k", value), true);
  assert(await cache.retrieve("k") === value);
  assertEquals([await cache.has("k"), await cache.has("other")], [true, false]);
  await cache.store("nothing", undefined);
  assertEquals(
    await cache.retrieveMany(["k", "other", "nothing"]),
    new Map<string, unknown>([["k", value], ["nothing", undefined]]),
  );
  assertEquals([await cache.remove("k"), await cache.remove("k")], [true, false]);
  assertEquals(await cache.clear(), true);
  assertEquals(await cache.has("nothing"), false);
});

Deno.test("OrmucoCacheClient stand-alone holds 128 entries unless told otherwise", async () => {
  for (const [options, expected] of [[{}, 128], [{ maxSize: 5 }, 5]] as [ClientOptions, number][]) {
    await using cache = new OrmucoCacheClient(options);
    for (let i = 0; i < 200; i++) await cache.store(`key:${i}`, i);
    assertEquals((await cache.stats()).entries, expected);
    assertEquals([await cache.retrieve("key:199"), await cache.retrieve("key:0")], [199, undefined]);
  }
});

Deno.test("OrmucoCacheClient stand-alone expires by the call's ttl, else the client's, and renews on hit", async () => {
  using time = stillTime();
  await using cache = new OrmucoCacheClient({ ttlMs: 100 });
  await cache.store("client's", 1);
  await cache.store("own", 2, { ttlMs: 250 });
  await cache.store("never", 3, { ttlMs: 0 });
  time.nowMs += 99;
  assertEquals(await cache.retrieve("client's"), 1);
  time.nowMs += 99;
  assertEquals(await cache.retrieve("client's"), 1);
  time.nowMs += 100;
  assertEquals([await cache.has("client's"), await cache.has("own"), await cache.has("never")], [false, false, true]);
  time.nowMs += 1e12;
  assertEquals(await cache.retrieve("never"), 3);
});

Deno.test("OrmucoCacheClient stand-alone renews no entry by a hit that was stored with renewOnHit false", async () => {
  using time = stillTime();
  await using cache = new OrmucoCacheClient({ ttlMs: 100 });
  await cache.store("fixed", 1, { renewOnHit: false });
  await cache.store("own", 2, { ttlMs: 150, renewOnHit: false });
  await cache.store("renewed", 3, { renewOnHit: true });
  const hits = async () => [...(await cache.retrieveMany(["fixed", "own", "renewed"])).keys()];
  time.nowMs += 99;
  assertEquals(await hits(), ["fixed", "own", "renewed"]);
  time.nowMs += 1;
  assertEquals(await hits(), ["own", "renewed"]);
  time.nowMs += 50;
  assertEquals(await hits(), ["renewed"]);
});

Deno.test("OrmucoCacheClient counts hits, misses and stores", async () => {
  await using server = await startedServer();
  for (const cache of [new OrmucoCacheClient({}), clientOf(server)]) {
    await cache.store("k", 1);
    await cache.retrieve("k");
    await cache.retrieve("other");
    await cache.retrieveMany(["k", "other", "more"]);
    const { hits, misses, stores } = await cache.stats();
    assertEquals([hits, misses, stores], [2, 3, 1]);
    await cache.close();
  }
});

Deno.test("OrmucoCacheClient rejects misuse, and goes on", async () => {
  await using server = await startedServer();
  for (const cache of [new OrmucoCacheClient({}), clientOf(server)]) {
    for (const key of ["", "k".repeat(4097), "é".repeat(2049), "\ud800"]) {
      await assertRejects(() => cache.store(key, 1), RangeError, "1 to 4096 bytes");
      await assertRejects(() => cache.retrieve(key), RangeError, "1 to 4096 bytes");
      await assertRejects(() => cache.retrieveMany(["fine", key]), RangeError, "1 to 4096 bytes");
      await assertRejects(() => cache.has(key), RangeError, "1 to 4096 bytes");
      await assertRejects(() => cache.remove(key), RangeError, "1 to 4096 bytes");
    }
    for (const ttlMs of [-1, NaN, 2 ** 60]) {
      await assertRejects(() => cache.store("k", 1, { ttlMs }), RangeError, "ttlMs");
    }
    for (const key of ["k".repeat(4096), "é".repeat(2048), "0"]) {
      assertEquals([await cache.store(key, key), await cache.retrieve(key)], [true, key]);
    }
    await cache.close();
  }
});

Deno.test("OrmucoCacheClient.store() rejects a promise, stand-alone or not", async () => {
  await using server = await startedServer();
  for (const cache of [new OrmucoCacheClient({}), clientOf(server)]) {
    await assertRejects(() => cache.store("k", Promise.resolve(1)), TypeError, "await it first");
    await cache.close();
  }
});

Deno.test("OrmucoCacheClient refuses options out of range, naming them", () => {
  for (
    const [options, words] of [
      [{ servers: ["a b"] }, 'servers must be "host"'],
      [{ servers: ["a:70000"] }, "port 1 to 65535"],
      [{ servers: ["11142"] }, 'received "11142"'],
      [{ servers: ["a"], timeoutMs: 0 }, "timeoutMs must be"],
      [{ servers: ["a"], timeoutMs: 2 ** 31 }, "timeoutMs must be"],
      [{ ttlMs: -1 }, "ttlMs"],
      [{ maxSize: 1.5 }, "maxSize"],
    ] as [ClientOptions, string][]
  ) {
    assertThrows(() => new OrmucoCacheClient(options), RangeError, words);
  }
});

Deno.test("OrmucoCacheClient with a server stores, retrieves, tells, removes and clears", async () => {
  await using server = await startedServer();
  await using cache = clientOf(server);
  assertEquals(await cache.retrieve("k"), undefined);
  assertEquals(await cache.store("k", { a: [1, undefined, new Map([["x", -0]])] }), true);
  assertEquals(await cache.retrieve("k"), { a: [1, undefined, new Map([["x", -0]])] });
  assertEquals([await cache.has("k"), await cache.has("other")], [true, false]);
  await cache.store("nothing", undefined);
  assertEquals(await cache.retrieveMany(["k2", "nothing"]), new Map([["nothing", undefined]]));
  assertEquals([await cache.remove("k"), await cache.remove("k")], [true, false]);
  assertEquals([await cache.clear(), await cache.has("nothing")], [true, false]);
  assertEquals((await cache.stats()).server!.entries, 0);
});

Deno.test("OrmucoCacheClient matches every reply to its call, however many are in flight", async () => {
  await using server = await startedServer({ maxSize: 10_000 });
  await using cache = clientOf(server);
  const keys = Array.from({ length: 3000 }, (_, i) => `ключ:${i}`);
  const stored = await Promise.all(keys.map((key, i) => cache.store(key, "x".repeat(i % 700) + i)));
  assert(stored.every((ok) => ok));
  const all = await Promise.all(keys.flatMap((key, i) => [cache.retrieve(key), cache.has(`no:${i}`)]));
  assertEquals(all, keys.flatMap((_, i) => ["x".repeat(i % 700) + i, false]));
  const many = await cache.retrieveMany([...keys, "other", keys[0]]);
  assertEquals([...many.keys()], keys);
  assertEquals(many.get(keys[2999]), "x".repeat(2999 % 700) + 2999);
});

Deno.test("OrmucoCacheClient.retrieveMany() asks again for values too large for one reply", async () => {
  await using server = await startedServer();
  await using cache = clientOf(server);
  for (const key of ["a", "b", "c"]) await cache.store(key, new Uint8Array(7_000_000).fill(key.charCodeAt(0)));
  const found = await cache.retrieveMany<Uint8Array>(["a", "b", "c"]);
  assertEquals([...found.values()].map((bytes) => [bytes.length, bytes[6_999_999]]), [
    [7_000_000, 97],
    [7_000_000, 98],
    [7_000_000, 99],
  ]);
});

Deno.test("OrmucoCacheClient writes all calls of one turn at once", async () => {
  await using server = new FakeServer((_code, output) => output.empty(REPLY.miss));
  await using cache = reportingClient([server.address]).client;
  await cache.retrieve("first");
  await Promise.all(Array.from({ length: 100 }, (_, i) => cache.retrieve(`key:${i}`)));
  assertEquals(server.requestsPerRead, [1, 1, 100]);
});

Deno.test("OrmucoCacheClient sends the ttl of the call, else its own, else leaves it to the server", async () => {
  await using server = await startedServer({ ttlMs: 1 });
  await using without = clientOf(server);
  await using withOwn = reportingClient([server.address!], { ttlMs: 3_600_000 }).client;
  await without.store("server's", 1);
  await withOwn.store("client's", 2);
  await without.store("call's", 3, { ttlMs: 0.5 + 3_600_000 });
  await without.store("never", 4, { ttlMs: Infinity });
  const living = async () => [...(await without.retrieveMany(["server's", "client's", "call's", "never"])).keys()];
  await until("one has expired", async () => (await living()).length === 3);
  assertEquals(await living(), ["client's", "call's", "never"]);
});

Deno.test("OrmucoCacheClient matches replies to calls after a key that is no text was refused", async () => {
  await using server = await startedServer();
  await using cache = clientOf(server);
  await cache.store("ada", "Ada's");
  await cache.store("bob", "Bob's");
  for (const key of [undefined, null, 5, ["a"], { length: 3 }, new Uint8Array(3)]) {
    await assertRejects(() => cache.retrieve(key as string), RangeError, "Cannot use key");
    await assertRejects(() => cache.store(key as string, 1), RangeError, "Cannot use key");
    assertEquals(await Promise.all(["x", "ada", "bob"].map((key) => cache.retrieve(key))), [
      undefined,
      "Ada's",
      "Bob's",
    ]);
  }
});

Deno.test("OrmucoCacheClient with a server rejects a value that cannot be sent, naming the path", async () => {
  await using server = await startedServer();
  await using cache = clientOf(server);
  const error = await assertRejects(
    () => cache.store("k", { items: [1, 2, 3, { callback() {} }] }),
    TypeError,
    "data.items[3].callback",
  );
  assertStringIncludes(error.message, "a function");
  assertEquals(await cache.has("k"), false);
});

Deno.test("OrmucoCacheClient passes over pushes", async () => {
  await using server = new FakeServer((_code, output) => {
    output.empty(0xc0);
    output.begin(0xff);
    output.bytes(new Uint8Array(10_000));
    output.end();
    output.empty(REPLY.miss);
  });
  const { client, errors } = reportingClient([server.address]);
  await using cache = client;
  assertEquals([await cache.retrieve("k"), await cache.has("k"), errors.length], [undefined, false, 0]);
});

Deno.test("OrmucoCacheClient.close() waits for all calls, however many", async () => {
  await using server = await startedServer();
  const { client } = reportingClient([server.address!], { timeoutMs: 60_000 });
  await client.store("k", 1);
  const found = Array.from({ length: 100_000 }, () => client.retrieve("k"));
  await client.close();
  assert((await Promise.all(found)).every((value) => value === 1));
});

Deno.test("OrmucoCacheClient.close() waits for calls under way; later ones fail", async () => {
  await using server = await startedServer();
  const { client, errors } = reportingClient([server.address!]);
  const stored = client.store("k", "v");
  await client.close();
  assertEquals(await stored, true);
  assertEquals([await client.retrieve("k"), await client.store("k", 1)], [undefined, false]);
  assertStringIncludes(errors[0].message, "closed");
  await client.close(); // has no effect
});

Deno.test("OrmucoCacheClient needs no permission but the network, and lets the process end without close()", async () => {
  await using server = await startedServer();
  const ended = await run("tests/support/fixtures/store_and_retrieve.ts", [server.address!], {
    permissions: ["--no-prompt", `--allow-net=${server.address}`],
  });
  assertEquals(ended, { status: 0, out: "true [ 1, 2n ]\n", err: "" });
});

Deno.test("OrmucoCacheClient without options reads the environment, and .env below it", async () => {
  await using server = await startedServer();
  const [host, port] = server.address!.split(":");
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/.env`, `SERVER_HOST=${host}\nSERVER_PORT=1\n`);
    const ended = await run("tests/support/fixtures/store_and_retrieve.ts", [], {
      env: { SERVER_PORT: port },
      cwd: folder,
    });
    assertEquals(ended, { status: 0, out: "true [ 1, 2n ]\n", err: "" });
    assertEquals(server.stats().stores, 1);
    const denied = await run("tests/support/fixtures/store_and_retrieve.ts", [], {
      permissions: ["--no-prompt", "--allow-net"],
      cwd: folder,
    });
    assertStringIncludes(
      denied.err,
      "Cannot read settings from .env: run with --allow-read=.env --allow-env=ORMUCO_*,SERVER_HOST,",
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("OrmucoCacheClient without options looks at its own settings in a service that has others of the same names", async () => {
  await using server = await startedServer();
  const folder = await Deno.makeTempDir();
  const service = { SERVER_HOST: "0.0.0.0", SERVER_PORT: "http", PEERS: "::", TLS_CERT: "/cert.pem", HTTP_ON: "8080" };
  const client = (env: Record<string, string>) =>
    run("tests/support/fixtures/store_and_retrieve.ts", [], { env: { ...service, ...env }, cwd: folder });
  try {
    const inEnvironment = await client({ ORMUCO_SERVER_HOST: server.address! });
    assertEquals([inEnvironment.status, inEnvironment.out], [0, "true [ 1, 2n ]\n"]);
    assertEquals(inEnvironment.err.trimEnd().split("\n"), [
      "OrmucoCacheClient: SERVER_PORT, TLS_CERT are passed over, because other settings of this client begin with ORMUCO_",
    ]);
    await Deno.writeTextFile(`${folder}/.env`, `ORMUCO_SERVER_HOST=${server.address}\n`);
    assertEquals((await client({})).out, "true [ 1, 2n ]\n");
    assertEquals(server.stats().stores, 2);
    await Deno.remove(`${folder}/.env`);
    const refused = await client({});
    assertMatch(
      refused.err,
      /ConfigError: Cannot use SERVER_PORT \(environment\): .+: received "http"; if it is the program's own, begin the names of this client's settings with ORMUCO_\n/,
    );
    const own = await client({ ORMUCO_SERVER_PORT: "http", ORMUCO_SERVER_HOST: server.address! });
    assertMatch(own.err, /ConfigError: Cannot use ORMUCO_SERVER_PORT \(environment\): .+: received "http"\n/);
    const alone = await client({ SERVER_HOST: "" });
    assertEquals(alone, { status: 0, out: "true [ 1, 2n ]\n", err: "" });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
