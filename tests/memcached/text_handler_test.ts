/** memcached's text protocol: lines and blocks, however they arrive, and what ends a connection. */

import { assert, assertEquals } from "@std/assert";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { DIALOGUES, TEXT_DIALOGUES } from "../support/memcached_dialogues.ts";
import { ask, assertAnswers, say } from "../support/memcached_talk.ts";
import { joined, mutate } from "../support/mutate.ts";
import { sessionHost } from "../support/session_host.ts";
import { sessionOf } from "../support/access.ts";

const utf8 = new TextEncoder();

for (const dialogue of TEXT_DIALOGUES) {
  Deno.test(`TextHandler answers ${dialogue[0]} as memcached does`, () => assertAnswers(dialogue));
}

for (
  const [what, bytes] of [
    ["an HTTP request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a line that does not end", "x".repeat(3000)],
    ["quit", "quit\r\n"],
  ]
) {
  Deno.test(`TextHandler closes without a word after ${what}`, () => {
    assertEquals(say(sessionOf(sessionHost()), bytes), { text: "", closing: true });
  });
}

Deno.test("TextHandler holds no memory for a value that is too large to be taken", () => {
  const session = sessionOf(sessionHost());
  assertEquals(say(session, "set k 0 0 2000000000\r\n").text, "SERVER_ERROR object too large for cache\r\n");
  for (let i = 0; i < 100; i++) say(session, new Uint8Array(60_000));
  assertEquals(session.input.pendingBytes, 0);
});

Deno.test("TextHandler searches a line that arrives slowly for its end once", () => {
  const session = sessionOf(sessionHost());
  const end = ask("set k 0 0 1\r\nv\r\nget k\r\n").slice("STORED\r\n".length);
  assertEquals(say(session, "set k 0 0 1\r\nv\r\n", 1).text, "STORED\r\n");
  assertEquals(
    say(session, "get k\r\nget k k\r\ngets\r\nget k\r\n", 1).text,
    `${end}${end.slice(0, -5)}${end}ERROR\r\n${end}`,
  );
  say(session, `get ${"x ".repeat(250_000)}`);
  const { input } = session;
  const { bytes } = input;
  let reads = 0;
  input.bytes = new Proxy(bytes, {
    get(target, at) {
      reads++;
      const value = Reflect.get(target, at);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const { to } = input;
  bytes.set(utf8.encode("x "), to);
  input.received(2);
  session.run();
  input.bytes = bytes;
  assert(reads < 1000, `${reads} reads for 2 bytes`);
  assertEquals(say(session, "k\r\n").text, end);
});

Deno.test("TextHandler survives 100,000 damaged commands, and the next connection is served", () => {
  const seed = 20261125;
  const random = generator(seed);
  const below = (n: number) => Math.floor(random() * n);
  const parts = DIALOGUES.filter(([, asked]) => asked.length < 10_000).map(([, asked]) => utf8.encode(asked));
  const host = sessionHost({ maxSize: 50 });
  for (let done = 0; done < 100_000;) {
    const batch = Array.from({ length: 1 + below(8) }, () => mutate(parts[below(parts.length)], below));
    done += batch.length;
    const bytes = joined(...batch);
    if (bytes[0] <= 0x16 || bytes[0] === 0x80) continue; // another protocol
    try {
      say(sessionOf(host), bytes, 1 + below(bytes.length));
    } catch (error) {
      throw new Error(`seed ${seed}, after ${done} commands`, { cause: error });
    }
  }
  assert(host.store.stats().entries <= 50);
  assertEquals(ask("set k 0 0 1\r\na\r\nget k\r\n", host), "STORED\r\nVALUE k 0 1\r\na\r\nEND\r\n");
});
