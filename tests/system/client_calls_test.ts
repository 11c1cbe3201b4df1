/** The client's calls of many keys, and with time-outs of their own, with real servers that stand still, or start again. */

import { assertEquals, assertRejects } from "@std/assert";
import { CacheError } from "../../mod.ts";
import { serve } from "../support/processes.ts";
import { PATIENT_MS, reportingClient, startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

Deno.test("a call with more time than others has its answer from a server that stands still, while these go to the next", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  await using other = await startedServer();
  const { client } = reportingClient([server.address, other.address!], { timeoutMs: 200 });
  await using cache = client;
  await until("it is stored", () => cache.store("k", "first"));
  const patient = await server.paused(async () => {
    const answer = cache.retrieve("k", { timeoutMs: PATIENT_MS });
    await until("the next is in use", () => cache.store("k", "second"));
    return { answer };
  });
  assertEquals([await patient.answer, await cache.retrieve("k")], ["first", "second"]);
});

for (const near of [undefined, true] as const) {
  Deno.test(`many entries are stored, listed and removed${near ? ", with near copies" : ""}`, async () => {
    await using server = await startedServer({ maxSize: 10_000 });
    const { client, errors } = reportingClient([server.address!], { near });
    await using cache = client;
    const keys = Array.from({ length: 3000 }, (_, i) => `key:${i}`);
    assertEquals(await cache.storeMany(keys.map((key, i) => [key, "x".repeat(i)])), true);
    assertEquals(server.stats().entries, 3000);
    assertEquals([...(await cache.retrieveMany(keys)).values()].map((text) => (text as string).length), [
      ...keys.keys(),
    ]);
    assertEquals((await Array.fromAsync(cache.keys())).sort(), keys.toSorted());
    assertEquals(await cache.storeMany(keys.map((key) => [key, key])), true);
    assertEquals(await cache.retrieve("key:2999"), "key:2999", "no copy is left");
    assertEquals(await cache.removeMany([...keys, "none", "key:1"]), 3000);
    assertEquals([(await cache.retrieveMany(keys)).size, server.stats().entries, errors], [0, 0, []]);
  });
}

Deno.test("keys() rejects where its server has started again in between", async () => {
  const server = await serve(["--listen", "127.0.0.1:0", "--max-size", "10000"]);
  const { client } = reportingClient([server.address]);
  await using cache = client;
  await cache.storeMany(Array.from({ length: 5000 }, (_, i) => [`key:${i}`, i]));
  const keys = cache.keys()[Symbol.asyncIterator]();
  await keys.next();
  await server.stop();
  await using again = await serve(["--listen", server.address, "--max-size", "10000"]);
  await until("it is connected again", () => cache.store("k", again.address));
  await assertRejects(
    async () => {
      while (!(await keys.next()).done);
    },
    CacheError,
    "Cannot list keys: the connection was lost, and another server cannot go on",
  );
});
