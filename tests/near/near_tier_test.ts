/** The client's rules of near copies, each with a clock of the test's own: which reads a copy answers, and which ask. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { ASK, DUE, type NearLimits, NearTier } from "../../lib/near/near_tier.ts";
import { COPY_MARK, type CopyTerms, slotOfText, SLOTS } from "../../lib/wire/near.ts";
import { difference } from "../support/same_value.ts";
import { ALL_SAMPLES } from "../support/value_samples.ts";

const TERMS: CopyTerms = { marks: COPY_MARK.kept, freshMs: Infinity, ttlMs: 0 };
/** How far the wall clock is ahead of the steady one. */
const WALL_MS = 1_700_000_000_000;

/** A tier of a client that is connected, which has just heard of its server. */
class Near {
  readonly tier: NearTier;
  nowMs = 1000;
  wallMs = 1000 + WALL_MS;

  constructor(limits: Partial<NearLimits> = {}) {
    this.tier = new NearTier({ maxSize: 100, maxTotalSize: 100_000, maxStaleMs: 1000, copies: false, ...limits });
    this.read("none");
    this.tier.connected();
    this.replied();
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.wallMs += ms;
  }

  read(key: string): unknown {
    return this.tier.read(key, this.nowMs, this.wallMs);
  }

  /** Fills with what was asked for now. */
  fill(key: string, value: unknown = `value of ${key}`, terms: Partial<CopyTerms> = {}, bytes = 10): void {
    this.tier.fill(key, value, this.nowMs, { ...TERMS, ...terms }, bytes);
  }

  /** A reply to a request that is sent now. */
  replied(): void {
    this.tier.sent(this.nowMs);
    this.tier.replied(this.nowMs);
  }
}

/** Keys that share a slot. */
const [ONE, OTHER] = keysOfOneSlot();

function keysOfOneSlot(): [string, string] {
  const seen = new Map<number, string>();
  for (let i = 0;; i++) {
    const known = seen.get(slotOfText(`key:${i}`));
    if (known !== undefined) return [known, `key:${i}`];
    seen.set(slotOfText(`key:${i}`), `key:${i}`);
  }
}

Deno.test("a copy answers reads, of any value, and what has no copy is asked for", () => {
  const near = new Near();
  for (const value of [undefined, null, 0, "text", { a: 1 }, ASK.toString()]) {
    near.tier.fill("k", value, near.nowMs, TERMS, 1);
    assertStrictEquals(near.read("k"), value);
  }
  assertEquals([near.read("other"), near.tier.stats()], [
    ASK,
    { hits: 6, fenced: 0, invalidations: 0, entries: 1, isOn: true },
  ]);
});

Deno.test("a copy is kept only if the server says that it may be, and an older one is not kept in its place", () => {
  const near = new Near();
  near.fill("k", "older");
  near.fill("k", "newer", { marks: COPY_MARK.renews });
  assertEquals(near.read("k"), ASK);
});

Deno.test("a copy is used for maxStaleMs after the last request was sent that has been answered", () => {
  const near = new Near();
  near.fill("k");
  near.pass(1000);
  assertEquals(near.read("k"), "value of k");
  near.pass(1);
  assertEquals([near.read("k"), near.tier.stats().fenced, near.tier.due], [ASK, 1, 0]);
  near.replied();
  assertEquals([near.read("k"), near.tier.stats().fenced], ["value of k", 1]);
});

Deno.test("a reply proves the time at which its request was sent, not that at which it has come", () => {
  const near = new Near();
  near.fill("k");
  const sentAtMs = near.nowMs + 300;
  near.pass(1200);
  near.tier.replied(sentAtMs);
  assertEquals(near.read("k"), "value of k");
  near.pass(101);
  assertEquals(near.read("k"), ASK);
});

Deno.test("a reply to an older request takes nothing back", () => {
  const near = new Near();
  near.fill("k");
  near.pass(500);
  near.replied();
  near.tier.replied(near.nowMs - 499);
  near.pass(1000);
  assertEquals(near.read("k"), "value of k");
});

Deno.test("what is answered before it has been sent neither proves nor fills", () => {
  const near = new Near();
  near.fill("k");
  near.tier.replied(Infinity);
  near.tier.fill("other", 1, Infinity, TERMS, 1);
  assertEquals(near.read("other"), ASK);
  near.pass(1001);
  assertEquals(near.read("k"), ASK);
});

Deno.test("a new connection begins without copies, and nothing is proven on it", () => {
  const near = new Near();
  near.fill("k");
  near.tier.connected();
  assertEquals([near.read("k"), near.tier.isOn], [ASK, true]);
  near.fill("k", "of this one");
  assertEquals([near.read("k"), near.tier.stats().fenced], [ASK, 1]);
  near.replied();
  assertEquals(near.read("k"), "of this one");
});

Deno.test("without a connection nothing is kept, and what was kept is not used", () => {
  const near = new Near();
  near.fill("k");
  near.tier.lost();
  near.replied();
  near.fill("other");
  assertEquals([near.read("k"), near.read("other"), near.tier.isOn], [ASK, ASK, false]);
});

