/** Near copies on a connection without a socket: what becomes of replies and pushes, in the order in which they come. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { CacheError, ProtocolError } from "../../lib/base/errors.ts";
import { NearCache } from "../../lib/client/near_cache.ts";
import { type Call, Pipeline } from "../../lib/client/pipeline.ts";
import { ASK } from "../../lib/near/near_tier.ts";
import { MISS, OMITTED, readYesNo } from "../../lib/wire/calls.ts";
import { writeError } from "../../lib/wire/control.ts";
import { FrameReader, FrameWriter, INVALID, REPLY, REQUEST, STATE } from "../../lib/wire/frame.ts";
import { NEAR } from "../../lib/wire/hello.ts";
import { slotOfText, writeCopy, writeInvalid, writeLeft, writeListedCopy } from "../../lib/wire/near.ts";
import { type Allowance, NO_LIMIT } from "../../lib/wire/protocol_handler.ts";
import { FLAGS } from "../../lib/wire/values.ts";

const TERMS = { marks: 1, freshMs: Infinity, ttlMs: 0 };
const LATE = new CacheError("timeout", "late");

type Write = (output: FrameWriter) => void;

/** A client's end of a connection; the test is the server. Time is the test's. */
class End {
  readonly pipeline: Pipeline;
  readonly near: NearCache;
  readonly results: unknown[] = [];
  /** When calls are given to the connection. */
  nowMs = 1000;

  constructor(allowance: Allowance = NO_LIMIT) {
    this.pipeline = new Pipeline(allowance);
    const limits = { maxSize: 100, maxTotalSize: 100_000, maxStaleMs: 1000, copies: false };
    this.near = new NearCache(limits, (write, call) => this.call(write, call), {
      steadyMs: () => this.nowMs,
      wallMs: () => this.nowMs,
    });
    this.pipeline.attach(new FrameReader(), 0);
    this.pipeline.hearer = this.near;
    this.near.tier.read("none", this.nowMs, this.nowMs);
    this.near.connected([NEAR]);
  }

  call<T>(write: Write, call: Call<T>): void {
    this.pipeline.call(write, call, { sentAtMs: this.nowMs, givenAtMs: this.nowMs });
  }

  /** Makes a call whose result is kept. */
  ask(read: Call<unknown>["read"]): void {
    const at = this.results.push("pending") - 1;
    this.call(() => {}, { read, settle: (result, error) => this.results[at] = error?.code ?? result });
  }

  get(...keys: string[]): void {
    for (const key of keys) this.ask(this.near.reader(key));
  }

  ping(): void {
    this.ask(readYesNo);
  }

  /** Receives what the server writes, all of it at once. */
  receive(...writes: Write[]): boolean {
    const output = new FrameWriter();
    for (const write of writes) write(output);
    this.pipeline.input.push(output.taken());
    return this.pipeline.receive(this.nowMs);
  }

  read(key: string): unknown {
    return this.near.tier.read(key, this.nowMs, this.nowMs);
  }

  /** Whether copies may be used at a time. */
  isFreshAt(ms: number): boolean {
    this.near.tier.fill("of a probe", "there", this.nowMs, TERMS, 1);
    return this.near.tier.read("of a probe", ms, ms) === "there";
  }
}

const utf8 = new TextEncoder();

function copy(text: string, terms = TERMS): Write {
  const bytes = utf8.encode(text);
  return (output) => {
    const at = writeCopy(output, terms, FLAGS.text, bytes.length);
    output.buffer.set(bytes, at);
  };
}

/** A `VALUES`: texts that are copies, and states without a value. */
function values(...items: (string | number)[]): Write {
  return (output) => {
    output.begin(REPLY.values);
    output.uint16(items.length);
    for (const item of items) {
      if (typeof item === "number") output.uint8(item);
      else {
        const bytes = utf8.encode(item);
        const at = writeListedCopy(output, TERMS, FLAGS.text, bytes.length);
        output.buffer.set(bytes, at);
      }
    }
    output.end();
  };
}

function invalid(...keys: string[]): Write {
  return (output) => writeInvalid(output, new Set(keys.map(slotOfText)));
}

const all: Write = (output) => writeInvalid(output, undefined);
const ok: Write = (output) => output.empty(REPLY.ok);
const miss: Write = (output) => output.empty(REPLY.miss);
const refused: Write = (output) => writeError(output, REPLY.refused, { code: "bad-key", message: "no" });

