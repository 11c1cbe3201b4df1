/** Messages read from bytes: all that can be written is read as it was, and nothing else is taken for a message. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { MAX_KEY_BYTES, MAX_TTL_MS, MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { ProtocolError } from "../../lib/base/errors.ts";
import {
  FLAG_CODES,
  MESSAGE,
  type Message,
  type MessageBody,
  MessageWriter,
  MORE,
  NAME,
  type Place,
  TOUCH,
  type Write,
} from "../../lib/replication/message.ts";
import { claimed, highest, readMessage } from "../../lib/replication/message_reader.ts";
import type { Departure } from "../../lib/store/history.ts";
import type { Base, Known } from "../../lib/store/known.ts";
import { MAX_ORIGINS } from "../../lib/store/origins.ts";
import { ENTRY, GHOST, MARK, STAMP_BYTES, TOMB, TRAVELS } from "../../lib/store/entry.ts";
import type { Cursor } from "../../lib/store/fingerprints.ts";
import { Choices } from "../support/choices.ts";
import { NO_PAGE } from "../support/gossip_nodes.ts";
import { collidingNumbers } from "../system/abuse/peers.ts";
import { bareWrite, comparable, entryWrite, listOf, PEER_MESSAGES } from "../support/peer_messages.ts";

const MAX_ITEMS = 8192;
const MAX_KNOWN = 2048;
const MAX_WRITES = 1024;
const HEAD = { from: 101, clock: 4096, cleared: 0 };

/** The bytes of a message, on their own. */
function written(message: Message): Uint8Array {
  return new MessageWriter().write(message).slice();
}

function assertRefused(bytes: Uint8Array, reason: string): void {
  assertThrows(() => readMessage(bytes), ProtocolError, reason);
}

