/** What the benches write: which way is better, the spread, no difference within it, and comparisons with ourselves apart. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { chart } from "../../bench/peers/chart.ts";
import { report } from "../../bench/peers/report.ts";
import { type Table, verdict } from "../../bench/peers/table.ts";

const ABOUT = { date: "2026-01-02", machine: "2 cores of a kind", versions: ["Deno 2", "other 1.5"] };

function table(ours: number[], other: number[], rest: Partial<Table> = {}): Table {
  const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  return {
    title: "Gets",
    note: "Of keys.",
    main: "µs",
    lessIsBetter: true,
    ours: "ours",
    rows: { ours: { "µs": median(ours) }, other: { "µs": median(other) } },
    runs: { ours, other },
    ...rest,
  };
}

Deno.test("a verdict says by how many times ours is better or worse, whichever way is better", () => {
  const [fast, slow] = [[10, 11, 10, 10, 10, 10], [20, 20, 20, 22, 20, 20]];
  assertEquals(verdict(table(fast, slow)), "2 times better than other (1.82 to 2.2)");
  assertEquals(verdict(table(slow, fast)), "2 times worse than other (1.82 to 2.2)");
  assertEquals(verdict(table(fast, slow, { lessIsBetter: false })), "2 times worse than other (1.82 to 2.2)");
  assertEquals(verdict(table([10], [20])), "2 times better than other (measured once)");
});

Deno.test("a verdict claims no difference where the ratio of the repeats lies on both sides of 1", () => {
  const ours = [10, 10, 10, 10, 10, 10, 10, 10, 10];
  const once = [12, 12, 12, 12, 12, 12, 12, 12, 9];
  assertEquals(verdict(table(ours, once)), "1.2 times better than other (1.2 to 1.2)", "one repeat of nine may differ");
  const twice = [12, 12, 12, 12, 12, 12, 12, 9, 9];
  assertEquals(verdict(table(ours, twice)), "no difference to other within the spread (0.9 to 1.2 times)");
});

Deno.test("a report and its chart have date, machine, versions and spread, and comparisons with ourselves apart", () => {
  const tables = [
    table([3, 4, 5], [3, 4, 5], { title: "Before and after", isWithOurselves: true }),
    table([1, 2, 3], [7, 8, 9]),
  ];
  const [markdown, picture] = [report({ about: ABOUT, tables, missing: [] }), chart(ABOUT, tables)];
  for (const text of [markdown, picture]) {
    for (const words of [ABOUT.date, ABOUT.machine, ...ABOUT.versions, "2 (1–3)", "µs, less is better"]) {
      assertStringIncludes(text, words);
    }
    const [others, ours] = text.split(/^# Beside itself$|This project beside itself/m);
    assert(others.includes("Gets") && !others.includes("Before and after"));
    assert(ours.includes("Before and after") && !ours.includes("Gets"));
  }
  assertMatch(picture, /<path d="M[\d.]+ [\d.]+H[\d.]+/, "lines for the spread");
});
