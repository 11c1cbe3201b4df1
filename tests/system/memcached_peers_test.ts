import { assertEquals } from "@std/assert";
import type { OrmucoCacheServer } from "../../server.ts";
import { writeAll } from "../../lib/platform/socket.ts";
import { connectTo, type DoorSocket } from "../support/door.ts";
import { portOf } from "../support/ports.ts";
import { startedServer } from "../support/servers.ts";
import { exchange } from "../support/text_socket.ts";
import { until } from "../support/waiting.ts";

/** A line, and the reply up to a word that ends it. */
function ask(server: OrmucoCacheServer, text: string, end: string): Promise<string> {
  return exchange(portOf(server.address!), text, (reply) => reply.endsWith(end));
}

/** A connection that stays, with what has been promised to it. */
class Promiser {
  readonly #socket: DoorSocket;

  private constructor(socket: DoorSocket) {
    this.#socket = socket;
  }

  static async of(server: OrmucoCacheServer): Promise<Promiser> {
    return new Promiser(await connectTo({ port: portOf(server.address!) }));
  }

  /** Sends a line. Returns the line that answers it. */
  async ask(text: string): Promise<string> {
    await writeAll(this.#socket, new TextEncoder().encode(text));
    const buffer = new Uint8Array(1024);
    let reply = "";
    while (!reply.endsWith("\r\n")) {
      const count = await this.#socket.read(buffer);
      if (count === null) break;
      reply += new TextDecoder().decode(buffer.subarray(0, count));
    }
    return reply;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** Waits until the reply is what it should become: peers hear within a round trip, not at once. */
async function becomes(server: OrmucoCacheServer, text: string, expected: string): Promise<void> {
  await until(
    `${text.trim()} is answered with ${expected}`,
    async () => await ask(server, text, "END\r\n") === expected,
  );
}

Deno.test("what memcached clients store, compare, delete and flush on one server is so on its peers, and for our client", async () => {
  const options = { maxSize: 100, gossipIntervalMs: 50 };
  await using one = await startedServer(options);
  await using other = await startedServer({ ...options, peers: [one.address!] });

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

Deno.test("what a server has promised to a memcached client is nothing to our client and to its peers, whose values end it", async () => {
  const options = { maxSize: 100, gossipIntervalMs: 50 };
  await using one = await startedServer(options);
  await using other = await startedServer({ ...options, peers: [one.address!] });

  using winner = await Promiser.of(one);
  const won = await winner.ask("mg k N30 c\r\n");
  const [, cas] = /^HD c(\d+) W\r\n$/.exec(won)!;
  assertEquals(await ask(one, "mg k N30\r\n", "\r\n"), "HD Z\r\n");
  assertEquals([await one.cache.retrieve("k"), await one.cache.has("k")], [undefined, false]);
  assertEquals(await ask(other, "mg k N30\r\n", "\r\n"), "HD W\r\n", "each server promises by itself");

  await other.cache.store("k", "live");
  await until("the peer's value is here", () => one.cache.has("k"));
  assertEquals(await ask(one, "mg k N30 v\r\n", "live\r\n"), "VA 4\r\nlive\r\n");
  assertEquals(await ask(one, `ms k 3 C${cas}\r\nold\r\n`, "\r\n"), "EX\r\n");
  assertEquals(await other.cache.retrieve("k"), "live");
});

Deno.test("what was promised to a memcached client is promised to the next when its connection ends", async () => {
  await using server = await startedServer();
  using next = await Promiser.of(server);
  {
    using winner = await Promiser.of(server);
    assertEquals(await winner.ask("mg k N0\r\n"), "HD W\r\n");
    assertEquals(await next.ask("mg k N0\r\n"), "HD Z\r\n");
  }
  await until("the next wins", async () => await next.ask("mg k N0\r\n") === "HD W\r\n");
});
