/** Calls of many keys with servers of the tests' own: how they are divided, and what becomes of parts that fail. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { CacheError } from "../../mod.ts";
import { MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { type FrameReader, type FrameWriter, REPLY, REQUEST, STATE } from "../../lib/wire/frame.ts";
import { KEYS_END, setNext } from "../../lib/wire/entry_calls.ts";
import { type Answer, FakeServer } from "../support/fake_server.ts";
import { reportingClient } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

/** A server that does all that it is asked but what concerns some entries, and keeps what each request asks for. */
class Doing extends FakeServer {
  /** Of each request its code, its entries or keys, and its bytes. */
  readonly asked: { code: number; count: number; bytes: number }[] = [];

  /** @param refuses Whether an entry of a request is not done. @param holds Requests for which it waits before it answers. */
  constructor(refuses: (i: number) => boolean = () => false, holds = 1) {
    const waiting: number[] = [];
    super((code, output, _, { buffer, start, end }) => {
      const isMany = code === REQUEST.setMany || code === REQUEST.deleteMany;
      const count = isMany ? buffer.readUInt16BE(start) : 1;
      this.asked.push({ code, count, bytes: end - start });
      if (!isMany) return output.empty(REPLY.ok);
      waiting.push(count);
      if (waiting.length < holds) return;
      for (const of of waiting.splice(0)) writeDone(output, Array.from({ length: of }, (_, i) => !refuses(i)));
    });
  }
}

function writeDone(output: FrameWriter, done: boolean[]): void {
  output.begin(REPLY.done);
  output.uint16(done.length);
  for (const isDone of done) output.uint8(Number(isDone));
  output.end();
}

const pairs = (count: number, value: unknown = 1) =>
  Array.from({ length: count }, (_, i): [string, unknown] => [`key:${i}`, value]);

Deno.test("storeMany() asks for 1,024 entries at a time, all parts under way at once", async () => {
  await using server = new Doing(undefined, 3);
  await using cache = reportingClient([server.address]).client;
  assertEquals(await cache.storeMany(pairs(2500)), true);
  assertEquals(server.asked.map(({ code, count }) => [code, count]), [
    [REQUEST.setMany, 1024],
    [REQUEST.setMany, 1024],
    [REQUEST.setMany, 452],
  ]);
  assertEquals((await cache.stats()).stores, 2500);
});

Deno.test("storeMany() asks for 1 MiB at a time, and for what is larger alone", async () => {
  await using server = new Doing();
  await using cache = reportingClient([server.address]).client;
  const third = "é".repeat(170_000);
  assertEquals(
    await cache.storeMany([...pairs(7, third), ["large", new Uint8Array(MAX_VALUE_BYTES)], ["k".repeat(4096), 1]]),
    true,
  );
  assertEquals(server.asked.map(({ count }) => count), [3, 3, 1, 1, 1]);
  assert(server.asked.slice(0, 3).every(({ bytes }) => bytes <= 1024 * 1024 + 2));
});

Deno.test("removeMany() asks for 1,024 keys or 1 MiB at a time, and says how many there were", async () => {
  await using server = new Doing((i) => i % 2 === 1, 2);
  await using cache = reportingClient([server.address]).client;
  const long = Array.from({ length: 600 }, (_, i) => `${i}:`.padEnd(2000, "é").slice(0, 1500));
  assertEquals(await cache.removeMany([...long, ...long, "k"]), 175 + 126, "every other one of a request");
  assertEquals(server.asked.map(({ code, count }) => [code, count]), [349, 252].map((n) => [REQUEST.deleteMany, n]));
  assert(server.asked.every(({ bytes }) => bytes <= 1024 * 1024 + 2));
});

Deno.test("storeMany() and removeMany() of nothing ask nobody", async () => {
  await using server = new Doing();
  await using cache = reportingClient([server.address]).client;
  assertEquals([await cache.storeMany([]), await cache.removeMany([]), server.asked], [true, 0, []]);
});

Deno.test("storeMany() stores the last value of a key that comes twice", async () => {
  await using server = new Doing();
  await using cache = reportingClient([server.address]).client;
  await cache.storeMany([["k", "first".repeat(100)], ["k", "last"]]);
  assert(server.asked[0].count === 1 && server.asked[0].bytes < 100);
});