Deno.test("a copy is taken where its reply is read: a push behind it in the same bytes drops it, one before it does not", () => {
  const end = new End();
  end.get("k", "k");
  end.receive(copy("older"), invalid("k"), copy("newer"));
  assertEquals([end.results, end.read("k")], [["older", "newer"], "newer"]);
  end.get("k");
  end.receive(copy("older"), invalid("k", "other"));
  assertEquals([end.results.at(-1), end.read("k")], ["older", ASK]);
  end.get("k");
  end.receive(copy("older"), all);
  assertEquals(end.read("k"), ASK);
});

Deno.test("what a server answers replaces an older copy, also where it is none", () => {
  for (const answer of [miss, copy("not to be kept", { ...TERMS, marks: 0 })]) {
    const end = new End();
    end.get("k", "k");
    end.receive(copy("older"));
    assertEquals(end.read("k"), "older");
    end.receive(answer);
    assertEquals(end.read("k"), ASK);
  }
});

Deno.test("copies are taken of a list, and what is none in it replaces older ones", () => {
  const end = new End();
  const keys = ["a", "b", "c", "d"];
  end.ask(end.near.manyReader(keys, () => {}));
  end.receive(values("A", "B", "C", "D"));
  assertEquals(keys.map((key) => end.read(key)), ["A", "B", "C", "D"]);
  end.ask(end.near.manyReader(keys, () => {}));
  end.receive(values("A", STATE.miss, STATE.omitted, "again"));
  assertEquals(end.results.at(-1), ["A", MISS, OMITTED, "again"]);
  assertEquals(keys.map((key) => end.read(key)), ["A", ASK, ASK, "again"]);
});

/** An allowance for one value in a turn. */
class OneValue implements Allowance {
  isOver = false;

  spend(): void {
    this.isOver = true;
  }
}

Deno.test("a list that is read in several turns is still read before what follows it", () => {
  const turn = new OneValue();
  const end = new End(turn);
  end.ask(end.near.manyReader(["a", "b", "c"], () => {}));
  let isDone = end.receive(values("A", "B", "C"), invalid("a", "c"));
  assertEquals([isDone, end.read("a"), end.read("b")], [false, "A", ASK]);
  for (let turns = 0; !isDone; turns++) {
    assert(turns < 10);
    turn.isOver = false;
    isDone = end.pipeline.receive(end.nowMs);
  }
  assertEquals(["a", "b", "c"].map((key) => end.read(key)), [ASK, "B", ASK]);
});

Deno.test("a list of which the rest is read when the connection has been left fills no more", () => {
  const turn = new OneValue();
  const end = new End(turn);
  end.ask(end.near.manyReader(["a", "b"], () => {}));
  end.receive(values("A", "B"));
  end.pipeline.hearer = undefined;
  end.near.lost();
  end.near.connected([NEAR]); // another one
  end.near.replied(end.nowMs);
  for (const isDone of [false, true]) {
    turn.isOver = false;
    assertEquals(end.pipeline.receive(end.nowMs), isDone);
  }
  assertEquals([end.results, end.read("a"), end.read("b")], [[["A", "B"]], ASK, ASK]);
});

for (const [what, reply] of [["OK", ok], ["MISS", miss], ["REFUSED", refused]] as const) {
  Deno.test(`a reply proves freshness as of the time at which its request was given to the connection: ${what}`, () => {
    const end = new End();
    end.ping();
    end.nowMs = 1400;
    assertEquals(end.isFreshAt(1400), false);
    end.receive(reply);
    assertEquals([end.isFreshAt(2000), end.isFreshAt(2001)], [true, false]);
  });
}

Deno.test("the time that counts is that before which nothing was given to the connection, not the end of the turn", () => {
  const end = new End();
  end.pipeline.call(() => {}, { read: readYesNo, settle: () => {} }, { sentAtMs: 1500, givenAtMs: 1100 });
  end.receive(ok);
  assertEquals([end.isFreshAt(2100), end.isFreshAt(2101)], [true, false]);
});

