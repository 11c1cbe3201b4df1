/**
 * Our server, which tells the longest pause of its event loop in each tenth of a second, without the time that other
 * processes had the processor. Usage: watched_server.ts PORT [MAX_BYTES [PEER …]]
 */

import { OrmucoCacheServer } from "../../server.ts";

const TICK_MS = 1;
const REPORT_MS = 100;

const [port, maxBytes, ...peers] = Deno.args;
const server = new OrmucoCacheServer({
  listen: `127.0.0.1:${port}`,
  maxSize: Infinity,
  maxBytes: maxBytes === undefined ? undefined : Number(maxBytes),
  peers,
  log: () => {},
});
await server.startServer();
const out = new TextEncoder();
let worstMs = 0;
let lastMs = performance.now();
let lastWaitMs = waitedMs();
setInterval(() => {
  const [nowMs, waitMs] = [performance.now(), waitedMs()];
  worstMs = Math.max(worstMs, nowMs - lastMs - TICK_MS - (waitMs - lastWaitMs));
  lastMs = nowMs;
  lastWaitMs = waitMs;
}, TICK_MS);

/** How long this thread was ready to run and another had the processor: no pause of ours. */
function waitedMs(): number {
  return Number(Deno.readTextFileSync("/proc/self/schedstat").split(" ")[1]) / 1e6;
}

setInterval(() => {
  Deno.stdout.writeSync(out.encode(`${worstMs}\n`));
  worstMs = 0;
}, REPORT_MS);
