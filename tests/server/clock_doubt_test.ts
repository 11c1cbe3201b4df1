/** What is said of a peer when clocks keep it and this server apart, and how often. */

import { assertEquals } from "@std/assert";
import { newPeerState, type PeerState } from "../../lib/replication/peer_state.ts";
import { ClockDoubt, clockDoubt } from "../../lib/server/clock_doubt.ts";

function stateOf(differences: Partial<PeerState> = {}): PeerState {
  return { ...newPeerState(), ...differences };
}

const OWN_WRITES =
  "does not believe this server, which has writes from 75 s in the future, made with a clock that was wrong: " +
  "until then, or until this server is started again";

Deno.test("clockDoubt() says who does not believe whom, and why", () => {
  const cases: [state: Partial<PeerState>, writesAheadMs: number, said: string | undefined][] = [
    [{}, 0, undefined],
    [{ clockAheadMs: 20_000 }, 60_000, undefined],
    [{ refusal: "clock", clockAheadMs: 90_000 }, 0, "is not believed: its clock is 90 s ahead of this machine's"],
    [
      { refusal: "writes" },
      0,
      "is not believed: it has writes from more than a minute in the future, made with a clock that was wrong",
    ],
    [{ clockAheadMs: -90_000, unanswered: 2 }, 0, undefined],
    [
      { clockAheadMs: -90_000, unanswered: 3 },
      0,
      "does not believe this server: its clock is 90 s behind this machine's",
    ],
    [{}, 75_000, OWN_WRITES],
  ];
  for (const [state, writesAheadMs, said] of cases) assertEquals(clockDoubt(stateOf(state), writesAheadMs), said);
});

Deno.test("ClockDoubt.look() says at once when it is for another reason, and not when it is by other seconds", () => {
  const doubt = new ClockDoubt();
  const behind = stateOf({ clockAheadMs: -90_000, unanswered: 3 });
  const said = [0, 1, 2].map((second) => doubt.look({ ...behind, clockAheadMs: -90_000 - 1000 * second }, 0, second));
  assertEquals(said, ["does not believe this server: its clock is 90 s behind this machine's", undefined, undefined]);
  assertEquals([doubt.look(stateOf(), 75_000, 3), doubt.look(stateOf(), 1_075_000, 4)], [OWN_WRITES, undefined]);
});

Deno.test("ClockDoubt.look() says so at once, again each minute while it lasts, and when it is over", () => {
  const doubt = new ClockDoubt();
  assertEquals(doubt.look(stateOf(), 0, 0), undefined);
  const said = [1000, 30_000, 60_999, 61_000, 90_000].map((nowMs) => doubt.look(stateOf(), 75_000, nowMs));
  assertEquals(said, [OWN_WRITES, undefined, undefined, OWN_WRITES, undefined]);
  assertEquals([doubt.look(stateOf(), 0, 91_000), doubt.look(stateOf(), 0, 92_000)], [
    "and this server believe each other again",
    undefined,
  ]);
});
