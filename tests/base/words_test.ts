/** Numbers in words, as people read them. */

import { assertEquals } from "@std/assert";
import { grouped } from "../../lib/base/words.ts";

Deno.test("grouped() puts commas where toLocaleString() does, and none behind the point", () => {
  for (const count of [0, 7, 999, 1000, 65_536, 999_999, 1_000_000, 2 ** 53 - 1, -1234]) {
    assertEquals(grouped(count), count.toLocaleString("en"));
  }
  assertEquals(grouped(1234.56789), "1,234.56789");
  assertEquals([grouped(Infinity), grouped(NaN)], ["Infinity", "NaN"]);
});
