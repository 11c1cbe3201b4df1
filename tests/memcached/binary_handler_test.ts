/** memcached's binary protocol: each request and its reply, however they arrive. */

import { assert, assertEquals } from "@std/assert";
import { OUTPUT_BYTES } from "../../lib/wire/protocol_handler.ts";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { bytesOf } from "../support/memcached_oracle.ts";
import { type Packet, packetOf, REPLY, REQUEST, u32, u64 } from "../support/memcached_packets.ts";
import { joined, mutate } from "../support/mutate.ts";
import { sessionHost, type TestHost } from "../support/session_host.ts";
import { sessionOf } from "../support/access.ts";

const ask = (opcode: number, rest?: Packet) => packetOf(REQUEST, opcode, rest);
const reply = (opcode: number, rest?: Packet) => packetOf(REPLY, opcode, rest);
const failure = (opcode: number, status: number, value: string) => reply(opcode, { status, value });

const store = (opcode: number, key: string, value: string, flags = 0, expiry = 0, cas = 0n) =>
  ask(opcode, { extras: u32(flags, expiry), key, value, cas });
const add = (opcode: number, key: string, by: bigint, initial: bigint, expiry: number, cas = 0n) =>
  ask(opcode, { extras: joined(u64(by, initial), u32(expiry)), key, cas });

/** What stands for any state in an expected reply. */
const ANY = 1n;
const NOOP = ask(0x0a);
const NOTHING = new Uint8Array(0);
const NOT_FOUND = "Not found";
const EXISTS = "Data exists for key.";
const NON_NUMERIC = "Non-numeric server-side value for incr or decr";
const stored = (opcode: number) => reply(opcode, { cas: ANY });
const entry = (opcode: number, flags: number, value: string, key = "") =>
  reply(opcode, { extras: u32(flags), value, key, cas: ANY });
const number = (opcode: number, value: bigint) =>
  reply(opcode, { value: String.fromCharCode(...u64(value)), cas: ANY });

/** Replies, with ANY for their states. */
function withoutStates(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; at += 24 + view.getUint32(at + 8)) {
    if (view.getBigUint64(at + 16) !== 0n) view.setBigUint64(at + 16, ANY);
  }
  return bytes;
}

/** Writes that a piece of input is answered in, at most. */
const MAX_TURNS = 1000;

/** All that a session says to bytes that come in parts of a length, and whether it closes. */
function talk(host: TestHost, bytes: Uint8Array, part = Infinity): { bytes: Uint8Array; isClosing: boolean } {
  const session = sessionOf(host);
  const said: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + part);
    session.input.push(bytes.subarray(at, end));
    at = end;
    for (let turn = 0; true; turn++) {
      assert(turn < MAX_TURNS, "a piece is answered in a few writes");
      const state = session.run();
      said.push(session.output.taken().slice());
      session.output.reset();
      if (state === "closing") return { bytes: joined(...said), isClosing: true };
      if (state === "needs-input") break;
      assertEquals(state, "output-full");
    }
  }
  return { bytes: joined(...said), isClosing: false };
}

