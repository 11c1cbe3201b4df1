/** `stats conns` of a whole server. */

import { assertEquals, assertMatch } from "@std/assert";
import { writeAll } from "../../lib/platform/socket.ts";
import type { OrmucoCacheServer } from "../../server.ts";
import { startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const utf8 = new TextEncoder();
const buffer = new Uint8Array(64 * 1024);

async function ask(socket: Deno.Conn, text: string, end: string): Promise<string> {
  await writeAll(socket, utf8.encode(text));
  let reply = "";
  while (!reply.endsWith(end)) {
    const count = await socket.read(buffer);
    if (count === null) throw new Error(`the server hung up after ${reply}`);
    reply += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return reply;
}

/** What is told of each socket, by its number. */
async function conns(socket: Deno.Conn): Promise<Record<string, string>[]> {
  const told: Record<string, string>[] = [];
  const reply = await ask(socket, "stats conns\r\n", "END\r\n");
  for (const [, number, name, value] of reply.matchAll(/^STAT (\d+):(\w+) (.*)\r$/gm)) {
    (told[Number(number) - 1] ??= {})[name] = value;
  }
  return told;
}

/** What is told of a client that waits, one that sends a value and one that asks, over one kind of socket. */
async function assertShown(server: OrmucoCacheServer, connect: () => Promise<Deno.Conn>, listens: string, is: RegExp) {
  using asking = await connect();
  using waiting = await connect();
  using sending = await connect();
  for (const client of [waiting, sending]) await ask(client, "mn\r\n", "MN\r\n");
  await writeAll(sending, utf8.encode("set k 0 0 6\r\nabc"));
  await until("the value is waited for", async () => (await conns(asking)).some(({ state }) => state === "conn_nread"));
  await until(
    "a second has passed",
    async () => (await conns(asking)).some((conn) => Number(conn.secs_since_last_cmd) >= 1),
  );
  const [listening, ...clients] = await conns(asking);
  assertEquals(listening, { addr: listens, state: "conn_listening" });
  const byState = (state: string) => clients.filter((conn) => conn.state === state);
  assertEquals(["conn_parse_cmd", "conn_read", "conn_nread"].map((state) => byState(state).length), [1, 1, 1]);
  for (const { addr, listen_addr, secs_since_last_cmd } of clients) {
    assertMatch(addr, is);
    assertEquals(listen_addr, listens);
    assertMatch(secs_since_last_cmd, /^\d+$/);
  }
  assertEquals(byState("conn_parse_cmd")[0].secs_since_last_cmd, "0");
  assertEquals(server.stats().connections, 3);
}

Deno.test("stats conns tells of clients over IPv4 as memcached does", async () => {
  await using server = await startedServer({ listen: "127.0.0.1:0" });
  const port = Number(server.address!.split(":")[1]);
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port });
  await assertShown(server, connect, `tcp:127.0.0.1:${port}`, /^tcp:127\.0\.0\.1:\d+$/);
});

Deno.test("stats conns tells of clients over IPv6 as memcached does", async () => {
  await using server = await startedServer({ listen: "[::1]:0" });
  const port = Number(server.address!.split("]:")[1]);
  const connect = () => Deno.connect({ hostname: "::1", port });
  await assertShown(server, connect, `tcp6:[::1]:${port}`, /^tcp6:\[::1\]:\d+$/);
});

Deno.test("stats conns tells of clients of a unix socket as memcached does", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/socket`;
    await using server = await startedServer({ listen: `unix:${path}` });
    const connect = () => Deno.connect({ transport: "unix", path });
    await assertShown(server, connect, `unix:${path}`, /^unix:\/.*\/socket$/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