/** Messages made by chance. */
class RandomMessages extends Choices {
  next(): Message {
    const head = { from: this.#id(), clock: this.#version(), cleared: this.#version() };
    return { ...head, ...this.#body() };
  }

  #body(): MessageBody {
    switch (this.pick(Object.values(MESSAGE))) {
      case MESSAGE.sync:
        return { type: MESSAGE.sync, digest: this.below(2 ** 52) };
      case MESSAGE.same:
        return { type: MESSAGE.same, to: this.#id() };
      case MESSAGE.known:
        return { type: MESSAGE.known, turn: this.below(3), known: this.#known() };
      case MESSAGE.pull: {
        const after = { h: this.#version(), id: this.#id() };
        const cursor = this.chance(0.5) ? undefined : this.#cursor();
        return { type: MESSAGE.pull, question: this.below(2 ** 40), known: this.#known(), after, cursor };
      }
      case MESSAGE.page: {
        const lists = { known: this.#known(), lossy: this.#known(), writes: this.#writes() };
        const rest = { departures: this.#departures(), cursor: this.#cursor() };
        return {
          type: MESSAGE.page,
          to: this.#id(),
          question: this.below(300),
          more: this.below(3),
          ...lists,
          ...rest,
        };
      }
      case MESSAGE.verify:
        return { type: MESSAGE.verify, question: this.below(300), known: this.#known(), writes: this.#bare(NAME) };
      case MESSAGE.verified: {
        const confirmed = this.#list(() => this.chance(0.5));
        return { type: MESSAGE.verified, to: this.#id(), question: this.below(300), confirmed };
      }
      case MESSAGE.push: {
        const origin = this.#id();
        const writes = this.#writes().map((write) => ({ ...write, version: { h: write.version.h, origin } }));
        const ends = { before: (writes[0]?.version.h ?? 1) - 1, last: writes.at(-1)?.version.h ?? 1 };
        return { type: MESSAGE.push, origin, ...ends, sentTo: this.#list(() => this.#id()), writes };
      }
      case MESSAGE.news:
        return { type: MESSAGE.news, origin: this.#id(), last: this.#version() };
      case MESSAGE.touch: {
        const writes = this.#bare(TOUCH).map((write) => ({ ...write, remainingMs: this.below(MAX_TTL_MS) }));
        return { type: MESSAGE.touch, sentTo: this.#list(() => this.#id()), writes };
      }
      case MESSAGE.list:
        return { type: MESSAGE.list, question: this.below(300), before: { h: this.#version(), id: this.#id() } };
      case MESSAGE.listed: {
        const more = this.chance(0.5);
        return { type: MESSAGE.listed, to: this.#id(), question: this.below(300), more, places: this.#places() };
      }
      case MESSAGE.want:
        return { type: MESSAGE.want, question: this.below(2 ** 40), places: this.#places() };
      case MESSAGE.window:
        return { type: MESSAGE.window, question: this.below(300), pages: this.below(300), recent: this.below(2 ** 21) };
      case MESSAGE.explain:
        return { type: MESSAGE.explain, base: this.#base() };
      case MESSAGE.explained: {
        const told = new Map(this.#list(() => [this.#id(), this.#version()] as const));
        return { type: MESSAGE.explained, base: this.#base(), told: listOf(told) };
      }
    }
  }

  #id(): number {
    return this.chance(0.5) ? 1 + this.below(5) : this.below(2 ** 32);
  }

  #version(): number {
    return this.chance(0.5) ? this.below(1000) : this.below(2 ** 53);
  }

  #known(): Known {
    const list = this.#list(() => [this.#id(), this.#version()] as const);
    return this.chance(0.5) ? new Map(list) : Object.assign(new Map(list), { base: this.#base() });
  }

  #base(): Base {
    return { upTo: 1 + this.#version() % 2 ** 52, digest: this.below(2 ** 52) };
  }

  #cursor(): Cursor {
    return { cell: this.below(2 ** 32), moves: this.below(2 ** 40) };
  }

  /** Fingerprints in ascending order; each number under which some are counted stands for one writer. */
  #departures(): Departure[] {
    const departures = this.#list(() => {
      const id = this.#id();
      return { hash: this.below(2 ** 32), upTo: this.#version(), id, writer: id % 3 === 0 ? 100 : id };
    });
    return departures.sort((a, b) => a.upTo - b.upTo);
  }

  /** Places, the newest first. */
  #places(): Place[] {
    return this.#list(() => ({ h: this.#version(), id: this.#id() })).sort((a, b) => b.h - a.h);
  }

  #list<T>(item: () => T): T[] {
    return Array.from({ length: this.below(5) }, item);
  }

  /** Writes in ascending order; each number under which some are counted stands for one writer. */
  #bare(...kinds: number[]): Write[] {
    const versions = this.#list(() => {
      const by = 1 + this.below(5);
      return { h: 1 + this.#version(), ...(by > 3 ? { origin: 100 + by, by } : { origin: by }) };
    });
    return versions.sort((a, b) => a.h - b.h).map((version) =>
      bareWrite("k".repeat(this.below(300)), version, this.pick(kinds))
    );
  }

  #writes(): Write[] {
    return this.#bare(ENTRY, TOMB, GHOST).map((write) => {
      if (write.kind !== ENTRY) return write;
      const value = new Uint8Array(STAMP_BYTES + this.below(300)).fill(this.below(256));
      const flags = this.chance(0.8) ? this.pick(FLAG_CODES) : this.below(2 ** 32);
      const remainingMs = this.below(1000);
      const times = this.chance(0.5) ? {} : { ttlMs: remainingMs + this.below(2 ** 40), remainingMs };
      const marks = this.chance(0.5) ? 0 : this.below(TRAVELS + 1) & TRAVELS;
      const span = { bytes: value, from: 0, to: value.length };
      return entryWrite("k".repeat(this.below(300)), write.version, { flags, marks, value: span, ...times });
    });
  }
}

Deno.test("readMessage() reads 5,000 messages made by chance as they were written", () => {
  const messages = new RandomMessages(seeded(20261126));
  const writer = new MessageWriter();
  const types = new Set<number>();
  for (let i = 0; i < 5000; i++) {
    const message = messages.next();
    types.add(message.type);
    assertEquals(comparable(readMessage(writer.write(message))), comparable(message), `message ${i}`);
  }
  assertEquals(types.size, Object.keys(MESSAGE).length);
});

Deno.test("readMessage() reads a message that lies in the middle of other bytes", () => {
  for (const [name, message] of Object.entries(PEER_MESSAGES)) {
    const bytes = written(message);
    const around = new Uint8Array(bytes.length + 20).fill(0xff);
    around.set(bytes, 11);
    assertEquals(comparable(readMessage(around.subarray(11, 11 + bytes.length))), comparable(message), name);
  }
});

Deno.test("readMessage() refuses every example when it is truncated, at every length", () => {
  for (const [, message] of Object.entries(PEER_MESSAGES)) {
    const bytes = written(message);
    for (let length = 0; length < bytes.length; length++) assertRefused(bytes.slice(0, length), "truncated");
  }
});

Deno.test("readMessage() refuses every example when a byte follows it", () => {
  for (const [, message] of Object.entries(PEER_MESSAGES)) {
    const bytes = written(message);
    for (const byte of [0, 1, 0xff]) assertRefused(Uint8Array.of(...bytes, byte), "bytes after a peer's message");
  }
});

Deno.test("readMessage() passes over what follows every example, where that is agreed", () => {
  for (const [, message] of Object.entries(PEER_MESSAGES)) {
    const bytes = written(message);
    for (const more of [[], [0], [1, 0xff], Array.from(bytes)]) {
      const read = readMessage(Uint8Array.of(...bytes, ...more), true);
      assert(read !== undefined);
      assertEquals(comparable(read), comparable(message));
    }
    assertThrows(() => readMessage(bytes.slice(0, -1), true), ProtocolError, "truncated");
  }
});

Deno.test("readMessage() passes over a message of a type that is none, where that is agreed, if it begins as all do", () => {
  const bytes = written(PEER_MESSAGES.sync);
  for (const type of [0, 17, 255]) {
    for (const length of [21, bytes.length]) {
      assertEquals(readMessage(bytes.with(0, type).slice(0, length), true), undefined);
    }
    assertThrows(() => readMessage(bytes.with(0, type).slice(0, 20), true), ProtocolError, "truncated");
    const noClock = bytes.with(0, type).fill(0xff, 5, 13);
    assertThrows(() => readMessage(noClock, true), ProtocolError, "a version that is none");
  }
});

Deno.test("readMessage() refuses every example with a ProtocolError or reads it when any byte is another", () => {
  let refused = 0;
  for (const [name, message] of Object.entries(PEER_MESSAGES)) {
    const whole = written(message);
    for (let at = 0; at < whole.length; at++) {
      for (const byte of [0, 1, 7, 0x7f, 0x80, 0xfe, 0xff]) {
        const bytes = whole.slice();
        bytes[at] = byte;
        try {
          readMessage(bytes);
        } catch (error) {
          assert(error instanceof ProtocolError, `${name}, ${byte} at ${at}: ${error}`);
          refused++;
        }
      }
    }
  }
  assert(refused > 1000, `${refused} refused`);
});

Deno.test("readMessage() refuses a type that is none", () => {
  const bytes = written(PEER_MESSAGES.sync);
  for (const type of [0, 17, 255]) assertRefused(bytes.with(0, type), `unknown type ${type}`);
});

/** A count as messages hold it. */
function count(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push(value % 0x80 | 0x80);
  return [...bytes, value];
}

/** The bytes of a message of a type, from the end of its head on as they are given. */
function raw(type: number, ...rest: number[]): Uint8Array {
  const head = written({ ...HEAD, type: MESSAGE.news, origin: 0, last: 0 }).subarray(1, 21);
  return Uint8Array.of(type, ...head, ...rest);
}

const ID = [0, 0, 0, 101];
const NOTHING = [0];
/** What is known: nothing, and no base. */
const KNOWN = [0, 0];
/** No origins, no adopted ones, no writes. */
const NO_WRITES = [0, 0, 0];
const VERSION_0 = Array<number>(8).fill(0);
/** What stands before each list of each kind of message that has one. */
const BEFORE_LISTS: Readonly<Record<string, readonly [type: number, ...rest: number[]]>> = {
  "what is known": [MESSAGE.known, 0],
  "what is known of a pull": [MESSAGE.pull, ...NOTHING],
  "what is known of a page": [MESSAGE.page, ...ID, ...NOTHING, 0],
  "what was forgotten of a page": [MESSAGE.page, ...ID, ...NOTHING, 0, ...KNOWN],
  "origins of a page": [MESSAGE.page, ...ID, ...NOTHING, 0, ...KNOWN, ...KNOWN],
  "adopted writes of a page": [MESSAGE.page, ...ID, ...NOTHING, 0, ...KNOWN, ...KNOWN, 1, ...ID],
  "writes of a page": [MESSAGE.page, ...ID, ...NOTHING, 0, ...KNOWN, ...KNOWN, 1, ...ID, ...NOTHING],
  "origins of fingerprints": [MESSAGE.page, ...ID, ...NOTHING, 0, ...KNOWN, ...KNOWN, ...NO_WRITES],
  "adopted fingerprints": [MESSAGE.page, ...ID, 0, 0, ...KNOWN, ...KNOWN, ...NO_WRITES, 1, ...ID],
  "fingerprints": [MESSAGE.page, ...ID, 0, 0, ...KNOWN, ...KNOWN, ...NO_WRITES, 1, ...ID, ...NOTHING],
  "what is known of a verify": [MESSAGE.verify, ...NOTHING],
  "writes of a verify": [MESSAGE.verify, ...NOTHING, ...KNOWN, 1, ...ID, ...NOTHING],
  "what is verified": [MESSAGE.verified, ...ID, ...NOTHING],
  "who has been told of a push": [MESSAGE.push, ...ID, ...VERSION_0, ...VERSION_0],
  "writes of a push": [MESSAGE.push, ...ID, ...VERSION_0, ...VERSION_0, ...NOTHING, 1, ...ID, ...NOTHING],
  "who has been told of a touch": [MESSAGE.touch],
  "writes of a touch": [MESSAGE.touch, ...NOTHING, 1, ...ID, ...NOTHING],
  "origins of a list": [MESSAGE.listed, ...ID, ...NOTHING, 0],
  "places of a list": [MESSAGE.listed, ...ID, ...NOTHING, 0, 1, ...ID],
  "origins of what is wanted": [MESSAGE.want, ...NOTHING],
  "places of what is wanted": [MESSAGE.want, ...NOTHING, 1, ...ID],
};

for (const [list, [type, ...before]] of Object.entries(BEFORE_LISTS)) {
  const most = /^what was forgotten/.test(list)
    ? MAX_ORIGINS
    : /^what is known/.test(list)
    ? MAX_KNOWN
    : /^writes/.test(list)
    ? MAX_WRITES
    : MAX_ITEMS;
  Deno.test(`readMessage() refuses a hostile count of ${list}`, () => {
    for (const items of [most + 1, 2 ** 31, 2 ** 32, 2 ** 52]) {
      assertRefused(raw(type, ...before, ...count(items)), `${items} items in a peer's message`);
      assertRefused(raw(type, ...before, ...count(items), ...Array(1000).fill(0)), `${items} items`);
    }
    for (const items of [1, most]) assertRefused(raw(type, ...before, ...count(items)), "truncated");
    for (const bytes of [8, 9, 20]) {
      assertRefused(raw(type, ...before, ...Array(bytes).fill(0xff)), "a number without end");
    }
  });
}

Deno.test("readMessage() reads as many items as there may be, and refuses one more", () => {
  const known = (size: number) => new Map(Array.from({ length: size }, (_, i): [number, number] => [i, 1]));
  const sentTo = (size: number) => Array.from({ length: size }, (_, i) => i);
  const read = readMessage(written({ ...HEAD, type: MESSAGE.known, turn: 0, known: known(MAX_KNOWN) }));
  assertEquals(read.type === MESSAGE.known && read.known.size, MAX_KNOWN);
  const [base, list] = [{ upTo: 9, digest: 0 }, listOf(known(MAX_ORIGINS))];
  const explained = readMessage(written({ ...HEAD, type: MESSAGE.explained, base, told: list }));
  assertEquals(explained.type === MESSAGE.explained && explained.told.ids.length, MAX_ORIGINS);
  const touch = (size: number) => written({ ...HEAD, type: MESSAGE.touch, sentTo: sentTo(size), writes: [] });
  assertEquals(readMessage(touch(MAX_ITEMS)).type, MESSAGE.touch);
  assertRefused(touch(MAX_ITEMS + 1), "8193 items");
  const verify = (size: number) => {
    const writes = Array.from({ length: size }, (_, i) => bareWrite(`n${i}`, { h: i, origin: 1 }, NAME));
    return written({ ...HEAD, type: MESSAGE.verify, question: 1, known: new Map(), writes });
  };
  assertEquals(readMessage(verify(MAX_WRITES)).type, MESSAGE.verify);
  assertRefused(verify(MAX_WRITES + 1), "1025 items");
});

Deno.test("readMessage() refuses numbers of origins that are chosen to collide in a table", () => {
  const known = new Map(collidingNumbers(8192).map((id): [number, number] => [id, 1]));
  const lossy = written({ ...HEAD, type: MESSAGE.page, to: 7, question: 2, ...NO_PAGE, lossy: known });
  assertRefused(lossy, "keys that collide");
  const told = { sentTo: [...known.keys()], writes: [] };
  assertRefused(written({ ...HEAD, type: MESSAGE.touch, ...told }), "keys that collide");
  assertRefused(written({ ...HEAD, type: MESSAGE.push, origin: 1, before: 0, last: 1, ...told }), "keys that collide");
});

Deno.test("readMessage() refuses adopted writes of an origin that is not listed", () => {
  const page = [MESSAGE.page, ...ID, ...NOTHING, 0, ...KNOWN, ...KNOWN] as const;
  assertRefused(raw(...page, 1, ...ID, 1, 1, ...ID, 0, 0), "adopted writes of no origin");
});

/** No origins, no adopted ones, no fingerprints, and a cursor at the beginning. */
const NO_DEPARTURES = [0, 0, 0, 1, 0];

/** A page of one write, by its bytes, of two origins of which the second has been adopted. */
function pageWith(...write: number[]): Uint8Array {
  const lists = [2, ...ID, 0, 0, 0, 102, 1, 1, 0, 0, 0, 77];
  return raw(MESSAGE.page, ...ID, 0, 0, ...KNOWN, ...KNOWN, ...lists, 1, ...write, ...NO_DEPARTURES);
}

Deno.test("readMessage() refuses a write that is none", () => {
  const key = [1, 107];
  const read = readMessage(pageWith(TOMB, 1, 5, ...key));
  assert(read.type === MESSAGE.page);
  assertEquals(read.writes[0].version, { h: 5, origin: 77, by: 102 });
  assertRefused(pageWith(TOMB, 2, 5, ...key), "a write without an origin");
  for (const kind of [NAME, 2, TOUCH, 7]) {
    assertRefused(pageWith(kind, 0, 5, ...key), `a kind that is none: ${kind}`);
  }
  assertRefused(pageWith(TOMB, 0, 5, ...count(MAX_KEY_BYTES + 1), 107), "4097 bytes in a peer's message");
  assertRefused(pageWith(TOMB, 0, 5, ...count(MAX_KEY_BYTES), 107), "truncated");
  const tooLong = MAX_VALUE_BYTES + STAMP_BYTES + 1;
  assertRefused(pageWith(ENTRY, 0, 5, ...key, ...count(tooLong)), `${tooLong} bytes in a peer's message`);
  assertRefused(pageWith(ENTRY, 0, 5, ...key, ...count(tooLong - 1)), "truncated");
  const stampless = [ENTRY | 0x80, MARK.stamped, 0, 5, ...key, STAMP_BYTES - 1, ...Array(STAMP_BYTES - 1).fill(0)];
  assertRefused(pageWith(...stampless), "a stamped value without a stamp");
});

Deno.test("readMessage() passes over marks of an entry that do not travel", () => {
  const read = readMessage(pageWith(ENTRY | 0x80, 0xff & ~MARK.stamped, 0, 5, 1, 107, 0));
  assert(read.type === MESSAGE.page);
  assertEquals(read.writes[0].entry?.marks, TRAVELS & ~MARK.stamped);
});

Deno.test("readMessage() refuses versions that are none", () => {
  const whole = written({ ...HEAD, type: MESSAGE.news, origin: 5, last: 5 });
  for (const at of [5, 13, 25]) {
    for (const h of [-1, 0.5, NaN, Infinity, -Infinity, 2 ** 53]) {
      const bytes = whole.slice();
      new DataView(bytes.buffer).setFloat64(at, h);
      assertRefused(bytes, `a version that is none: ${h}`);
    }
  }
});

/** A page of nothing but what comes after its writes, by its bytes. */
function pageEnding(more: number, ...rest: number[]): Uint8Array {
  return raw(MESSAGE.page, ...ID, 0, more, ...KNOWN, ...KNOWN, ...NO_WRITES, ...rest);
}

Deno.test("readMessage() reads fingerprints, each by its distance from the one before", () => {
  const hash = [0xff, 0, 0, 1];
  const read = readMessage(pageEnding(2, 1, ...ID, 0, 2, ...hash, 0, 5, ...hash, 0, ...count(300), ...count(1025), 7));
  assert(read.type === MESSAGE.page);
  assertEquals(read.departures, [5, 305].map((upTo) => ({ hash: 0xff000001, upTo, id: 101, writer: 101 })));
  assertEquals([read.more, read.cursor], [MORE.departures, { cell: 1024, moves: 7 }]);
});

Deno.test("readMessage() reads who made the writes that fingerprints of adopted ones stand for", () => {
  const other = [0, 0, 0, 102];
  const hash = [0, 0, 0, 9];
  const read = readMessage(pageEnding(0, 2, ...ID, ...other, 1, 1, 0, 0, 0, 77, 2, ...hash, 0, 5, ...hash, 1, 1, 1, 0));
  assert(read.type === MESSAGE.page);
  const [plain, adopted] = [{ id: 101, writer: 101 }, { id: 102, writer: 77 }];
  assertEquals(read.departures, [{ hash: 9, upTo: 5, ...plain }, { hash: 9, upTo: 6, ...adopted }]);
});

Deno.test("readMessage() refuses a fingerprint of no origin, and of a version that is none", () => {
  const hash = [0, 0, 0, 1];
  const cursor = [1, 0];
  assertRefused(pageEnding(0, 0, 0, 1, ...hash, 0, 5, ...cursor), "a fingerprint without an origin");
  assertRefused(pageEnding(0, 1, ...ID, 0, 1, ...hash, 1, 5, ...cursor), "a fingerprint without an origin");
  const most = count(Number.MAX_SAFE_INTEGER);
  assertEquals(readMessage(pageEnding(0, 1, ...ID, 0, 1, ...hash, 0, ...most, ...cursor)).type, MESSAGE.page);
  assertRefused(pageEnding(0, 1, ...ID, 0, 2, ...hash, 0, ...most, ...hash, 0, 1, ...cursor), "a version that is none");
  assertRefused(pageEnding(0, 1, ...ID, 0, 1, ...hash, 0, ...Array(7).fill(0xff), 0x7f, ...cursor), "too large");
});

Deno.test("readMessage() refuses a page that does not say what comes after it, or where fingerprints go on", () => {
  const none = [0, 0, 0];
  for (const more of [0, 1, 2, 3]) assertEquals(readMessage(pageEnding(more, ...none, 1, 0)).type, MESSAGE.page);
  for (const more of [4, 5, 255]) assertRefused(pageEnding(more, ...none, 1, 0), `${more} comes after it`);
  assertRefused(pageEnding(0, ...none, 0), "where fingerprints go on");
  assertRefused(pageEnding(0, ...none, 1), "truncated");
});

Deno.test("readMessage() reads places, each by its distance from the one before, and refuses those that are none", () => {
  const listed = [MESSAGE.listed, ...ID, 7, 1] as const;
  for (const [type, ...before] of [listed, [MESSAGE.want, 7]]) {
    const places = (...rest: number[]) => raw(type, ...before, 2, ...ID, 0, 0, 0, 102, ...rest);
    const read = readMessage(places(4, 1, ...count(300), 0, 0, 0, ...count(299), 1, 1));
    assert("places" in read && read.question === 7);
    assertEquals(read.places, [{ h: 300, id: 102 }, { h: 300, id: 101 }, { h: 1, id: 101 }, { h: 0, id: 102 }]);
    assertRefused(places(1, 2, 5), "a place without an origin");
    assertRefused(places(2, 0, 5, 0, 6), "a version that is none: -1");
    assertRefused(places(1, 0, ...Array(7).fill(0xff), 0x7f), "too large");
  }
});

Deno.test("readMessage() refuses a push of a write that is not in its range", () => {
  const bytes = (h: number, origin: number) => {
    const writes = [bareWrite("key", { h, origin }, TOMB)];
    return written({ ...HEAD, type: MESSAGE.push, origin: 7, before: 5, last: 9, sentTo: [], writes });
  };
  for (const h of [6, 9]) assertEquals(readMessage(bytes(h, 7)).type, MESSAGE.push);
  for (const h of [1, 5, 10]) assertRefused(bytes(h, 7), "not in its range");
  assertRefused(bytes(7, 8), "not in its range");
});

Deno.test("highest() finds the highest version wherever it stands, and claimed() what is said of an origin", () => {
  const known = new Map([[7, 30], [8, 20]]);
  const bare = { ...HEAD, clock: 10, cleared: 9 };
  const none = { to: 1, question: 1, ...NO_PAGE };
  const writes = [bareWrite("a", { h: 40, origin: 7 }, TOMB), bareWrite("b", { h: 50, origin: 9, by: 8 }, TOMB)];
  const departures = [{ hash: 1, upTo: 60, id: 7, writer: 7 }, { hash: 2, upTo: 90, id: 8, writer: 7 }];
  const places = [{ h: 80, id: 7 }, { h: 70, id: 8 }];
  const cases: [message: Message, most: number, of7: number, of8: number, of9: number][] = [
    [{ ...bare, type: MESSAGE.sync, digest: 99 }, 9, 0, 0, 0],
    [{ ...bare, cleared: 11, type: MESSAGE.same, to: 99 }, 11, 0, 0, 0],
    [{ ...bare, type: MESSAGE.known, turn: 0, known }, 30, 30, 20, 0],
    [{ ...bare, type: MESSAGE.pull, question: 99, known, after: { h: 99, id: 1 } }, 30, 30, 20, 0],
    [{ ...bare, type: MESSAGE.verify, question: 99, known, writes: [] }, 30, 30, 20, 0],
    [{ ...bare, type: MESSAGE.verified, to: 1, question: 99, confirmed: [] }, 9, 0, 0, 0],
    [{ ...bare, type: MESSAGE.push, origin: 7, before: 1, last: 60, sentTo: [], writes: [] }, 60, 60, 0, 0],
    [{ ...bare, type: MESSAGE.news, origin: 8, last: 70 }, 70, 0, 70, 0],
    [{ ...bare, type: MESSAGE.touch, sentTo: [99], writes: [] }, 9, 0, 0, 0],
    [{ ...bare, type: MESSAGE.page, ...none, known }, 30, 30, 20, 0],
    [{ ...bare, type: MESSAGE.page, ...none, known, lossy: new Map([[5, 80]]) }, 80, 30, 20, 0],
    [{ ...bare, type: MESSAGE.page, ...none, known, writes }, 50, 40, 50, 50],
    [{ ...bare, type: MESSAGE.page, ...none, known, departures }, 90, 30, 20, 0],
    [{ ...bare, type: MESSAGE.list, question: 99, before: { h: 99, id: 7 } }, 9, 0, 0, 0],
    [{ ...bare, type: MESSAGE.listed, to: 1, question: 99, more: false, places }, 80, 0, 0, 0],
    [{ ...bare, type: MESSAGE.listed, to: 1, question: 99, more: false, places: [] }, 9, 0, 0, 0],
    [{ ...bare, type: MESSAGE.want, question: 99, places }, 9, 0, 0, 0],
  ];
  for (const [i, [message, ...expected]] of cases.entries()) {
    const found = [highest(message), claimed(message, 7), claimed(message, 8), claimed(message, 9)];
    assertEquals(found, expected, `case ${i}`);
  }
});
