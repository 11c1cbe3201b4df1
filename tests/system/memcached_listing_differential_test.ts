/**
 * What we list of all keys against what the real memcached lists, after the same random commands.
 *
 * What is made equal first:
 * - The order: memcached's is that of its lists, ours that of hashes.
 * - Times may differ by a few seconds; states are compared by the order in which they were told; classes and sizes not at all.
 *
 * - `stats cachedump` of memcached's lists what is over, too.
 *
 * What is not asked for: keys that `mg` with `N` has promised, which are entries to memcached and none to us.
 */

import { assert, assertEquals } from "@std/assert";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { CAS_PLACE, Commands } from "../support/memcached_commands.ts";
import {
  type Answering,
  answering,
  bytesOf,
  comparable,
  hasMemcached,
  OurSession,
  RealMemcached,
  textOf,
} from "../support/memcached_oracle.ts";

/** Two clocks differ by no more; times to live by much more. */
const CLOCK_SECONDS = 10;
const SEEDS = 8;
const BATCHES = 20;
/** Entries that are there in any case. */
const MORE = 300;

async function say({ side, cas }: Answering, asked: string, end: string): Promise<string> {
  const bytes = bytesOf(asked.replace(CAS_PLACE, (_, place) => cas.at(Number(place))));
  const { reply } = await side.ask({ bytes, end: bytesOf(end) });
  comparable(reply, cas); // takes note of the states
  return textOf(reply);
}

/** Lines of a reply but for the last, in order; times are taken out. */
function sorted(text: string): { lines: string[]; times: number[] } {
  const lines = text.split("\n").slice(0, -2).sort();
  const times = lines.flatMap((line) => [...line.matchAll(/ (?:exp=|la=|b; )(\d+)/g)].map(([, time]) => Number(time)));
  return { lines: lines.map((line) => line.replace(/ (exp=|la=|b; )(\d\d+)/g, " $1*")), times };
}

function assertSame(expected: string, found: string, what: string): void {
  const [a, b] = [sorted(expected), sorted(found)];
  assertEquals(b.lines, a.lines, what);
  for (const [i, time] of a.times.entries()) assert(Math.abs(time - b.times[i]) <= CLOCK_SECONDS, `${what}: ${time}`);
}

/** A `metadump` whose states are places; what is of one server alone is left out. */
async function metadump(answering: Answering): Promise<string> {
  const all = await say(answering, "lru_crawler metadump all\r\n", "END\r\n");
  const text = all.split("\n").filter((line) => !/^key=\S*\.n\d/.test(line)).join("\n");
  return text.replace(/ cas=(\d+)/g, (_, state) => ` cas=${answering.cas.placeOf(state)}`).replace(/ cls=.*/g, "");
}

function decoded(key: string): string {
  return key.replace(/%(..)/g, (_, digits) => String.fromCharCode(parseInt(digits, 16)));
}

/** What `stats cachedump` tells of some keys, in all classes. */
async function cachedump(answering: Answering, keys: readonly string[]): Promise<string> {
  let text = "";
  for (let id = 0; id < 64; id++) text += await say(answering, `stats cachedump ${id} 0\r\n`, "END\r\n");
  const here = text.split("\r\n").filter((line) => keys.includes(line.split(" ")[1]));
  return `${here.join("\n")}\nEND\n`;
}

Deno.test({
  name: "keys are listed as by memcached",
  ignore: !hasMemcached(),
  fn: async () => {
    await using memcached = await RealMemcached.start();
    const sides = [answering(memcached), answering(new OurSession(generator(3)))];
    for (const side of sides) await say(side, "lru_crawler enable\r\n", "\r\n");
    let count = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const made = new Commands(generator(seed), `${seed}.`);
      for (const side of sides) await say(side, "flush_all\r\n", "\r\n");
      for (let i = 0; i < BATCHES; i++) {
        made.casCount = sides[1].cas.count;
        const batch = `${made.batch(20).join("")}mn\r\nmg ~end Oend\r\n`;
        for (const side of sides) await say(side, batch, "EN Oend\r\n");
      }
      const more = Array.from({ length: MORE }, (_, i) => `set ${seed}%:${i} 0 ${100 * (i % 3)} 2\r\nhi\r\n`).join("");
      for (const side of sides) await say(side, `${more}mn\r\n`, "MN\r\n");
      // The states of all entries, in the same order for both.
      const listed = await say(sides[1], "lru_crawler metadump all\r\n", "END\r\n");
      const words = [...listed.matchAll(/^key=(\S+) /gm)].map(([, key]) => decoded(key));
      for (const side of sides) await say(side, `gets ${words.sort().join(" ")} ~\r\n`, "END\r\n");
      const [expected, found] = [await metadump(sides[0]), await metadump(sides[1])];
      assertSame(expected, found, `seed ${seed}`);
      count += sorted(expected).lines.length;
      const dumped = await Promise.all(sides.map((side) => cachedump(side, words)));
      assertSame(dumped[0], dumped[1], `seed ${seed}`);
    }
    assert(count > MORE * SEEDS, `${count} keys`);
  },
});
