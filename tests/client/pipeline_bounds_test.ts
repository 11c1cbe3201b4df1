/** Calls with a time of their own among others, and calls that are given up, on a connection without a socket. */

import { assert, assertEquals } from "@std/assert";
import { CacheError } from "../../lib/base/errors.ts";
import { type PendingCall, Pipeline } from "../../lib/client/pipeline.ts";
import { LATER, readYesNo } from "../../lib/wire/calls.ts";
import { FrameReader, type FrameWriter, REPLY } from "../../lib/wire/frame.ts";

const LATE = new CacheError("timeout", "late");
/** The time of all calls. */
const TIME_MS = 100;

/** A client's end; the test is the server, and time is the test's. */
class End {
  readonly pipeline = new Pipeline();
  readonly told: string[] = [];

  constructor() {
    this.pipeline.attach(new FrameReader(), 0);
  }

  call(
    name: string,
    sentAtMs: number,
    ownMs?: number,
    read: () => typeof LATER | undefined = () => undefined,
  ): PendingCall {
    return this.pipeline.call(
      () => {},
      {
        read: (frame) => read() ?? readYesNo(frame),
        settle: (result, error) => void this.told.push(`${name} ${error?.message ?? result}`),
        ended: () => void this.told.push(`${name} ended`),
      },
      { sentAtMs, givenAtMs: sentAtMs },
      ownMs,
    );
  }

  receive(nowMs: number, ...codes: number[]): boolean {
    const output: FrameWriter = new Pipeline().output;
    for (const code of codes) output.empty(code);
    this.pipeline.input.push(output.taken());
    return this.pipeline.receive(nowMs);
  }

  /** Whether the connection is kept. */
  expire(nowMs: number): boolean {
    return this.pipeline.expire(nowMs, TIME_MS, LATE);
  }

  taken(): string[] {
    return this.told.splice(0);
  }
}

Deno.test("Pipeline.expire() fails no call with a time of its own, be it shorter or longer", () => {
  const end = new End();
  const short = end.call("short", 0, 10);
  const long = end.call("long", 0, 1000);
  end.call("usual", 20);
  end.receive(30);
  assertEquals(end.expire(120), true);
  assertEquals(end.taken(), ["usual late"]);
  assertEquals([end.pipeline.leftMs(short, 9), end.pipeline.leftMs(short, 10)], [1, 0]);
  assertEquals([end.pipeline.leftMs(long, 120), end.pipeline.leftMs(long, 120, 2)], [880, 1880]);
});

Deno.test("Pipeline passes the replies over of calls that have failed by their own time or were given up, in their order", () => {
  const end = new End();
  const short = end.call("short", 0, 10);
  const gone = end.call("gone", 0);
  end.call("usual", 0);
  end.pipeline.failLate(short, LATE);
  end.pipeline.giveUp(gone);
  assertEquals([end.taken(), end.pipeline.pending, end.pipeline.awaited], [["short late"], 3, 1]);
  end.receive(50, REPLY.ok, REPLY.ok, REPLY.miss);
  assertEquals(end.taken(), ["short ended", "gone ended", "usual false", "usual ended"]);
  assertEquals([end.pipeline.pending, end.pipeline.awaited], [0, 0]);
});

Deno.test("Pipeline settles no call twice that was given up, or late, before its connection failed", () => {
  const end = new End();
  end.pipeline.giveUp(end.call("gone", 0));
  const short = end.call("short", 0, 10);
  end.pipeline.failLate(short, LATE);
  end.pipeline.giveUp(short);
  assertEquals(end.pipeline.awaited, 0);
  end.pipeline.fail(new CacheError("unreachable", "lost"));
  assertEquals(end.taken(), ["short late", "gone ended", "short ended"]);
  end.call("next", 0);
  assertEquals([end.pipeline.pending, end.pipeline.awaited], [1, 1]);
});

