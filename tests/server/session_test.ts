import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { decode, encode } from "@std/msgpack";
import { FrameReader, FrameWriter, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { MAX_BODY_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { manyReader, MISS, OMITTED } from "../../lib/wire/calls.ts";
import { FEATURES, PEER_FEATURES, SERVER_FEATURES } from "../../lib/wire/hello.ts";
import { joined } from "../support/mutate.ts";
import { sessionHost } from "../support/session_host.ts";
import {
  codes,
  DEFAULT,
  errorOf,
  frame,
  getMany,
  greeted,
  HELLO,
  NEVER,
  outputOf,
  repliesIn,
  set,
  uint64,
} from "../support/session_talk.ts";
import { sessionOf } from "../support/access.ts";

const utf8 = new TextEncoder();

const PEER_HELLO = frame(
  REQUEST.hello,
  "",
  encode({ protocol: 1, client: "test", peer: 7, gossip: 4, features: [...FEATURES, ...PEER_FEATURES] }),
);

for (const [whom, hello] of [["client", HELLO], ["peer", PEER_HELLO]] as const) {
  Deno.test(`Session greets a ${whom} with its version, its features and limits`, () => {
    const session = sessionOf(sessionHost());
    session.input.push(hello);
    const [reply] = repliesIn(outputOf(session).bytes);
    assertEquals(decode(reply.body), {
      protocol: 1,
      server: "test/1",
      features: [...FEATURES, ...SERVER_FEATURES, ...PEER_FEATURES],
      peer: 1,
      gossip: 4,
      maxKeyBytes: MAX_KEY_BYTES,
      maxValueBytes: MAX_VALUE_BYTES,
      maxKeysPerGet: 1024,
    });
  });
}

Deno.test("Session answers the example of docs/protocol.md byte for byte", () => {
  const text = Deno.readTextFileSync(new URL("../../docs/protocol.md", import.meta.url));
  const lines = text.slice(text.indexOf("## Example")).split("\n").filter((line) => /^[→←]/.test(line));
  const bytes = lines.map((line) => Uint8Array.from(line.slice(1).trim().split(/\s+/), (hex) => parseInt(hex, 16)));
  assertEquals(bytes.length, 4);
  const { session } = greeted();
  for (let i = 0; i < bytes.length; i += 2) {
    session.input.push(bytes[i]);
    assertEquals(outputOf(session).bytes, bytes[i + 1]);
  }
});

Deno.test("Session stores, returns, tells, touches, deletes and clears", () => {
  const { ask } = greeted();
  assertEquals(codes(ask(frame(REQUEST.get, "a"))), [REPLY.miss]);
  assertEquals(codes(ask(set("a", "one"), set("b", ""))), [REPLY.ok, REPLY.ok]);
  const [a, b] = ask(frame(REQUEST.get, "a"), frame(REQUEST.get, "b"));
  assertEquals([a.code, a.body], [REPLY.value, joined(new Uint8Array([0, 0, 0, 7]), utf8.encode("one"))]);
  assertEquals([b.code, b.body], [REPLY.value, new Uint8Array([0, 0, 0, 7])]);
  assertEquals(codes(ask(frame(REQUEST.has, "a"), frame(REQUEST.has, "c"))), [REPLY.ok, REPLY.miss]);
  assertEquals(codes(ask(frame(REQUEST.touch, "a", NEVER), frame(REQUEST.touch, "c", NEVER))), [REPLY.ok, REPLY.miss]);
  assertEquals(codes(ask(frame(REQUEST.delete, "a"), frame(REQUEST.delete, "a"))), [REPLY.ok, REPLY.miss]);
  assertEquals(codes(ask(frame(REQUEST.ping), frame(REQUEST.clear), frame(REQUEST.get, "b"))), [
    REPLY.ok,
    REPLY.ok,
    REPLY.miss,
  ]);
});

Deno.test("Session returns many values in the order asked", () => {
  const { session, ask } = greeted();
  ask(set("a", "1"), set("c", "3"));
  session.input.push(getMany("a", "b", "c"));
  const reader = new FrameReader();
  reader.maxBodyBytes = MAX_BODY_BYTES;
  reader.push(outputOf(session).bytes);
  assert(reader.next());
  assertEquals(manyReader(3, () => {})(reader), [utf8.encode("1"), MISS, utf8.encode("3")]);
});

Deno.test("Session marks values that would make a reply too long, and answers with the others", () => {
  const { session, ask } = greeted();
  const large = new Uint8Array(9 * 1024 * 1024);
  ask(set("a", large), set("b", large), set("c", "small"));
  session.input.push(getMany("a", "b", "c"));
  const reader = new FrameReader();
  reader.maxBodyBytes = MAX_BODY_BYTES;
  reader.push(outputOf(session).bytes);
  assert(reader.next());
  const [a, b, c] = manyReader(3, () => {})(reader) as unknown[];
  assertEquals([(a as Uint8Array).length, b, c], [large.length, OMITTED, utf8.encode("small")]);
});

Deno.test("Session takes little more memory for many values than they have bytes", () => {
  const account = {
    bytes: 0,
    most: 0,
    changed: (bytes: number) => account.most = Math.max(account.most, account.bytes += bytes),
    mayHold: () => true,
    giveUp: () => {},
  };
  const { session, ask } = greeted(sessionHost({ maxSize: 2000 }), new FrameWriter(account));
  const keys = Array.from({ length: 1024 }, (_, i) => `${i}`);
  ask(...keys.map((key) => set(key, new Uint8Array(4096))));
  account.most = account.bytes;
  session.input.push(getMany(...keys));
  const { length } = outputOf(session).bytes;
  assert(account.most < 1.3 * length, `${account.most} bytes for a reply of ${length}`);
});

Deno.test("Session gives statistics", () => {
  const { ask } = greeted();
  ask(set("a", "1"));
  const [reply] = ask(frame(REQUEST.stats));
  assertEquals((decode(reply.body) as Record<string, unknown>).entries, 1);
});

Deno.test("Session keeps keys of any bytes apart", () => {
  const { ask } = greeted();
  const keys = [[0], [0, 0], [255], [0xc3, 0xa9], [0xe9], [49, 50], [48, 49, 50]].map((key) => new Uint8Array(key));
  for (const [i, key] of keys.entries()) ask(set(key, String(i)));
  for (const [i, key] of keys.entries()) {
    const [reply] = ask(frame(REQUEST.get, key));
    assertEquals(reply.body.slice(4), utf8.encode(String(i)));
  }
});

Deno.test("Session honours a ttl of its own, none, and the store's", () => {
  let now = 1000;
  const { ask } = greeted(sessionHost({ ttlMs: 50, renewOnHit: false, clock: { now: () => now } }));
  ask(set("own", "1", uint64(0, 100)), set("never", "2", NEVER), set("default", "3", DEFAULT));
  const living = () => codes(ask(...["own", "never", "default"].map((key) => frame(REQUEST.has, key))));
  assertEquals(living(), [REPLY.ok, REPLY.ok, REPLY.ok]);
  now += 50;
  assertEquals(living(), [REPLY.ok, REPLY.ok, REPLY.miss]);
  assertEquals(codes(ask(frame(REQUEST.touch, "own", DEFAULT))), [REPLY.ok]);
  now += 99;
  assertEquals(living(), [REPLY.ok, REPLY.ok, REPLY.miss]);
  now += 1;
  assertEquals(living(), [REPLY.miss, REPLY.ok, REPLY.miss]);
});

Deno.test("Session renews no entry by a hit whose ttl has the flag, whether it is its own, none or the store's", () => {
  let now = 1000;
  const { ask } = greeted(sessionHost({ ttlMs: 50, clock: { now: () => now } }));
  ask(
    set("own", "1", uint64(0x40000000, 100)),
    set("longest", "1", uint64(0x401fffff, 0xffffffff)),
    set("never", "2", uint64(0x40000000, 0)),
    set("default", "3", uint64(0xbfffffff, 0xffffffff)),
    set("renewed", "4", DEFAULT), // after others in the same turn: nothing of theirs is left
  );
  const names = ["own", "longest", "never", "default", "renewed"];
  const hits = () => codes(ask(...names.map((key) => frame(REQUEST.get, key)))).map((code) => code === REPLY.value);
  assertEquals(hits(), [true, true, true, true, true]);
  now += 49;
  assertEquals(hits(), [true, true, true, true, true]);
  now += 1;
  assertEquals(hits(), [true, true, true, false, true]);
  assertEquals(codes(ask(frame(REQUEST.touch, "own", DEFAULT))), [REPLY.ok]);
  now += 49;
  assertEquals(hits(), [true, true, true, false, true]);
  now += 51;
  assertEquals(hits(), [false, true, true, false, false], "own was touched, and not renewed by its hits");
});

const REFUSED: [string, Uint8Array, string, string][] = [
  ["an unknown code", frame(0x3f), "bad-request", "unknown request code 63"],
  ["a second HELLO", HELLO, "bad-request", "unknown request code 1"],
  ["a GET without a key", frame(REQUEST.get), "bad-key", "1 to 4096"],
  ["a GET with more than a key", frame(REQUEST.get, "k", new Uint8Array(1)), "bad-request", "after the key"],
  ["a key too long", frame(REQUEST.get, new Uint8Array(MAX_KEY_BYTES + 1)), "bad-key", "received 4097"],
  ["a SET without fields", frame(REQUEST.set, "k", new Uint8Array(11)), "bad-request", "12 bytes"],
  ["a SET with a ttl too long", set("k", "v", uint64(0x00200000, 0)), "bad-ttl", "9007199254740991"],
  ["a SET with a flagged ttl too long", set("k", "v", uint64(0x40200000, 0)), "bad-ttl", "9007199254740991"],
  ["a SET with another bit in its ttl", set("k", "v", uint64(0x20000000, 5)), "bad-ttl", "9007199254740991"],
  ["a SET with half of a default ttl", set("k", "v", uint64(0xbfffffff, 0)), "bad-ttl", "9007199254740991"],
  ["a SET with the upper bit alone", set("k", "v", uint64(0x80000000, 5)), "bad-ttl", "9007199254740991"],
  ["a TOUCH with the flag", frame(REQUEST.touch, "k", uint64(0x40000000, 5)), "bad-ttl", "9007199254740991"],
  ["a SET with a value too long", set("k", new Uint8Array(MAX_VALUE_BYTES + 1)), "too-large", "16777216"],
  ["a TOUCH without a ttl", frame(REQUEST.touch, "k"), "bad-request", "expected 8"],
  ["a CLEAR with a body", frame(REQUEST.clear, "k"), "bad-request", "no body"],
  ["a GET_MANY without a count", frame(REQUEST.getMany), "bad-request", "no count"],
  [
    "a GET_MANY with a truncated key",
    frame(REQUEST.getMany, "", new Uint8Array([0, 1, 0, 9, 0, 65])),
    "bad-request",
    "truncated",
  ],
  [
    "a GET_MANY with bytes left over",
    frame(REQUEST.getMany, "", new Uint8Array([0, 0, 1])),
    "bad-request",
    "after the last",
  ],
  ["a GET_MANY with too many keys", frame(REQUEST.getMany, "", new Uint8Array([4, 1])), "bad-request", "at most 1024"],
  [
    "a GET_MANY without the zero",
    frame(REQUEST.getMany, "", new Uint8Array([0, 1, 0, 1, 5, 65])),
    "bad-request",
    "no zero",
  ],
  ["a GET_MANY with an empty key", frame(REQUEST.getMany, "", new Uint8Array([0, 1, 0, 0, 0])), "bad-key", "1 to 4096"],
];

for (const [what, request, code, words] of REFUSED) {
  Deno.test(`Session refuses ${what} and goes on`, () => {
    const { ask } = greeted();
    const [refused, ping] = ask(request, frame(REQUEST.ping));
    assertEquals(refused.code, REPLY.refused);
    assertEquals(errorOf(refused).code, code);
    assertStringIncludes(errorOf(refused).message, words);
    assertEquals(ping.code, REPLY.ok);
  });
}

Deno.test("Session refuses an entry that alone exceeds the limit of bytes", () => {
  const { ask } = greeted(sessionHost({ maxBytes: 64 * 1024 }));
  const [refused, stored] = ask(set("k", new Uint8Array(60_000)), set("k", "v"));
  assertEquals([refused.code, errorOf(refused).code, stored.code], [REPLY.refused, "too-large", REPLY.ok]);
});

Deno.test("Session leaves no older value where it refuses one that is too large, and keeps it where a request is wrong", () => {
  for (const [maxBytes, bytes] of [[64 * 1024, 60_000], [64 * 1024 * 1024, MAX_VALUE_BYTES + 1]]) {
    const { ask } = greeted(sessionHost({ maxBytes }));
    const wrong = set("k", "v", uint64(0x00200000, 0));
    const asked = ask(
      set("k", "old"),
      wrong,
      frame(REQUEST.has, "k"),
      set("k", new Uint8Array(bytes)),
      frame(REQUEST.has, "k"),
    );
    assertEquals(codes(asked), [REPLY.ok, REPLY.refused, REPLY.ok, REPLY.refused, REPLY.miss]);
  }
});

const CLOSED: [string, Uint8Array, string][] = [
  ["no HELLO first", frame(REQUEST.ping), "no-hello"],
  ["a TLS hello", new Uint8Array([0x16, 3, 1]), "unsupported-protocol"],
  ["another version", frame(REQUEST.hello, "", encode({ protocol: 2 })), "unsupported-version"],
  ["a HELLO that is no map", frame(REQUEST.hello, "", encode([1])), "unsupported-version"],
  ["a HELLO that is no MessagePack", frame(REQUEST.hello, "", new Uint8Array([0xc1])), "unsupported-version"],
  ["a HELLO nested 1,000 deep", frame(REQUEST.hello, "", new Uint8Array(1000).fill(0x91)), "unsupported-version"],
  ["a HELLO too long", frame(REQUEST.hello, "", new Uint8Array(1025)), "bad-frame"],
  ["a body too long", joined(HELLO, new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0])), "bad-frame"],
  ["a key longer than the body", joined(HELLO, new Uint8Array([0, 0, 0, 1, 0, 2, 2, 0])), "bad-frame"],
  ["a header whose last byte is not zero", joined(HELLO, new Uint8Array([0, 0, 0, 0, 0, 0, 9, 1])), "bad-frame"],
];

