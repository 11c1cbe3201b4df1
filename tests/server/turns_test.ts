/** Turns: however busy one connection or one peer is, the event loop looks after the others. */

import { assert, assertEquals } from "@std/assert";
import { Connection } from "../../lib/server/connection.ts";
import { PeerConnection } from "../../lib/server/peer_connection.ts";
import { newCounters } from "../../lib/server/statistics.ts";
import { Turn, Turns } from "../../lib/server/turns.ts";
import { FrameReader, GOSSIP, REQUEST } from "../../lib/wire/frame.ts";
import { MemoryStream } from "../support/memory_stream.ts";
import { frameOf, greetingAnd } from "../support/native_socket.ts";
import { sessionHost } from "../support/session_host.ts";
import { until } from "../support/waiting.ts";

const utf8 = new TextEncoder();

/** Works until a turn is over. */
function useUp(turn: Turn): void {
  for (let units = 0; !turn.isOver; units++) {
    assert(units < 1e9, "a turn does not end");
    turn.spend(1);
  }
}

Deno.test("Turn is over after some work, and the next one comes when the event loop has looked after others", async () => {
  const turn = new Turn(new Turns());
  let hasLooked = false;
  setTimeout(() => hasLooked = true, 0);
  useUp(turn);
  assertEquals(hasLooked, false);
  await turn.next();
  assertEquals([hasLooked, turn.isOver], [true, false]);
  useUp(turn); // so does the next one
});

Deno.test("Turn goes on after a pause, in which others have had their turns", async () => {
  const turns = new Turns();
  turns.isOver();
  const endMs = performance.now() + 50;
  await until("a turn's time is over", () => performance.now() > endMs);
  assertEquals(turns.isOver(), false);
});

Deno.test("Turns lets those who wait go on one at a time, in their order, with a look at the others between", async () => {
  const turns = new Turns();
  const order: string[] = [];
  const wait = async (name: string) => {
    await turns.next();
    order.push(name);
  };
  const all = Promise.all(["a", "b", "c"].map(wait));
  await until("one goes on", () => order.length > 0);
  assertEquals(order, ["a"]);
  await all;
  assertEquals(order, ["a", "b", "c"]);
});

/** A connection on a host with others, and what ends it. */
function connected(turns: Turns): { stream: MemoryStream; end: () => Promise<void> } {
  const stream = new MemoryStream();
  const counters = newCounters();
  const connection = new Connection(stream, {
    session: sessionHost(),
    counters,
    turns,
    isStopping: () => false,
    onPeer: () => Promise.resolve(),
    onIncompatible: () => {},
    log: () => {},
  });
  const done = connection.serve();
  return { stream, end: () => (stream.close(), done) };
}

function repeated(part: Uint8Array, times: number): Uint8Array {
  const all = new Uint8Array(times * part.length);
  for (let i = 0; i < times; i++) all.set(part, i * part.length);
  return all;
}

const QUIET_GET = Uint8Array.of(0x80, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, ...new Array(12).fill(0), 0x61);
const NOOP = Uint8Array.of(0x80, 0x0a, ...new Array(22).fill(0));
const KEYS = Uint8Array.of(4, 0, ...Array.from({ length: 1024 }, () => [0, 1, 0, 0x61]).flat());
const BUSY: Record<string, Uint8Array[]> = {
  "one line with half a million keys": [utf8.encode(`get ${"a ".repeat(520_000)}\r\n`)],
  "one line whose last key is too long": [utf8.encode(`get ${"a ".repeat(520_000)}${"a".repeat(251)}\r\n`)],
  "quiet gets": [repeated(QUIET_GET, 300_000), NOOP],
  "lists of keys": [
    greetingAnd(),
    repeated(frameOf(REQUEST.getMany, KEYS), 300),
    frameOf(REQUEST.ping, new Uint8Array()),
  ],
  "many small writes": [repeated(utf8.encode("set a 0 0 1 noreply\r\nx\r\n"), 100_000), utf8.encode("mn\r\n")],
  "few bytes that have many copied": [
    utf8.encode(`set a 0 0 500000\r\n${"x".repeat(500_000)}\r\n`),
    repeated(utf8.encode("append a 0 0 1 noreply\r\nx\r\n"), 500),
    utf8.encode("mn\r\n"),
  ],
};

for (const [what, requests] of Object.entries(BUSY)) {
  Deno.test(`Connection leaves others their turns while it answers ${what}`, async () => {
    const turns = new Turns();
    const [busy, other] = [connected(turns), connected(turns)];
    const ended: string[] = [];
    const total = requests.reduce((sum, { length }) => sum + length, 0);
    assert(total > 1000);
    // What arrives for the other one is noticed when the event loop looks.
    let asked = 0;
    const ask = () => {
      if (ended.length > 0) return;
      asked++;
      other.stream.send(utf8.encode("mn\r\n"));
      setTimeout(ask, 0);
    };
    setTimeout(ask, 0);
    for (const bytes of requests) busy.stream.send(bytes);
    const { stream } = busy;
    const read = stream.read.bind(stream);
    let reads = 0;
    stream.read = (space) => {
      if (++reads > 1 && stream.isIdle) ended.push("busy");
      return read(space);
    };
    await until("all is answered", () => ended.length > 0);
    assert(asked >= 3, `others had ${asked} turns`);
    await until("the other is answered", () => other.stream.written.length === 4 * asked);
    await Promise.all([busy.end(), other.end()]);
  });
}

Deno.test("PeerConnection leaves others their turns, however long a message takes", async () => {
  const turns = new Turns();
  const stream = new MemoryStream();
  let [looks, taken] = [0, 0];
  const look = () => {
    looks++;
    if (taken < 20) setTimeout(look, 0);
  };
  setTimeout(look, 0);
  const peer = new PeerConnection({
    stream,
    input: new FrameReader(),
    turns,
    onMessage: () => {
      taken++;
      for (const endMs = performance.now() + 20; performance.now() < endMs;);
    },
  });
  const done = peer.run();
  stream.send(repeated(frameOf(GOSSIP, Uint8Array.of(1)), 20));
  await until("all messages are taken", () => taken === 20);
  assert(looks >= 19, `the event loop has looked at others ${looks} times`);
  stream.close();
  await done;
});
