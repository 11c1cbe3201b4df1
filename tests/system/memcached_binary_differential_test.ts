/**
 * Our answers to packets against the real memcached's, byte for byte, on random transcripts.
 *
 * What is made equal first:
 * - Numbers that stand for states (CAS): each side counts its own, and they are compared by the order in which they appeared.
 * - Unknown commands with extras or a key: memcached takes them away twice, the second time from what follows. It is sent as
 *   many bytes more, to lose them.
 *
 * What is not asked for:
 * - Times to live that end during the comparison.
 * - The state of an entry that is over as soon as it is stored: ours is not stored at all and has none (0). Such requests are
 *   quiet ones, which tell it to nobody.
 * - Counting on an entry that a reply holds: memcached pads a number that has become shorter only if no reply that has yet to
 *   be written does. There is a `noop` between, which makes memcached write.
 * - Counting on 2⁶³ and more: memcached looks for a minus sign, and goes on to look for it behind the value.
 * - Counting on white space alone: memcached goes on to read what lies behind the value.
 * - A `flush` that waits or clears nothing, where another one has cleared: in memcached what that has removed comes back. A
 *   transcript has those of one kind.
 * - What follows a request that ends the conversation, and much before it: replies are lost with the connection if memcached
 *   has not read all that was sent.
 * - What comes before a wrong first byte, and less than a header of it: memcached forgets replies that it has not sent, and
 *   does not look before it has a whole header.
 * - Values said to be of 2 GiB and more: to memcached that is a length below 0.
 * - `stat` but for `reset`, `detail` and what is not known: it tells of the server. Nor names that are the beginning of one: memcached
 *   reads on behind them.
 */

import { generator } from "../../lib/simulation/seeded_random.ts";
import { compareAtRandom, inShort, type Sides } from "../support/memcached_oracle.ts";
import { packetOf, REPLY, REQUEST, type Told, toldIn } from "../support/memcached_packets.ts";
import { type Batch, bytesOfRequest, type Request, Requests, wordsOf } from "../support/memcached_requests.ts";
import { joined } from "../support/mutate.ts";

const REQUESTS_OF_TRANSCRIPT = 400;
const MOST_OF_BATCH = 40;
const MOST_WRITES = 4;

/** What ends a batch that goes on, and the reply. */
const [LAST, LAST_REPLY] = [REQUEST, REPLY].map((magic) => packetOf(magic, 0x0a, { opaque: 0x0e0d0e0d }));

/** Asks both sides the same; throws if they do not answer the same. Returns what both have said. */
async function compare({ requests, isLast }: Batch, sides: Sides, writes = 1): Promise<Told[]> {
  const [expected, found] = [[] as Told[], [] as Told[]];
  for (const [{ side, cas }, told] of [[sides[0], expected], [sides[1], found]] as const) {
    const packets = requests.map((request) => bytesOfRequest(request, cas, told === expected));
    const bytes = joined(...packets, ...isLast ? [] : [LAST]);
    const { reply, hasEnded } = await side.ask({ bytes, end: isLast ? undefined : LAST_REPLY, writes });
    told.push(...toldIn(reply, cas));
    if (hasEnded !== isLast) told.push({ opaque: -1, place: undefined, text: hasEnded ? "(closed)" : "(open)" });
  }
  for (let i = 0; i < Math.max(expected.length, found.length); i++) {
    if (expected[i]?.text !== found[i]?.text) throw new Error(difference(requests, expected, found, i));
  }
  return expected;
}

/** What the sides say differently at a place, and what they were asked. */
function difference(requests: Request[], expected: Told[], found: Told[], place: number): string {
  const placeOf = (told: Told | undefined) => requests.findIndex(({ opaque }) => opaque === told?.opaque);
  const places = [placeOf(expected[place]), placeOf(found[place])].filter((place) => place >= 0);
  const at = places.length === 0 ? requests.length : Math.min(...places);
  const key = requests[at]?.key;
  const before = requests.slice(0, at).filter((request) => request.key === key || !request.key).slice(-12);
  const show = (told: Told[]) => inShort(told.slice(place, place + 2).map(({ text }) => text));
  return [
    inShort(requests.slice(at, at + 2).map(wordsOf)),
    `memcached: ${show(expected)}`,
    `ours:      ${show(found)}`,
    `before: ${inShort(before.map(wordsOf))}`,
  ].join("\n");
}

/** Asks for a group of statistics. */
function statOf(group: string): Batch {
  return { requests: [{ opcode: 0x10, opaque: 0, key: group }], isLast: false };
}

compareAtRandom({
  what: "requests in packets",
  count: 20_000,
  transcript: async (seed, sides) => {
    const random = generator(seed);
    const made = new Requests(random, `${seed.toString(36)}:`);
    await compare(made.first(), sides);
    for (const group of ["reset", "detail on"]) await compare(statOf(group), sides);
    let count = 0;
    while (count < REQUESTS_OF_TRANSCRIPT) {
      const batch = made.batch(MOST_OF_BATCH);
      // What ends the conversation arrives at once: memcached's replies are lost with what it has not read.
      const writes = batch.isLast || random() < 0.5 ? 1 : 1 + Math.floor(MOST_WRITES * random());
      for (const { opaque, place } of await compare(batch, sides, writes)) {
        if (place !== undefined) made.told(opaque, place);
      }
      count += batch.requests.length;
    }
    await compare(statOf("detail dump"), sides);
    return count;
  },
});