Deno.test("storeMany() asks nothing where one value cannot be stored, and removes nothing", async () => {
  await using server = new Doing();
  await using cache = reportingClient([server.address]).client;
  for (const value of [() => {}, Promise.resolve(1), Symbol("s")]) {
    await assertRejects(() => cache.storeMany([["a", 1], ["b", value]]), TypeError);
  }
  await assertRejects(() => cache.storeMany([["a", 1], ["", 1]]), RangeError);
  await assertRejects(() => cache.storeMany([["a", 1]], { ttlMs: -1 }), RangeError);
  await assertRejects(() => cache.removeMany(["a", ""]), RangeError);
  await assertRejects(() => cache.removeMany("abc"), TypeError);
  assertEquals(server.asked, []);
});

Deno.test("storeMany() is false where the server refuses an entry, which is told; the others are stored", async () => {
  await using server = new Doing((i) => i === 1);
  const { client, errors } = reportingClient([server.address]);
  await using cache = client;
  assertEquals(await cache.storeMany(pairs(3)), false);
  assertEquals(errors.map(({ code, message }) => `${code} ${message}`), [
    'refused Cannot store "key:1": the value is larger than the server takes',
  ]);
  assertEquals((await cache.stats()).stores, 2);
});

Deno.test("storeMany() is false where a value is larger than any server takes: the older one is removed, the others are stored", async () => {
  await using server = new Doing();
  const { client, errors } = reportingClient([server.address]);
  await using cache = client;
  assertEquals(await cache.storeMany([["a", 1], ["b", new Uint8Array(MAX_VALUE_BYTES + 5000)], ["c", 2]]), false);
  assertEquals(server.asked.map(({ code }) => code).sort((a, b) => a - b), [
    REQUEST.delete,
    REQUEST.setMany,
    REQUEST.setMany,
  ]);
  assertEquals(errors.map(({ message }) => message), [
    `Cannot store "b": the value has more than ${MAX_VALUE_BYTES} bytes`,
  ]);
  assertEquals((await cache.stats()).stores, 2);
});

Deno.test("a part of storeMany() or removeMany() that fails takes nothing from the others", async () => {
  let requests = 0;
  await using server = new FakeServer((_, output, hangUp, { buffer, start }) => {
    if (++requests === 2) return hangUp();
    writeDone(output, new Array(buffer.readUInt16BE(start)).fill(true));
  });
  const { client, errors } = reportingClient([server.address]);
  assertEquals(await client.removeMany(pairs(2000).map(([key]) => key)), 1024);
  assertEquals(errors.map(({ code }) => code), ["unreachable"]);
  await client.close();
});

Deno.test("retrieveMany() asks for each key once, in whatever way the keys come, and gives what there is in their order", async () => {
  const asked: string[][] = [];
  await using server = new FakeServer((code, output, _, { buffer, start, end }) => {
    if (code !== REQUEST.getMany) return output.empty(REPLY.ok);
    const keys: string[] = [];
    for (let at = start + 2; at < end; at += 3 + buffer.readUInt16BE(at)) {
      keys.push(buffer.toString("utf8", at + 3, at + 3 + buffer.readUInt16BE(at)));
    }
    asked.push(keys);
    output.begin(REPLY.values);
    output.uint16(keys.length);
    for (const key of keys) {
      if (key.startsWith("no")) output.uint8(STATE.miss);
      else output.text(`\x01OC\0\x02\0\0\0${String.fromCharCode(key.length + 2)}"${key}"`);
    }
    output.end();
  });
  const { client } = reportingClient([server.address]);
  await using cache = client;
  const keys = ["k:2", "no:1", "k:1", "k:2", "no:1", "k:3"];
  const lists: Iterable<string>[] = [keys, new Set(keys), keys.values(), new Map(keys.map((key) => [key, 0])).keys()];
  for (const list of lists) {
    assertEquals([...await cache.retrieveMany(list)], [["k:2", "k:2"], ["k:1", "k:1"], ["k:3", "k:3"]]);
  }
  assertEquals(asked, lists.map(() => ["k:2", "no:1", "k:1", "k:3"]));
  assertEquals([...await cache.retrieveMany(["no:1", "no:2"])], []);
  const { hits, misses } = await cache.stats();
  assertEquals([hits, misses], [12, 6]);
});

