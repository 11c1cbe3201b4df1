import { assert, assertEquals, assertThrows } from "@std/assert";
import { encode } from "@std/msgpack";
import { seeded } from "../../bench/compare.ts";
import { encodeValue, FLAGS } from "../../lib/wire/values.ts";
import { CacheError, ProtocolError } from "../../lib/base/errors.ts";
import { FIRST_PUSH, FrameReader, FrameWriter, REPLY, REQUEST, STATE } from "../../lib/wire/frame.ts";
import { MAX_BODY_BYTES } from "../../lib/base/limits.ts";
import { type Call, Pipeline } from "../../lib/client/pipeline.ts";
import { manyReader, MISS, readFound, readYesNo, writeKeyed, writeKeyList, writeSet } from "../../lib/wire/calls.ts";
import { readData } from "../../lib/wire/control.ts";
import { readGreeting, writeHello } from "../../lib/wire/hello.ts";
import type { Allowance } from "../../lib/wire/protocol_handler.ts";
import { sessionHost } from "../support/session_host.ts";
import { joined, mutate } from "../support/mutate.ts";
import { sessionOf } from "../support/access.ts";

const readOne: Call<unknown>["read"] = (frame, allowance) => readFound(frame, allowance);
const LATE = new CacheError("timeout", "late");

type Outcome = { result: unknown; error: CacheError | undefined };

/** A client's pipeline and a server's session, joined without a socket; `step` bytes travel at a time. */
class Pair {
  readonly session = sessionOf(sessionHost({ maxSize: 100 }));
  readonly pipeline: Pipeline;
  readonly outcomes: Outcome[] = [];
  readonly #step: number;

  constructor(step = Infinity, allowance?: Allowance) {
    this.#step = step;
    this.pipeline = new Pipeline(allowance);
    const [hello, reader] = [new FrameWriter(), new FrameReader()];
    writeHello(hello, "client/1");
    this.session.input.push(hello.taken());
    this.session.run();
    reader.push(this.session.output.taken());
    this.session.output.reset();
    assert(reader.next());
    readGreeting(reader);
    this.pipeline.attach(reader, 0);
  }

  call<T>(write: (output: FrameWriter) => void, read: Call<T>["read"], nowMs = 0): void {
    const at = this.outcomes.length;
    this.outcomes.push({ result: "pending", error: undefined });
    this.pipeline.call(write, { read, settle: (result, error) => this.outcomes[at] = { result, error } }, {
      sentAtMs: nowMs,
      givenAtMs: nowMs,
    });
  }

  get(key: string, nowMs = 0): void {
    this.call((output) => writeKeyed(output, REQUEST.get, key), readOne, nowMs);
  }

  /** Carries all requests over and their replies back. */
  exchange(nowMs = 0): void {
    const taken = this.pipeline.output.taken();
    this.#carry(taken.slice(), (bytes) => {
      this.session.input.push(bytes);
      for (let writes = 0;; writes++) {
        assert(writes < 100_000, "the session has more and more to say");
        const state = this.session.run();
        this.#carry(this.session.output.taken().slice(), (reply) => {
          this.pipeline.input.push(reply);
          this.pipeline.receive(nowMs);
        });
        this.session.output.reset();
        if (state !== "output-full") return;
      }
    });
    this.pipeline.output.sent(taken.length);
  }

  #carry(bytes: Uint8Array, deliver: (part: Uint8Array) => void): void {
    for (let at = 0; at < bytes.length; at += this.#step) deliver(bytes.subarray(at, at + this.#step));
  }

  results(): unknown[] {
    return this.outcomes.map(({ result }) => result);
  }

  codes(): (string | undefined)[] {
    return this.outcomes.map(({ error }) => error?.code);
  }
}

