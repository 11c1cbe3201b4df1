/** The native protocol's frames, byte by byte: golden/frames.txt is what both sides have agreed on. */

import { assert, assertEquals } from "@std/assert";
import { MAX_BODY_BYTES } from "../../lib/base/limits.ts";
import { readMessage } from "../../lib/replication/message_reader.ts";
import { MESSAGE, MessageWriter } from "../../lib/replication/message.ts";
import type { Session } from "../../lib/server/session.ts";
import {
  manyReader,
  MISS,
  OMITTED,
  type OnCopy,
  readFound,
  readYesNo,
  writeKeyed,
  writeKeyList,
  writeSet,
} from "../../lib/wire/calls.ts";
import { closingError, readData, readError, writeControl, writeError } from "../../lib/wire/control.ts";
import {
  doneReader,
  readEntry,
  readKeys,
  writeEntry,
  writeIncrement,
  writeKeys,
  writeSetIf,
  writeSetMany,
} from "../../lib/wire/entry_calls.ts";
import {
  AGAIN,
  type FrameReader,
  type FrameWriter,
  GOSSIP,
  INVALID,
  PEERS,
  REPLY,
  REQUEST,
  STOPPING,
} from "../../lib/wire/frame.ts";
import {
  readChallenge,
  readGreeting,
  readHello,
  readPeers,
  readScram,
  writeGreeting,
  writeHello,
  writeLockedGreeting,
  writePeers,
  writeScram,
} from "../../lib/wire/hello.ts";
import {
  type Filling,
  type LeaseToken,
  readAgain,
  readIsValid,
  readLeased,
  tokenAt,
  writeAgain,
  writeFill,
  writeGive,
  writeLease,
  writeStaleToken,
  writeToken,
} from "../../lib/wire/leases.ts";
import {
  type CopyTerms,
  msAt,
  readInvalid,
  readLeft,
  writeCopy,
  writeInvalid,
  writeLeft,
  writeListedCopy,
} from "../../lib/wire/near.ts";
import { NO_LIMIT } from "../../lib/wire/protocol_handler.ts";
import { encodeValue } from "../../lib/wire/values.ts";
import { frameOf, written } from "../support/frames.ts";
import { bytesOfHex, goldenLines, hexOf } from "../support/golden.ts";
import { RFC7677 } from "../support/rfc7677.ts";
import { sessionHost, type TestHost } from "../support/session_host.ts";
import { sessionOf } from "../support/access.ts";

/** The features that a server names in its answer. */
const SERVER_NAMES = ["stopping", "near", "lease", "skip-unknown", "peers", "page-window", "forgotten-in-common"];
/** What a peer says of itself beside its number and port. */
const PEER = {
  gossip: 4,
  cluster: "",
  features: ["stopping", "skip-unknown", "peers", "page-window", "forgotten-in-common"],
  needs: [],
};

const FRAMES = goldenLines(new URL("golden/frames.txt", import.meta.url));

const HI = new TextEncoder().encode("hi");

const TOKEN: LeaseToken = { high: 0xf0000001, low: 0x80000002 };
const FILLING: Filling = { token: TOKEN, ttlMs: 60_000, isFixed: false, staleMs: 2 ** 32 + 1 };
/** What is said of a value that has not been fresh for one and a half seconds. */
const STALE: CopyTerms = { marks: 4, freshMs: 0, ttlMs: 1500 };

/** What is told of keys. The versions are small ones: others are written as integers or not, as the package of MessagePack has it. */
const LIVES = { remainingMs: 59_999.5, valueBytes: 2, bytes: 64, flags: 0x4f430001, marks: ["fixed", "fetched"] };
const HELD = { server: 2 ** 32 - 1, state: "held", ...LIVES, version: 2 ** 32 - 2, origin: 7, ageMs: 1.5 };
const CLEARED = { server: 1, state: "cleared", version: 4097, origin: 7, ageMs: 0, prefix: "é€" };

/** Writes a value into the room for it. */
function sayHi(output: FrameWriter, at: number): void {
  output.buffer.set(HI, at);
}

