/** A stand-alone client with `copies`: it gives, refuses and says what a client with a server does. */

import { assert, assertEquals } from "@std/assert";
import { MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import type { OrmucoCache } from "../../mod.ts";
import { difference, shown } from "../support/same_value.ts";
import { reportingClient, startedServer } from "../support/servers.ts";
import { ALL_SAMPLES } from "../support/value_samples.ts";

class Point {
  x = 1;
}
class Table extends Map<string, number> {}
const loop: { self?: unknown } = {};
loop.self = loop;

/** What a server cannot keep, what comes back changed, and what is just small enough. */
const OTHERS: unknown[] = [
  ...[{ at: [new Point()] }, () => 1, { kind: Symbol("k") }, loop, new WeakMap(), { later: Promise.resolve(1) }],
  Array.from({ length: 300 }).reduce((inner) => [inner], 1),
  new Array(3),
  new Table([["a", 1]]),
  {
    get five() {
      return 5;
    },
  },
  Object.assign(Object.create(null), { a: 1 }),
  ...["x".repeat(MAX_VALUE_BYTES), "x".repeat(MAX_VALUE_BYTES + 1), "é".repeat(MAX_VALUE_BYTES / 2 + 1)],
  new Uint8Array(MAX_VALUE_BYTES + 1),
];

/** What comes of storing a value where there is an older one: what the call says, and what is there then. */
async function outcome(cache: OrmucoCache, value: unknown): Promise<{ said: unknown; found: unknown }> {
  await cache.store("k", "older");
  const said = await cache.store("k", value).then((isStored) => isStored, ({ name, message }) => `${name}: ${message}`);
  return { said, found: await cache.has("k") ? [await cache.retrieve("k")] : "nothing" };
}

Deno.test("OrmucoCacheClient with copies gives back and refuses what a client with a server does", async () => {
  await using server = await startedServer();
  const [remote, alone] = [reportingClient([server.address!]), reportingClient([], { copies: true })];
  const refusals = new Set<unknown>();
  for (const value of [...ALL_SAMPLES, ...OTHERS]) {
    const [expected, actual] = [await outcome(remote.client, value), await outcome(alone.client, value)];
    assertEquals(actual.said, expected.said, shown(value));
    assertEquals(difference(actual.found, expected.found), undefined, shown(value));
    if (actual.said !== true) refusals.add(actual.said);
  }
  assert(refusals.size >= 5, `refused: ${[...refusals]}`);
  assertEquals(alone.errors.map(({ code }) => code), ["refused", "refused", "refused"]);
  assertEquals(remote.errors.map(({ code }) => code), ["refused", "refused", "refused"]);
  assertEquals((await alone.client.stats()).failures, (await remote.client.stats()).failures);
  assertEquals(alone.errors[0].message, `Cannot store "k": the value has more than ${MAX_VALUE_BYTES} bytes`);
  await remote.client.close();
});

Deno.test("OrmucoCacheClient with copies shares nothing with who stores or retrieves", async () => {
  const { client } = reportingClient([], { copies: true });
  const stored = { list: [1], bytes: Uint8Array.of(1), map: new Map([["a", [1]]]) };
  const bytes = Uint8Array.of(1, 2);
  await client.store("k", stored);
  await client.store("bytes", bytes);
  const kept = structuredClone(stored);
  stored.list.push(2);
  stored.bytes[0] = 2;
  stored.map.get("a")!.push(2);
  bytes[0] = 9;
  const first = await client.retrieve<typeof stored>("k");
  assertEquals(first, kept);
  first!.map.get("a")!.push(3);
  first!.bytes[0] = 3;
  (await client.retrieve<Uint8Array>("bytes"))!.fill(7);
  assertEquals([await client.retrieve("k"), await client.retrieve("bytes")], [kept, Uint8Array.of(1, 2)]);
  const many = await client.retrieveMany<typeof stored>(["k", "bytes"]);
  assertEquals([many.get("k"), many.get("bytes")], [kept, Uint8Array.of(1, 2)]);
  assert(many.get("k") !== (await client.retrieveMany(["k"])).get("k"));
});
