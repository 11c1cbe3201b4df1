/** What a debugger shows of caches, clients and servers: size and limits, and no secret. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { LruCache, OrmucoCacheClient } from "../../mod.ts";
import { madeServer, startedServer } from "../support/servers.ts";

const SECRET = "secret-of-all";

Deno.test("Deno.inspect() shows size and limits of an LruCache", () => {
  const cache = new LruCache<number>({ maxSize: 5, ttlMs: 100 });
  cache.set("a", 1);
  assertEquals(Deno.inspect(cache), "LruCache { size: 1, maxSize: 5, ttlMs: 100, renewOnHit: true }");
  const sized = new LruCache<number>({ maxTotalSize: 7, sizeOf: () => 3 });
  sized.set("a", 1);
  assertStringIncludes(Deno.inspect(sized), "totalSize: 3,");
  assertStringIncludes(Deno.inspect({ nested: cache }), "nested: LruCache { size: 1,");
});

Deno.test("Deno.inspect() shows a client with its servers and counters, and not its token", async () => {
  await using server = await startedServer({ authToken: SECRET, maxSize: 9, peers: ["127.0.0.1:1"] });
  await using client = new OrmucoCacheClient({ servers: [server.address!], authToken: SECRET });
  await client.store("a", "value");
  await client.retrieve("a");
  const text = Deno.inspect(client);
  for (const part of [`connectedTo: "${server.address}"`, "hits: 1", "timeoutMs: 1000"]) {
    assertStringIncludes(text, part);
  }
  const ofServer = Deno.inspect(server);
  for (const part of [`address: "${server.address}"`, "entries: 1", "maxSize: 9", "127.0.0.1:1 ("]) {
    assertStringIncludes(ofServer, part);
  }
  assertStringIncludes(Deno.inspect(server.cache), "LocalCache { entries: 1, maxSize: 9,");
  for (const shown of [text, ofServer, Deno.inspect(server.cache)]) assert(!shown.includes("secret"), shown);
});

Deno.test("Deno.inspect() shows a client without servers, and a server that is not started", async () => {
  const client = new OrmucoCacheClient({ maxSize: 7 });
  await client.store("a", 1);
  assertEquals(Deno.inspect(client), "OrmucoCacheClient { entries: 1, maxSize: 7, hits: 0, misses: 0, stores: 1 }");
  assertStringIncludes(Deno.inspect(madeServer()), "address: undefined");
});