/** Clients and peers write these. */
const REQUESTS: Record<string, (output: FrameWriter) => void> = {
  "HELLO of a client": (output) => writeHello(output, "client/1"),
  "HELLO of a client with a token": (output) => writeHello(output, "client/1", undefined, true),
  "HELLO of a client that keeps near copies": (output) => writeHello(output, "client/1", undefined, false, ["near"]),
  "HELLO of a peer": (output) => writeHello(output, "server/1", { id: 0x01020304, port: 11142 }),
  "HELLO of a peer that is reached elsewhere": (output) =>
    writeHello(output, "server/1", { id: 7, port: 11142, advertise: "cache.example:7" }),
  "HELLO of a peer that does not listen": (output) => writeHello(output, "server/1", { id: 7, port: undefined }),
  "HELLO of a peer of a cluster": (output) => writeHello(output, "server/1", { id: 7, port: 1, cluster: "blue" }),
  "GET": (output) => writeKeyed(output, REQUEST.get, "k"),
  "GET of a key that is not ASCII": (output) => writeKeyed(output, REQUEST.get, "é€"),
  "GET_MANY": (output) => writeKeyList(output, REQUEST.getMany, ["k", "none", "large"]),
  "SET with the default ttl": (output) => writeSet(output, "k", encodeValue("hi"), undefined),
  "SET that never expires": (output) => writeSet(output, "k", encodeValue({ a: 1 }), 0),
  "SET with a ttl": (output) => writeSet(output, "k", encodeValue(Uint8Array.of(1, 255)), 2 ** 32 + 60_000),
  "SET with the default ttl, which a hit does not renew": (output) =>
    writeSet(output, "k", encodeValue("hi"), undefined, true),
  "SET with a ttl that a hit does not renew": (output) => writeSet(output, "k", encodeValue("hi"), 60_000, true),
  "SET that never expires, with the flag": (output) => writeSet(output, "k", encodeValue("hi"), 0, true),
  "DELETE": (output) => writeKeyed(output, REQUEST.delete, "k"),
  "TOUCH with the entry's own ttl": (output) => touch(output, undefined),
  "TOUCH with a ttl": (output) => touch(output, 60_000),
  "CLEAR": (output) => output.empty(REQUEST.clear),
  "STATS": (output) => output.empty(REQUEST.stats),
  "PING": (output) => output.empty(REQUEST.ping),
  "HAS": (output) => writeKeyed(output, REQUEST.has, "k"),
  "USE": (output) => writeKeyed(output, REQUEST.use, "k"),
  "LEASE": (output) => writeLease(output, "k", 10_000, true),
  "FILL": (output) => writeFill(output, "k", encodeValue("hi"), FILLING),
  "FILL with the default ttl, which a hit does not renew, kept for ever": (output) =>
    writeFill(output, "k", encodeValue("hi"), { ...FILLING, ttlMs: undefined, isFixed: true, staleMs: Infinity }),
  "GIVE": (output) => writeGive(output, "k", TOKEN),
  "ENTRY": (output) => writeKeyed(output, REQUEST.entry, "k"),
  "TAKE": (output) => writeKeyed(output, REQUEST.take, "k"),
  "INCREMENT": (output) => writeIncrement(output, "n", 2n ** 64n - 6n, undefined, undefined),
  "INCREMENT that subtracts": (output) => writeIncrement(output, "n", -9n, undefined, undefined),
  "INCREMENT that makes an entry": (output) => writeIncrement(output, "n", 1n, 10n, 60_000),
  "INCREMENT that makes an entry with the default ttl": (output) => writeIncrement(output, "n", 1n, 10n, undefined),
  "SET_IF of an absent key": (output) => writeSetIf(output, "k", "absent", encodeValue("hi"), 60_000, false),
  "SET_IF of a present key": (output) => writeSetIf(output, "k", "present", encodeValue("hi"), undefined, true),
  "SET_IF of a version": (output) => writeSetIf(output, "k", 2 ** 52 + 1, encodeValue("hi"), 0, false),
  "SET_MANY": (output) =>
    writeSetMany(
      output,
      [{ key: "k", value: encodeValue("hi") }, { key: "é€", value: encodeValue(Uint8Array.of(1, 255)) }],
      60_000,
      true,
    ),
  "DELETE_MANY": (output) => writeKeyList(output, REQUEST.deleteMany, ["k", "none", "é€"]),
  "KEYS": (output) => writeKeys(output, "", 0),
  "KEYS with a prefix, from a place on": (output) => writeKeys(output, "é", 2 ** 32 - 1),
  "CLEAR_PREFIX": (output) => writeKeyed(output, REQUEST.clearPrefix, "k"),
  "EXPLAIN": (output) => writeKeyed(output, REQUEST.explain, "k"),
  "INSIGHT": (output) => output.empty(REQUEST.insight),
  "FORGET": (output) => writeKeyed(output, REQUEST.forget, "10.0.0.9:11142"),
  "AUTH, first": (output) => writeScram(output, REQUEST.auth, RFC7677.clientFirst),
  "AUTH, last": (output) => writeScram(output, REQUEST.auth, RFC7677.clientFinal),
};

