/** The feature `lease` in conversations without a socket: what is answered to whom, and what is told to those who wait. */

import { assert, assertEquals } from "@std/assert";
import type { Session, SessionOptions } from "../../lib/server/session.ts";
import type { Store } from "../../lib/store/store.ts";
import { MISS, readFound, writeKeyed, writeSet } from "../../lib/wire/calls.ts";
import { readError } from "../../lib/wire/control.ts";
import { AGAIN, type FrameReader, type FrameWriter, INVALID, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { LEASE, NEAR, readGreeting, writeHello } from "../../lib/wire/hello.ts";
import {
  type Leased,
  type LeaseToken,
  readAgain,
  readIsValid,
  readLeased,
  writeFill,
  writeGive,
  writeLease,
} from "../../lib/wire/leases.ts";
import { COPY_MARK, type CopyTerms } from "../../lib/wire/near.ts";
import { NO_LIMIT } from "../../lib/wire/protocol_handler.ts";
import { encodeValue } from "../../lib/wire/values.ts";
import { sessionOf } from "../support/access.ts";
import { frameOf, framesOf, written } from "../support/frames.ts";
import { say } from "../support/memcached_talk.ts";
import { sessionHost, type TestHost } from "../support/session_host.ts";
import { span } from "../support/store_entries.ts";
import { NOW_MS } from "../support/stores.ts";

const LEASE_MS = 1000;
const UNGREETED: readonly string[] = [];

/** A client of a host, which names features. */
class Client {
  readonly session: Session;

  constructor(host: TestHost, features: readonly string[] = [LEASE], options: SessionOptions = {}) {
    this.session = sessionOf(host, options);
    this.say((output) => writeHello(output, "client/1", undefined, false, features));
  }

  /** What has been written since the last call. */
  heard(): FrameReader[] {
    const frames = framesOf(this.session.output.taken().slice());
    this.session.output.reset();
    return frames;
  }

  /** Sends requests, and returns what is written at once. */
  say(write: (output: FrameWriter) => void): FrameReader[] {
    this.session.input.push(written(write));
    this.session.run();
    return this.heard();
  }

  /** Sends a request that is answered by one frame. */
  ask(write: (output: FrameWriter) => void): FrameReader {
    const frames = this.say(write);
    assertEquals(frames.length, 1);
    return frames[0];
  }

  lease(acceptsStale = false, key = "k"): Leased {
    return readLeased(this.ask((output) => writeLease(output, key, LEASE_MS, acceptsStale)));
  }

  /** Fills a value in. Returns whether its token was valid. */
  fill(token: LeaseToken, value = "filled", { ttlMs = 0, isFixed = false, staleMs = 0 } = {}): boolean {
    const filling = { token, ttlMs, isFixed, staleMs };
    return readIsValid(this.ask((output) => writeFill(output, "k", encodeValue(value), filling)));
  }

  give(token: LeaseToken): boolean {
    return readIsValid(this.ask((output) => writeGive(output, "k", token)));
  }

  get(): unknown {
    return readFound(this.ask((output) => writeKeyed(output, REQUEST.get, "k")));
  }

  store(value = "stored"): void {
    const reply = this.ask((output) => writeSet(output, "k", encodeValue(value), undefined));
    assertEquals(reply.code, REPLY.ok);
  }

  /** The keys that it has been told to ask for again since the last call; "all" stands for all. */
  async told(): Promise<string[]> {
    await Promise.resolve(); // the end of the turn
    return this.heard().map((frame) => {
      if (frame.code === AGAIN) return readAgain(frame);
      assertEquals([frame.code, frame.end - frame.start], [INVALID, 0]);
      return "all";
    });
  }
}

/** A host on a clock of its own. */
function served(): { host: TestHost; store: Store; clock: { nowMs: number } } {
  const clock = { nowMs: NOW_MS };
  const host = sessionHost({ clock: { now: () => clock.nowMs } });
  return { host, store: host.store, clock };
}

function tokenOf(leased: Leased): LeaseToken {
  assert(leased.state === "compute", leased.state);
  return leased.token;
}

Deno.test("one client is given the lease and fills it; others wait, are told to ask again, and find the value", async () => {
  const { host } = served();
  const [a, b, c] = [new Client(host), new Client(host), new Client(host)];
  const token = tokenOf(a.lease());
  assertEquals([b.lease(), c.lease()], [{ state: "wait" }, { state: "wait" }]);
  assertEquals([await b.told(), b.get()], [[], MISS]);
  assertEquals(a.fill(token), true);
  assertEquals([await a.told(), await b.told(), await c.told()], [[], ["k"], ["k"]]);
  const fresh: Leased = { state: "fresh", value: "filled" };
  assertEquals([a.lease(), b.lease(), c.lease(true), b.get()], [fresh, fresh, fresh, "filled"]);
  assertEquals([a.fill(token), a.give(token)], [false, false]);
  const { leasesGiven, leasesLost, leasesHandedOver, leaseWaits } = host.stats();
  assertEquals([leasesGiven, leasesLost, leasesHandedOver, leaseWaits], [1, 2, 0, 0]);
});

Deno.test("a value never replaces what has been written or removed since its lease was given", async () => {
  const changes: ((client: Client, store: Store) => void)[] = [
    (client) => client.store(),
    (client) => void client.ask((output) => writeKeyed(output, REQUEST.delete, "k")),
    (client) => void client.ask((output) => output.empty(REQUEST.clear)),
    (_, store) => void store.clearUpTo(store.clock + 1),
  ];
  for (const [i, change] of changes.entries()) {
    const { host, store } = served();
    const [a, b, c] = [new Client(host), new Client(host), new Client(host, UNGREETED)];
    const token = tokenOf(a.lease());
    assertEquals(b.lease(), { state: "wait" });
    change(c, store);
    assertEquals(await b.told(), [i < 2 ? "k" : "all"]);
    assertEquals([a.fill(token), c.get()], [false, i === 0 ? "stored" : MISS]);
  }
});

Deno.test("a client that waits and then writes is told itself, and not in the midst of a frame", async () => {
  const { host } = served();
  const [a, b] = [new Client(host), new Client(host)];
  a.lease();
  b.lease();
  b.store();
  assertEquals(await b.told(), ["k"]);
});

Deno.test("a lease that has run out can be filled until another is given it, which those who wait are told to ask for", async () => {
  for (const isHandedOn of [false, true]) {
    const { host, clock } = served();
    const [a, b] = [new Client(host), new Client(host)];
    const token = tokenOf(a.lease());
    b.lease();
    assertEquals(host.dueMs, NOW_MS + LEASE_MS);
    clock.nowMs += LEASE_MS;
    host.leases.tick(clock.nowMs);
    assertEquals(await b.told(), ["k"]);
    if (isHandedOn) assert(b.lease().state === "compute");
    assertEquals([a.fill(token), b.get()], isHandedOn ? [false, MISS] : [true, "filled"]);
  }
});

Deno.test("the end of a connection, however it ends, hands its lease over, and nobody is told who has gone", async () => {
  for (const end of ["release", "abandon"] as const) {
    const { host } = served();
    const [a, b, c] = [new Client(host), new Client(host), new Client(host)];
    const token = tokenOf(a.lease());
    b.lease();
    c.lease();
    c.session[end]();
    a.session[end]();
    a.session.release();
    assertEquals(await b.told(), ["k"]);
    assertEquals([host.leases.waiting, host.dueMs], [0, Infinity]);
    assertEquals(b.fill(token), false);
    assert(b.lease().state === "compute");
  }
});

Deno.test("a client that gives its lease back is answered so once, and the next is given it", async () => {
  const { host } = served();
  const [a, b] = [new Client(host), new Client(host)];
  const token = tokenOf(a.lease());
  b.lease();
  assertEquals([a.give({ ...token, high: 1 }), a.give(token), a.give(token)], [false, true, false]);
  assertEquals(await b.told(), ["k"]);
  assert(b.lease().state === "compute");
});

Deno.test("a value that is kept for longer than it is fresh goes to who accepts it, and one of them computes", async () => {
  const { host, clock } = served();
  const [a, b] = [new Client(host), new Client(host)];
  assertEquals(a.fill(tokenOf(a.lease()), "old", { ttlMs: 100, staleMs: 5000 }), true);
  clock.nowMs += 99;
  assertEquals([b.get(), b.lease()], ["old", { state: "fresh", value: "old" }]);
  clock.nowMs += 51;
  assertEquals(b.get(), MISS);
  const first = a.lease(true);
  assert(first.state === "compute");
  assertEquals(first.stale, { value: "old", forMs: 50 });
  clock.nowMs += 10;
  assertEquals([b.lease(true), b.lease()], [{ state: "stale", value: "old", forMs: 60 }, { state: "wait" }]);
  assertEquals([a.fill(first.token, "new"), await b.told()], [true, ["k"]]);
  assertEquals(b.lease(true), { state: "fresh", value: "new" });
});

Deno.test("who does not accept a value that is not fresh any more gets a token without it", () => {
  const { host, clock } = served();
  const a = new Client(host);
  a.fill(tokenOf(a.lease()), "old", { ttlMs: 100, staleMs: 5000 });
  clock.nowMs += 100;
  const leased = a.lease();
  assert(leased.state === "compute");
  assertEquals(leased.stale, undefined);
});

Deno.test("a lease that is given back beside a value that will do rests for its time", () => {
  const { host, clock } = served();
  const a = new Client(host);
  a.fill(tokenOf(a.lease()), "old", { ttlMs: 100, staleMs: 5000 });
  clock.nowMs += 100;
  assertEquals(a.give(tokenOf(a.lease(true))), true);
  clock.nowMs += LEASE_MS - 1;
  assertEquals(a.lease(true).state, "stale");
  clock.nowMs += 1;
  assertEquals(a.lease(true).state, "compute");
});

Deno.test("FILL stores flags, time to live and whether a hit renews it as SET does", () => {
  const { host, store, clock } = served();
  const a = new Client(host);
  for (const isFixed of [false, true]) {
    a.fill(tokenOf(a.lease()), "x", { ttlMs: 100, isFixed });
    clock.nowMs += 99;
    assertEquals(a.get(), "x");
    clock.nowMs += 99;
    assertEquals(a.get(), isFixed ? MISS : "x");
    assertEquals(store.kept(span("k")) !== 0, !isFixed);
    store.delete(span("k"));
  }
  a.fill(tokenOf(a.lease()), "for ever", { ttlMs: 0, staleMs: 10 });
  clock.nowMs += 1e12;
  assertEquals(a.get(), "for ever");
});

Deno.test("a value in FILL that is too large is refused and ends the lease, but not with a token that is not valid", () => {
  const host = sessionHost({ maxBytes: 64 * 1024 });
  const [a, b] = [new Client(host), new Client(host)];
  const token = tokenOf(a.lease());
  const filling = { ttlMs: 0, isFixed: false, staleMs: 0 };
  const fill = (client: Client, token: LeaseToken) =>
    client.ask((output) => writeFill(output, "k", encodeValue("x".repeat(100_000)), { ...filling, token }));
  assertEquals(fill(b, { high: 9, low: 9 }).code, REPLY.lost);
  assertEquals(b.lease(), { state: "wait" });
  const reply = fill(a, token);
  assertEquals([reply.code, readError(reply).code], [REPLY.refused, "too-large"]);
  assertEquals(a.fill(token), false);
});

/** A request with a key "k" and bytes after it. */
function request(code: number, ...bytes: number[]): (output: FrameWriter) => void {
  return (output) => {
    output.begin(code);
    output.key("k");
    output.bytes(Uint8Array.from(bytes));
    output.end();
  };
}

const BAD: [what: string, write: (output: FrameWriter) => void, code: string][] = [
  ["a LEASE of no time", request(REQUEST.lease, 0, 0, 0, 0, 0), "bad-request"],
  ["a LEASE of more than a minute", request(REQUEST.lease, 0, 0, 0xea, 0x61, 0), "bad-request"],
  ["a LEASE that says neither yes nor no", request(REQUEST.lease, 0, 0, 0, 1, 2), "bad-request"],
  ["a LEASE that is too short", request(REQUEST.lease, 0, 0, 0, 1), "bad-request"],
  ["a FILL that is too short", request(REQUEST.fill, ...Array(27).fill(0)), "bad-request"],
  ["a FILL with a ttl that is none", request(REQUEST.fill, ...Array(12).fill(0), 1, ...Array(15).fill(0)), "bad-ttl"],
  ["a GIVE without a token", request(REQUEST.give), "bad-request"],
  ["a LEASE without a key", (output) => output.empty(REQUEST.lease), "bad-key"],
];

for (const [what, write, code] of BAD) {
  Deno.test(`${what} is refused as ${code}, and changes nothing`, () => {
    const client = new Client(served().host);
    const token = tokenOf(client.lease());
    const reply = client.ask(write);
    assertEquals([reply.code, readError(reply).code], [REPLY.refused, code]);
    assertEquals(client.fill(token), true);
  });
}

Deno.test("a client that has not named the feature is refused its requests, and sees no change", async () => {
  const { host } = served();
  const [a, plain] = [new Client(host), new Client(host, UNGREETED)];
  a.lease();
  for (const code of [REQUEST.lease, REQUEST.fill, REQUEST.give]) {
    const reply = plain.ask(request(code, ...Array(40).fill(1)));
    assertEquals([reply.code, readError(reply).code], [REPLY.refused, "bad-request"]);
  }
  plain.store();
  assertEquals([plain.ask((output) => writeKeyed(output, REQUEST.get, "k")).code, await plain.told()], [
    REPLY.value,
    [],
  ]);
});

Deno.test("a server names the feature", () => {
  const session = sessionOf(served().host);
  session.input.push(written((output) => writeHello(output, "client/1")));
  session.run();
  assert(readGreeting(frameOf(session.output.taken())).features.includes(LEASE));
});

Deno.test("an AGAIN that cannot be said, since the client does not read, is said before the next reply", async () => {
  const { host } = served();
  let mayPush = false;
  const [a, b] = [new Client(host), new Client(host, [LEASE], { mayPush: () => mayPush })];
  a.lease();
  a.lease(false, "l");
  b.lease();
  b.lease(false, "l");
  a.store();
  assertEquals(await b.told(), []);
  const frames = b.say((output) => output.empty(REQUEST.ping));
  assertEquals(frames.map(({ code }) => code), [AGAIN, REPLY.ok]);
  assertEquals(readAgain(frames[0]), "k");
  mayPush = true;
  host.store.delete(span("l"));
  assertEquals(await b.told(), ["l"]);
});

Deno.test("with near copies in force too, what LEASE answers may be kept, and what changes is told before any answer", async () => {
  const { host } = served();
  const both = new Client(host, [LEASE, NEAR]);
  const other = new Client(host);
  const lease = (client: Client) => {
    let told: CopyTerms | undefined;
    const frames = client.say((output) => writeLease(output, "k", LEASE_MS, false));
    readLeased(frames.at(-1)!, NO_LIMIT, (_, terms) => told = { ...terms });
    return { codes: frames.map(({ code }) => code), told };
  };
  const token = tokenOf(other.lease());
  assertEquals(lease(both), { codes: [REPLY.wait], told: undefined });
  assertEquals(other.fill(token, "x", { ttlMs: 500 }), true);
  await Promise.resolve();
  assertEquals(both.heard().map(({ code }) => code).toSorted(), [INVALID, AGAIN]);
  const kept = { marks: COPY_MARK.kept | COPY_MARK.renews, freshMs: 500, ttlMs: 500 };
  assertEquals(lease(both), { codes: [REPLY.copy], told: kept });
  assertEquals(lease(other), { codes: [REPLY.copy], told: { marks: 0, freshMs: 500, ttlMs: 0 } });
  host.store.delete(span("k"));
  assertEquals(lease(both), { codes: [INVALID, REPLY.token], told: undefined });
});

Deno.test("what memcached's clients are promised and what ours compute is one lease", async () => {
  for (const isWonByOurs of [false, true]) {
    const { host } = served();
    const ours = new Client(host);
    const theirs = sessionOf(host);
    if (isWonByOurs) {
      const token = tokenOf(ours.lease());
      const { text } = say(theirs, "mg k N30 t c\r\n");
      assertEquals(text, `HD t1 c${token.low} Z\r\n`);
      assertEquals(say(theirs, `ms k 1 C${token.low + 1}\r\nx\r\n`).text, "EX\r\n");
      assertEquals(ours.fill(token), true);
      assertEquals(say(theirs, "mg k v N30\r\n").text, "VA 6\r\nfilled\r\n");
      continue;
    }
    const [, cas] = /c(\d+) W/.exec(say(theirs, "mg k N30 c\r\n").text)!;
    assertEquals(ours.lease(), { state: "wait" });
    assertEquals(say(theirs, `ms k 2 C${cas}\r\nhi\r\n`).text, "HD\r\n");
    assertEquals(await ours.told(), ["k"]);
    assertEquals(ours.lease(), { state: "fresh", value: new TextEncoder().encode("hi") });
  }
});

Deno.test("a client of ours that waits for one of memcached's is told when that one's connection ends", async () => {
  const { host } = served();
  const ours = new Client(host);
  const theirs = sessionOf(host);
  assertEquals(say(theirs, "mg k N0\r\n").text, "HD W\r\n");
  assertEquals(ours.lease(), { state: "wait" });
  theirs.release();
  assertEquals(await ours.told(), ["k"]);
  assert(ours.lease().state === "compute");
});
