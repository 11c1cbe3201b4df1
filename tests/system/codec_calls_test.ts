/** Clients with a codec of their own, and with compression, in calls of one entry in one step, of many keys, and of namespaces. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { CacheError, type ClientOptions, type OrmucoCache, OrmucoCacheClient, type ValueCodec } from "../../mod.ts";
import { portOf } from "../support/ports.ts";
import { clientOf, PATIENT_MS, reportingClient, startedServer } from "../support/servers.ts";
import { stillTime } from "../support/still_time.ts";
import { exchange } from "../support/text_socket.ts";
import { turn } from "../support/waiting.ts";

class Length {
  constructor(readonly bytes: number) {}
}

const utf8 = new TextEncoder();

/** Writes lengths, as so many digits, and refuses others: by an error of a kind that a cache knows well. */
class LengthCodec implements ValueCodec {
  fails = false;
  encode(value: unknown): Uint8Array {
    if (value instanceof Length) return utf8.encode("1".repeat(value.bytes));
    throw new CacheError("refused", "no length");
  }
  decode(bytes: Uint8Array): unknown {
    if (this.fails) throw new RangeError("out of order");
    return new Length(bytes.length);
  }
}

const REMOTE: ClientOptions[] = [{}, { compressOverBytes: 0 }, { near: true }, { near: { copies: true } }];
const ALONE: ClientOptions[] = [{ copies: true }, { copies: true, compressOverBytes: 0 }];

/** Each kind of client with a codec, a namespace of it, and what its codec is. */
async function withClients(
  use: (client: OrmucoCache, codec: LengthCodec, errors: CacheError[], whole: OrmucoCache) => Promise<void>,
): Promise<void> {
  for (const options of [...REMOTE, ...ALONE]) {
    for (const prefix of ["", "part:"]) {
      await using server = await startedServer();
      const codec = new LengthCodec();
      const { client, errors } = reportingClient(options.copies ? [] : [server.address!], {
        timeoutMs: PATIENT_MS,
        ...options,
        codec,
      });
      await using _client = client;
      await use(prefix === "" ? client : client.namespace(prefix), codec, errors, client);
    }
  }
}

/** That a value is a length. */
function assertLength(value: unknown, bytes: number): void {
  assert(value instanceof Length, Deno.inspect(value));
  assertStrictEquals(value.bytes, bytes);
}

Deno.test("a client with a codec stores many values, and on a condition, and reads and takes entries, by what that makes of them", async () => {
  await withClients(async (client, _codec, errors) => {
    assertEquals(await client.storeMany([["a", new Length(100)], ["b", new Length(200)]]), true);
    assertEquals(await client.store("a", new Length(300), { onlyIf: "absent" }), false);
    assertEquals(await client.store("c", new Length(300), { onlyIf: "absent" }), true);
    for (const [key, bytes] of [["a", 100], ["b", 200], ["c", 300]] as const) {
      assertLength(await client.retrieve(key), bytes);
      const { value, version } = (await client.retrieveEntry(key))!;
      assertLength(value, bytes);
      assertEquals(await client.store(key, new Length(bytes + 1), { onlyIf: version }), true);
      assertLength(await client.retrieve(key), bytes + 1);
      assertLength(await client.take(key), bytes + 1);
      assertEquals(await client.retrieveEntry(key), undefined);
    }
    assertEquals(errors, []);
  });
});

Deno.test("what a codec throws changes nothing where many values are stored, or one on a condition", async () => {
  await withClients(async (client, _codec, errors, whole) => {
    await client.store("k", new Length(100));
    const many = () => client.storeMany([["k", new Length(1)], ["other", 5]]);
    for (const store of [many, () => client.store("k", 5, { onlyIf: "present" })]) {
      assertEquals((await assertRejects(store, CacheError)).message, "no length");
    }
    assertLength(await client.retrieve("k"), 100);
    const { stores, failures } = await whole.stats();
    assertEquals([await client.has("other"), stores, failures.refused], [false, 1, 0]);
    assertEquals(errors, []);
  });
});

Deno.test("what a codec makes too large is refused: false and no older value, or an error with a condition", async () => {
  await withClients(async (client, _codec, errors) => {
    for (const key of ["a", "b", "c"]) await client.store(key, new Length(1));
    const large = new Length(MAX_VALUE_BYTES + 1);
    assertEquals(
      (await assertRejects(() => client.store("a", large, { onlyIf: "present" }), CacheError)).code,
      "refused",
    );
    assertEquals([await client.store("b", large), await client.storeMany([["c", large]])], [false, false]);
    assertLength(await client.retrieve("a"), 1);
    assertEquals([await client.has("b"), await client.has("c")], [false, false]);
    assertEquals(errors[0]?.code, "refused");
  });
});