/** Servers write these without being asked, or in a few cases. */
const WRITTEN: Record<string, (output: FrameWriter) => void> = {
  "DATA of a greeting that wants to know who connects": writeLockedGreeting,
  "CHALLENGE": (output) => writeScram(output, REPLY.challenge, RFC7677.serverFirst),
  "DATA after the last AUTH": (output) => writeGreeting(output, "test/1", { id: 1 }, { proof: RFC7677.serverFinal }),
  "REFUSED": (output) => writeError(output, REPLY.refused, { code: "bad-ttl", message: "why" }),
  "STOPPING": (output) => output.empty(STOPPING),
  "CLOSING": (output) => writeError(output, REPLY.closing, { code: "stopping", message: "why" }),
  "COPY of text": (output) => {
    sayHi(output, writeCopy(output, { marks: 3, freshMs: 2 ** 32 + 59_999, ttlMs: 60_000 }, 0x4f430001, 2));
  },
  "VALUES with a copy, a hit, a miss and another copy": (output) => {
    output.begin(REPLY.values);
    output.uint16(4);
    sayHi(output, writeListedCopy(output, { marks: 3, freshMs: 59_999, ttlMs: 60_000 }, 0x4f430001, 2));
    for (const byte of [1, 0x4f, 0x43, 0, 1, 0, 0, 0, 2, ...HI, 0]) output.uint8(byte);
    writeListedCopy(output, { marks: 1, freshMs: Infinity, ttlMs: 0 }, 0x4f430001, 0);
    output.end();
  },
  "COPY of a stale value": (output) => sayHi(output, writeCopy(output, STALE, 0x4f430001, 2)),
  "TOKEN": (output) => writeToken(output, TOKEN),
  "TOKEN with a stale value": (output) => sayHi(output, writeStaleToken(output, TOKEN, STALE, 0x4f430001, 2)),
  "WAIT": (output) => output.empty(REPLY.wait),
  "LOST": (output) => output.empty(REPLY.lost),
  "AGAIN": (output) => writeAgain(output, new TextEncoder().encode("k")),
  "ENTRY of text": (output) => {
    sayHi(output, writeEntry(output, { version: 2 ** 52 + 1, remainingMs: 2 ** 32 + 59_999, flags: 0x4f430001 }, 2));
  },
  "ENTRY that never expires, without a value": (output) => {
    writeEntry(output, { version: 1, remainingMs: Infinity, flags: 0 }, 0);
  },
  "LEFT": (output) => writeLeft(output, { freshMs: 60_000, ttlMs: Infinity }),
  "INVALID of two slots": (output) => writeInvalid(output, new Set([1, 2 ** 18 - 1])),
  "INVALID of all": (output) => writeInvalid(output, undefined),
  "DATA of a key that is here": (output) => writeControl(output, REPLY.data, HELD),
  "DATA of a key that was cleared": (output) => writeControl(output, REPLY.data, CLEARED),
  "PEERS": (output) => writePeers(output, ["10.0.0.1:11142", "[fd00::1]:7"]),
  "GOSSIP": (output) => {
    output.begin(GOSSIP);
    output.bytes(new MessageWriter().write({ type: MESSAGE.same, from: 2, clock: 3, cleared: 0, to: 4 }));
    output.end();
  },
};

