/** Prometheus' text: names, labels and numbers as they have to be written. */

import { assertEquals, assertThrows } from "@std/assert";
import { metricsText, single } from "../../lib/metrics/text.ts";
import { readMetrics } from "../support/metrics_format.ts";

Deno.test("metricsText() writes help, type and samples, and leaves out a family without samples", () => {
  const text = metricsText([
    single("a_total", "counter", "All of a.", 5),
    { name: "empty", kind: "gauge", help: "Nothing.", samples: [] },
    { name: "b", kind: "gauge", help: "Some b.", samples: [{ labels: { x: "1", y: "2" }, value: 0.5 }, { value: -1 }] },
  ]);
  assertEquals(
    text,
    '# HELP a_total All of a.\n# TYPE a_total counter\na_total 5\n# HELP b Some b.\n# TYPE b gauge\nb{x="1",y="2"} 0.5\nb -1\n',
  );
  assertEquals(metricsText([]), "");
});

Deno.test("metricsText() escapes what would end a label or a line, in labels and in help", () => {
  const value = 'a"b\\c\nd{e}, f="g" é';
  const text = metricsText([{
    name: "a",
    kind: "gauge",
    help: "x\\y\nz",
    samples: [{ labels: { l: value }, value: 1 }],
  }]);
  assertEquals(
    text,
    '# HELP a x\\\\y\\nz\n# TYPE a gauge\na{l="a\\"b\\\\c\\nd{e}, f=\\"g\\" é"} 1\n',
  );
  assertEquals(readMetrics(text).get("a")?.samples[0].labels, { l: value });
});

Deno.test("metricsText() writes numbers that are not finite, very large or very small, as Prometheus reads them", () => {
  const numbers = [Infinity, -Infinity, NaN, 1e300, 5e-324, 2 ** 53, 1.5];
  const samples = numbers.map((value, i) => ({ labels: { i: `${i}` }, value }));
  const text = metricsText([{ name: "a", kind: "gauge", help: "A.", samples }]);
  assertEquals(
    text.split("\n").slice(2, -1).map((line) => line.split(" ")[1]),
    ["+Inf", "-Inf", "NaN", "1e+300", "5e-324", "9007199254740992", "1.5"],
  );
  assertEquals(readMetrics(text).get("a")?.samples.map(({ value }) => value), numbers);
});

Deno.test("the reader that tests use takes no text that a scraper or promtool would complain of", () => {
  const family = (name: string, kind: string, ...lines: string[]) =>
    [`# HELP ${name} Help.`, `# TYPE ${name} ${kind}`, ...lines, ""].join("\n");
  readMetrics(family("a", "gauge", "a 1"));
  for (
    const bad of [
      "a 1\n",
      family("a", "gauge"),
      family("a", "gauge", "a 1").trimEnd(),
      family("a", "gauge", "a 1", "a 2"),
      family("a", "gauge", 'a{x="1"} 1', 'a{x="1"} 2'),
      family("a", "gauge", 'a{x="1",} 1'),
      family("a", "gauge", 'a{x="\\q"} 1'),
      family("a", "gauge", 'a{x="1"y="2"} 1'),
      family("a", "gauge", "b 1"),
      family("a", "gauge", "a one"),
      family("a", "counter", "a 1"),
      family("a_total", "gauge", "a_total 1"),
      family("a_total", "counter", "a_total -1"),
      family("a_ms", "gauge", "a_ms 1"),
      family("a", "gauge", "a 1") + family("a", "gauge", "a 1"),
      family("a", "histogram", 'a_bucket{le="1"} 1', "a_sum 1", "a_count 1"),
      family("a", "histogram", 'a_bucket{le="1"} 2', 'a_bucket{le="+Inf"} 1', "a_sum 1", "a_count 1"),
      family("a", "histogram", 'a_bucket{le="+Inf"} 1', "a_sum 1", "a_count 2"),
    ]
  ) {
    assertThrows(() => readMetrics(bad));
  }
});
