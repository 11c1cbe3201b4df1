/** Bodies that do not fit their requests for entries, numbers, conditions, many entries, keys and prefixes. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { joined } from "../support/mutate.ts";
import { sessionHost } from "../support/session_host.ts";
import { codes, DEFAULT, errorOf, frame, greeted, NEVER, set, uint64 } from "../support/session_talk.ts";

const utf8 = new TextEncoder();
const bytes = (...numbers: number[]) => new Uint8Array(numbers);
const LONG = "x".repeat(4097);
const TOO_LATE = uint64(0x00200000, 0);

function increment(marks: number, initial = NEVER, ttl = NEVER): Uint8Array {
  return frame(REQUEST.increment, "k", joined(bytes(marks), uint64(0, 1), initial, ttl));
}

function setIf(condition: number, version = NEVER, ttl = DEFAULT): Uint8Array {
  return frame(REQUEST.setIf, "k", joined(bytes(condition), version, bytes(0, 0, 0, 0), ttl, utf8.encode("new")));
}

/** An entry of a list whose lengths are what they are, unless others are given. */
function entry(key: string, { ttl = DEFAULT, keyBytes = key.length, valueBytes = 3 } = {}): Uint8Array {
  const head = bytes(keyBytes >> 8, keyBytes & 255, 0, 0, 0, 0);
  return joined(head, ttl, uint64(0, valueBytes).subarray(4), utf8.encode(`${key}new`));
}

function setMany(count: number, ...entries: Uint8Array[]): Uint8Array {
  return frame(REQUEST.setMany, "", joined(bytes(count >> 8, count & 255), ...entries));
}

function deleteMany(count: number, ...keys: string[]): Uint8Array {
  const listed = keys.map((key) => joined(bytes(key.length >> 8, key.length & 255, 0), utf8.encode(key)));
  return frame(REQUEST.deleteMany, "", joined(bytes(count >> 8, count & 255), ...listed));
}