const DIALOGUES: Record<string, [request: Uint8Array, reply: Uint8Array][]> = {
  "requests for values": [
    [store(1, "a", "v", 0xdeadbeef), stored(1)],
    [ask(0x00, { key: "a" }), entry(0x00, 0xdeadbeef, "v")],
    [ask(0x09, { key: "a" }), entry(0x09, 0xdeadbeef, "v")],
    [ask(0x0c, { key: "a" }), entry(0x0c, 0xdeadbeef, "v", "a")],
    [ask(0x0d, { key: "a" }), entry(0x0d, 0xdeadbeef, "v", "a")],
    [ask(0x00, { key: "b" }), failure(0x00, 1, NOT_FOUND)],
    [ask(0x0c, { key: "b" }), reply(0x0c, { status: 1, key: "b" })],
    [ask(0x09, { key: "b" }), NOTHING],
    [ask(0x0d, { key: "b" }), NOTHING],
    [store(1, "\0\xff\n ", ""), stored(1)],
    [ask(0x0c, { key: "\0\xff\n " }), entry(0x0c, 0, "", "\0\xff\n ")],
  ],
  "requests to store": [
    [store(3, "a", "v"), failure(3, 1, NOT_FOUND)],
    [store(0x13, "a", "v"), failure(0x13, 1, NOT_FOUND)],
    [store(2, "a", "v"), stored(2)],
    [store(2, "a", "w"), failure(2, 2, EXISTS)],
    [store(0x12, "a", "w"), failure(0x12, 2, EXISTS)],
    [store(3, "a", "x"), stored(3)],
    [store(0x11, "a", "y"), NOTHING],
    [store(0x13, "a", "z"), NOTHING],
    [store(0x12, "b", "z"), NOTHING],
    [ask(0, { key: "a" }), entry(0, 0, "z")],
    [store(1, "a", "over", 0, 3_000_000), reply(1)],
    [ask(0, { key: "a" }), failure(0, 1, NOT_FOUND)],
    [store(1, "a", "2106", 0, 0xffffffff), stored(1)],
    [ask(0, { key: "a" }), entry(0, 0, "2106")],
  ],
  "requests with states": [
    [store(1, "a", "v"), stored(1)],
    [store(1, "a", "w", 0, 0, 99n), failure(1, 2, EXISTS)],
    [store(2, "a", "w", 0, 0, 2n ** 64n - 1n), failure(2, 2, EXISTS)],
    [store(3, "b", "w", 0, 0, 99n), failure(3, 1, NOT_FOUND)],
    [ask(0x0e, { key: "a", value: "x", cas: 99n }), failure(0x0e, 2, EXISTS)],
    [add(5, "a", 1n, 1n, 0, 99n), failure(5, 2, EXISTS)],
    [ask(4, { key: "a", cas: 99n }), failure(4, 2, EXISTS)],
    [ask(4, { key: "b", cas: 99n }), failure(4, 1, NOT_FOUND)],
  ],
  "additions to values": [
    [ask(0x0e, { key: "a", value: "x" }), failure(0x0e, 5, "Not stored.")],
    [ask(0x19, { key: "a", value: "x" }), failure(0x19, 5, "Not stored.")],
    [store(1, "a", "mid", 5), stored(1)],
    [ask(0x0e, { key: "a", value: ">" }), stored(0x0e)],
    [ask(0x0f, { key: "a", value: "<" }), stored(0x0f)],
    [ask(0x19, { key: "a", value: ")" }), NOTHING],
    [ask(0x1a, { key: "a", value: "(" }), NOTHING],
    [ask(0, { key: "a" }), entry(0, 5, "(<mid>)")],
  ],
  "deletions": [
    [store(1, "a", "v"), stored(1)],
    [ask(4, { key: "a" }), reply(4)],
    [ask(4, { key: "a" }), failure(4, 1, NOT_FOUND)],
    [ask(0x14, { key: "a" }), failure(0x14, 1, NOT_FOUND)],
    [store(1, "a", "v"), stored(1)],
    [ask(0x14, { key: "a" }), NOTHING],
  ],
  "arithmetic": [
    [add(5, "n", 1n, 10n, 0xffffffff), failure(5, 1, NOT_FOUND)],
    [add(0x15, "n", 1n, 10n, 0xffffffff), failure(0x15, 1, NOT_FOUND)],
    [add(5, "n", 1n, 10n, 0), number(5, 10n)],
    [add(5, "n", 5n, 10n, 0), number(5, 15n)],
    [add(0x15, "n", 1n, 10n, 0), NOTHING],
    [add(6, "n", 3n, 10n, 0), number(6, 13n)],
    [add(0x16, "n", 100n, 10n, 0), NOTHING],
    [ask(0, { key: "n" }), entry(0, 0, "0 ")],
    [add(0x16, "m", 1n, 2n ** 64n - 1n, 0), NOTHING],
    [add(6, "m", 1n, 0n, 0), number(6, 2n ** 64n - 2n)],
    [add(5, "m", 3n, 0n, 0), number(5, 1n)],
    [store(1, "a", "abc"), stored(1)],
    [add(5, "a", 1n, 1n, 0), failure(5, 6, NON_NUMERIC)],
    [add(0x16, "a", 1n, 1n, 0), failure(0x16, 6, NON_NUMERIC)],
  ],
  "touches": [
    [ask(0x1c, { key: "a", extras: u32(10) }), failure(0x1c, 1, NOT_FOUND)],
    [ask(0x1d, { key: "a", extras: u32(10) }), failure(0x1d, 1, NOT_FOUND)],
    [ask(0x1e, { key: "a", extras: u32(10) }), NOTHING],
    [ask(0x23, { key: "a", extras: u32(10) }), reply(0x23, { status: 1, key: "a" })],
    [ask(0x24, { key: "a", extras: u32(10) }), NOTHING],
    [store(1, "a", "v", 3), stored(1)],
    [ask(0x1c, { key: "a", extras: u32(10) }), entry(0x1c, 3, "")],
    [ask(0x1d, { key: "a", extras: u32(10) }), entry(0x1d, 3, "v")],
    [ask(0x1e, { key: "a", extras: u32(10) }), entry(0x1e, 3, "v")],
    [ask(0x23, { key: "a", extras: u32(10) }), entry(0x23, 3, "v", "a")],
    [ask(0x24, { key: "a", extras: u32(3_000_000) }), entry(0x24, 3, "v", "a")],
    [ask(0, { key: "a" }), failure(0, 1, NOT_FOUND)],
  ],
  "requests about the server": [
    [NOOP, reply(0x0a)],
    [ask(0x0b), reply(0x0b, { value: "1.6.18" })],
    [store(1, "a", "v"), stored(1)],
    [ask(0x08), reply(0x08)],
    [ask(0x18), NOTHING],
    [ask(0x08, { extras: u32(0) }), reply(0x08)],
    [ask(0, { key: "a" }), failure(0, 1, NOT_FOUND)],
    [ask(0x10, { key: "reset" }), reply(0x10)],
    [ask(0x10, { key: "nonsense" }), failure(0x10, 1, NOT_FOUND)],
    [ask(0x1b, { extras: u32(1) }), failure(0x1b, 0x81, "Unknown command")],
    [ask(0x20), failure(0x20, 0x81, "Unknown command")],
    [ask(0x21, { key: "PLAIN", value: "secret" }), failure(0x21, 0x81, "Unknown command")],
    [ask(0x55, { extras: u32(1), key: "k", value: "v" }), failure(0x55, 0x81, "Unknown command")],
  ],
};

