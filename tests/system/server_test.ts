/** A server by its public methods, with clients and raw connections. */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { OrmucoCacheClient, OrmucoCacheServer, type ServerOptions } from "../../mod.ts";
import { writeKeyed } from "../../lib/wire/calls.ts";
import { REPLY, REQUEST, STOPPING } from "../../lib/wire/frame.ts";
import { greetingAnd, NativeSocket } from "../support/native_socket.ts";
import { denoArguments } from "../support/processes.ts";
import { clientOf, madeServer, startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

Deno.test("OrmucoCacheServer gives one client what another stored", async () => {
  await using server = await startedServer();
  await using writer = clientOf(server);
  await using reader = clientOf(server);
  assertEquals(await writer.store("my-key", [1, 2, 3]), true);
  assertEquals(await reader.retrieve("my-key"), [1, 2, 3]);
  assertEquals(await reader.retrieve("other"), undefined);
});

Deno.test("OrmucoCacheServer says what it will do when it starts", async () => {
  const lines: string[] = [];
  await using server = await startedServer({
    log: (line) => lines.push(line),
    maxSize: 5000,
    maxBytes: 1_000_000,
    ttlMs: 90_000,
    peers: ["127.0.0.1:1", "[::1]:99"],
  });
  assertEquals(lines[0], `Server listens on port ${server.address!.split(":")[1]}`);
  const all = lines.join("\n");
  assertStringIncludes(all, "5,000 entries, and 1,000,000 bytes");
  assertStringIncludes(all, "after 90 s without a hit");
  assertStringIncludes(all, "without a token");
  assertStringIncludes(all, "  peers       127.0.0.1:1, [::1]:99");
  assert(!all.includes("Warning"), "loopback needs no warning");
});

Deno.test("OrmucoCacheServer knows this machine by its mapped address too, and does not warn", async () => {
  const lines: string[] = [];
  await using _server = await startedServer({ listen: "[::ffff:127.0.0.1]:0", log: (line) => lines.push(line) });
  assertStringIncludes(lines.join("\n"), "any user of this machine, without a token");
  assert(!lines.join().includes("Warning"), lines.join("\n"));
});

Deno.test("OrmucoCacheServer refuses options out of range, naming them", () => {
  for (
    const [options, words] of [
      [{ listen: "nowhere:99999" }, 'listen must be a port (0 to 65535), "host:port"'],
      [{ listen: -1 }, "received -1"],
      [{ peers: ["a b"] }, 'received "a b"'],
      [{ peers: ["unix:/x"] }, "peers must be"],
      [{ maxSize: 0 }, "maxSize must be"],
      [{ listen: 1.5 }, "received 1.5"],
      [{ maxBytes: 65_535 }, "maxBytes must be 65536 to 17179869184: received 65535"],
      [{ maxBytes: 2 ** 34 + 1 }, "maxBytes must be 65536 to 17179869184"],
      [{ ttlMs: -1 }, "ttlMs must be"],
      [{ gossipIntervalMs: 0 }, "gossipIntervalMs must be"],
      [{ maxConnections: 0 }, "maxConnections must be"],
    ] as [ServerOptions, string][]
  ) {
    assertThrows(() => madeServer(options), RangeError, words);
  }
});

Deno.test("OrmucoCacheServer holds no more than maxSize and maxBytes", async () => {
  await using server = await startedServer({ maxSize: 100, maxBytes: 100_000 });
  await using client = clientOf(server);
  const limits: string[] = [];
  for (const valueBytes of [100, 2000]) {
    for (let i = 0; i < 300; i++) await client.store(`key:${i}`, new Uint8Array(valueBytes).fill(i));
    const { entries, memoryBytes, evictions, stores } = server.stats();
    assert(entries <= 100 && memoryBytes <= 100_000 && evictions >= 200, `${entries} ${memoryBytes} ${evictions}`);
    limits.push(entries === 100 ? "maxSize" : "maxBytes");
    assertEquals(await client.retrieve("key:299"), new Uint8Array(valueBytes).fill(299));
    assertEquals(stores % 300, 0);
  }
  assertEquals(limits, ["maxSize", "maxBytes"]);
});

Deno.test("OrmucoCacheServer lets maxBytes alone decide when maxSize is not given", async () => {
  await using server = await startedServer({ maxBytes: 10_000_000 });
  await using client = clientOf(server);
  await Promise.all(Array.from({ length: 1000 }, (_, i) => client.store(`key:${i}`, i)));
  assertEquals(server.stats().entries, 1000);
});

Deno.test("OrmucoCacheServer.startServer() rejects when started, and when the port is taken", async () => {
  await using server = await startedServer();
  await assertRejects(() => server.startServer(), Error, "started already");
  const second = madeServer({ listen: server.address! });
  await assertRejects(() => second.startServer(), Deno.errors.AddrInUse, `Cannot listen on ${server.address}`);
  assertEquals(second.address, undefined);
});

Deno.test("OrmucoCacheServer starts and stops in the order asked, however close together", async () => {
  const server = madeServer();
  const [first, second] = await Promise.allSettled([server.startServer(), server.startServer()]);
  assertEquals([first.status, second.status], ["fulfilled", "rejected"]);
  await using client = new OrmucoCacheClient({ servers: [server.address!] });
  await client.store("k", 1);
  await Promise.all([server.stop(), server.stop(), server.startServer()]);
  assert(server.address !== undefined && server.stats().connections === 0);
  await Promise.all([server.stop(), server.startServer(), server.stop()]);
  assertEquals(server.address, undefined);
});

Deno.test("OrmucoCacheServer is not disturbed by a log that throws", async () => {
  await using server = await startedServer({
    log: () => {
      throw new Error("mine");
    },
  });
  await using client = clientOf(server);
  assertEquals(await client.store("k", 1), true);
});

Deno.test("OrmucoCacheServer welcomes others at once after connections that were reset before it looked", async () => {
  const lines: string[] = [];
  await using server = await startedServer({ log: (line) => lines.push(line) });
  const said = lines.length;
  const port = server.address!.split(":")[1];
  const resets = `import socket, struct
for i in range(300):
    s = socket.create_connection(("127.0.0.1", ${port}))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()`;
  // Deno cannot reset a connection; where there is no Python, this test makes connections that just close.
  await new Deno.Command("python3", { args: ["-c", resets] }).output().catch(async () => {
    for (let i = 0; i < 300; i++) (await NativeSocket.to(server)).close();
  });
  await using client = clientOf(server);
  assertEquals(await client.store("k", 1), true);
  assertEquals(lines.length, said, "nothing to say about it");
});

Deno.test("OrmucoCacheServer.stop() keeps the entries for the next start", async () => {
  const server = await startedServer();
  {
    await using client = clientOf(server);
    await client.store("k", "v");
  }
  await server.stop();
  assertEquals(server.address, undefined);
  await server.stop(); // has no effect
  await server.startServer();
  await using client = clientOf(server);
  assertEquals(await client.retrieve("k"), "v");
  await server.stop();
});

Deno.test("OrmucoCacheServer.stop() answers what has arrived, says that it stops, and closes", async () => {
  const server = await startedServer();
  using busy = await NativeSocket.to(server);
  using idle = await NativeSocket.to(server);
  await idle.write(greetingAnd());
  await idle.next(); // its greeting: now it waits
  await busy.write(greetingAnd((output) => {
    for (let i = 0; i < 500; i++) writeKeyed(output, REQUEST.get, "missing");
  }));
  const [codes, idleCodes] = await Promise.all([busy.codesUntilClosed(), idle.codesUntilClosed(), server.stop()]);
  assertEquals(codes, [REPLY.data, ...Array(500).fill(REPLY.miss), STOPPING, REPLY.closing]);
  assertEquals(idleCodes, [STOPPING, REPLY.closing]);
});

Deno.test("OrmucoCacheServer closes the connection of a client that sends rubbish, and no other", async () => {
  await using server = await startedServer();
  await using good = clientOf(server);
  await good.store("k", "v");
  // memcached's text protocol, which any letter or byte above chooses, has no last words.
  const rubbish: [Uint8Array, number | undefined][] = [
    [new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"), undefined],
    [new Uint8Array(100_000).fill(0xff), undefined],
    [greetingAnd((output) => output.bytes(new Uint8Array(8).fill(0xee))), REPLY.closing],
    [new Uint8Array(8), REPLY.closing],
  ];
  for (const [bytes, last] of rubbish) {
    using socket = await NativeSocket.to(server);
    await socket.write(bytes);
    assertEquals((await socket.codesUntilClosed()).at(-1), last);
  }
  assertEquals(await good.retrieve("k"), "v");
  assertEquals(server.stats().protocolErrors, rubbish.length);
});

Deno.test("OrmucoCacheServer outlives clients that vanish at any moment", async () => {
  await using server = await startedServer();
  await using good = clientOf(server);
  await good.store("large", new Uint8Array(1_000_000));
  for (let i = 0; i < 50; i++) {
    const socket = await NativeSocket.to(server);
    await socket.write(
      greetingAnd((output) => {
        for (let n = 0; n < 20; n++) writeKeyed(output, REQUEST.get, "large");
      }).subarray(0, greetingAnd().length + 10 + 13 * i),
    );
    if (i % 2 === 0) await socket.socket.read(new Uint8Array(10));
    socket.close();
  }
  assertEquals((await good.retrieve<Uint8Array>("large"))?.length, 1_000_000);
});

Deno.test("OrmucoCacheServer does not let a client that does not read hold up another, or its memory", async () => {
  await using server = await startedServer();
  await using good = clientOf(server);
  await good.store("large", new Uint8Array(1_000_000));
  using stuck = await NativeSocket.to(server);
  await stuck.write(greetingAnd((output) => {
    for (let n = 0; n < 1000; n++) writeKeyed(output, REQUEST.get, "large");
  }));
  for (let i = 0; i < 200; i++) assertEquals(await good.store("k", i), true);
  assert(server.stats().bytesSent < 20_000_000, `${server.stats().bytesSent} bytes sent to one that reads none`);
});

Deno.test("OrmucoCacheServer.stats() counts requests, connections and bytes both ways", async () => {
  await using server = await startedServer();
  {
    using socket = await NativeSocket.to(server);
    await socket.write(greetingAnd((output) => {
      for (let i = 0; i < 10; i++) output.empty(REQUEST.ping);
    }));
    await socket.socket.closeWrite();
    await socket.codesUntilClosed();
  }
  await until("the connection has ended", () => server.stats().connections === 0);
  const { requests, refusals, protocolErrors, connectionsAccepted, connectionsRefused, bytesReceived, bytesSent } =
    server
      .stats();
  assertEquals([requests, refusals, protocolErrors, connectionsAccepted, connectionsRefused], [11, 0, 0, 1, 0]);
  assertEquals(bytesReceived, greetingAnd().length + 10 * 8);
  assert(bytesSent > 10 * 8 + 50 && bytesSent < 10 * 8 + 500, `${bytesSent} bytes sent`);
});

Deno.test("OrmucoCacheServer answers a client that has closed its sending half", async () => {
  await using server = await startedServer();
  using socket = await NativeSocket.to(server);
  await socket.write(greetingAnd((output) => {
    for (let i = 0; i < 3; i++) output.empty(REQUEST.ping);
  }));
  await socket.socket.closeWrite();
  assertEquals(await socket.codesUntilClosed(), [REPLY.data, REPLY.ok, REPLY.ok, REPLY.ok]);
});

Deno.test("OrmucoCacheServer turns away connections beyond maxConnections, saying so", async () => {
  await using server = await startedServer({ maxConnections: 1 });
  await using first = clientOf(server);
  assertEquals(await first.store("k", 1), true);
  const errors: string[] = [];
  await using second = new OrmucoCacheClient({
    servers: [server.address!],
    onError: (error) => errors.push(`${error.code}: ${error.message}`),
  });
  assertEquals(await second.retrieve("k"), undefined);
  assertStringIncludes(errors[0], "unreachable: Cannot use server");
  assertStringIncludes(errors[0], "1 connections at most");
  assertEquals(server.stats().connectionsRefused, 1);
  assertEquals(await first.retrieve("k"), 1);
});

Deno.test({
  name: "OrmucoCacheServer serves a unix socket that only its user may open, and tidies up",
  ignore: Deno.build.os === "windows", // it has no unix sockets
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const path = `${folder}/cache.sock`;
      const server = await startedServer({ listen: `unix:${path}` });
      assertEquals(server.address, `unix:${path}`);
      assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
      const other = new OrmucoCacheServer({ listen: `unix:${path}` });
      await assertRejects(() => other.startServer(), Deno.errors.AddrInUse);
      {
        await using client = clientOf(server);
        assertEquals([await client.store("k", 1), await client.retrieve("k")], [true, 1]);
      }
      await server.stop();
      await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
      // A successor takes the place while the old server still drains a client that does not read.
      const old = await startedServer({ listen: `unix:${path}` });
      using stuck = await Deno.connect({ transport: "unix", path });
      {
        await using client = clientOf(old);
        await client.store("large", new Uint8Array(5_000_000));
      }
      await stuck.write(greetingAnd((output) => {
        for (let i = 0; i < 20; i++) writeKeyed(output, REQUEST.get, "large");
      }));
      const stopped = old.stop();
      await until("its place is free", () => Deno.stat(path).then(() => false, () => true));
      const successor = await startedServer({ listen: `unix:${path}` });
      await stopped;
      assertEquals((await Deno.stat(path)).isSocket, true, "the successor's file stays");
      await successor.stop();
      Deno.listen({ transport: "unix", path }).close(); // leaves its file, as a killed server does
      await server.startServer();
      await server.stop();
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "OrmucoCacheServer accepts again after it ran out of file descriptors",
  ignore: Deno.build.os === "windows", // no ulimit
  fn: async () => {
    const child = new Deno.Command("sh", {
      args: [
        "-c",
        'ulimit -n 60; exec "$@" 2>&1', // warnings are said on standard error
        "sh",
        Deno.execPath(),
        ...denoArguments("cli.ts"),
        "serve",
        "--listen",
        "127.0.0.1:0",
      ],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let out = "";
    const says = async (words: string) => {
      while (!out.includes(words)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`The server has ended: ${out}`);
        out += value;
      }
    };
    await says("  clients");
    const port = Number(/port (\d+)/.exec(out)![1]);
    const sockets: Deno.Conn[] = [];
    for (let i = 0; i < 80; i++) sockets.push(await Deno.connect({ port }));
    await says("Cannot accept a connection");
    for (const socket of sockets) socket.close();
    await using client = new OrmucoCacheClient({ servers: [`127.0.0.1:${port}`], timeoutMs: 10_000 });
    assertEquals([await client.store("k", 1), await client.retrieve("k")], [true, 1]);
    child.kill("SIGTERM");
    await reader.cancel();
    await child.status;
  },
});
