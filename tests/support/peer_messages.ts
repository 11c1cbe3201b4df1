/** What peers say to each other, one example of everything that a message can carry. */

import { type ByteSpan, spanOf } from "../../lib/base/byte_span.ts";
import { MESSAGE, type Message, MORE, NAME, TOUCH, TURN, type Write } from "../../lib/replication/message.ts";
import { ENTRY, GHOST, MARK, PREFIX, TOMB } from "../../lib/store/entry.ts";
import { FLAGS } from "../../lib/wire/values.ts";
import type { Known, KnownList } from "../../lib/store/known.ts";
import { NO_PAGE } from "./gossip_nodes.ts";

const ME = 0x0a0b0c0d;
const YOU = 0x01020304;
const THIRD = 0xfffffffe;
const WRITER = 0x77777777;
/** A version of 2026. */
const H = 258_539_520_000_000;
const HEAD = { from: ME, clock: H + 9, cleared: 4096 };
const CALM = { from: ME, clock: 0, cleared: 0 };

/** A span of the bytes of a text. */
export function spanOfText(text: string): ByteSpan {
  return spanOf(new TextEncoder().encode(text));
}

/** An entry on its way, that lives for ever and has no marks unless that is said. */
export function entryWrite(
  key: string,
  version: Write["version"],
  entry: Partial<NonNullable<Write["entry"]>> = {},
): Write {
  const plain = { flags: FLAGS.text, marks: 0, value: spanOfText("value"), ttlMs: Infinity, remainingMs: Infinity };
  return { key: spanOfText(key), version, kind: ENTRY, entry: { ...plain, ...entry } };
}

/** A grave on its way, or a name. */
export function bareWrite(key: string, version: Write["version"], kind: number): Write {
  return { key: spanOfText(key), version, kind };
}

const stamped = new Uint8Array([...new TextEncoder().encode("value"), 0, 0, 0, 0, 0, 0, 1, 0]);

const PULL = { question: 1, known: new Map(), after: { h: 0, id: 0 }, cursor: undefined };
const PAGE = { to: YOU, question: 7, ...NO_PAGE };
const KNOWN = new Map([[ME, H], [THIRD, 5]]);

/** A page of one write, or of more. */
function pageOf(...writes: Write[]): Message {
  return { ...HEAD, type: MESSAGE.page, ...PAGE, known: KNOWN, writes };
}

const AT = { h: H, origin: ME };
const BASE = { upTo: 8192, digest: 2 ** 51 + 3 };
const BASED: Known = Object.assign(new Map(KNOWN), { base: BASE });

