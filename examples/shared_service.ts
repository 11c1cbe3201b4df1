/**
 * A small web service of which each copy is a cache server too: what one copy has computed, none computes again.
 *
 * ```sh
 * deno run -A examples/shared_service.ts 8001 11151
 * deno run -A examples/shared_service.ts 8002 11152 127.0.0.1:11151
 * curl http://127.0.0.1:8001/primes/3000000
 * curl http://127.0.0.1:8002/primes/3000000
 * ```
 *
 * The first answer takes its time, the second is there at once. SIGTERM ends a copy when it has answered what has arrived. Arguments: port of the service, port of its cache, and
 * the caches of other copies.
 */

import { OrmucoCacheServer } from "../mod.ts";

const [port, cachePort, ...peers] = Deno.args;
if (cachePort === undefined) {
  console.error("Usage: shared_service.ts PORT CACHE_PORT [PEER …]");
  Deno.exit(2);
}

const server = new OrmucoCacheServer({ listen: cachePort, peers, maxSize: 10_000, ttlMs: 600_000 });
await server.startServer();
const { cache } = server;

/** How many primes there are below a number: slow on purpose. */
function countPrimes(below: number): number {
  let count = 0;
  for (let n = 2; n < below; n++) {
    let isPrime = true;
    for (let d = 2; d * d <= n && isPrime; d++) isPrime = n % d !== 0;
    if (isPrime) count++;
  }
  return count;
}

const http = Deno.serve({ hostname: "127.0.0.1", port: Number(port) }, async (request) => {
  const { pathname } = new URL(request.url);
  const [, text] = /^\/primes\/(\d{1,7})$/.exec(pathname) ?? [];
  if (text === undefined) return new Response("Ask for /primes/NUMBER\n", { status: 404 });
  const startedMs = performance.now();
  const known = await cache.retrieve<number>(pathname);
  const count = known ?? countPrimes(Number(text));
  if (known === undefined) await cache.store(pathname, count);
  const source = known === undefined ? "computed here" : "from the cache";
  return new Response(`${count} primes below ${text}, ${source}, ${(performance.now() - startedMs).toFixed(1)} ms\n`);
});

Deno.addSignalListener(Deno.build.os === "windows" ? "SIGINT" : "SIGTERM", async () => {
  await http.shutdown();
  await server.stop();
});