for (const step of [Infinity, 1, 7]) {
  Deno.test(`Pipeline matches replies to calls in order when ${step} bytes travel at a time`, () => {
    const pair = new Pair(step);
    for (let i = 0; i < 20; i++) {
      pair.call((output) => writeSet(output, `key:${i}`, encodeValue({ i }), undefined), readYesNo);
      pair.get(`key:${i}`);
      pair.get(`other:${i}`);
    }
    pair.call((output) => writeKeyList(output, REQUEST.getMany, ["key:1", "no", "key:2"]), manyReader(3, () => {}));
    assertEquals(pair.pipeline.pending, 61);
    pair.exchange();
    const one = (i: number) => [true, { i }, MISS];
    assertEquals(pair.results(), [
      ...Array.from({ length: 20 }, (_, i) => one(i)).flat(),
      [{ i: 1 }, MISS, { i: 2 }],
    ]);
    assertEquals(pair.pipeline.pending, 0);
  });
}

Deno.test("Pipeline keeps what is added during a write for the next one", () => {
  const pair = new Pair();
  pair.get("a");
  const taken = pair.pipeline.output.taken();
  const before = taken.slice();
  pair.get("b");
  assertEquals([taken, pair.pipeline.output.length], [before, before.length]);
});

/** An allowance for one value of MessagePack in a turn. */
class OneValue implements Allowance {
  isOver = false;

  spend(units: number): void {
    this.isOver = units > 0;
  }
}

/** Asks for single values and for many at once, and carries the replies over: what is not read waits. */
function behind(): { pair: Pair; turn: OneValue; settled: () => number } {
  const turn = new OneValue();
  const pair = new Pair(Infinity, turn);
  const keys = ["key:0", "none", "key:1", "key:2"];
  for (let i = 0; i < 3; i++) {
    pair.call((output) => writeSet(output, `key:${i}`, encodeValue(new Map([[i, i]])), undefined), readYesNo);
  }
  pair.exchange();
  pair.outcomes.length = 0;
  pair.get("key:0");
  pair.call((output) => writeKeyList(output, REQUEST.getMany, keys), manyReader(4, () => {}));
  pair.get("key:2");
  pair.exchange();
  return { pair, turn, settled: () => pair.results().filter((result) => result !== "pending").length };
}

Deno.test("Pipeline reads as many values in a turn as the allowance allows, and the others in later turns", () => {
  const { pair, turn, settled } = behind();
  const progress = [settled()];
  for (let isDone = false; !isDone; progress.push(settled())) {
    assert(turn.isOver && progress.length < 10, "every turn reads one value");
    turn.isOver = false;
    isDone = pair.pipeline.receive(0);
  }
  assertEquals(progress, [1, 1, 1, 2, 3, 3]);
  const [zero, one, two] = [0, 1, 2].map((i) => new Map([[i, i]]));
  assertEquals(pair.results(), [zero, [zero, MISS, one, two], two]);
});

Deno.test("Pipeline.expire() fails no call while replies wait to be read, but one that is read for too long", () => {
  const { pair, turn, settled } = behind();
  assertEquals([pair.pipeline.expire(1e6, 100, LATE), settled()], [true, 1]);
  turn.isOver = false;
  assertEquals([pair.pipeline.receive(1e6), pair.pipeline.deadlineMs(100)], [false, 1e6 + 100]);
  assertEquals([pair.pipeline.expire(1e6 + 99, 100, LATE), settled()], [true, 1]);
  assertEquals([pair.pipeline.expire(1e6 + 100, 100, LATE), settled()], [true, 2]);
  assertEquals(pair.outcomes[1].error?.message, "to decode what the server has found takes longer than 100 ms");
  turn.isOver = false;
  assertEquals([pair.pipeline.receive(1e6 + 100), settled()], [false, 3]);
  turn.isOver = false;
  assertEquals(pair.pipeline.receive(1e6 + 100), true);
  assertEquals([pair.pipeline.pending, pair.codes()], [0, [undefined, "timeout", undefined]]);
});