/** A host in 2027, whose clock stands still and whose writes have versions: they are what tells states. */
function hostNow(maxItemBytes?: number): TestHost {
  return sessionHost({ maxSize: 100, clock: { now: () => 1_800_000_000_000 } }, maxItemBytes);
}

for (const [name, dialogue] of Object.entries(DIALOGUES)) {
  Deno.test(`BinaryHandler answers ${name}, whole and byte by byte`, () => {
    const requests = joined(...dialogue.map(([request]) => request));
    const host = hostNow();
    const session = sessionOf(host);
    for (const [i, [request, expected]] of dialogue.entries()) {
      session.input.push(request);
      assertEquals(session.run(), "needs-input");
      assertEquals(withoutStates(session.output.taken().slice()), expected, `${name} ${i}`);
      session.output.reset();
    }
    assertEquals(host.counters, { requests: dialogue.length, refusals: 0, protocolErrors: 0 });
    const replies = joined(...dialogue.map(([, reply]) => reply));
    for (const part of [1, 7, 25, Infinity]) {
      const told = talk(hostNow(), requests, part);
      assertEquals(withoutStates(told.bytes), replies, `in parts of ${part}`);
      assert(!told.isClosing);
    }
  });
}

Deno.test("BinaryHandler tells the same state of an entry in all replies", () => {
  const host = hostNow();
  const casOf = (bytes: Uint8Array) => new DataView(bytes.buffer).getBigUint64(16);
  const told = casOf(talk(host, store(1, "a", "1")).bytes);
  assertEquals(casOf(talk(host, ask(0, { key: "a" })).bytes), told);
  assertEquals(casOf(talk(host, ask(0x1d, { key: "a", extras: u32(100) })).bytes), told);
  assertEquals(casOf(talk(host, ask(0, { key: "a" })).bytes), told);
  const next = casOf(talk(host, add(5, "a", 1n, 0n, 0, told)).bytes);
  assert(next !== told && next !== 0n);
  assertEquals(withoutStates(talk(host, store(1, "a", "x", 0, 0, told)).bytes), failure(1, 2, EXISTS));
  assertEquals(withoutStates(talk(host, store(1, "a", "x", 0, 0, next)).bytes), stored(1));
  const last = casOf(talk(host, ask(0, { key: "a" })).bytes);
  assertEquals(talk(host, ask(4, { key: "a", cas: last })).bytes, reply(4));
});

