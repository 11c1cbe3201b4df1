/** Whole conversations with a session: in pieces of any size, cut anywhere, and damaged. */

import { assert, assertEquals } from "@std/assert";
import { encode } from "@std/msgpack";
import { seeded } from "../../bench/compare.ts";
import { MAX_BODY_BYTES } from "../../lib/base/limits.ts";
import { AGAIN, INVALID, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { joined, mutate } from "../support/mutate.ts";
import { sessionHost, type TestHost } from "../support/session_host.ts";
import {
  codes,
  DEFAULT,
  frame,
  getMany,
  HELLO,
  NEVER,
  outputOf,
  repliesIn,
  set,
  uint64,
} from "../support/session_talk.ts";
import { sessionOf } from "../support/access.ts";
import { NOW_MS } from "../support/stores.ts";

const NEAR_HELLO = frame(REQUEST.hello, "", encode({ protocol: 1, client: "test", features: ["near", "lease"] }));

const utf8 = new TextEncoder();

/** Codes that a server sends a client. */
const KNOWN_CODES: ReadonlySet<number> = new Set([...Object.values(REPLY), INVALID, AGAIN]);

function entryRequests(): Uint8Array[] {
  const one = new Uint8Array([0, 1, 0, 0, 0, 0, ...DEFAULT, 0, 0, 0, 2, 0x62, 0x68, 0x69]);
  return [
    frame(REQUEST.entry, "a"),
    frame(REQUEST.increment, "n", joined(new Uint8Array([2]), uint64(0, 5), uint64(0, 7), uint64(0, 1000))),
    frame(REQUEST.increment, "n", joined(new Uint8Array([1]), uint64(0, 5), NEVER, NEVER)),
    frame(REQUEST.increment, "a", joined(new Uint8Array([0]), uint64(0, 5), NEVER, NEVER)),
    frame(REQUEST.setIf, "a", joined(new Uint8Array([2]), NEVER, new Uint8Array(4), DEFAULT, utf8.encode("two"))),
    frame(REQUEST.setIf, "a", joined(new Uint8Array([3]), uint64(1, 2), new Uint8Array(4), DEFAULT)),
    frame(REQUEST.setMany, "", joined(new Uint8Array([0, 2]), one, one)),
    frame(REQUEST.keys, "", NEVER),
    frame(REQUEST.keys, "a", uint64(0, 5)),
    frame(REQUEST.take, "n"),
    frame(REQUEST.deleteMany, "", getMany("n", "b").subarray(8)),
    frame(REQUEST.clearPrefix, "n"),
    frame(REQUEST.explain, "a"),
    frame(REQUEST.insight),
  ];
}

/** A conversation with every request in it, good and bad. */
function transcript(): Uint8Array[] {
  return [
    HELLO,
    set("a", "one"),
    set("b", new Uint8Array(300).fill(9), uint64(0, 60_000)),
    frame(REQUEST.get, "a"),
    frame(REQUEST.use, "a"),
    frame(REQUEST.lease, "new", new Uint8Array([0, 0, 1, 0, 1])),
    frame(REQUEST.fill, "new", new Uint8Array(40).fill(1, 16, 20)),
    frame(REQUEST.give, "new", new Uint8Array(8)),
    frame(REQUEST.get, "missing"),
    getMany("a", "missing", "b"),
    frame(REQUEST.has, "b"),
    frame(REQUEST.touch, "b", NEVER),
    frame(REQUEST.stats),
    ...entryRequests(),
    frame(REQUEST.delete, "a"),
    frame(0x30, "a"),
    frame(REQUEST.ping),
    frame(REQUEST.clear),
    frame(REQUEST.get, "b"),
  ];
}

/** A host whose time stands still: versions are the same each time. */
function stillHost(): TestHost {
  return sessionHost({ clock: { now: () => NOW_MS } });
}

Deno.test("Session answers a conversation the same whole, byte by byte, and in pieces of any size", () => {
  const bytes = joined(...transcript());
  const whole = sessionOf(stillHost());
  whole.input.push(bytes);
  const expected = outputOf(whole).bytes;
  assertEquals(repliesIn(expected).length, transcript().length);
  for (let size = 1; size < 40; size++) {
    const session = sessionOf(stillHost());
    const parts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      session.input.push(bytes.subarray(at, at + size));
      parts.push(outputOf(session).bytes);
    }
    assertEquals(joined(...parts), expected, `pieces of ${size}`);
  }
});

