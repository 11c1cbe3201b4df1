/** The replacement of an entry that has been promised to a connection, which ends. */

import { assertEquals } from "@std/assert";
import { MAX_WINS } from "../../lib/memcached/wins.ts";
import { sessionOf } from "../support/access.ts";
import { ask, say } from "../support/memcached_talk.ts";
import { sessionHost } from "../support/session_host.ts";

/** How the first who asks wins the replacement of "k", what others are told, and what the next one is. */
const WINS: [what: string, before: string, asked: string, others: string, won: string][] = [
  ["of a stale entry", "ms k 1\r\nx\r\nmd k I\r\n", "mg k", "HD Z X", "HD X W"],
  ["of one that is about to expire", "ms k 1 T20\r\nx\r\n", "mg k R30", "HD Z", "HD W"],
];

for (const [what, before, asked, others, won] of WINS) {
  Deno.test(`the replacement ${what} is promised to the next when the winner's connection ends`, () => {
    const host = sessionHost();
    ask(before, host);
    const [winner, loser] = [sessionOf(host), sessionOf(host)];
    assertEquals(say(winner, `${asked}\r\n`).text, `${won}\r\n`);
    assertEquals(say(loser, `${asked}\r\n`).text, `${others}\r\n`);
    loser.release();
    assertEquals(ask(`${asked}\r\n`, host), `${others}\r\n`, "who has lost has nothing to hand over");
    winner.release();
    assertEquals(ask(`${asked}\r\n`, host), `${won}\r\n`);
    winner.release();
    assertEquals(ask(`${asked}\r\n`, host), `${others}\r\n`, "only once");
  });
}

Deno.test("what another has won since stays promised when the first winner's connection ends", () => {
  const host = sessionHost();
  const [first, second] = [sessionOf(host), sessionOf(host)];
  ask("ms k 1\r\nx\r\nmd k I\r\n", host);
  say(first, "mg k\r\n");
  ask("ms k 1\r\ny\r\nmd k I\r\n", host);
  assertEquals(say(second, "mg k\r\n").text, "HD X W\r\n");
  first.release();
  assertEquals(ask("mg k\r\n", host), "HD Z X\r\n");
});

Deno.test("what a connection has won is replaced or gone when it ends, or it has won more than is remembered", () => {
  const host = sessionHost({ maxSize: 3000 });
  const winner = sessionOf(host);
  const names = Array.from({ length: MAX_WINS + 2 }, (_, i) => `k${i}`);
  for (const name of names) say(winner, `ms ${name} 1\r\nx\r\nmd ${name} I\r\nmg ${name}\r\n`);
  say(winner, "ms k5 1\r\nx\r\ndelete k6\r\n");
  winner.release();
  const asked = (name: string) => ask(`mg ${name}\r\n`, host).trimEnd();
  assertEquals(["k0", "k1", "k2", names.at(-1)!, "k5", "k6"].map(asked), [
    "HD Z X",
    "HD Z X",
    "HD X W",
    "HD X W",
    "HD",
    "EN",
  ]);
});