Deno.test("a push drops the copies of all keys of its slots, and no others", () => {
  const near = new Near();
  for (const key of [ONE, OTHER, "third"]) near.fill(key);
  near.tier.invalid((slotOfText(ONE) + 1) % SLOTS);
  assertEquals(near.tier.stats().entries, 3);
  near.tier.invalid(slotOfText(OTHER));
  assertEquals([near.read(ONE), near.read(OTHER), near.read("third")], [ASK, ASK, "value of third"]);
  assertEquals(near.tier.stats().invalidations, 2);
});

Deno.test("a slot knows its keys also after copies of it have been replaced, dropped and evicted", () => {
  const near = new Near({ maxSize: 3 });
  for (const key of [ONE, OTHER, ONE, OTHER]) near.fill(key);
  near.tier.drop(ONE);
  near.fill(ONE, "again");
  for (const key of ["x", "y"]) near.fill(key);
  assertEquals([near.read(OTHER), near.read(ONE)], [ASK, "again"]);
  near.fill(OTHER);
  near.tier.invalid(slotOfText(ONE));
  assertEquals([near.read(ONE), near.read(OTHER), near.tier.stats().entries], [ASK, ASK, 1]);
  for (const [dropped, kept] of [[ONE, OTHER], [OTHER, ONE]]) {
    for (const key of [ONE, OTHER]) near.fill(key);
    near.tier.drop(dropped);
    near.tier.invalid(slotOfText(kept));
    assertEquals(near.read(kept), ASK);
  }
});

Deno.test("a push of all drops all, and an own clear does", () => {
  const near = new Near();
  for (const drop of [() => near.tier.all(), () => near.tier.clear()]) {
    for (const key of [ONE, OTHER, "third"]) near.fill(key);
    drop();
    assertEquals([near.read(ONE), near.read("third"), near.tier.stats().entries], [ASK, ASK, 0]);
    near.fill(OTHER, "after that");
    assertEquals(near.read(OTHER), "after that");
  }
  assertEquals(near.tier.stats().invalidations, 3, "an own clear is none");
});

Deno.test("a key is neither read nor filled while own writes of it are under way, which are counted", () => {
  const near = new Near();
  near.fill("k");
  near.tier.began("k");
  near.tier.began("k");
  assertEquals(near.read("k"), ASK);
  near.fill("k", "older than the writes");
  near.tier.ended("k");
  near.fill("k", "older than the second");
  assertEquals(near.read("k"), ASK);
  near.tier.ended("k");
  assertEquals(near.read("k"), ASK);
  near.fill("k", "newer");
  assertEquals(near.read("k"), "newer");
});

Deno.test("a copy's deadline is the time at which it was asked for and what the server says remains", () => {
  const near = new Near({ maxStaleMs: 60_000 });
  const sentAtMs = near.nowMs;
  near.pass(200); // on its way
  near.tier.fill("k", "v", sentAtMs, { ...TERMS, freshMs: 500 }, 1);
  near.pass(299);
  assertEquals(near.read("k"), "v");
  near.pass(1);
  assertEquals([near.read("k"), near.tier.stats().entries, near.tier.stats().fenced], [ASK, 0, 0]);
});

Deno.test("after the machine has slept there are no copies, and requests from before neither fill nor prove", () => {
  const near = new Near();
  near.fill("k");
  near.pass(10);
  const sentAtMs = near.nowMs;
  near.wallMs += 101;
  assertEquals([near.read("k"), near.tier.stats().entries], [ASK, 0]);
  near.tier.replied(sentAtMs);
  near.tier.fill("k", "from before", sentAtMs, TERMS, 1);
  assertEquals([near.read("k"), near.tier.stats().fenced], [ASK, 0]);
  near.pass(1);
  near.fill("k", "from now");
  near.tier.replied(sentAtMs);
  assertEquals([near.read("k"), near.tier.stats().fenced], [ASK, 1]);
  near.replied();
  assertEquals(near.read("k"), "from now");
});

Deno.test("a sleep is noticed after the wall clock was put back, and many short ones are", () => {
  const near = new Near();
  near.fill("k");
  near.wallMs -= 3_600_000;
  assertEquals(near.read("k"), "value of k");
  near.wallMs += 101;
  assertEquals(near.read("k"), ASK);
  near.pass(1);
  near.replied();
  near.fill("k");
  for (const [ms, found] of [[50, "value of k"], [50, "value of k"], [1, ASK]] as const) {
    near.wallMs += ms;
    assertEquals(near.read("k"), found);
  }
});

Deno.test("a near read wants a PING where nothing was sent for half of maxStaleMs, and none is under way", () => {
  const near = new Near();
  near.fill("k");
  const due = (): number => (near.read("k"), near.tier.due);
  near.pass(499);
  assertEquals(due(), 0);
  near.pass(1);
  assertEquals([due(), due()], [DUE.ping, 0]);
  near.tier.pinged();
  assertEquals(due(), DUE.ping);
  near.tier.pinged();
  near.tier.sent(near.nowMs);
  assertEquals(due(), 0);
});

