/** Figures of the status page from readings, how it writes them, and their courses. */

import { assertEquals } from "@std/assert";
import {
  boundOf,
  cpuShare,
  fullness,
  hitRatio,
  indexBefore,
  rate,
  remember,
  rememberedSeconds,
  spanOf,
} from "../../lib/page/figures.ts";
import type { Reading } from "../../lib/page/reading.ts";
import { boundText, counted, countText, percentText, rateText, sentenceOf, visible } from "../../lib/page/text.ts";
import { courseOf, outline, tiles } from "../../lib/page/tiles.ts";
import { reading } from "../support/readings.ts";

Deno.test("remember() keeps the last minutes, and begins anew with the server, whatever its clock says", () => {
  const readings: Reading[] = [];
  for (let second = 10; second <= 400; second++) {
    assertEquals(remember(readings, reading(second, {}, { timeMs: 5000 - second })), false);
  }
  assertEquals([readings.length, readings[0].stats.uptimeMs], [rememberedSeconds() + 1, 100_000]);
  assertEquals(spanOf(readings), 300);
  assertEquals(remember(readings, reading(1)), true);
  assertEquals([readings.length, spanOf(readings)], [1, 60]);
  assertEquals(remember(readings, reading(9, {}, { id: 2 })), true);
});

Deno.test("indexBefore() finds what was some seconds before, though seconds are not exact, or what is oldest", () => {
  const readings = [0, 1.01, 1.99, 3, 4].map((second) => reading(second));
  assertEquals([0, 2, 3, 10].map((seconds) => indexBefore(readings, 4, seconds)), [4, 2, 1, 0]);
});

Deno.test("rates, hit ratio and processor are of the time between two readings, and unknown where there is none", () => {
  const from = reading(10, { hits: 5, misses: 5, requests: 100 });
  const to = reading(20, { hits: 8, misses: 6, requests: 150 });
  const requests = (stats: Reading["stats"]) => stats.requests;
  assertEquals([rate(from, to, requests), hitRatio(from, to), cpuShare(from, to)], [5, 0.75, 0.1]);
  assertEquals([rate(to, to, requests), hitRatio(to, to), cpuShare(to, to)], [undefined, undefined, undefined]);
  assertEquals(rate(to, reading(30), requests), 0); // a counter that has fallen has not grown
});

Deno.test("boundOf() tells within which bound a share of the requests between two readings was answered", () => {
  const durations = (counts: number[]) => ({ durations: { bounds: [0.001, 0.1, 1], counts, sumMs: 0 } });
  const from = reading(1, {}, durations([100, 0, 0, 50]));
  const to = reading(2, {}, durations([150, 49, 0, 51]));
  assertEquals([0, 0.5, 0.51, 0.99, 1].map((share) => boundOf(from, to, share)), [0, 0, 1, 1, 3]);
  assertEquals(boundOf(to, to, 0.5), undefined);
});

Deno.test("fullness() is that of the limit which is nearer", () => {
  const of = (memoryBytes: number, entries: number, maxSize: number) =>
    fullness(reading(1, { memoryBytes, entries, maxSize }).stats);
  assertEquals(of(500, 9, 10), { share: 0.9, byEntries: true });
  assertEquals(of(500, 9, 0), { share: 0.5, byEntries: false });
});

Deno.test("numbers are written so that little is not taken for nothing, and much not for all", () => {
  assertEquals([0, 0.04, 0.5, 9.94, 1234.4].map(rateText), ["0", "< 0.1", "0.5", "9.9", "1,234"]);
  assertEquals([0, 0.0004, 0.5, 0.9999, 1].map(percentText), ["0 %", "< 0.1 %", "50.0 %", "99.9 %", "100 %"]);
  assertEquals([rateText(undefined), percentText(undefined), countText(2_345_678)], ["–", "–", "2.35M"]);
  assertEquals([counted(1, "entry", "entries"), counted(0, "write")], ["1 entry", "0 writes"]);
  const bounds = [0.000_05, 0.0025, 2.5];
  assertEquals([0, 1, 2, 3].map((i) => boundText(bounds, i)), ["≤ 0.05 ms", "≤ 2.5 ms", "≤ 2.5 s", "> 2.5 s"]);
});

Deno.test("others' text shows what it is: nothing in it is unseen, turns it around, or is endless", () => {
  assertEquals(visible("a\u202egnp.exe\n\u200b<b>é🙂\ud800"), "a\\u202egnp.exe\\u000a\\u200b<b>é🙂\\ud800");
  assertEquals(visible("x".repeat(400)).length, 301);
  assertEquals([sentenceOf("it is so"), sentenceOf("Done.")], ["It is so.", "Done."]);
});

Deno.test("a course ends at the right with now, and has a gap where nothing is known", () => {
  const readings = [0, 1, 2, 10, 60].map((second) => reading(second));
  const { line, area } = outline(readings, [0, 5, 10, undefined, 20], 10, 60);
  assertEquals(line, "M0.0 98.0L5.0 51.0L10.0 4.0M300.0 4.0h0.1"); // no value is drawn above the largest
  assertEquals(area, "M0.0 98.0L5.0 51.0L10.0 4.0L10.0 100L0.0 100ZM300.0 4.0L300.0 100L300.0 100Z");
  assertEquals(outline(readings.slice(1, 4), [1, 2, 3], 0, 60).line, "M255.0 98.0L260.0 98.0M300.0 98.0h0.1");
});

Deno.test("every tile has a text for a server that has just begun, and for one that is busy", () => {
  const [first, last] = [reading(1), reading(9, { hits: 3, misses: 1, requests: 8, maxSize: 10, entries: 5 })];
  const texts = (from: Reading, to: Reading) => tiles().map(({ value, text }) => text(value(from, to), to));
  assertEquals(texts(first, first), ["no reads", "–", "no requests", "0 %", "–", "0", "–", "0"]);
  assertEquals(texts(first, last), ["75.0 %", "1.0", "no requests", "50.0 %", "0", "0", "10.0 %", "0"]);
  for (const tile of tiles()) {
    assertEquals(courseOf(tile, [first, last]).length, 2);
    assertEquals(/NaN|undefined/.test(tile.more(first, last) + tile.more(first, first)), false, tile.title);
  }
});