for (const [what, bytes, code] of CLOSED) {
  Deno.test(`Session closes after ${what}, saying ${code}`, () => {
    const session = sessionOf(sessionHost());
    session.input.push(bytes);
    const { bytes: output, closing } = outputOf(session);
    const last = repliesIn(output).at(-1)!;
    assertEquals([closing, last.code, errorOf(last).code], [true, REPLY.closing, code]);
    session.input.push(frame(REQUEST.ping));
    assertEquals(outputOf(session), { bytes: new Uint8Array(0), closing: true }, "nothing after the last words");
  });
}

Deno.test("Session produces bounded output and then the rest, however much is asked at once", () => {
  const { session, ask } = greeted();
  ask(set("k", new Uint8Array(100_000)));
  session.input.push(joined(...Array.from({ length: 500 }, () => frame(REQUEST.get, "k"))));
  let [writes, bytes] = [0, 0];
  for (let state = session.run(); writes < 1000; state = session.run()) {
    assert(session.output.length <= 64 * 1024 + 100_020, `${session.output.length} bytes at once`);
    writes++;
    bytes += session.output.length;
    session.output.reset();
    if (state !== "output-full") break;
  }
  assert(writes > 100);
  assertEquals(bytes, 500 * (8 + 4 + 100_000));
});