/** What a server answers, from the greeting on. */
const DIALOGUE: [request: string, reply: string][] = [
  ["HELLO of a client", "DATA of a greeting"],
  ["PING", "OK"],
  ["GET", "MISS"],
  ["EXPLAIN", "DATA of a key that was never here"],
  ["SET with the default ttl", "OK"],
  ["GET", "VALUE of text"],
  ["GET_MANY", "VALUES with a hit, a miss and one omitted"],
  ["SET that never expires", "OK"],
  ["GET", "VALUE of JSON"],
  ["SET with a ttl", "OK"],
  ["GET", "VALUE of bytes"],
  ["SET with the default ttl, which a hit does not renew", "OK"],
  ["SET with a ttl that a hit does not renew", "OK"],
  ["SET that never expires, with the flag", "OK"],
  ["HAS", "OK"],
  ["TOUCH with a ttl", "OK"],
  ["TOUCH with the entry's own ttl", "OK"],
  ["GET of a key that is not ASCII", "MISS"],
  ["DELETE", "OK"],
  ["DELETE", "MISS"],
  ["SET with the default ttl", "OK"],
  ["CLEAR", "OK"],
  ["FORGET", "OK"],
  ["HAS", "MISS"],
  ["ENTRY", "MISS"],
  ["TAKE", "MISS"],
  ["INCREMENT", "MISS"],
  ["INCREMENT that makes an entry", "VALUE of a number"],
  ["INCREMENT", "VALUE of a number that has begun again"],
  ["INCREMENT that subtracts", "VALUE of a number that stays at 0"],
  ["INCREMENT that makes an entry with the default ttl", "VALUE of a number, where nothing was to be made"],
  ["SET_IF of a present key", "MISS"],
  ["SET_IF of an absent key", "OK"],
  ["SET_IF of a version", "MISS"],
  ["SET_IF of a present key", "OK"],
  ["SET_MANY", "DONE of entries"],
  ["KEYS", "KEYS, three and the end"],
  ["KEYS with a prefix, from a place on", "KEYS of none"],
  ["TAKE", "VALUE of text"],
  ["DELETE_MANY", "DONE of keys"],
  ["CLEAR_PREFIX", "OK"],
];

/** What is made of frames that stand in no dialogue, and a client of replies. */
const READ: Record<string, [read: (frame: FrameReader) => unknown, result: unknown]> = {
  "OK": [readYesNo, true],
  "MISS": [(frame) => [readYesNo(frame), readFound(frame)], [false, MISS]],
  "VALUE of text": [readFound, "hi"],
  "VALUE of JSON": [readFound, { a: 1 }],
  "VALUE of bytes": [readFound, Uint8Array.of(1, 255)],
  "VALUES with a hit, a miss and one omitted": [manyReader(3, () => {}), ["hi", MISS, OMITTED]],
  "VALUE of a number": [textIn, "10"],
  "VALUE of a number, where nothing was to be made": [textIn, "1"],
  "VALUE of a number that has begun again": [textIn, "4"],
  "VALUE of a number that stays at 0": [textIn, "0"],
  "ENTRY of text": [readEntry, { value: "hi", remainingMs: 2 ** 32 + 59_999, version: 2 ** 52 + 1 }],
  "ENTRY that never expires, without a value": [
    readEntry,
    { value: new Uint8Array(0), remainingMs: Infinity, version: 1 },
  ],
  "DONE of entries": [doneReader(2), [true, true]],
  "DONE of keys": [doneReader(3), [false, false, true]],
  "KEYS, three and the end": [(frame) => readKeys(frame, 0), { keys: ["k", "n", "é€"], next: 2 ** 32 }],
  "KEYS of none": [(frame) => readKeys(frame, 2 ** 32 - 1), { keys: [], next: 2 ** 32 }],
  "DATA of a greeting": [readGreeting, {
    software: "test/1",
    features: SERVER_NAMES,
    peer: { ...PEER, features: SERVER_NAMES, id: 1, port: undefined },
    wantsToken: false,
    proof: undefined,
  }],
  "DATA of a greeting that wants to know who connects": [readGreeting, {
    software: "ormuco-cache",
    features: [],
    peer: undefined,
    wantsToken: true,
    proof: undefined,
  }],
  "DATA of a key that was never here": [readData, { server: 1, state: "absent" }],
  "DATA of a key that is here": [readData, HELD],
  "DATA of a key that was cleared": [readData, CLEARED],
  "PEERS": [readPeers, ["10.0.0.1:11142", "[fd00::1]:7"]],
  "COPY of text": [copiesOf((frame, onCopy) => readFound(frame, NO_LIMIT, onCopy)), [
    "hi",
    "0: hi, marks 3, 4295027295 ms of 60000",
  ]],
  "VALUES with a copy, a hit, a miss and another copy": [
    copiesOf((frame, onCopy) => manyReader(4, () => {}, onCopy)(frame)),
    [["hi", "hi", MISS, ""], "0: hi, marks 3, 59999 ms of 60000", "3: , marks 1, Infinity ms of 0"],
  ],
  "COPY of a stale value": [readLeased, { state: "stale", value: "hi", forMs: 1500 }],
  "TOKEN": [readLeased, { state: "compute", token: TOKEN, stale: undefined }],
  "TOKEN with a stale value": [readLeased, { state: "compute", token: TOKEN, stale: { value: "hi", forMs: 1500 } }],
  "WAIT": [readLeased, { state: "wait" }],
  "LOST": [readIsValid, false],
  "AGAIN": [readAgain, "k"],
  "LEASE": [(frame) => [frame.uint32(frame.key.to), frame.uint8(frame.key.to + 4), frame.end - frame.key.to], [
    10_000,
    1,
    5,
  ]],
  "FILL": [({ code, keyBytes }) => [code, keyBytes], [REQUEST.fill, 1]],
  "FILL with the default ttl, which a hit does not renew, kept for ever": [
    (frame) => [tokenAt(frame, frame.key.to), msAt(frame, frame.key.to + 20)],
    [TOKEN, Infinity],
  ],
  "GIVE": [(frame) => tokenAt(frame, frame.key.to), TOKEN],
  "LEFT": [readLeft, { freshMs: 60_000, ttlMs: Infinity }],
  "INVALID of two slots": [slotsIn, [1, 262_143]],
  "INVALID of all": [slotsIn, ["all"]],
  "USE": [({ code, keyBytes }) => [code, keyBytes], [REQUEST.use, 1]],
  "CHALLENGE": [readChallenge, RFC7677.serverFirst],
  "DATA after the last AUTH": [readGreeting, {
    software: "test/1",
    features: SERVER_NAMES,
    peer: { ...PEER, features: SERVER_NAMES, id: 1, port: undefined },
    wantsToken: false,
    proof: RFC7677.serverFinal,
  }],
  "AUTH, first": [readScram, RFC7677.clientFirst],
  "AUTH, last": [readScram, RFC7677.clientFinal],
  "REFUSED": [readError, { code: "bad-ttl", message: "why" }],
  "STOPPING": [({ code, start, end }) => [code, end - start], [STOPPING, 0]],
  "CLOSING": [
    (frame) => [closingError(frame).code, closingError(frame).message],
    ["unreachable", "the server closed the connection (stopping): why"],
  ],
  "GOSSIP": [
    (frame) => readMessage(frame.slice(frame.start, frame.end)),
    { type: MESSAGE.same, from: 2, clock: 3, cleared: 0, to: 4 },
  ],
};

