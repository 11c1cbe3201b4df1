/** Limits of encrypted connections: handshakes that do not end, places, and memory. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Authority, hasOpenssl } from "../support/certificates.ts";
import { portOf } from "../support/ports.ts";
import { reportingClient, startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const ignore = !hasOpenssl;
/** The head of a record, and of a handshake's first message, of which the rest does not come. */
const BEGUN = Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3);

async function beginHandshake(port: number): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(BEGUN);
  return conn;
}

Deno.test({
  name: "a client that stops within its handshake is disconnected, and keeps nobody waiting until then",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const lines: string[] = [];
    await using server = await startedServer({ tls: await authority.files(), log: (line) => lines.push(line) });
    const slow = await Promise.all(Array.from({ length: 20 }, () => beginHandshake(portOf(server.address!))));
    await until("all have begun", () => server.stats().connections === 20);
    await using client = reportingClient([server.address!], { tls: { caCerts: [authority.ca] } }).client;
    assertEquals(await client.store("key", 1), true);
    await until("they are disconnected", () => server.stats().tlsFailures === 20);
    assertEquals(await client.retrieve("key"), 1);
    assertStringIncludes(lines.find((line) => line.startsWith("Client")) ?? "", "TLS: no handshake within 5000 ms");
    for (const conn of slow) conn.close();
  },
});

Deno.test({
  name: "a connection has a place from before its handshake, and makes room for others until that is done",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    await using server = await startedServer({ tls: await authority.files(), maxConnections: 1 });
    const slow = await beginHandshake(portOf(server.address!));
    await until("it has its place", () => server.stats().connections === 1);
    const tls = { caCerts: [authority.ca] };
    await using client = reportingClient([server.address!], { tls }).client;
    assertEquals(await client.store("key", 1), true);
    assertEquals([server.stats().connectionsReplaced, server.stats().connections], [1, 1]);
    slow.close();
    const { client: refused, errors } = reportingClient([server.address!], { tls });
    await using other = refused;
    assertEquals(await other.store("key", 2), false);
    assertStringIncludes(errors[0].message, "this server takes 1 connections at most");
    assertEquals(await client.retrieve("key"), 1);
  },
});

Deno.test({
  name: "bytes that a client does not take count as buffers, and are gone with it",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    await using server = await startedServer({ maxBytes: 2 ** 26, tls: await authority.files() });
    await server.cache.store("large", new Uint8Array(8_000_000));
    const socket = await Deno.connect({ hostname: "127.0.0.1", port: portOf(server.address!) });
    const conn = await Deno.startTls(socket, { hostname: "localhost", caCerts: [authority.ca] });
    await conn.write(new TextEncoder().encode("get large\r\n"));
    await until("the reply waits", () => server.stats().bufferBytes > 200_000);
    assert(server.stats().bufferBytes < 1_000_000, `${server.stats().bufferBytes}`);
    conn.close();
    await until("nothing is left", () => server.stats().bufferBytes === 0);
  },
});

Deno.test({
  name: "what is no handshake, though it begins as one, ends its own connection",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    await using server = await startedServer({ tls: await authority.files() });
    const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
    const cases = [[0x16], [0x16, 3, 1, 0, 0], [0x16, 3, 3, 0xff, 0xff], [0x16, 3, 1, 0, 4, 1, 0, 0, 0], [
      0x16,
      0x16,
      0x16,
    ]];
    for (let i = 0; i < 60; i++) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: portOf(server.address!) });
      await conn.write(Uint8Array.of(...cases[i % cases.length], ...random(i * 40)));
      await conn.closeWrite();
      const space = new Uint8Array(1000);
      let count: number | null = 0;
      while (count !== null) count = await conn.read(space).catch(() => null);
      conn.close();
    }
    await until("all have gone", () => server.stats().connections === 0);
    assertEquals([server.stats().tlsHandshakes, server.stats().tlsFailures, server.stats().bufferBytes], [0, 60, 0]);
    await using client = reportingClient([server.address!], { tls: { caCerts: [authority.ca] } }).client;
    assertEquals(await client.store("key", 1), true);
  },
});
