/** The line about entries that a catch-up has dropped: how many, because of which peer, and why. */

import { assertStrictEquals } from "@std/assert";
import { droppedLine } from "../../lib/server/dropped_line.ts";

Deno.test("droppedLine() names the peer, the number of all entries, and the number for each reason", () => {
  assertStrictEquals(
    droppedLine("10.0.0.2:11142", { covered: 1300, unconfirmed: 12 }),
    "Peer 10.0.0.2:11142 did not confirm 1,312 entries, which were dropped here: " +
      "1,300 may be older than a write that has left the peer, 12 may be older than a write that has been forgotten",
  );
});

Deno.test("droppedLine() leaves a reason out when no entry was dropped for it, and says one entry, not entries", () => {
  assertStrictEquals(
    droppedLine("a:1", { covered: 1, unconfirmed: 0 }),
    "Peer a:1 did not confirm 1 entry, which was dropped here: 1 may be older than a write that has left the peer",
  );
  assertStrictEquals(
    droppedLine("[::1]:2", { covered: 0, unconfirmed: 2 }),
    "Peer [::1]:2 did not confirm 2 entries, which were dropped here: 2 may be older than a write that has been forgotten",
  );
});
