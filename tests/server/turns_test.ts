/** Turns: however busy one connection or one peer is, the event loop looks after the others. */

import { assert, assertEquals } from "@std/assert";
import { Buffers } from "../../lib/server/buffers.ts";
import { Connection } from "../../lib/server/connection.ts";
import { PeerConnection } from "../../lib/server/peer_connection.ts";
import { newCounters } from "../../lib/server/statistics.ts";
import { Turns } from "../../lib/server/turns.ts";
import { FrameReader, GOSSIP, REQUEST } from "../../lib/wire/frame.ts";
import { MemoryStream } from "../support/memory_stream.ts";
import { frameOf, greetingAnd } from "../support/native_socket.ts";
import { sessionHost } from "../support/session_host.ts";
import { turn, until } from "../support/waiting.ts";
import { openRules } from "../support/access.ts";
import { joined } from "../support/mutate.ts";

const utf8 = new TextEncoder();
const BUFFERS = new Buffers({ maxBytes: Infinity, onCut: () => {} });

/** Works until a turn is over. */
function useUp(turns: Turns): void {
  for (let units = 0; !turns.isOver; units++) {
    assert(units < 1e9, "a turn does not end");
    turns.spend(1);
  }
}

/** A look at others that takes a turn of the event loop, in which they do something. */
function others(task: () => void): () => Promise<void> {
  return async () => {
    await turn();
    task();
  };
}

Deno.test("Turns end after some work, and the next begins when the event loop has looked after others", async () => {
  let hasLooked = false;
  const turns = new Turns(undefined, others(() => hasLooked = true));
  useUp(turns);
  assertEquals(hasLooked, false);
  await turns.next();
  assertEquals([hasLooked, turns.isOver], [true, false]);
  useUp(turns); // so does the next one
  await turns.stop();
});

Deno.test("Turns.next() lets those who wait go on in their order, as many as a turn has time for", async () => {
  let looked = 0;
  const turns = new Turns(undefined, others(() => looked++));
  const order: string[] = [];
  const wait = async (name: string, hasWorked: boolean) => {
    await turns.next(hasWorked);
    order.push(name);
    useUp(turns);
    looks.push(looked);
  };
  const looks: number[] = [];
  useUp(turns);
  await Promise.all([wait("a", true), wait("b", true), wait("c", false), wait("d", false), wait("e", true)]);
  assertEquals(order, ["c", "d", "a", "b", "e"]);
  assertEquals(new Set(looks).size, 5, `looks at others before each: ${looks}`);
  await turns.stop();
});

Deno.test("Turns.next() lets who has worked go on, however many come later", async () => {
  const turns = new Turns();
  let isDone = false;
  useUp(turns);
  const done = turns.next().then(() => isDone = true);
  let others = 0;
  for (; others < 1000 && !isDone; others++) {
    await turns.next(false);
    useUp(turns);
  }
  await done;
  assert(others < 300, `${others} went first`);
  await turns.stop();
});

/** A connection on a host with others, and what ends it. */
function connected(turns: Turns): { stream: MemoryStream; end: () => Promise<void> } {
  const stream = new MemoryStream();
  const counters = newCounters();
  const connection = new Connection(stream, {
    session: sessionHost(),
    access: openRules(),
    counters,
    turns,
    buffers: BUFFERS,
    idleMs: Infinity,
    onPeer: () => Promise.resolve(),
    onRefused: () => {},
    log: () => {},
  });
  const done = connection.serve();
  return { stream, end: () => (stream.close(), done) };
}

/** Asks something little for the so-and-so many time, and waits for the answer. */
async function answer({ stream }: { stream: MemoryStream }, times: number): Promise<void> {
  stream.send(utf8.encode("mn\r\n"));
  await until("it is answered", () => stream.written.length === 4 * times);
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
    let readings = 0;
    const ended: string[] = [];
    let asked = 0;
    // What arrives for the other one is noticed when the event loop looks.
    const ask = () => {
      if (ended.length > 0) return;
      asked++;
      other.stream.send(utf8.encode("mn\r\n"));
    };
    const turns = new Turns(() => readings++, others(ask)); // so a turn takes as much work on any machine
    const [busy, other] = [connected(turns), connected(turns)];
    const total = requests.reduce((sum, { length }) => sum + length, 0);
    assert(total > 1000);
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
    await turns.stop();
  });
}

