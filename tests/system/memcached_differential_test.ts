/**
 * Our answers against the real memcached's, byte for byte, on random transcripts.
 *
 * What is made equal first:
 * - Numbers that stand for states (CAS): each side counts its own, and they are compared by the order in which they appeared.
 * - `t` and `l`, seconds to live and since the last use, may differ by a few: memcached's clock is set about once a second, by a
 *   thread that may have to wait, and begins to count at any time.
 *
 * What is not asked for:
 * - Entries near their time to live, and thresholds of `R` near what is left.
 * - What newer versions of memcached have and 1.6.18 has not: `E`, the flag `x` of `md`, the flag `s` of `ms`, the flag
 *   `C` of `mg`.
 * - `c` and `t` of an entry that is over as soon as it is stored: ours is not stored at all and has no state (`c0`), and
 *   memcached's seconds wrap.
 * - `T` beside `N`: memcached takes the later one of them, and we `T`.
 * - `N` of `ms`: newer versions make an entry to append to.
 * - Counting in the batch that reads: memcached pads a number that has become shorter, and keeps the promise of a new value,
 *   only if no reply that has yet to be written holds the entry.
 * - Counting on 2⁶³ and more: memcached looks for a minus sign, and goes on to look for it behind the value.
 * - Counting on white space alone: memcached goes on to read what lies behind the value.
 * - Retrievals with a key that is too long, in the midst of a batch: memcached forgets replies to what came before, if it has
 *   not sent them, and never lets go of the entries.
 * - A `flush_all` with a delay: in memcached what an earlier one has removed may come back.
 * - Of a key that `mg` with `N` has promised, all but `mg` with `N` and what stores whether there is an entry or not: to
 *   memcached the promise is an empty entry, to us it is none. Nor storing a stale value for a promise's state (`I`).
 * - An opaque that is too long, with `mg` and `T` or `N`, or `ma` and `N`: memcached has given the time to live or not, by the
 *   order of the flags.
 * - `T` of `ma`: memcached loses it where the number becomes longer.
 * - Values that are too large: where the line before one is wrong, memcached closes the connection, and replies are lost.
 * - `stats`, but for `detail`, and `me`, which tell of the server, and `quit`, after which replies may be lost with the connection.
 */

import { generator } from "../../lib/simulation/seeded_random.ts";
import { CAS_PLACE, Commands } from "../support/memcached_commands.ts";
import {
  answering,
  bytesOf,
  comparable,
  compareAtRandom,
  hasMemcached,
  inShort,
  OurSession,
  RealMemcached,
  type Sides,
  textOf,
} from "../support/memcached_oracle.ts";
import { until } from "../support/waiting.ts";

const COMMANDS_OF_TRANSCRIPT = 400;
const MOST_OF_BATCH = 40;
/** Two clocks differ by no more; times to live by much more. */
const CLOCK_SECONDS = 10;

/** A line of a reply that tells which commands have been answered before it. */
function mark(index: number): string {
  return `EN Oend${index}`;
}

/** Asks both sides the same; throws if they do not answer the same. */
async function compare(commands: string[], sides: Sides, isMarked: boolean): Promise<void> {
  const end = commands.length;
  const marked = commands.map((command, i) => isMarked ? `${command}mg ~end Oend${i}\r\n` : command);
  const text = `${marked.join("")}mn before the end\r\nmg ~end Oend${end}\r\nmn\r\n`;
  const last = bytesOf(`${mark(end)}\r\nMN\r\n`);
  const replies: string[][] = [];
  for (const { side, cas } of sides) {
    const bytes = bytesOf(text.replace(CAS_PLACE, (_, place) => cas.at(Number(place))));
    const { reply, hasEnded } = await side.ask({ bytes, end: last });
    replies.push(comparable(reply, cas));
    if (hasEnded) replies.at(-1)!.push("(closed)");
  }
  const [expected, found] = replies;
  let seen = 0;
  for (let i = 0; i < Math.max(expected.length, found.length); i++) {
    const number = /^EN Oend(\d+)$/.exec(expected[i] ?? "")?.[1];
    if (isSame(expected[i], found[i])) {
      if (number !== undefined) seen = Number(number) + 1;
      continue;
    }
    const asked = isMarked ? commands.slice(seen, seen + 3) : commands;
    const from = isMarked ? Math.max(0, expected.lastIndexOf(mark(seen - 1), i) + 1) : i;
    const show = (lines: string[]) => inShort(lines.slice(from, i + 2));
    throw new Error(
      `${inShort(asked)}\nmemcached: ${show(expected)}\nours:      ${show(found)}` +
        (isMarked ? `\nbefore: ${inShort(commands.slice(Math.max(0, seen - 12), seen))}` : ""),
    );
  }
}