const REFUSED: [what: string, request: Uint8Array, code: string, words: string][] = [
  ["ENTRY without a key", frame(REQUEST.entry), "bad-key", "1 to 4096"],
  ["ENTRY with more than a key", frame(REQUEST.entry, "k", bytes(0)), "bad-request", "after the key"],
  ["TAKE without a key", frame(REQUEST.take), "bad-key", "1 to 4096"],
  ["TAKE with more than a key", frame(REQUEST.take, "k", bytes(0)), "bad-request", "after the key"],
  ["TAKE of a key too long", frame(REQUEST.take, LONG), "bad-key", "received 4097"],

  ["INCREMENT without a key", frame(REQUEST.increment, "", new Uint8Array(25)), "bad-key", "1 to 4096"],
  ["truncated INCREMENT", frame(REQUEST.increment, "k", new Uint8Array(24)), "bad-request", "expected 25"],
  ["INCREMENT with bytes left over", frame(REQUEST.increment, "k", new Uint8Array(26)), "bad-request", "expected 25"],
  ["INCREMENT with an unknown mark", increment(4), "bad-request", "at most 3: received 4"],
  ["INCREMENT that makes nothing, with an initial", increment(1, uint64(1, 0)), "bad-request", "no initial"],
  ["INCREMENT that makes nothing, with a ttl", increment(0, NEVER, DEFAULT), "bad-request", "no ttl"],
  ["INCREMENT with a ttl too long", increment(2, NEVER, TOO_LATE), "bad-ttl", "9007199254740991"],
  ["INCREMENT with the flag of a SET in its ttl", increment(2, NEVER, uint64(0x40000000, 5)), "bad-ttl", "a ttl"],

  ["SET_IF without a key", frame(REQUEST.setIf, "", new Uint8Array(21)), "bad-key", "1 to 4096"],
  ["truncated SET_IF", frame(REQUEST.setIf, "k", new Uint8Array(20)), "bad-request", "21 bytes or more"],
  ["SET_IF without a condition", setIf(0), "bad-request", "1 to 3: received 0"],
  ["SET_IF with an unknown condition", setIf(4), "bad-request", "1 to 3: received 4"],
  ["SET_IF of a present key, with a version", setIf(2, uint64(0, 9)), "bad-request", "received 9"],
  ["SET_IF with a ttl too long", setIf(2, NEVER, TOO_LATE), "bad-ttl", "9007199254740991"],

  ["SET_MANY without a count", frame(REQUEST.setMany), "bad-request", "no count"],
  ["SET_MANY with a key", frame(REQUEST.setMany, "k", bytes(0, 1)), "bad-request", "no count"],
  ["SET_MANY of none", setMany(0), "bad-request", "at least 1"],
  [
    "SET_MANY of too many",
    setMany(1025, ...Array(1025).fill(entry("k"))),
    "bad-request",
    "at most 1024: received 1025",
  ],
  ["SET_MANY of fewer than it says", setMany(2, entry("k")), "bad-request", "truncated"],
  ["SET_MANY of more than it says", setMany(1, entry("k"), entry("k")), "bad-request", "after the last entry"],
  ["truncated SET_MANY", setMany(2, entry("k"), entry("k").subarray(0, 17)), "bad-request", "truncated"],
  ["SET_MANY with a key too long for it", setMany(2, entry("k"), entry("k", { keyBytes: 5 })), "bad-request", "trunc"],
  [
    "SET_MANY with a value too long for it",
    setMany(2, entry("k"), entry("k", { valueBytes: 4 })),
    "bad-request",
    "tru",
  ],
  ["SET_MANY with the largest length", setMany(1, entry("k", { valueBytes: 2 ** 32 - 1 })), "bad-request", "truncated"],
  ["SET_MANY with an empty key", setMany(2, entry("k"), entry("")), "bad-key", "received 0"],
  ["SET_MANY with a key over the limit", setMany(2, entry("k"), entry(LONG)), "bad-key", "received 4097"],
  ["SET_MANY with a ttl too long", setMany(2, entry("k"), entry("k", { ttl: TOO_LATE })), "bad-ttl", "a ttl is"],

  ["DELETE_MANY without a count", frame(REQUEST.deleteMany, "", bytes(0)), "bad-request", "no count"],
  ["DELETE_MANY with a key", frame(REQUEST.deleteMany, "k", bytes(0, 1)), "bad-request", "no count"],
  ["DELETE_MANY of none", deleteMany(0), "bad-request", "at least 1"],
  ["DELETE_MANY of too many", deleteMany(1025, ...Array(1025).fill("k")), "bad-request", "at most 1024: received 1025"],
  ["DELETE_MANY of fewer than it says", deleteMany(2, "k"), "bad-request", "truncated"],
  ["DELETE_MANY of more than it says", deleteMany(1, "k", "k"), "bad-request", "after the last key"],
  ["DELETE_MANY with an empty key", deleteMany(2, "k", ""), "bad-key", "received 0"],

  ["KEYS without a place", frame(REQUEST.keys, "k"), "bad-request", "expected 8"],
  ["truncated KEYS", frame(REQUEST.keys, "", new Uint8Array(7)), "bad-request", "expected 8"],
  ["KEYS with bytes left over", frame(REQUEST.keys, "k", new Uint8Array(9)), "bad-request", "expected 8"],
  ["KEYS from behind the end", frame(REQUEST.keys, "", uint64(1, 1)), "bad-request", "received 4294967297"],
  ["KEYS from far behind the end", frame(REQUEST.keys, "", uint64(0xffffffff, 0xffffffff)), "bad-request", "at most"],
  ["KEYS with a prefix too long", frame(REQUEST.keys, LONG, NEVER), "bad-key", "received 4097"],

  ["EXPLAIN without a key", frame(REQUEST.explain), "bad-key", "1 to 4096"],
  ["EXPLAIN with more than a key", frame(REQUEST.explain, "k", bytes(0)), "bad-request", "after the key"],
  ["EXPLAIN with a key too long", frame(REQUEST.explain, LONG), "bad-key", "received 4097"],
  ["INSIGHT with a key", frame(REQUEST.insight, "k"), "bad-request", "no body"],
  ["CLEAR_PREFIX without a prefix", frame(REQUEST.clearPrefix), "bad-key", "1 to 4096"],
  ["CLEAR_PREFIX with more than a prefix", frame(REQUEST.clearPrefix, "k", bytes(0)), "bad-request", "after the key"],
  ["CLEAR_PREFIX with a prefix too long", frame(REQUEST.clearPrefix, LONG), "bad-key", "received 4097"],
];

for (const [what, request, code, words] of REFUSED) {
  Deno.test(`Session refuses ${what}, changes nothing, and goes on`, () => {
    const host = sessionHost();
    const { ask } = greeted(host);
    ask(set("k", "old"));
    const before = host.store.clock;
    const [refused, ping] = ask(request, frame(REQUEST.ping));
    assertEquals([refused.code, ping.code], [REPLY.refused, REPLY.ok]);
    assertEquals(errorOf(refused).code, code);
    assertStringIncludes(errorOf(refused).message, words);
    assertEquals([host.store.clock, codes(ask(frame(REQUEST.has, "k")))], [before, [REPLY.ok]]);
  });
}