Deno.test("Connection that moves little goes before those that move much, whoever has used up the turn", async () => {
  const replies = (): number => busy.reduce((sum, { stream }) => sum + Math.floor(stream.written.length / 108), 0);
  const between: number[] = [];
  let [asked, before] = [0, 0];
  const ask = () => {
    if (stream.written.length !== 4 * asked || replies() >= 400) return;
    if (asked++ > 1) between.push(replies() - before);
    before = replies();
    stream.send(utf8.encode("mn\r\n"));
  };
  const turns: Turns = new Turns(() => 2 * replies(), others(ask)); // some requests of the busy ones are a turn
  const keys = repeated(Uint8Array.of(4, 0, 0, ...new Uint8Array(1024).fill(0x61)), 100);
  const request = frameOf(REQUEST.getMany, joined(Uint8Array.of(0, 100), keys));
  const busy = Array.from({ length: 4 }, () => connected(turns));
  const modest = connected(turns);
  const { stream } = modest;
  await answer(modest, 1);
  asked = 1;
  const write = stream.write.bind(stream);
  stream.write = async (bytes) => (await turn(), await write(bytes)); // meanwhile the busy ones use up the turn
  for (const { stream } of busy) {
    stream.send(greetingAnd());
    for (let i = 0; i < 100; i++) stream.send(request);
  }
  await until("all is answered", () => replies() >= 400 && stream.written.length === 4 * asked);
  assert(between.length > 10 && Math.max(...between) <= 12, `between two answers others had ${Math.max(...between)}`);
  await Promise.all([modest, ...busy].map(({ end }) => end()));
  await turns.stop();
});

Deno.test("Connection that is known to move little goes before those that are not known yet", async () => {
  const answered = (): number => many.filter(({ stream }) => stream.written.length > 0).length;
  const look = others(() => {
    if (isAsking) modest.stream.send(utf8.encode("mn\r\n"));
    isAsking = false;
  });
  let isAsking = false;
  const turns: Turns = new Turns(() => 6 * answered(), look); // a request of a new one is a turn
  const many = Array.from({ length: 100 }, () => connected(turns));
  const modest = connected(turns);
  await answer(modest, 1);
  turns.isOver = true;
  isAsking = true;
  for (const { stream } of many) stream.send(utf8.encode("mn\r\n"));
  await until("it is answered, too", () => modest.stream.written.length === 8);
  assert(answered() <= 3, `${answered()} were answered before`);
  await until("all are answered", () => answered() === many.length);
  await Promise.all([modest, ...many].map(({ end }) => end()));
  await turns.stop();
});

Deno.test("Turns.accepted() has others looked after when 64 connections have been accepted, which counts as no wait of a busy one", async () => {
  let looks = 0;
  const turns = new Turns(() => 0, others(() => looks++));
  const waits = Array.from({ length: 130 }, () => turns.accepted());
  assertEquals(waits.flatMap((wait, i) => wait === undefined ? [] : [i + 1]), [64, 128]);
  await Promise.all(waits);
  assertEquals([looks > 0, turns.waits], [true, 0]);
  await turns.stop();
});

Deno.test("PeerConnection leaves others their turns, however long a message takes", async () => {
  let [looks, taken] = [0, 0];
  const turns = new Turns(undefined, others(() => looks++));
  const stream = new MemoryStream();
  const peer = new PeerConnection({
    hearsOfStop: false,
    onIdle: () => {},
    stream,
    input: new FrameReader(),
    turns,
    held: BUFFERS.of({ remoteAddress: "", isStill: false, cut: () => {} }),
    address: "",
    onMessage: () => {
      taken++;
      for (const endMs = performance.now() + 20; performance.now() < endMs;);
    },
  });
  const done = peer.run();
  stream.send(repeated(frameOf(GOSSIP, new Uint8Array(100_000)), 20));
  await until("all messages are taken", () => taken === 20);
  assert(looks >= 19, `the event loop has looked at others ${looks} times`);
  stream.close();
  await done;
  await turns.stop();
});

Deno.test("Turns has the event loop look at sockets after every turn of those who always go on", async () => {
  const turns = new Turns();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const connecting = Deno.connect({ hostname: "127.0.0.1", port });
  const [asking, answering] = await Promise.all([connecting, listener.accept()]);
  let answers = 0;
  const asked = (async () => {
    const bytes = new Uint8Array(1);
    while (answers < 10) {
      await asking.write(bytes);
      await answering.read(bytes);
      answers++;
    }
  })();
  let worked = 0;
  const work = async () => {
    for (; worked < 100 && answers < 10; worked++) {
      useUp(turns);
      await turns.next();
    }
  };
  await Promise.all([work(), work(), work(), work()]);
  assert(worked < 100, `${answers} of 10 bytes have arrived in ${worked} turns`);
  await asked;
  await turns.stop();
  for (const socket of [asking, answering, listener]) socket.close();
});