/** Whether two lines of replies are as equal as they have to be. */
function isSame(expected: string | undefined, found: string | undefined): boolean {
  if (expected === found) return true;
  if (expected === undefined || found === undefined) return false;
  const [a, b] = [timesOf(expected), timesOf(found)];
  return a.rest === b.rest && a.times.every((time, i) => Math.abs(time - b.times[i]) <= CLOCK_SECONDS);
}

/** Seconds in a meta reply's flags `t` and `l`, and what remains of it. */
function timesOf(line: string): { times: number[]; rest: string } {
  const head = /^(HD|VA)[^\r]*/.exec(line)?.[0] ?? "";
  const times: number[] = [];
  const rest = head.replace(/ ([tl])(\d+)(?= |$)/g, (_, flag, seconds) => {
    times.push(Number(seconds));
    return ` ${flag}*`;
  });
  return { times, rest: rest + line.slice(head.length) };
}

compareAtRandom({
  what: "commands",
  count: 100_000,
  transcript: async (seed, sides) => {
    const random = generator(seed);
    const made = new Commands(random, `${seed.toString(36)}:`);
    await compare(["flush_all\r\n", "stats reset\r\n", "stats detail on\r\n"], sides, false);
    let count = 0;
    while (count < COMMANDS_OF_TRANSCRIPT) {
      made.casCount = sides[1].cas.count;
      const batch = made.batch(MOST_OF_BATCH);
      await compare(batch, sides, random() < 0.5);
      count += batch.length;
    }
    await compare(["stats detail dump\r\n"], sides, false);
    return count;
  },
});

const SHORT_SECONDS = 2;

/** Waits until an entry has expired on a side, by that side's clock. */
async function untilGone(key: string, { side }: Sides[number]): Promise<void> {
  const question = { bytes: bytesOf(`mg ${key}\r\nmn\r\n`), end: bytesOf("MN\r\n") };
  await until(`${key} is gone`, async () => textOf((await side.ask(question)).reply).startsWith("EN"));
}

Deno.test({
  name: "entries are there and gone as in memcached when some of them have expired",
  ignore: !hasMemcached(),
  fn: async () => {
    await using memcached = await RealMemcached.start();
    const random = generator(5);
    const pick = <T>(choices: readonly T[]) => choices[Math.floor(choices.length * random())];
    const sides: Sides = [answering(memcached), answering(new OurSession(random))];
    const seconds = () => pick([0, 100, SHORT_SECONDS, SHORT_SECONDS, -1]);
    const keys = Array.from({ length: 300 }, (_, i) => `k${i}`);
    const stored = keys.map((key) =>
      pick([
        () => `set ${key} 0 ${seconds()} 1\r\n1\r\n`,
        () => `ms ${key} 1 T${seconds()}\r\n1\r\n`,
        () => `ma ${key} N${seconds()}\r\n`,
      ])()
    );
    const given = keys.flatMap((key) =>
      pick([
        () => [],
        () => [`touch ${key} ${seconds()}\r\n`],
        () => [`gat ${seconds()} ${key}\r\n`],
        () => [`mg ${key} T${seconds()}\r\n`],
        () => [`append ${key} 0 0 1\r\n1\r\n`],
        () => [`incr ${key} 10\r\n`],
        () => [`md ${key} I T${seconds()}\r\n`],
      ])()
    );
    const promisedKeys = Array.from({ length: 100 }, (_, i) => `n${i}`);
    const promised = promisedKeys.map((key) => `mg ${key} N${seconds()}\r\n`);
    const kept = promisedKeys.flatMap((key) =>
      pick([
        () => [],
        () => [`mg ${key} v N100\r\n`],
        () => [`set ${key} 0 ${seconds()} 1\r\n1\r\n`],
      ])()
    );
    await compare([...stored, ...given, ...promised, ...kept, `ms last 1 T${SHORT_SECONDS + 1}\r\n1\r\n`], sides, true);
    for (const side of sides) await untilGone("last", side);
    await compare(keys.flatMap((key) => [`mg ${key} v t\r\n`, `add ${key} 0 0 1\r\n2\r\n`]), sides, true);
    await compare(promisedKeys.flatMap((key) => [`mg ${key} v t N0\r\n`, `set ${key} 0 0 1\r\n2\r\n`]), sides, true);
  },
});
