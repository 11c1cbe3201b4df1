/** What requests have taken, as a histogram. */

import { assertEquals } from "@std/assert";
import { BOUNDS, Durations } from "../../lib/metrics/durations.ts";
import { metricsText } from "../../lib/metrics/text.ts";
import { readMetrics } from "../support/metrics_format.ts";

Deno.test("Durations counts each request below the first bound that it has not passed, and all of one read alike", () => {
  const durations = new Durations();
  durations.add(0, 1);
  durations.add(0.05, 2); // a bound itself
  durations.add(0.051, 4);
  durations.add(5000, 8);
  durations.add(5001, 16);
  durations.add(-0.1, 32); // clocks: it counts as nothing
  assertEquals([...durations.counts.slice(0, 3)], [35, 4, 0]);
  assertEquals([...durations.counts.slice(-2)], [8, 16]);
  assertEquals(durations.counts.length, BOUNDS.length + 1);
  const { samples } = durations.family("a_seconds", "A.");
  assertEquals(samples.at(-1), { suffix: "_count", value: 63 });
  assertEquals(Math.round(samples.at(-2)!.value * 1000), 120_016);
});

Deno.test("Durations times all reads while they are few, and of many an eighth, which counts for all", () => {
  const durations = new Durations();
  const total = () => durations.counts.reduce((sum, count) => sum + count);
  const read = (times: number) => {
    let timed = 0;
    for (let i = 0; i < times; i++) {
      if (!durations.isTimed()) continue;
      durations.add(1, 3);
      timed++;
    }
    return timed;
  };
  assertEquals(read(1000), 1000);
  durations.look();
  assertEquals(read(1001), 1001);
  durations.look();
  const before = total();
  assertEquals([read(2048 * 50), total() - before], [256 * 50, 3 * 2048 * 50]);
  assertEquals(durations.sumMs, total());
  durations.look();
  durations.look(); // none since
  assertEquals(read(5), 5);
});

Deno.test("Durations makes a histogram that grows with its bounds, before the first request too", () => {
  const durations = new Durations();
  const read = () => readMetrics(metricsText([durations.family("a_seconds", "A.")])).get("a_seconds")!;
  assertEquals(read().samples.every(({ value }) => value === 0), true);
  BOUNDS.forEach((seconds, i) => durations.add(1000 * seconds, i));
  assertEquals(read().samples.map(({ labels }) => labels.le).filter((le) => le !== undefined), [
    ...BOUNDS.map(String),
    "+Inf",
  ]);
});