/** A server of the keys 0 to 9, two a time; `isOver` is asked before each answer whether the connection is to end. */
function keysServer(isOver: (from: number) => boolean = () => false): FakeServer & { asked: string[] } {
  const asked: string[] = [];
  const answer: Answer = (code, output, hangUp, request) => {
    if (code !== REQUEST.keys) return output.empty(REPLY.ok);
    const from = Number(request.buffer.readBigUInt64BE(request.key.to));
    asked.push(`${prefixOf(request)}${from}`);
    if (isOver(from)) return hangUp();
    writeKeys(output, from, 2, prefixOf(request));
  };
  return Object.assign(new FakeServer(answer), { asked });
}

function prefixOf({ buffer, key }: FrameReader): string {
  return buffer.toString("utf8", key.from, key.to);
}

function writeKeys(output: FrameWriter, from: number, count: number, prefix = ""): void {
  output.begin(REPLY.keys);
  const at = output.room(10);
  setNext(output, at, from + count < 10 ? from + count : KEYS_END, count);
  for (let i = 0; i < count; i++) {
    output.uint16(prefix.length + 1);
    output.text(`${prefix}${from + i}`);
  }
  output.end();
}

Deno.test("keys() asks for some keys at a time, the next when those have been taken", async () => {
  await using server = keysServer();
  await using cache = reportingClient([server.address]).client;
  const taken: string[] = [];
  for await (const key of cache.keys({ prefix: "p" })) {
    taken.push(key);
    assertEquals(server.asked.length, Math.ceil(taken.length / 2));
  }
  assertEquals(taken.join(""), "p0p1p2p3p4p5p6p7p8p9");
  assertEquals(server.asked, ["p0", "p2", "p4", "p6", "p8"]);
});

Deno.test("keys() ends where its user leaves off, or aborts its signal", async () => {
  await using server = keysServer();
  await using cache = reportingClient([server.address]).client;
  for await (const key of cache.keys()) if (key === "3") break;
  assertEquals(server.asked.splice(0), ["0", "2"]);
  const abort = new AbortController();
  await assertRejects(
    async () => {
      for await (const key of cache.keys({ signal: abort.signal })) if (key === "2") abort.abort(new Error("mine"));
    },
    Error,
    "mine",
  );
  assertEquals(server.asked, ["0", "2"]);
});

Deno.test("keys() with a prefix that is longer than any key has none, and asks nobody", async () => {
  await using server = keysServer();
  await using cache = reportingClient([server.address]).client;
  assertEquals(await Array.fromAsync(cache.keys({ prefix: "é".repeat(2049) })), []);
  assertEquals(server.asked, []);
});

Deno.test("keys() rejects if the server refuses, which is counted and told to nobody else", async () => {
  await using server = new FakeServer((_, output) => writeKeys(output, 0, 0)); // which goes on at 0, without end
  const { client, errors } = reportingClient([server.address]);
  const error = await assertRejects(() => Array.fromAsync(client.keys()), CacheError, "Cannot list keys: ");
  assertEquals([(error as CacheError).code, errors.length], ["protocol", 1], "of the connection, once");
  await client.close();
});

Deno.test("keys() rejects if the server gives a key that was not asked for, of which a namespace would make another", async () => {
  await using server = new FakeServer((_, output) => writeKeys(output, 0, 1));
  const { client } = reportingClient([server.address]);
  for (const list of [client.keys({ prefix: "p" }), client.namespace("00").keys()]) {
    await assertRejects(() => Array.fromAsync(list), CacheError, 'a key that was not asked for: "0"');
  }
  await client.close();
});

Deno.test("keys() rejects if the connection ends in between, and goes on with no other server", async () => {
  await using second = keysServer();
  for (const asksMeanwhile of [false, true]) {
    await using first = keysServer((from) => from === 4 && !asksMeanwhile);
    await using cache = reportingClient([first.address, second.address]).client;
    const taken: string[] = [];
    const error = await assertRejects(
      async () => {
        for await (const key of cache.keys()) {
          taken.push(key);
          if (!asksMeanwhile || key !== "3") continue;
          first.cut();
          await until("the second one is in use", () => cache.has("k"));
        }
      },
      CacheError,
      asksMeanwhile
        ? "Cannot list keys: the connection was lost, and another server cannot go on"
        : "Cannot list keys: ",
    );
    assertEquals([(error as CacheError).code, taken.join("")], ["unreachable", "0123"]);
    assertEquals(second.asked, []);
  }
});
