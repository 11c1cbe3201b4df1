import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Attempts } from "../../lib/server/attempts.ts";
import { LimitedLog } from "../../lib/server/limited_log.ts";

/** Attempts whose waiting ends when the test says so. */
class Fixture {
  nowMs = 0;
  readonly lines: string[] = [];
  readonly waits: { ms: number; end: () => void }[] = [];
  readonly attempts: Attempts = new Attempts(new LimitedLog((line) => this.lines.push(line), () => this.nowMs), {
    now: () => this.nowMs,
    wait: (ms) => new Promise((resolve) => this.waits.push({ ms, end: resolve })),
  });

  /** Fails once, and does not wait. Returns for how long it would have. */
  async failed(address: string): Promise<number | undefined> {
    const before = this.waits.length;
    const done = this.attempts.failed(address, "why");
    const wait = this.waits.at(before);
    wait?.end();
    await done;
    return wait?.ms;
  }
}

Deno.test("Attempts delays each failure of an address for twice as long as the one before, up to 400 ms", async () => {
  const fixture = new Fixture();
  const delays: (number | undefined)[] = [];
  for (let port = 1; port <= 7; port++) delays.push(await fixture.failed(`10.0.0.1:${port}`));
  assertEquals(delays, [25, 50, 100, 200, 400, 400, 400]);
  assertStrictEquals(await fixture.failed("10.0.0.2:1"), 25, "another address is not slowed");
});

Deno.test("Attempts forgets an address a minute after its last failure", async () => {
  const fixture = new Fixture();
  await fixture.failed("10.0.0.1:1");
  await fixture.failed("10.0.0.2:1");
  fixture.nowMs = 30_000;
  assertStrictEquals(await fixture.failed("10.0.0.1:1"), 50);
  fixture.nowMs = 60_000;
  assertStrictEquals(await fixture.failed("10.0.0.1:1"), 100);
  assertStrictEquals(fixture.attempts.addresses, 1);
  fixture.nowMs = 120_000;
  assertStrictEquals(await fixture.failed("10.0.0.1:1"), 25);
});

Deno.test("Attempts remembers a bounded number of addresses, those that failed last", async () => {
  const fixture = new Fixture();
  for (let i = 0; i < 5000; i++) await fixture.failed(`10.0.${i >> 8}.${i & 255}:1`);
  assertStrictEquals(fixture.attempts.addresses, 1024);
  assertStrictEquals(await fixture.failed(`10.0.${4999 >> 8}.${4999 & 255}:1`), 50);
  assertStrictEquals(await fixture.failed("10.0.0.0:1"), 25);
  assert(fixture.lines.length < 600, `${fixture.lines.length} lines`);
});

Deno.test("Attempts has 64 failures wait at most, answers more at once, and has others wait when these are done", async () => {
  const fixture = new Fixture();
  const waiting = Array.from({ length: 64 }, (_, i) => fixture.attempts.failed(`10.0.0.${i}:1`, "why"));
  assertStrictEquals(await fixture.failed("10.0.1.1:1"), undefined);
  assertStrictEquals(fixture.waits.length, 64);
  for (const { end } of fixture.waits) end();
  await Promise.all(waiting);
  assertStrictEquals(await fixture.failed("10.0.1.1:1"), 50);
});

Deno.test("Attempts logs the failures of an address once a minute", async () => {
  const fixture = new Fixture();
  for (let port = 1; port <= 100; port++) await fixture.failed(`10.0.0.1:${port}`);
  assertEquals(fixture.lines, ["Client 10.0.0.1:1 is not let in: why"]);
});