Deno.test("Pipeline drops a request whose key or value is none, and the next one is sound", () => {
  const pair = new Pair();
  const large = encodeValue(new Uint8Array(MAX_BODY_BYTES));
  assertThrows(() => pair.get(""), RangeError);
  assertThrows(
    () => pair.call((output) => writeKeyList(output, REQUEST.getMany, ["fine", "\udc00"]), readYesNo),
    RangeError,
  );
  assertThrows(() => pair.call((output) => writeSet(output, "k", large, 0), readYesNo), CacheError);
  assertEquals([pair.pipeline.output.length, pair.pipeline.pending], [0, 0]);
  pair.outcomes.length = 0;
  pair.get("a");
  pair.exchange();
  assertEquals(pair.results(), [MISS]);
});

Deno.test("Pipeline.expire() fails what is late, keeps the order, and ignores the late reply", () => {
  const pair = new Pair();
  pair.call((output) => writeSet(output, "k", encodeValue("v"), undefined), readYesNo, 0);
  pair.get("k", 60);
  assertEquals(pair.pipeline.expire(99, 100, LATE), true);
  assertEquals(pair.codes(), [undefined, undefined]);
  pair.pipeline.receive(50); // something arrived meanwhile: the server is slow, not dead
  assertEquals(pair.pipeline.expire(100, 100, LATE), true);
  assertEquals(pair.codes(), ["timeout", undefined]);
  pair.exchange(110);
  assertEquals(pair.results(), [undefined, "v"]);
});

Deno.test("Pipeline.expire() gives a connection up that is silent, or trickles for twice the time", () => {
  const silent = new Pair();
  silent.get("k", 10);
  assertEquals([silent.pipeline.expire(109, 100, LATE), silent.pipeline.expire(110, 100, LATE)], [true, false]);
  const trickling = new Pair();
  trickling.get("k", 10);
  trickling.pipeline.receive(100);
  assertEquals([trickling.pipeline.expire(110, 100, LATE), trickling.pipeline.expire(210, 100, LATE)], [true, false]);
});

Deno.test("Pipeline.fail() settles every call once", () => {
  const pair = new Pair();
  pair.get("a");
  pair.get("b", 100);
  pair.pipeline.expire(100, 100, LATE);
  pair.pipeline.fail({ code: "unreachable" } as CacheError);
  pair.pipeline.fail({ code: "busy" } as CacheError);
  assertEquals(pair.codes(), ["timeout", "unreachable"]);
  assertEquals(pair.pipeline.pending, 0);
});

Deno.test("Pipeline survives 100,000 replies, three in four damaged: every call is settled once, or the connection is given up", () => {
  const seed = 11142;
  const random = seeded(seed);
  const below = (n: number) => Math.floor(random() * n);
  const replies = sampleReplies();
  let [mutated, given, settled] = [0, 0, 0];
  while (mutated < 100_000) {
    const pipeline = greetedPipeline();
    const calls = 1 + below(6);
    const settlements = new Array<number>(calls).fill(0);
    for (let i = 0; i < calls; i++) {
      const read = [readOne, readYesNo, readData, (frame: FrameReader) => manyReader(2, () => {})(frame)][below(4)];
      pipeline.call<unknown>(() => {}, { read, settle: () => settlements[i]++ }, { sentAtMs: 0, givenAtMs: 0 });
    }
    const batch = Array.from({ length: calls }, () => mutate(replies[below(replies.length)], below));
    mutated += calls;
    try {
      const bytes = joined(...batch);
      for (let at = 0, size = 1 + below(bytes.length + 1); at < bytes.length; at += size) {
        pipeline.input.push(bytes.subarray(at, at + size));
        pipeline.receive(0);
      }
    } catch (error) {
      const isExpected = error instanceof ProtocolError || error instanceof CacheError;
      if (!isExpected) throw new Error(`seed ${seed}, after ${mutated} replies`, { cause: error });
      given++;
    }
    settled += settlements.filter((times) => times === 1).length;
    pipeline.fail(new CacheError("unreachable", "the end"));
    assertEquals(settlements, new Array<number>(calls).fill(1), `seed ${seed}, after ${mutated} replies`);
  }
  assert(given > 1000 && settled > 1000, `the fuzzer must reach both ends: ${given} given up, ${settled} settled`);
});