Deno.test("an entry that a codec cannot decode is a miss and a failure that onError is told of; to take it removes it", async () => {
  await withClients(async (client, codec, errors, whole) => {
    await client.store("k", new Length(100));
    codec.fails = true;
    assertEquals(await client.retrieveEntry("k"), undefined);
    assertEquals([await client.has("k"), await client.take("k"), await client.has("k")], [true, undefined, false]);
    const { failures, misses, hits } = await whole.stats();
    assertEquals([failures.protocol, misses, hits], [2, 2, 0]);
    const messages = errors.map(({ code, message }) => [code, message.replace("part:", "")]);
    assertEquals(
      messages,
      ["retrieve", "take"].map((verb) => [
        "protocol",
        `Cannot ${verb} "k": Cannot decode value: out of order`,
      ]),
    );
  });
});

Deno.test("a client with a codec counts by digits, which are numbers to everybody, and adds to those that its codec has written", async () => {
  await withClients(async (client, codec, errors) => {
    codec.fails = true; // nobody asks it
    assertEquals([await client.increment("n", 1, { initial: 5 }), await client.increment("n")], [5, 6]);
    assertEquals([await client.retrieve("n"), (await client.retrieveEntry("n"))!.value], [6, 6]);
    assertEquals([await client.take<number>("n"), await client.increment("n")], [6, undefined]);
    await client.store("digits", new Length(20));
    assertEquals(await client.increment("digits"), 11111111111111111112n);
    await client.store("digits", new Length(21));
    assertEquals((await assertRejects(() => client.increment("digits"), CacheError)).code, "refused");
    assertEquals(errors, []);
  });
});

Deno.test("a value that is not fresh any more is given by the codec, or computed anew where that fails", async () => {
  await withClients(async (client, codec) => {
    using time = stillTime();
    const options = { ttlMs: 10_000, staleWhileRevalidateMs: 50_000 };
    await client.retrieveOrStore("k", () => new Length(100), options);
    time.nowMs += 20_000;
    assertLength(await client.retrieveOrStore("k", () => new Length(200), options), 100);
    await turn();
    time.nowMs += 20_000;
    codec.fails = true;
    const computed = await client.retrieveOrStore("k", () => new Length(300), options);
    assertLength(computed, 300);
  });
});

Deno.test("values that one reply has no room for are decoded by the codec, each by itself", async () => {
  await using server = await startedServer();
  for (const near of [undefined, true as const]) {
    await using client = reportingClient([server.address!], {
      timeoutMs: PATIENT_MS,
      codec: new LengthCodec(),
      near,
    }).client;
    const bytes = 9 * 1024 * 1024;
    assertEquals(await client.storeMany([["a", new Length(bytes)], ["b", new Length(bytes)]]), true);
    const many = await client.retrieveMany(["a", "b"]);
    for (const key of ["a", "b"]) assertLength(many.get(key), bytes);
  }
});

Deno.test("values are compressed that are stored by any call, and all calls of every kind of cache read them", async () => {
  const text = "a".repeat(100_000);
  await using server = await startedServer({ compressOverBytes: 1000 });
  await using client = reportingClient([server.address!], { compressOverBytes: 1000 }).client;
  await using plain = clientOf(server);
  await using alone = new OrmucoCacheClient({ copies: true, compressOverBytes: 1000 });
  for (const writer of [client, server.cache, alone]) {
    for (const reader of writer === alone ? [alone] : [client, server.cache, plain]) {
      assertEquals(await writer.storeMany([["a", text], ["b", { text }]]), true);
      assertEquals(await writer.store("c", text, { onlyIf: "absent" }), true);
      for (const [key, flags] of writer === alone ? [] : [["a", 1329790993], ["b", 1329790994], ["c", 1329790993]]) {
        const reply = await exchange(portOf(server.address!), `mg ${key} s f\r\n`, (reply) => reply.endsWith("\r\n"));
        assert(new RegExp(`^HD s\\d{3} f${flags}\r\n$`).test(reply), reply);
      }
      assertStrictEquals((await reader.retrieveEntry("a"))!.value, text);
      assertEquals([...await reader.retrieveMany(["a", "b"])], [["a", text], ["b", { text }]]);
      assertEquals([await reader.take<string>("c"), await reader.has("c")], [text, false]);
    }
  }
});

Deno.test("text of digits stays as it is, whatever is compressed: a number may be added to it", async () => {
  const digits = "1".repeat(20);
  await using server = await startedServer({ compressOverBytes: 0 });
  await using client = reportingClient([server.address!], { compressOverBytes: 0 }).client;
  for (const cache of [client, server.cache, new OrmucoCacheClient({ copies: true, compressOverBytes: 0 })]) {
    await cache.store("k", digits);
    assertStrictEquals(await cache.increment("k"), BigInt(digits) + 1n);
  }
});
