import { assertEquals } from "@std/assert";
import { OrmucoCacheServer } from "../../server.ts";

/** A memcached client by hand: a line, and the reply up to a word that ends it. */
async function ask(server: OrmucoCacheServer, text: string, end: string): Promise<string> {
  const [hostname, port] = server.address!.split(":");
  using socket = await Deno.connect({ hostname, port: Number(port) });
  await socket.write(new TextEncoder().encode(text));
  const buffer = new Uint8Array(65536);
  let reply = "";
  while (!reply.endsWith(end)) {
    const count = await socket.read(buffer);
    if (count === null) break;
    reply += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return reply;
}

/** Asks until the reply is what it should become: peers hear within a round trip, not at once. */
async function becomes(server: OrmucoCacheServer, text: string, expected: string): Promise<void> {
  for (let tries = 0; await ask(server, text, "END\r\n") !== expected; tries++) {
    if (tries === 500) assertEquals(await ask(server, text, "END\r\n"), expected);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("what memcached clients store, compare, delete and flush on one server is so on its peers, and for our client", async () => {
  const options = { listen: 0, maxSize: 100, gossipIntervalMs: 50, log: () => {} };
  await using one = new OrmucoCacheServer(options);
  await one.startServer();
  await using other = new OrmucoCacheServer({ ...options, peers: [one.address!] });
  await other.startServer();

  assertEquals(await ask(one, "set k 7 100 2\r\nhi\r\n", "\r\n"), "STORED\r\n");
  await becomes(other, "get k\r\n", "VALUE k 7 2\r\nhi\r\nEND\r\n");
  const seen = await ask(one, "gets k\r\n", "END\r\n");
  assertEquals(await ask(other, "gets k\r\n", "END\r\n"), seen, "the state has the same number on both");
  const [, cas] = /VALUE k 7 2 (\d+)/.exec(seen)!;
  assertEquals(await ask(other, `cas k 8 0 3 ${cas}\r\nyou\r\n`, "\r\n"), "STORED\r\n");
  await becomes(one, "get k\r\n", "VALUE k 8 3\r\nyou\r\nEND\r\n");
  assertEquals(await ask(one, `cas k 9 0 2 ${cas}\r\nno\r\n`, "\r\n"), "EXISTS\r\n");

  assertEquals(await one.cache.retrieve("k"), new TextEncoder().encode("you"));
  await one.cache.store("text", "é");
  await becomes(other, "get text\r\n", "VALUE text 1329790977 2\r\né\r\nEND\r\n");

  assertEquals(await ask(other, "delete k\r\n", "\r\n"), "DELETED\r\n");
  await becomes(one, "get k\r\n", "END\r\n");
  assertEquals(await ask(other, "flush_all\r\n", "\r\n"), "OK\r\n");
  await becomes(one, "get text\r\n", "END\r\n");
});
