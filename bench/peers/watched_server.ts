/**
 * Our server, which tells the longest pause of its event loop in each tenth of a second. Usage: watched_server.ts PORT
 * [MAX_BYTES]
 */

import { OrmucoCacheServer } from "../../server.ts";

const TICK_MS = 1;
const REPORT_MS = 100;

const [port, maxBytes] = Deno.args;
const server = new OrmucoCacheServer({
  listen: `127.0.0.1:${port}`,
  maxSize: Infinity,
  maxBytes: maxBytes === undefined ? undefined : Number(maxBytes),
  log: () => {},
});
await server.startServer();
const out = new TextEncoder();
let worstMs = 0;
let lastMs = performance.now();
setInterval(() => {
  const nowMs = performance.now();
  worstMs = Math.max(worstMs, nowMs - lastMs - TICK_MS);
  lastMs = nowMs;
}, TICK_MS);
setInterval(() => {
  Deno.stdout.writeSync(out.encode(`${worstMs}\n`));
  worstMs = 0;
}, REPORT_MS);