/** Messages by name. */
export const PEER_MESSAGES: Readonly<Record<string, Message>> = {
  "sync": { ...HEAD, type: MESSAGE.sync, digest: 2 ** 52 - 3 },
  "sync of a node that knows nothing": { ...CALM, type: MESSAGE.sync, digest: 0 },
  "same": { ...HEAD, type: MESSAGE.same, to: YOU },
  "known, as an answer": { ...HEAD, type: MESSAGE.known, turn: TURN.answer, known: KNOWN },
  "known, as an offer": { ...HEAD, type: MESSAGE.known, turn: TURN.offer, known: KNOWN },
  "known, to be taken": { ...HEAD, type: MESSAGE.known, turn: TURN.take, known: new Map() },
  "pull": { ...HEAD, type: MESSAGE.pull, ...PULL, question: 300, known: KNOWN, after: { h: H, id: THIRD } },
  "pull of fingerprints": {
    ...HEAD,
    type: MESSAGE.pull,
    ...PULL,
    known: KNOWN,
    after: { h: H, id: THIRD },
    cursor: { cell: 65_535, moves: 4097 },
  },
  "pull of fingerprints from the first on": {
    ...HEAD,
    type: MESSAGE.pull,
    ...PULL,
    cursor: { cell: 0, moves: 0 },
  },
  "pull of a node that knows nothing": { ...CALM, type: MESSAGE.pull, ...PULL },
  "page, empty": { ...HEAD, type: MESSAGE.page, ...PAGE },
  "page, with more to come and writes forgotten": {
    ...HEAD,
    type: MESSAGE.page,
    ...PAGE,
    question: 300,
    known: KNOWN,
    lossy: new Map([[WRITER, 3]]),
    writes: [bareWrite("gone", { h: 4, origin: THIRD }, TOMB)],
    more: MORE.writes,
  },
  "page, text": pageOf(entryWrite("key", AT)),
  "page, bytes": pageOf(entryWrite("key", AT, { flags: FLAGS.bytes })),
  "page, JSON": pageOf(entryWrite("key", AT, { flags: FLAGS.json, value: spanOfText("{}") })),
  "page, MessagePack": pageOf(entryWrite("key", AT, { flags: FLAGS.msgpack, value: spanOfText("\x01") })),
  "page, flags of a memcached client": pageOf(entryWrite("key", AT, { flags: 0x80000001 })),
  "page, flags 0": pageOf(entryWrite("key", AT, { flags: 0 })),
  "page, an empty value": pageOf(entryWrite("key", AT, { value: spanOfText("") })),
  "page, a time to live": pageOf(entryWrite("key", AT, { ttlMs: 86_400_000, remainingMs: 1 })),
  "page, the longest time to live": pageOf(
    entryWrite("key", AT, { ttlMs: Number.MAX_SAFE_INTEGER, remainingMs: Number.MAX_SAFE_INTEGER }),
  ),
  "page, marks": pageOf(entryWrite("key", AT, { marks: MARK.fixed | MARK.stale | MARK.binaryKey })),
  "page, a stamped value": pageOf(entryWrite("key", AT, { marks: MARK.stamped, value: spanOf(stamped) })),
  "page, an entry that ages": pageOf(
    entryWrite("key", AT, { marks: MARK.fixed | MARK.aging, ttlMs: 60_000, remainingMs: 61_000 }),
  ),
  "page, marks, other flags and a time to live": pageOf(
    entryWrite("key", AT, { marks: MARK.fixed, flags: 5, ttlMs: 1000, remainingMs: 900 }),
  ),
  "page, a tombstone": pageOf(bareWrite("key", AT, TOMB)),
  "page, a ghost": pageOf(bareWrite("key", AT, GHOST)),
  "page, a clear of a prefix": pageOf(bareWrite("key:", AT, PREFIX)),
  "page, an adopted write": pageOf(entryWrite("key", { h: H, origin: WRITER, by: ME })),
  "page, writes of several origins, adopted and not": pageOf(
    entryWrite("first", { h: 4097, origin: THIRD }),
    bareWrite("second", { h: 4097, origin: WRITER, by: ME }, TOMB),
    entryWrite("third", { h: 4098, origin: WRITER }),
    bareWrite("fourth", { h: H, origin: THIRD }, GHOST),
  ),
  "page, a fingerprint": {
    ...HEAD,
    type: MESSAGE.page,
    ...PAGE,
    departures: [{ hash: 0x89abcdef, upTo: H, id: ME, writer: ME }],
  },
  "page, a last write and fingerprints of several origins": {
    ...HEAD,
    type: MESSAGE.page,
    ...PAGE,
    known: KNOWN,
    writes: [bareWrite("key", AT, TOMB)],
    departures: [
      { hash: 0, upTo: 5, id: THIRD, writer: THIRD },
      { hash: 0xffffffff, upTo: 5, id: ME, writer: ME },
      { hash: 1, upTo: H - 1, id: THIRD, writer: THIRD },
      { hash: 1, upTo: H, id: WRITER, writer: WRITER },
    ],
    cursor: { cell: 425_984, moves: 12 },
  },
  "page, with more fingerprints to come": {
    ...HEAD,
    type: MESSAGE.page,
    ...PAGE,
    known: KNOWN,
    more: MORE.departures,
    departures: [{ hash: 0x01020304, upTo: H, id: ME, writer: ME }],
    cursor: { cell: 1024, moves: 4096 },
  },
  "verify": {
    ...HEAD,
    type: MESSAGE.verify,
    question: 8,
    known: KNOWN,
    writes: [bareWrite("one", { h: 5, origin: THIRD }, NAME), bareWrite("two", AT, NAME)],
  },
  "verify, an adopted write": {
    ...HEAD,
    type: MESSAGE.verify,
    question: 8,
    known: new Map(),
    writes: [bareWrite("one", { h: 5, origin: WRITER, by: THIRD }, NAME)],
  },
  "verified": { ...HEAD, type: MESSAGE.verified, to: YOU, question: 8, confirmed: [true, false] },
  "verified, nothing": { ...HEAD, type: MESSAGE.verified, to: YOU, question: 128, confirmed: [] },
  "push": {
    ...HEAD,
    type: MESSAGE.push,
    origin: ME,
    before: H - 1,
    last: H + 9,
    sentTo: [ME, YOU],
    writes: [
      entryWrite("key", AT, { ttlMs: 1000, remainingMs: 1000 }),
      bareWrite("other", { h: H + 9, origin: ME }, TOMB),
    ],
  },
  "push, without writes": {
    ...HEAD,
    type: MESSAGE.push,
    origin: ME,
    before: 0,
    last: H,
    sentTo: [],
    writes: [],
  },
  "news": { ...HEAD, type: MESSAGE.news, origin: ME, last: H },
  "touch": {
    ...HEAD,
    type: MESSAGE.touch,
    sentTo: [ME],
    writes: [{ ...bareWrite("key", AT, TOUCH), remainingMs: 86_400_000 }],
  },
  "touch, an adopted write": {
    ...HEAD,
    type: MESSAGE.touch,
    sentTo: [ME, YOU],
    writes: [{ ...bareWrite("key", { h: 5, origin: WRITER, by: THIRD }, TOUCH), remainingMs: 0 }],
  },
  "page, fingerprints of adopted writes": {
    ...HEAD,
    type: MESSAGE.page,
    ...PAGE,
    departures: [
      { hash: 2, upTo: 5, id: THIRD, writer: WRITER },
      { hash: 3, upTo: 6, id: ME, writer: ME },
      { hash: 4, upTo: H, id: THIRD, writer: WRITER },
    ],
  },
  "list, from the newest on": {
    ...HEAD,
    type: MESSAGE.list,
    question: 3,
    before: { h: Number.MAX_SAFE_INTEGER, id: 0 },
  },
  "list, of what is older": { ...HEAD, type: MESSAGE.list, question: 301, before: { h: H, id: THIRD } },
  "listed, nothing": { ...HEAD, type: MESSAGE.listed, to: YOU, question: 3, more: false, places: [] },
  "listed, and there is more": {
    ...HEAD,
    type: MESSAGE.listed,
    to: YOU,
    question: 301,
    more: true,
    places: [{ h: H, id: THIRD }, { h: H, id: ME }, { h: H - 300, id: THIRD }, { h: 5, id: WRITER }],
  },
  "want": {
    ...HEAD,
    type: MESSAGE.want,
    question: 5,
    places: [{ h: H, id: THIRD }, { h: H - 1, id: ME }, { h: 4097, id: THIRD }],
  },
  "want, nothing": { ...HEAD, type: MESSAGE.want, question: 5, places: [] },
  "known, with a base": { ...HEAD, type: MESSAGE.known, turn: TURN.answer, known: BASED },
  "pull, with a base": { ...HEAD, type: MESSAGE.pull, ...PULL, known: BASED },
  "page, with a base": { ...HEAD, type: MESSAGE.page, ...PAGE, known: BASED },
  "page, of entries that were used last": { ...HEAD, type: MESSAGE.page, ...PAGE, known: KNOWN, more: MORE.recent },
  "window": { ...HEAD, type: MESSAGE.window, question: 130, pages: 64, recent: 0 },
  "window, and entries that were used last": { ...HEAD, type: MESSAGE.window, question: 2, pages: 1, recent: 16_384 },
  "explain": { ...HEAD, type: MESSAGE.explain, base: BASE },
  "explained": { ...HEAD, type: MESSAGE.explained, base: BASE, told: listOf(new Map([[YOU, 4096], [WRITER, 7]])) },
};

/** A message without spans, to be compared: bytes in their place, and the base beside what is known. */
export function comparable(message: Message): unknown {
  return { ...comparableWrites(message), knownBase: "known" in message ? message.known.base : undefined };
}

function comparableWrites(message: Message): object {
  if (!("writes" in message)) return message;
  const writes = message.writes.map(({ key, entry, ...write }) => ({
    ...write,
    key: bytesOf(key),
    ...(entry === undefined ? {} : { entry: { ...entry, value: bytesOf(entry.value) } }),
  }));
  return { ...message, writes };
}

function bytesOf({ bytes, from, to }: ByteSpan): number[] {
  return [...bytes.subarray(from, to)];
}

/** What is known, as it travels in an explanation. */
export function listOf(known: ReadonlyMap<number, number>): KnownList {
  return { ids: Uint32Array.from(known.keys()), versions: Float64Array.from(known.values()) };
}

/** What is known, by an explanation's list. */
export function mapOf({ ids, versions }: KnownList): Map<number, number> {
  return new Map(Array.from(ids, (id, i) => [id, versions[i]]));
}
