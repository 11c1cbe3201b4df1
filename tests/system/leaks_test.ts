/** That this very run of the tests looks for timers, sockets and processes which a test leaves behind. */

import { assertEquals, assertMatch } from "@std/assert";
import { CONFIG, type Ended, runDeno } from "../support/processes.ts";

const ROOT = new URL("../../", import.meta.url);
/** Since Deno 2.8 nothing is looked for unless these say so; before, all is. The task `test` sets them. */
const SWITCHES = ["DENO_TEST_SANITIZE_OPS", "DENO_TEST_SANITIZE_RESOURCES"];

/** Runs a test that leaks, with the switches as they are for this test. */
function leaking(what: string): Promise<Ended> {
  const given = SWITCHES.flatMap((name) => Deno.env.has(name) ? [[name, Deno.env.get(name)!]] : []);
  const file = new URL("tests/support/fixtures/leaking.ts", ROOT).pathname;
  const config = new URL(CONFIG, ROOT).pathname;
  return runDeno(["test", "--no-check", "-c", config, "-A", file, "--", what], { env: Object.fromEntries(given) });
}

for (const [what, report] of [["timer", /A timer was started/], ["socket", /A TCP listener was opened/]] as const) {
  Deno.test(`deno task test fails a test that leaks a ${what}`, async () => {
    const { status, out } = await leaking(what);
    assertMatch(out, /0 failed|Leaks detected/, "the fixture has run");
    assertEquals(status, 1, `nothing looks for leaks: run deno task test, or set ${SWITCHES.join(" and ")} to 1`);
    assertMatch(out, report);
  });
}

Deno.test("deno task test passes the same test when it leaks nothing", async () => {
  const { status, out } = await leaking("nothing");
  assertMatch(out, /1 passed \| 0 failed/);
  assertEquals(status, 0);
});