Deno.test("a read that asks wants no PING: what it sends proves as much", () => {
  const near = new Near();
  near.pass(5000);
  assertEquals([near.read("k"), near.tier.due], [ASK, 0]);
});

Deno.test("a PING that a connection has not answered does not keep the next from being sent", () => {
  const near = new Near();
  near.fill("k");
  near.pass(500);
  near.read("k");
  near.tier.connected();
  near.tier.replied(near.nowMs);
  near.fill("k");
  assertEquals([near.read("k"), near.tier.due], ["value of k", DUE.ping]);
});

Deno.test("a near hit wants a USE at most once in half of the time to live, or in a minute if that is shorter", () => {
  const cases: [ttlMs: number, everyMs: number][] = [[0, 60_000], [Infinity, 60_000], [3_600_000, 60_000], [800, 400]];
  for (const [ttlMs, everyMs] of cases) {
    const near = new Near({ maxStaleMs: 60_000 });
    near.fill("k", "v", { ttlMs });
    const due = (): boolean => (near.read("k"), (near.tier.due & DUE.use) !== 0);
    for (let times = 0; times < 3; times++) {
      near.pass(everyMs - 1);
      near.replied();
      assertEquals(due(), false, `${ttlMs}`);
      near.pass(1);
      assertEquals([due(), due()], [true, false], `${ttlMs}`);
    }
  }
});

Deno.test("the answer to a USE sets the deadline anew, from when it was sent", () => {
  const near = new Near({ maxStaleMs: 60_000 });
  near.fill("k", "v", { freshMs: 1000, ttlMs: 1000 });
  near.pass(600);
  const sentAtMs = near.nowMs;
  near.pass(300);
  near.tier.used("k", sentAtMs, { freshMs: 1000, ttlMs: 2000 });
  near.pass(699);
  assertEquals([near.read("k"), near.tier.due & DUE.use], ["v", DUE.use]);
  near.pass(1);
  assertEquals(near.read("k"), ASK);
});

Deno.test("the answer to a USE makes no copy where there is none, and does not count if the machine slept meanwhile", () => {
  const near = new Near({ maxStaleMs: 60_000 });
  near.tier.used("k", near.nowMs, { freshMs: Infinity, ttlMs: 0 });
  assertEquals(near.read("k"), ASK);
  const sentAtMs = near.nowMs;
  near.wallMs += 101;
  near.read("k");
  near.pass(1);
  near.replied();
  near.fill("k", "v", { freshMs: 100 });
  near.tier.used("k", sentAtMs, { freshMs: Infinity, ttlMs: 0 });
  near.pass(100);
  assertEquals(near.read("k"), ASK);
});

Deno.test("a tier holds no more copies than maxSize, the most recently used, nor more bytes than maxTotalSize", () => {
  const few = new Near({ maxSize: 2 });
  for (const key of ["a", "b"]) few.fill(key);
  few.read("a");
  few.fill("c");
  assertEquals(["a", "b", "c"].map((key) => few.read(key) === ASK), [false, true, false]);
  const small = new Near({ maxTotalSize: 2000 });
  small.fill("a", "a", {}, 1000);
  small.fill("b", "b", {}, 1000);
  assertEquals([small.read("a"), small.read("b")], [ASK, "b"]);
  small.fill("b", "too large", {}, 2000);
  assertEquals([small.read("b"), small.tier.stats().entries], [ASK, 0]);
  small.tier.invalid(slotOfText("b"));
});

Deno.test("a value handed out twice is the same object, and with copies one of its own for each reader", () => {
  const value = { list: [1] };
  const shared = new Near();
  shared.fill("k", value);
  assertStrictEquals(shared.read("k"), shared.read("k"));
  const own = new Near({ copies: true });
  own.fill("k", value);
  value.list.push(2);
  const [first, second] = [own.read("k"), own.read("k")] as (typeof value)[];
  first.list.push(3);
  assertEquals([first, second], [{ list: [1, 3] }, { list: [1] }]);
  assert(first !== second);
});

Deno.test("with copies every kind of value is handed out as it came", () => {
  const near = new Near({ copies: true });
  for (const value of ALL_SAMPLES) {
    near.tier.fill("k", value, near.nowMs, TERMS, 1);
    assertEquals(difference(near.read("k"), value), undefined);
  }
});

Deno.test("keys of digits, and those that begin with a zero byte, are kept apart", () => {
  const near = new Near();
  const keys = ["1", "\u00001", "\u0000", "0", "a1", " 1"];
  for (const key of keys) near.fill(key);
  assertEquals(keys.map((key) => near.read(key)), keys.map((key) => `value of ${key}`));
  for (const key of keys) near.tier.drop(key);
  assert(keys.every((key) => near.read(key) === ASK));
});