function greetedPipeline(): Pipeline {
  const pipeline = new Pipeline();
  pipeline.attach(new FrameReader(), 0);
  return pipeline;
}

/** One reply of each kind, as a server writes them. */
function sampleReplies(): Uint8Array[] {
  const kinds: ((output: FrameWriter) => void)[] = [
    (output) => output.empty(REPLY.ok),
    (output) => output.empty(REPLY.miss),
    (output) => output.empty(FIRST_PUSH),
    (output) => {
      output.begin(REPLY.value);
      output.uint32(FLAGS.json);
      output.text('{"a":[1,2,3]}');
    },
    (output) => {
      output.begin(REPLY.value);
      output.uint32(FLAGS.msgpack);
      output.bytes(encodeValue(new Map([["a", -0]])).payload as Uint8Array);
    },
    (output) => {
      output.begin(REPLY.values);
      output.uint16(2);
      output.uint8(STATE.miss);
      output.uint8(STATE.hit);
      output.uint32(FLAGS.text);
      output.uint32(2);
      output.text("hi");
    },
    (output) => {
      output.begin(REPLY.data);
      output.bytes(encode({ entries: 1, server: "x" }));
    },
    (output) => {
      output.begin(REPLY.refused);
      output.bytes(encode({ code: "bad-key", message: "no" }));
    },
    (output) => {
      output.begin(REPLY.closing);
      output.bytes(encode({ code: "stopping", message: "bye" }));
    },
  ];
  return kinds.map((write) => {
    const output = new FrameWriter();
    write(output);
    output.end();
    return output.taken();
  });
}

Deno.test("Pipeline is full at 100,000 calls", () => {
  const pair = new Pair();
  for (let i = 0; i < 100_000; i++) {
    pair.pipeline.call(() => {}, { read: readYesNo, settle: () => {} }, { sentAtMs: 0, givenAtMs: 0 });
  }
  assert(pair.pipeline.isFull);
});

Deno.test("Pipeline tells each call once when nothing more is to come of it, also one that was late, and after its result", () => {
  const pair = new Pair();
  const told: string[] = [];
  const call = (name: string, write: (output: FrameWriter) => void = (output) => output.empty(REQUEST.ping)) => {
    const settle = (_: unknown, error?: CacheError) => told.push(`${name} ${error?.code ?? "settled"}`);
    const ended = () => told.push(`${name} ended`);
    const late = ({ code }: FrameReader) => told.push(`${name} answered by ${code} late`);
    pair.pipeline.call(write, { read: readYesNo, settle, late, ended }, { sentAtMs: 0, givenAtMs: 0 });
  };
  call("first");
  call("late");
  pair.pipeline.receive(50);
  pair.pipeline.expire(100, 100, LATE);
  assertEquals(told.splice(0), ["first timeout", "late timeout"]);
  pair.exchange(110);
  const replies = ["first", "late"].flatMap((name) => [`${name} answered by ${REPLY.ok} late`, `${name} ended`]);
  assertEquals(told.splice(0), replies);
  call("answered");
  pair.exchange();
  call("late");
  pair.pipeline.expire(100, 100, LATE);
  call("lost");
  pair.pipeline.fail({ code: "unreachable" } as CacheError);
  assertThrows(() => call("bad", (output) => writeKeyed(output, REQUEST.get, "")));
  const ends = ["answered settled", "answered ended", "late timeout", "late ended", "lost unreachable", "lost ended"];
  assertEquals(told, [...ends, "bad ended"]);
});