Deno.test("the reply to a call that is late proves as much, and what nobody reads is not kept", () => {
  const end = new End();
  end.get("k");
  end.ping();
  end.nowMs = 1900;
  end.pipeline.receive(1800); // something has come meanwhile
  end.pipeline.expire(1900, 100, LATE);
  end.receive(copy("late"), ok);
  assertEquals([end.results, end.read("k")], [["timeout", "timeout"], ASK]);
  assertEquals([end.isFreshAt(2000), end.isFreshAt(2001)], [true, false]);
});

Deno.test("neither a push nor the end of a connection proves anything", () => {
  const end = new End();
  end.ping();
  end.receive(all, invalid("k"));
  assertEquals(end.isFreshAt(1000), false);
  assertThrows(
    () => end.receive((output) => writeError(output, REPLY.closing, { code: "stopping", message: "why" })),
    CacheError,
  );
  assertEquals(end.isFreshAt(1000), false);
});

Deno.test("replies and pushes on a connection that has been left change nothing", () => {
  const end = new End();
  end.get("k");
  end.ping();
  end.pipeline.hearer = undefined;
  end.near.lost();
  end.near.connected([NEAR]); // another one
  end.near.tier.fill("other", "of the other one", end.nowMs, TERMS, 1);
  end.receive(copy("of an earlier one"), all, ok);
  assertEquals([end.results, end.isFreshAt(1000)], [["of an earlier one", true], false]);
  end.near.replied(end.nowMs);
  assertEquals([end.read("k"), end.read("other")], [ASK, "of the other one"]);
});

Deno.test("a server that has not named the feature leaves the tier off", () => {
  const end = new End();
  end.near.lost();
  end.near.connected(["stopping"]);
  end.get("k");
  end.receive(copy("v"));
  assertEquals([end.results, end.read("k"), end.near.tier.isOn], [["v"], ASK, false]);
});

Deno.test("a push of slots that is malformed is a breach of the protocol", () => {
  assertThrows(
    () =>
      new End().receive((output) => {
        output.begin(INVALID);
        output.uint16(2);
        output.uint32(0);
        output.end();
      }),
    ProtocolError,
  );
});

Deno.test("pushes that nobody knows are passed over", () => {
  const end = new End();
  end.get("k");
  end.receive(copy("v"), (output) => output.empty(0xff));
  assertEquals(end.read("k"), "v");
});

/** A client whose next near hit of "k" wants a PING and a USE. */
function due(): End {
  const end = new End();
  end.near.replied(end.nowMs);
  end.near.tier.fill("k", "v", end.nowMs, { ...TERMS, freshMs: 2000, ttlMs: 1000 }, 1);
  end.near.sent(end.nowMs);
  end.nowMs += 500;
  return end;
}

function codes(output: FrameWriter): number[] {
  const reader = new FrameReader();
  reader.push(output.taken());
  const codes: number[] = [];
  while (reader.next()) codes.push(reader.code);
  return codes;
}

Deno.test("a near hit sends what is due, and does not wait for it", () => {
  const end = due();
  assertEquals([end.near.retrieve("k"), codes(end.pipeline.output)], ["v", [REQUEST.ping, REQUEST.use]]);
  end.pipeline.output.reset();
  end.receive(ok, (output) => writeLeft(output, { freshMs: Infinity, ttlMs: Infinity }));
  end.near.sent(end.nowMs);
  end.nowMs += 500;
  assertEquals([end.near.retrieve("k"), codes(end.pipeline.output)], ["v", [REQUEST.ping]]);
});

Deno.test("a copy whose entry is gone is dropped by the answer to a USE", () => {
  const end = due();
  end.near.retrieve("k");
  end.receive(ok, miss);
  assertEquals(end.near.retrieve("k"), ASK);
});

Deno.test("the answer to a USE counts from when that was given to the connection", () => {
  const end = due();
  end.near.retrieve("k");
  const sentAtMs = end.nowMs;
  end.nowMs += 100;
  end.receive(ok, (output) => writeLeft(output, { freshMs: 500, ttlMs: 0 }));
  end.nowMs = sentAtMs + 499;
  assertEquals(end.near.retrieve("k"), "v");
  end.nowMs++;
  assertEquals([end.near.retrieve("k"), end.near.tier.stats().fenced], [ASK, 0]);
});

Deno.test("retrieveMany() finds the copies that there are, and what is asked for beside them is not among them", () => {
  const end = due();
  assertEquals([...end.near.retrieveMany(["none", "k"])], [["k", "v"]]);
});
