/** Counters of memcached's clients as every kind of cache gives them: numbers, while bytes that our clients store stay bytes. */

import { assertEquals } from "@std/assert";
import { OrmucoCacheClient } from "../../mod.ts";
import { portOf } from "../support/ports.ts";
import { assertSame } from "../support/same_value.ts";
import { clientOf, reportingClient, startedServer } from "../support/servers.ts";
import { exchange } from "../support/text_socket.ts";

const DIGITS = new TextEncoder().encode("42");
const LARGE = 2n ** 64n - 1n;

Deno.test("what a memcached client has stored as digits with flags 0 is a number or bigint, near and on the server too", async () => {
  await using server = await startedServer({ near: true });
  await using remote = clientOf(server);
  const nears = [
    reportingClient([server.address!], { near: true }),
    reportingClient([server.address!], {
      near: { copies: true },
    }),
  ];
  const port = portOf(server.address!);
  const said = await exchange(
    port,
    `set small 0 0 2\r\n41\r\nincr small 1\r\nset large 0 0 20\r\n${LARGE}\r\nset flags 5 0 2\r\n42\r\n`,
    (reply) => reply.split("\r\n").length === 5,
  );
  assertEquals(said, "STORED\r\n42\r\nSTORED\r\nSTORED\r\n");
  for (const cache of [remote, ...nears.map(({ client }) => client), server.cache]) {
    for (let i = 0; i < 2; i++) { // the second time from near copies, where there are any
      assertEquals([await cache.retrieve("small"), await cache.retrieve("large")], [42, LARGE]);
      assertEquals(await cache.retrieveOrStore("small", () => 0), 42);
      const many = await cache.retrieveMany(["small", "large", "flags"]);
      assertSame(many, new Map<string, unknown>([["small", 42], ["large", LARGE], ["flags", DIGITS]]));
    }
  }
  for (const { client, errors } of nears) {
    assertEquals([errors, await client.close()], [[], undefined]);
  }
});

Deno.test("bytes that are digits come back as bytes from every kind of cache", async () => {
  await using server = await startedServer({ near: { copies: true } });
  await using remote = clientOf(server);
  await using near = reportingClient([server.address!], { near: { copies: true } }).client;
  await using copies = new OrmucoCacheClient({ copies: true });
  for (const cache of [remote, near, copies, server.cache]) {
    await cache.store("k", DIGITS);
    for (let i = 0; i < 2; i++) assertSame(await cache.retrieve("k"), DIGITS);
    assertSame(await cache.retrieveOrStore("computed", () => DIGITS), DIGITS);
    assertSame(await cache.retrieveOrStore("computed", () => 0), DIGITS);
  }
});