Deno.test("BinaryHandler swallows what is too large, and an old value with it", () => {
  const value = "x".repeat(300_000);
  const tooLarge = (opcode: number) => failure(opcode, 3, "Too large.");
  for (const opcode of [1, 2, 3, 0x11, 0x12, 0x13, 0x0e, 0x1a]) {
    const host = hostNow(1000);
    talk(host, store(1, "a", "old"));
    const isExtension = opcode === 0x0e || opcode === 0x1a;
    const request = isExtension ? ask(opcode, { key: "a", value }) : store(opcode, "a", value);
    const session = sessionOf(host);
    for (let at = 0; at < request.length; at += 1000) {
      session.input.push(request.subarray(at, at + 1000));
      assertEquals(session.run(), "needs-input");
      assert(session.input.pendingBytes === 0 && session.input.announced === 0, "nothing is kept");
    }
    session.input.push(joined(NOOP, ask(0x09, { key: "a" })));
    session.run();
    const isGone = opcode === 1 || opcode === 0x11;
    const rest = joined(reply(0x0a), isGone ? NOTHING : entry(0x09, 0, "old"));
    assertEquals(withoutStates(session.output.taken().slice()), joined(tooLarge(opcode), rest), `${opcode}`);
    assertEquals(host.memcached.counters.store_too_large, 1);
  }
});

Deno.test("BinaryHandler announces a value that is to be stored until it is there", () => {
  const host = hostNow();
  const session = sessionOf(host);
  const request = store(1, "key", "v".repeat(100_000));
  session.input.push(request.subarray(0, 50));
  assertEquals(session.run(), "needs-input");
  assertEquals(session.input.announced, request.length);
  session.input.push(request.subarray(50));
  assertEquals(session.run(), "needs-input");
  assertEquals(session.input.announced, 0);
  assertEquals(withoutStates(session.output.taken().slice()), stored(1));
});

Deno.test("BinaryHandler answers in several writes what is more than one holds", () => {
  const host = hostNow();
  const session = sessionOf(host);
  session.input.push(joined(store(0x11, "a", "v".repeat(50_000)), ...Array(5).fill(ask(0x00, { key: "a" }))));
  let writes = 0;
  while (writes < 10 && session.run() === "output-full") {
    assert(session.output.length >= OUTPUT_BYTES);
    session.output.reset();
    writes++;
  }
  assertEquals([writes, session.output.length], [2, 24 + 4 + 50_000]);
});

Deno.test("BinaryHandler ends the connection after an invalid packet", () => {
  const long = "k".repeat(251);
  const extras = (bytes: number) => new Uint8Array(bytes);
  const invalid: [number, Packet][] = [
    ...[0x00, 0x09, 0x0c, 0x0d, 0x04, 0x14].flatMap((opcode): [number, Packet][] => [
      [opcode, {}],
      [opcode, { key: long }],
      [opcode, { key: "a", extras: extras(4) }],
      [opcode, { key: "a", value: "v" }],
    ]),
    ...[1, 2, 3, 0x11, 0x12, 0x13].flatMap((opcode): [number, Packet][] => [
      [opcode, { extras: extras(8), value: "v" }],
      [opcode, { key: "a", value: "v" }],
      [opcode, { key: "a", extras: extras(4) }],
      [opcode, { key: long, extras: extras(8) }],
    ]),
    ...[5, 6, 0x15, 0x16].flatMap((opcode): [number, Packet][] => [
      [opcode, { extras: extras(20) }],
      [opcode, { key: "a", extras: extras(19) }],
      [opcode, { key: "a", extras: extras(20), value: "1" }],
    ]),
    ...[0x0e, 0x0f, 0x19].flatMap((opcode): [number, Packet][] => [
      [opcode, { value: "v" }],
      [opcode, { key: "a", extras: extras(4), value: "v" }],
    ]),
    ...[0x1c, 0x1d, 0x1e, 0x23, 0x24].flatMap((opcode): [number, Packet][] => [
      [opcode, { key: "a" }],
      [opcode, { extras: extras(4) }],
    ]),
    ...[0x07, 0x17, 0x0a, 0x0b, 0x20].map((opcode): [number, Packet] => [opcode, { value: "v" }]),
    ...[{ key: "k" }, { extras: extras(5) }, { extras: extras(4), value: "v" }].map((p): [number, Packet] => [8, p]),
    [0x10, { extras: extras(1) }],
    [0x21, {}],
    [0x55, { key: long }],
  ];
  for (const [opcode, packet] of invalid) {
    const host = hostNow();
    const told = talk(host, joined(NOOP, ask(opcode, packet), NOOP));
    const expected = joined(reply(0x0a), failure(opcode, 4, "Invalid arguments"));
    assertEquals(told, { bytes: expected, isClosing: true }, `${opcode} ${JSON.stringify(packet)}`);
    assertEquals(host.counters, { requests: 2, refusals: 0, protocolErrors: 1 });
  }
  const contradiction = joined(ask(1, { extras: extras(8), key: "abc", bodyBytes: 10 }), NOOP);
  assertEquals(talk(hostNow(), contradiction), { bytes: failure(1, 0x81, "Unknown command"), isClosing: true });
});

