/**
 * A process in which many callers want one key at once. It says `ready`, begins with the first byte of its standard input, says
 * `computing` when its function is called, and at last, as JSON, what the callers got.
 */

import { OrmucoCacheClient } from "../../client.ts";

const { servers, key, callers, computeMs, timeoutMs } = JSON.parse(Deno.args[0]);
const cache = new OrmucoCacheClient({ servers });
await cache.ping();
console.log("ready");
await Deno.stdin.read(new Uint8Array(1));
let computed = 0;
const compute = async () => {
  computed++;
  console.log("computing");
  await new Promise((resolve) => setTimeout(resolve, computeMs));
  return `by ${Deno.pid}`;
};
const values = await Promise.all(
  Array.from({ length: callers }, () => cache.retrieveOrStore(key, compute, { ttlMs: 60_000, timeoutMs })),
);
console.log(JSON.stringify({ computed, values: [...new Set(values)] }));
await cache.close();
