/** Lines that strangers cause: few of each kind. */

import { assert, assertEquals } from "@std/assert";
import { hostOf, LimitedLog } from "../../lib/server/limited_log.ts";

function fixture(): { log: LimitedLog; lines: string[]; time: { ms: number } } {
  const lines: string[] = [];
  const time = { ms: 0 };
  return { log: new LimitedLog((line) => lines.push(line), () => time.ms), lines, time };
}

Deno.test("LimitedLog says a kind of line once for an address and minute, and then how many were left out", () => {
  const { log, lines, time } = fixture();
  for (let port = 1; port <= 1000; port++) log.say("gone", `10.0.0.1:${port}`, `${port} is gone`);
  log.say("gone", "10.0.0.2:1", "another is gone");
  log.say("come", "10.0.0.1:1", "1 has come");
  assertEquals(lines, ["1 is gone", "another is gone", "1 has come"]);
  time.ms = 60_000;
  log.tidy();
  assertEquals(lines.slice(3), ["999 more in a minute like: 1 is gone"]);
  log.say("gone", "10.0.0.1:9", "9 is gone");
  assertEquals(lines.slice(4), ["9 is gone"]);
});

Deno.test("LimitedLog says little though a stranger has very many addresses", () => {
  const { log, lines, time } = fixture();
  for (let i = 0; i < 10_000; i++) log.say("gone", `10.0.${i >> 8}.${i & 255}:1`, `${i} is gone`);
  assert(lines.length < 300, `${lines.length} lines`);
  time.ms = 60_000;
  log.tidy();
  assert(lines.at(-1)!.includes("more in a minute"), lines.at(-1));
});

Deno.test("hostOf() leaves the port out", () => {
  assertEquals(["10.0.0.1:80", "[::1]:80", "unix", ""].map(hostOf), ["10.0.0.1", "[::1]", "unix", ""]);
});