Deno.test("BinaryHandler ends the connection without a word after a wrong magic", () => {
  for (const rubbish of [bytesOf("get a\r\n"), packetOf(REPLY, 0x0a), packetOf(0, 0x0a)]) {
    const host = hostNow();
    assertEquals(talk(host, joined(NOOP, rubbish, NOOP)), { bytes: reply(0x0a), isClosing: true });
    assertEquals(host.counters, { requests: 1, refusals: 0, protocolErrors: 1 });
  }
});

Deno.test("BinaryHandler answers quit, and not quitq", () => {
  const host = hostNow();
  assertEquals(talk(host, joined(ask(0x07), NOOP)), { bytes: reply(0x07), isClosing: true });
  assertEquals(talk(host, joined(ask(0x17), NOOP)), { bytes: NOTHING, isClosing: true });
  assertEquals(host.counters, { requests: 2, refusals: 0, protocolErrors: 0 });
});

Deno.test("BinaryHandler lets a flush wait", () => {
  const host = hostNow();
  const requests = joined(store(0x11, "a", "v"), ask(0x08, { extras: u32(60) }), ask(0x00, { key: "a" }));
  assertEquals(withoutStates(talk(host, requests).bytes), joined(reply(0x08), entry(0, 0, "v")));
  assertEquals(host.later?.ms, 60_000);
  host.later?.run();
  assertEquals(talk(host, ask(0x09, { key: "a" })).bytes, NOTHING);
});

Deno.test("BinaryHandler clears nothing for a flush of a time before the server's", () => {
  const flushed = (seconds: number) =>
    withoutStates(
      talk(hostNow(), joined(store(0x11, "a", "v"), ask(0x18, { extras: u32(seconds) }), ask(0, { key: "a" }))).bytes,
    );
  assertEquals(flushed(2_592_001), entry(0, 0, "v"));
  assertEquals(flushed(1_800_000_000), failure(0, 1, NOT_FOUND));
  assertEquals(flushed(0), failure(0, 1, NOT_FOUND));
});

Deno.test("BinaryHandler tells statistics in packets, with an empty one at the end", () => {
  const { bytes } = talk(hostNow(), ask(0x10));
  assertEquals(bytes.subarray(-24), reply(0x10));
});

Deno.test("BinaryHandler does not store what there is no memory for", () => {
  const host = hostNow();
  talk(host, store(1, "a", "old"));
  host.store.set = () => false;
  const noMemory = (opcode: number, what: string) => failure(opcode, 0x82, `Out of memory ${what}`);
  assertEquals(talk(host, add(5, "b", 1n, 1n, 0)).bytes, noMemory(5, "allocating new item"));
  assertEquals(talk(host, store(1, "a", "new")).bytes, noMemory(1, "allocating item"));
  assertEquals(talk(host, ask(0x00, { key: "a" })).bytes, failure(0x00, 1, NOT_FOUND));
});

Deno.test("BinaryHandler neither throws for damaged requests nor answers by how they are split", () => {
  const random = generator(20);
  const below = (n: number) => Math.floor(n * random());
  const requests = Object.values(DIALOGUES).flat().map(([request]) => request);
  for (let round = 0; round < 2000; round++) {
    const some = Array.from({ length: 6 }, () => requests[below(requests.length)]);
    const bytes = joined(ask(0x0a), ...some.map((request) => mutate(request, below)));
    const whole = talk(hostNow(1000), bytes);
    assertEquals(talk(hostNow(1000), bytes, 1 + below(30)), whole, `round ${round}`);
  }
});