Deno.test("a conversation has every request in it, and each is answered as what it is", () => {
  const asked = new Set(transcript().map((bytes) => bytes[6]));
  const missing = Object.entries(REQUEST).filter(([name, code]) =>
    !asked.has(code) && !["auth", "forget"].includes(name)
  );
  assertEquals(missing, []);
  const session = sessionOf(stillHost());
  session.input.push(joined(HELLO, set("a", "one"), ...entryRequests()));
  const { entry, value, refused, miss, ok, done, keys, data } = REPLY;
  assertEquals(codes(repliesIn(outputOf(session).bytes)).slice(2), [
    ...[entry, value, value, refused, ok, miss, done, keys, keys, value, done, ok, data, data],
  ]);
});

Deno.test("Session waits for the rest of a truncated conversation, wherever it is cut", () => {
  const bytes = joined(...transcript());
  let answered = 0;
  for (let cut = 0; cut <= bytes.length; cut++) {
    const session = sessionOf(sessionHost());
    session.input.push(bytes.subarray(0, cut));
    const { bytes: output, closing } = outputOf(session);
    const replies = repliesIn(output).length;
    assert(!closing && replies >= answered, `cut at ${cut}`);
    answered = replies;
  }
  assertEquals(answered, transcript().length);
});

Deno.test("Session survives 300,000 frames, three in four damaged: each ends in replies or a closed connection", () => {
  const seed = 20261123;
  const random = seeded(seed);
  const below = (n: number) => Math.floor(random() * n);
  const parts = transcript();
  const server = sessionHost({ maxSize: 50, maxBytes: 100_000 });
  let session = sessionOf(server);
  let isFresh = true;
  let [mutated, closed, refused] = [0, 0, 0];
  while (mutated < 300_000) {
    const batch = Array.from({ length: 1 + below(8) }, () => mutate(parts[below(parts.length)], below));
    mutated += batch.length;
    const bytes = joined(...batch);
    try {
      // Another first byte than a frame's would choose another protocol.
      const needsHello = isFresh && bytes[0] !== 0;
      if (needsHello || (session.input.pendingBytes === 0 && random() < 0.5)) {
        session.input.push(random() < 0.5 ? HELLO : NEAR_HELLO);
      }
      isFresh = false;
      for (let at = 0, size = 1 + below(bytes.length + 1); at < bytes.length; at += size) {
        session.input.push(bytes.subarray(at, at + size));
      }
      const { bytes: output, closing } = outputOf(session);
      const replies = repliesIn(output);
      for (const { code } of replies) assert(KNOWN_CODES.has(code), `reply code ${code}`);
      refused += replies.filter(({ code }) => code === REPLY.refused).length;
      assertEquals(replies.at(-1)?.code === REPLY.closing, closing);
      assert(session.input.pendingBytes <= 2 * MAX_BODY_BYTES);
      // A frame that waits for a body that never comes would swallow all that follows.
      if (closing || session.input.pendingBytes > 100_000 || random() < 0.05) {
        closed += closing ? 1 : 0;
        session.release();
        session = sessionOf(server);
        isFresh = true;
      }
    } catch (error) {
      throw new Error(`seed ${seed}, after ${mutated} frames`, { cause: error });
    }
  }
  assert(closed > 1000 && refused > 1000, `the fuzzer must reach both ends: ${closed} closed, ${refused} refused`);
  assert(server.store.stats().bytes <= 100_000);
});
