/** What a server has learned from reads, as lines: what is in them, and that none is wider than the terminal. */

import { assert, assertEquals } from "@std/assert";
import type { HotKey, ServerInsight } from "../../lib/base/insight.ts";
import { hotLines } from "../../lib/cli/hot_lines.ts";

const hotKey = (key: string, share: number): HotKey => ({ key, share, shareAtMost: share });

const INSIGHT: ServerInsight = {
  countedMs: 60_000,
  sampledKeys: 100,
  hitRatio: { half: 0.661, same: 0.74, double: 0.81, fourfold: 0.831, sieve: 0.762 },
  isSettled: true,
  meanBytes: 112,
  hottestByReads: [hotKey("user:42", 0.123), hotKey("user:7", 0.0406)],
  hottestByBytes: [hotKey("image:1", 1)],
};

Deno.test("hotLines() gives both lists, and what each size and policy would give beside what is", () => {
  assertEquals(hotLines(INSIGHT), [
    "Keys read most, of all reads",
    "   12.3 %  user:42",
    "    4.1 %  user:7",
    "Keys with most bytes read, of all bytes",
    "  100.0 %  image:1",
    "Hits, of all reads",
    "  half the memory    66.1 %  -7.9",
    "  as it is           74.0 %",
    "  twice the memory   81.0 %  +7.0",
    "  four times         83.1 %  +9.1",
    "  SIEVE, not LRU     76.2 %  +2.2",
  ]);
});

Deno.test("hotLines() says what is not known yet", () => {
  const { hitRatio: _, ...little } = { ...INSIGHT, hottestByReads: [], hottestByBytes: [] };
  assertEquals(hotLines(little, 40), [
    "Keys read most, of all reads",
    "  none stands out",
    "Keys with most bytes read, of all bytes",
    "  none stands out",
    "Too few reads have been seen to say what",
    "more memory would give. The server goes",
    "on counting: ask again.",
  ]);
  assertEquals(hotLines({ ...INSIGHT, isSettled: false }, 40).slice(-2), [
    "This is early: more memory may give",
    "more, and half of it less.",
  ]);
});

Deno.test("no line is wider than 80 or 40 columns, whatever a key is, and none moves the cursor", () => {
  const keys = ["k".repeat(1000), "\u001b[2J\n".repeat(50), "鍵".repeat(300), "😀".repeat(200), "é".repeat(300), "x"];
  const list = keys.map((key) => hotKey(key, 1));
  for (const width of [40, 80]) {
    for (const isSettled of [true, false]) {
      const lines = hotLines({ ...INSIGHT, isSettled, hottestByReads: list, hottestByBytes: list }, width);
      for (const line of lines) {
        const wide = [...line].filter((letter) => letter > "\u0300" && letter !== "…").length;
        assert([...line].length + wide <= width, `${width}: ${line}`);
        // deno-lint-ignore no-control-regex -- control characters are what must not be there
        assert(!/[\u0000-\u001f]/.test(line), line);
      }
      assertEquals(lines[1].includes("…"), true);
    }
  }
});
