/** What a node knows of a peer: when it answered, and how long it takes to. */

import { assertEquals } from "@std/assert";
import { answered, newPeerState } from "../../lib/replication/peer_state.ts";
import {
  isDue,
  isLong,
  newRoundTrips,
  patienceMs,
  roundTripMs,
  type RoundTrips,
  tookAnswer,
} from "../../lib/replication/round_trips.ts";

/** Puts a question at a time, and hears its answer some milliseconds later. */
function trip(trips: RoundTrips, askedMs: number, ms: number): void {
  [trips.question, trips.askedMs] = [askedMs, askedMs];
  tookAnswer(trips, askedMs, askedMs + ms);
}

Deno.test("newPeerState() knows nothing", () => {
  const { origin, lastRoundMs, roundTrips, unanswered, dropped } = newPeerState();
  assertEquals([origin, lastRoundMs, unanswered, dropped], [undefined, undefined, 0, 0]);
  assertEquals([roundTripMs(roundTrips, 0), isLong(roundTrips), isDue(roundTrips, 0, false)], [undefined, false, true]);
});

Deno.test("answered() takes note of the time", () => {
  const state = newPeerState();
  state.unanswered = 3;
  answered(state, 140);
  assertEquals([state.lastRoundMs, state.unanswered], [140, 0]);
});

Deno.test("tookAnswer() measures the question that bears the number, and no other", () => {
  const trips = newRoundTrips();
  [trips.question, trips.askedMs] = [4, 100];
  tookAnswer(trips, 2, 150);
  assertEquals(roundTripMs(trips, 160), undefined);
  tookAnswer(trips, 4, 170);
  assertEquals([roundTripMs(trips, 1000), trips.question], [70, undefined]);
  tookAnswer(trips, 4, 300);
  assertEquals(roundTripMs(trips, 1000), 70);
});

Deno.test("roundTripMs() tells how long the one under way takes, once that is longer", () => {
  const trips = newRoundTrips();
  trip(trips, 0, 50);
  [trips.question, trips.askedMs] = [200, 200];
  assertEquals([roundTripMs(trips, 240), roundTripMs(trips, 5200)], [50, 5000]);
});

Deno.test("isDue() asks often at first and while something depends on it, one question at a time, and again where one is lost", () => {
  const trips = newRoundTrips();
  for (let i = 0; i < 3; i++) {
    assertEquals(isDue(trips, i, false), true);
    trip(trips, i, 1);
  }
  assertEquals([isDue(trips, 9000, false), isDue(trips, 9000, true), isDue(trips, 10_002, false)], [false, true, true]);
  trips.question = 9;
  trips.askedMs = 11_000;
  assertEquals([isDue(trips, 20_000, true), isDue(trips, 21_001, false)], [false, true]);
});

Deno.test("patienceMs() follows the shortest of the last three round trips", () => {
  const trips = newRoundTrips();
  assertEquals(patienceMs(trips), 0);
  trips.question = 1;
  assertEquals(patienceMs(trips), 2000);
  trip(trips, 0, 3000);
  assertEquals([patienceMs(trips), isLong(trips)], [12_000, true]);
  trip(trips, 10_000, 5);
  assertEquals([patienceMs(trips), isLong(trips)], [20, false]);
  for (let i = 0; i < 3; i++) trip(trips, 20_000 + 1000 * i, 800 + i);
  assertEquals([patienceMs(trips), isLong(trips)], [3200, true]);
});

Deno.test("tookAnswer() takes a clock that was put back for no time at all", () => {
  const trips = newRoundTrips();
  trip(trips, 100, -50);
  assertEquals(roundTripMs(trips, 100), 0);
});
