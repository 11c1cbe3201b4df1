/** What a node knows of a peer: when it was asked, and when it answered. */

import { assertEquals } from "@std/assert";
import { answered, asked, newPeerState } from "../../lib/replication/peer_state.ts";

Deno.test("newPeerState() knows nothing", () => {
  const { origin, lastRoundMs, roundTripMs, unanswered, dropped } = newPeerState();
  assertEquals([origin, lastRoundMs, roundTripMs, unanswered, dropped], [undefined, undefined, undefined, 0, 0]);
});

Deno.test("answered() reckons from the first question that had no answer", () => {
  const state = newPeerState();
  asked(state, 100);
  asked(state, 130);
  assertEquals(state.unanswered, 2);
  answered(state, 140);
  assertEquals([state.roundTripMs, state.lastRoundMs, state.unanswered], [40, 140, 0]);
  asked(state, 200);
  answered(state, 203);
  assertEquals([state.roundTripMs, state.lastRoundMs], [3, 203]);
});

Deno.test("answered() keeps the last time when nothing was asked, or the clock went back", () => {
  const state = newPeerState();
  asked(state, 100);
  answered(state, 110);
  answered(state, 150);
  assertEquals([state.roundTripMs, state.lastRoundMs], [10, 150]);
  asked(state, 160);
  answered(state, 155);
  assertEquals(state.roundTripMs, 0);
});