/** Reads a reply: what is read, and then what is told of copies. */
function copiesOf(read: (frame: FrameReader, onCopy: OnCopy) => unknown): (frame: FrameReader) => unknown[] {
  return (frame) => {
    const told: string[] = [];
    const value = read(frame, (value, { marks, freshMs, ttlMs }, i) => {
      told.push(`${i}: ${value}, marks ${marks}, ${freshMs} ms of ${ttlMs}`);
    });
    return [value, ...told];
  };
}

/** The value of a `VALUE`, as text. */
function textIn({ buffer, start, end }: FrameReader): string {
  return buffer.toString("utf8", start + 4, end);
}

function slotsIn(frame: FrameReader): unknown[] {
  const slots: unknown[] = [];
  readInvalid(frame, (slot) => slots.push(slot), () => slots.push("all"));
  return slots;
}

function touch(output: FrameWriter, ttlMs: number | undefined): void {
  output.begin(REQUEST.touch);
  output.key("k");
  output.ttl(ttlMs);
  output.end();
}

/** The line of a frame: the fields of its header apart from each other and the body. */
function lineOf(bytes: Uint8Array): string {
  return [[0, 4], [4, 6], [6, 7], [7, 8], [8, bytes.length]]
    .map(([from, to]) => hexOf(bytes.subarray(from, to))).join(" ").trimEnd();
}

function golden(name: string): Uint8Array {
  const hex = FRAMES.get(name);
  assert(hex !== undefined, `golden/frames.txt has no ${name}`);
  return bytesOfHex(hex);
}

/** A session that answers one frame. */
class Server {
  readonly host: TestHost = sessionHost();
  readonly session: Session = sessionOf(this.host);