Deno.test("a call with less time than others does not end the connection before their time, and then it does", () => {
  const end = new End();
  end.pipeline.failLate(end.call("short", 0, 10), LATE);
  assertEquals([end.pipeline.deadlineMs(TIME_MS), end.expire(99), end.expire(100)], [100, true, false]);
});

Deno.test("a server is not judged by a call with more time than others, but by the oldest of these", () => {
  const end = new End();
  const long = end.call("long", 0, 1000);
  assertEquals([end.pipeline.deadlineMs(TIME_MS), end.expire(900)], [undefined, true]);
  end.call("usual", 900);
  assertEquals([end.pipeline.deadlineMs(TIME_MS), end.expire(999), end.expire(1000)], [1000, true, false]);
  assertEquals([end.taken(), end.pipeline.hasPatient(TIME_MS), end.pipeline.isHung(long)], [
    ["usual late"],
    true,
    true,
  ]);
  end.receive(1000);
  assertEquals(end.pipeline.isHung(long), false);
});

Deno.test("a server that trickles is given up after twice the time of the oldest call that has no more, whatever is before it", () => {
  const end = new End();
  end.call("long", 0, 1000);
  end.call("usual", 10);
  end.receive(50);
  assertEquals([end.expire(110), end.pipeline.deadlineMs(TIME_MS)], [true, 210]);
  assertEquals([end.expire(209), end.expire(210)], [true, false]);
});

Deno.test("Pipeline.deadlineMs() is that of the next call that waits, once the oldest is late", () => {
  const end = new End();
  end.call("first", 0);
  end.pipeline.giveUp(end.call("gone", 20));
  end.call("long", 30, 1000);
  end.call("next", 40);
  end.receive(50);
  end.expire(100);
  assertEquals(end.pipeline.deadlineMs(TIME_MS), 140);
  end.expire(140);
  assertEquals([end.taken(), end.pipeline.deadlineMs(TIME_MS)], [["first late", "next late"], 200]);
});

Deno.test("Pipeline.failImpatient() fails calls but those with more time, whose replies still come in their order", () => {
  const end = new End();
  end.call("short", 0, 10);
  end.call("usual", 0);
  end.call("long", 0, 1000);
  end.pipeline.failImpatient(LATE, TIME_MS);
  assertEquals([end.taken(), end.pipeline.awaited], [["short late", "usual late"], 1]);
  end.receive(500, REPLY.ok, REPLY.ok, REPLY.ok);
  assertEquals(end.taken(), ["short ended", "usual ended", "long true", "long ended"]);
});

Deno.test("while a reply is read, only the call that it answers can be late, after its own time", () => {
  const end = new End();
  const read = end.call("read", 0, 1000, () => LATER);
  const behind = end.call("behind", 0, 10);
  assertEquals(end.receive(500, REPLY.ok, REPLY.ok), false);
  assertEquals([end.pipeline.leftMs(read, 600), end.pipeline.leftMs(behind, 600)], [900, 10]);
  assertEquals([end.pipeline.deadlineMs(TIME_MS), end.expire(1499), end.taken()], [1500, true, []]);
  end.pipeline.failLate(read, LATE);
  assertEquals(end.taken(), ["read to decode what the server has found takes longer than 1000 ms"]);
  assert(end.pipeline.receive(1500));
  assertEquals(end.taken(), ["read ended", "behind true", "behind ended"]);
});

Deno.test("Pipeline finds what is late among many calls that have been answered, too", () => {
  const end = new End();
  for (let i = 0; i < 3000; i++) end.call("many", 0);
  end.receive(0, ...new Array(2000).fill(REPLY.ok));
  end.taken();
  end.receive(50);
  end.expire(100);
  assertEquals(end.taken().length, 1000);
  end.receive(110, ...new Array(900).fill(REPLY.ok));
  end.call("young", 60);
  end.taken();
  end.expire(160);
  assertEquals(end.taken(), ["young late"]);
});
