/** When peers are called again. */

import { assert, assertEquals } from "@std/assert";
import { backoffMs } from "../../lib/server/peer_calls.ts";

Deno.test("backoffMs() doubles with each failure, and stays where a peer that is back is called within 10 s", () => {
  const longest = () => 1;
  assertEquals([0, 1, 2, 3, 4, 5].map((failures) => backoffMs(failures, longest)), [250, 500, 1000, 2000, 4000, 4000]);
  assertEquals(backoffMs(1e9, longest), 4000);
  assertEquals(backoffMs(1, () => 0), 250);
  for (let failures = 0; failures < 100; failures++) assert(backoffMs(failures) > 0);
});