  answer(request: Uint8Array): Uint8Array {
    this.session.input.push(request);
    this.session.run();
    const reply = this.session.output.taken().slice();
    this.session.output.reset();
    return reply;
  }
}

/** Replies of a server to the dialogue, by their names. */
function answers(request: (name: string) => Uint8Array): [name: string, line: string][] {
  const server = new Server();
  const { input } = server.session;
  return DIALOGUE.map(([asked, name], i) => {
    if (i === 1) server.answer(written((output) => writeSet(output, "large", encodeValue("x".repeat(100)), undefined)));
    if (i > 0) input.maxBodyBytes = asked === "GET_MANY" ? 64 : MAX_BODY_BYTES; // else 16 MiB would be the least to omit
    return [name, lineOf(server.answer(request(asked)))];
  });
}

Deno.test("golden/frames.txt has the bytes of every frame as it is written today", () => {
  const makers = Object.entries({ ...REQUESTS, ...WRITTEN });
  const lines = makers.map(([name, write]): [string, string] => [name, lineOf(written(write))]);
  const today = Object.fromEntries([...lines, ...answers((name) => written(REQUESTS[name]))]);
  assertEquals(Object.fromEntries(Object.entries(today).sort()), Object.fromEntries([...FRAMES].sort()));
});

Deno.test("Session answers the requests of golden/frames.txt with its replies", () => {
  for (const [i, [name, line]] of answers(golden).entries()) {
    assertEquals(line, FRAMES.get(name), `${i}: ${DIALOGUE[i].join(" → ")}`);
  }
});

Deno.test("Session answers STATS of golden/frames.txt with DATA", () => {
  const server = new Server();
  server.answer(golden("HELLO of a client"));
  assertEquals(readData(frameOf(server.answer(golden("STATS")))), { ...server.host.stats() });
  assertEquals(readData(frameOf(server.answer(golden("INSIGHT")))), { ...server.host.insight(true) });
});

Deno.test("readHello() knows the peers of golden/frames.txt", () => {
  const hello = (name: string, cluster = "") => readHello(frameOf(golden(name)), cluster);
  const about = { software: "server/1", features: PEER.features, proves: false };
  assertEquals(hello("HELLO of a client"), {
    software: "client/1",
    features: ["stopping"],
    proves: false,
    peer: undefined,
  });
  assertEquals(hello("HELLO of a client with a token"), {
    software: "client/1",
    features: ["stopping"],
    proves: true,
    peer: undefined,
  });
  assertEquals(hello("HELLO of a client that keeps near copies"), {
    software: "client/1",
    features: ["stopping", "near"],
    proves: false,
    peer: undefined,
  });
  assertEquals(hello("HELLO of a peer"), { ...about, peer: { ...PEER, id: 0x01020304, port: 11142 } });
  assertEquals(hello("HELLO of a peer that does not listen"), {
    ...about,
    peer: { ...PEER, id: 7, port: undefined },
  });
  assertEquals(hello("HELLO of a peer of a cluster", "blue"), {
    ...about,
    peer: { ...PEER, id: 7, port: 1, cluster: "blue" },
  });
  assertEquals(hello("HELLO of a peer that is reached elsewhere"), {
    ...about,
    peer: { ...PEER, id: 7, port: 11142, advertise: "cache.example:7" },
  });
});

for (const [name, [read, result]] of Object.entries(READ)) {
  Deno.test(`${name} of golden/frames.txt is read as what it is`, () => {
    assertEquals(read(frameOf(golden(name))), result);
  });
}

Deno.test("golden/frames.txt has a line for every code", () => {
  const codes = new Set([...FRAMES.keys()].map((name) => frameOf(golden(name)).code));
  const pushes = { gossip: GOSSIP, peers: PEERS, stopping: STOPPING, invalid: INVALID, again: AGAIN };
  const known = [REQUEST, REPLY, pushes].flatMap((codes): [string, number][] => Object.entries(codes));
  assertEquals(known.filter(([, code]) => !codes.has(code)), []);
  assertEquals([...codes].filter((code) => !known.some(([, other]) => other === code)), []);
});

Deno.test("every line of golden/frames.txt is read by a test", () => {
  const read = new Set([...Object.keys(READ), ...DIALOGUE.flat(), "STATS", "INSIGHT"]);
  const names = [...FRAMES.keys()].filter((name) => !read.has(name) && !name.startsWith("HELLO of a "));
  assertEquals(names, []);
});
