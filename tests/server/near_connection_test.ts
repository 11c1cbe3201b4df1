/** Connections of clients that keep near copies: pushes go between frames, in one write with what else is said. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Buffers } from "../../lib/server/buffers.ts";
import { Connection } from "../../lib/server/connection.ts";
import { newCounters } from "../../lib/server/statistics.ts";
import { Turns } from "../../lib/server/turns.ts";
import { spanOf } from "../../lib/base/byte_span.ts";
import { FrameReader, INVALID, REPLY } from "../../lib/wire/frame.ts";
import { NEAR, writeHello } from "../../lib/wire/hello.ts";
import { openRules } from "../support/access.ts";
import { written } from "../support/frames.ts";
import { MemoryStream, settled } from "../support/memory_stream.ts";
import { ask, type Asked } from "../support/near_talk.ts";
import { sessionHost, type TestHost } from "../support/session_host.ts";

const keyOf = (text: string) => spanOf(new TextEncoder().encode(text));

/** A connection whose client has greeted, and been answered. */
async function greeted(host: TestHost, features: readonly string[] = [NEAR]) {
  const stream = new MemoryStream();
  const connection = new Connection(stream, {
    session: host,
    access: openRules(),
    counters: newCounters(),
    turns: new Turns(),
    buffers: new Buffers({ maxBytes: Infinity, onCut: () => {} }),
    idleMs: Infinity,
    onPeer: () => Promise.resolve(),
    onRefused: () => {},
    log: (_kind, _address, line) => assert(false, line),
  });
  const done = connection.serve();
  const say = (...asked: Asked[]) => stream.send(written((output) => asked.forEach((write) => write(output))));
  say((output) => writeHello(output, "test", undefined, false, features));
  await settled();
  stream.written = [];
  return { stream, say, done };
}

/** Codes of the frames that have been written, each of which is whole. */
function codesOf({ written }: MemoryStream): number[] {
  const reader = new FrameReader();
  reader.maxBodyBytes = 1 << 24;
  reader.push(Uint8Array.from(written));
  const codes: number[] = [];
  while (reader.next()) codes.push(reader.code);
  assertStrictEquals(reader.pendingBytes, 0, "a part of a frame");
  return codes;
}

Deno.test("a client that asks for nothing is told what others change", async () => {
  const host = sessionHost();
  const [near, writer] = [await greeted(host), await greeted(host, [])];
  near.say(ask.get("a"), ask.get("b"));
  await settled();
  writer.say(ask.set("a", "1"), ask.set("b", "2"), ask.get("a"));
  await settled();
  assertEquals(codesOf(near.stream), [REPLY.miss, REPLY.miss, INVALID]);
  assertEquals(codesOf(writer.stream), [REPLY.ok, REPLY.ok, REPLY.value]);
  near.stream.close();
  writer.stream.close();
  await Promise.all([near.done, writer.done]);
  assertStrictEquals(host.near.stats.nearConnections, 0);
});

Deno.test("what changes while a long reply is being written is told after it, and before the reply that comes then", async () => {
  const host = sessionHost();
  const near = await greeted(host);
  host.store.set(keyOf("k"), { flags: 0, value: spanOf(new Uint8Array(100_000)), ttlMs: undefined });
  near.stream.mostBytes = 1000;
  near.stream.hold();
  near.say(ask.get("k"));
  await settled();
  host.store.delete(keyOf("k"));
  await settled();
  near.say(ask.get("k"));
  near.stream.release();
  for (let turns = 0; turns < 20; turns++) await settled();
  assertEquals(codesOf(near.stream), [REPLY.copy, INVALID, REPLY.miss]);
  near.stream.close();
  await near.done;
});
