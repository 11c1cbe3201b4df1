/** What reads tell, of a server in a process: to a client, over HTTP, and to the command line. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ServerInsight } from "../../mod.ts";
import { OrmucoCacheClient } from "../../mod.ts";
import { run } from "../support/processes.ts";
import { clientOf, startedServer } from "../support/servers.ts";

/** Reads keys of a server through a client, the first of them most. */
async function readKeys(client: OrmucoCacheClient): Promise<void> {
  const keys = ["a", "b", "c", "d"];
  for (const key of keys) await client.store(key, key.repeat(10));
  for (const [i, key] of keys.entries()) for (let n = 0; n < 400 / 2 ** i; n++) await client.retrieve(key);
  await client.retrieveMany(Array.from({ length: 1000 }, (_, i) => `missed ${i}`));
}

Deno.test("a client is told what reads tell, from its first question on", async () => {
  await using server = await startedServer();
  await using client = clientOf(server);
  const first = (await client.insight())!;
  assertEquals([first.countedMs, first.hottestByReads, first.hitRatio, first.isSettled], [0, [], undefined, false]);
  await readKeys(client);
  const insight = (await client.insight())!;
  assertEquals(insight.hottestByReads.map(({ key }) => key), ["a", "b", "c", "d"]);
  assert(insight.hottestByReads[0].share > 0.2 && insight.hottestByReads[0].share < 0.25);
  assertEquals(Object.keys(insight.hitRatio!), ["half", "same", "double", "fourfold", "sieve"]);
  assertEquals(server.insight().hottestByReads, insight.hottestByReads);
});

Deno.test("what the server's own cache reads counts too", async () => {
  await using server = await startedServer();
  server.insight();
  await server.cache.store("a", 1);
  for (let i = 0; i < 4; i++) await server.cache.retrieve("a");
  assertEquals(server.insight().hottestByReads.map(({ key }) => key), ["a"]);
  await server.stop();
  assertEquals(server.insight().hottestByReads, [], "a stop ends it");
});

Deno.test("a stand-alone client has nobody to ask", async () => {
  await using alone = new OrmucoCacheClient({});
  assertEquals(await alone.insight(), undefined);
});

Deno.test("/metrics and /events begin to count, and tell what is known", async () => {
  await using server = await startedServer({ http: "127.0.0.1:0" });
  await using client = clientOf(server);
  const read = async () => await (await fetch(`http://${server.httpAddress}/metrics`)).text();
  assertEquals((await read()).includes("ormuco_estimated_hit_ratio"), false);
  await readKeys(client);
  assertMatch(await read(), /ormuco_estimated_hit_ratio\{size="2",policy="lru"\} 0\.\d+\n/);
  assertEquals((await read()).includes("missed 1"), false);
  const events = await fetch(`http://${server.httpAddress}/events`);
  const reader = events.body!.getReader();
  let text = "";
  while (!text.includes("\n\n")) text += new TextDecoder().decode((await reader.read()).value);
  await reader.cancel();
  const { insight } = JSON.parse(/data: (.*)\n/.exec(text)![1]) as { insight: ServerInsight };
  assertEquals(insight.hottestByReads.map(({ key }) => key), ["a", "b", "c", "d"]);
});

Deno.test("hot prints it, as lines and as JSON, and waits where the server begins to count", async () => {
  await using server = await startedServer();
  await using client = clientOf(server);
  const hot = (...more: string[]) => run("cli.ts", ["hot", "--server", server.address!, ...more]);
  const first = await hot("--for", "0.1");
  assertEquals([first.status, first.err], [0, "Begins to count reads: wait 1 s\n"]);
  assertStringIncludes(first.out, "Too few reads have been seen");
  await readKeys(client);
  const { out, err } = await hot("--for", "0");
  assertEquals(err, "");
  assertMatch(out, /^Keys read most, of all reads\n +2\d\.\d % {2}a\n/);
  assertMatch(out, /\n {2}twice the memory +\d+\.\d %/);
  const { countedMs, hottestByBytes }: ServerInsight = JSON.parse((await hot("--for", "0", "--json")).out);
  assert(countedMs > 0);
  assertEquals(hottestByBytes[0].key, "a");
});