Deno.test("Session allocates for bytes that arrived, not for a length announced", () => {
  const { session } = greeted();
  const header = set("k", new Uint8Array(0));
  new DataView(header.buffer).setUint32(0, MAX_BODY_BYTES);
  session.input.push(header);
  assertEquals(outputOf(session).bytes.length, 0);
  assert(session.input.space().length <= 64 * 1024);
});

Deno.test("FrameWriter writes a key's length where the key makes its buffer grow", () => {
  const [writer, reader] = [new FrameWriter(), new FrameReader()];
  const count = 20_000;
  for (let i = 0; i < count; i++) {
    writer.begin(REQUEST.get);
    writer.key("a key of twenty-odd bytes");
    writer.end();
  }
  reader.push(writer.taken());
  let frames = 0;
  for (; reader.next(); frames++) assertEquals(reader.keyBytes, 25);
  assertEquals(frames, count);
});

Deno.test("FrameWriter and FrameReader carry frames of any size through buffers that grow and shrink", () => {
  const reader = new FrameReader();
  reader.maxBodyBytes = MAX_BODY_BYTES;
  for (const size of [0, 1, 65_000, 70_000, 1_000_000, 10]) {
    const writer = new FrameWriter();
    writer.begin(REQUEST.set);
    writer.key("k");
    writer.bytes(new Uint8Array(size).fill(size & 255));
    writer.end();
    reader.push(writer.taken());
    assert(reader.next());
    assertEquals(reader.end - reader.start, 1 + size);
    assert(reader.slice(reader.start + 1, reader.end).every((byte) => byte === (size & 255)));
    assert(!reader.next());
  }
  assert(reader.space().length <= 64 * 1024, "a large frame's memory is given back");
});
