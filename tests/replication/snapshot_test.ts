/** What a node tells of itself in a snapshot, and what a start that loads it holds, knows and serves. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { ProtocolError } from "../../lib/base/errors.ts";
import { MESSAGE, MessageWriter } from "../../lib/replication/message.ts";
import { readMessage } from "../../lib/replication/message_reader.ts";
import { MAX_AHEAD_MS } from "../../lib/store/version.ts";
import { deadline, get, hit, join, key, PAIR, rounds, set, settle } from "../support/gossip_nodes.ts";
import { loadSnapshot, snapshotOf } from "../support/snapshots.ts";
import { maintain, span } from "../support/store_entries.ts";
import { gossipNode, NOW_MS } from "../support/stores.ts";

/** A node, and the start after it, each with a clock of its own. */
function twoStarts(settings: Parameters<typeof gossipNode>[2] = {}, later = settings) {
  const clocks = [{ nowMs: NOW_MS }, { nowMs: NOW_MS + 1000 }];
  const [before, after] = [gossipNode(clocks[0], 100, settings), gossipNode(clocks[1], 101, later)];
  return { before, after, clocks };
}

function knownOf({ store: { history } }: ReturnType<typeof gossipNode>, ...ids: number[]): number[] {
  return ids.map((id) => history.knownOf(id));
}

Deno.test("a snapshot brings entries, tombstones, clears of prefixes and what is known to another start", () => {
  const { before, after } = twoStarts();
  for (let i = 0; i < 50; i++) set(before.store, i);
  before.store.delete(key(7));
  before.store.clearPrefix(span("key:2"));
  const { entries } = loadSnapshot(after, snapshotOf(before.store, 100, 10));
  maintain(before.store);
  assertEquals([entries, after.store.stats().entries], [38, 38]);
  for (let i = 0; i < 50; i++) assertEquals(get(after.store, i), get(before.store, i));
  assertEquals(after.store.versionOf(key(7)), before.store.versionOf(key(7)));
  assertEquals(after.store.history.digest, before.store.history.digest);
  assertEquals(after.store.history.orphaned, []);
});

Deno.test("a snapshot brings the fingerprints of what has left, and how far they have been forgotten", () => {
  const { before, after } = twoStarts({ store: { maxSize: 20, maxForgotten: 64 } });
  for (let i = 0; i < 2000; i++) set(before.store, i);
  loadSnapshot(after, snapshotOf(before.store, 100, 10));
  const [was, is] = [before, after].map(({ store: { history } }) => history);
  assertEquals([is.fingerprints, is.digest, is.floor], [was.fingerprints, was.digest, was.floor]);
  assert(was.floor > 0 && was.fingerprints > 0, "nothing has been forgotten, or nothing has left");
});

Deno.test("a snapshot tells of more origins than a message lists, by a base that it explains", () => {
  const { before, after } = twoStarts({ store: { maxListed: 4 } });
  for (let id = 1000; id < 1100; id++) before.store.history.know({ h: 4096 * id, origin: id });
  set(before.store, 1);
  const snapshot = snapshotOf(before.store);
  assertEquals(readMessage(snapshot.messages.at(-1)!).type, MESSAGE.explained);
  loadSnapshot(after, snapshot);
  assertEquals(after.store.history.digest, before.store.history.digest);
  assertEquals(knownOf(after, 1000, 1099), [4096 * 1000, 4096 * 1099]);
  const without = { ...snapshot, messages: snapshot.messages.slice(0, -1) };
  assertThrows(() => loadSnapshot(twoStarts().after, without), ProtocolError, "a base that nothing explains");
});

Deno.test("what is written while a snapshot is loaded wins over all that it holds", () => {
  const { before, after, clocks } = twoStarts();
  clocks[1].nowMs = NOW_MS - MAX_AHEAD_MS / 2; // the clock was put back before the start
  for (let i = 0; i < 40; i++) set(before.store, i);
  let pages = 0;
  loadSnapshot(after, snapshotOf(before.store, 100, 10), () => {
    if (pages++ > 0) return;
    set(after.store, 1, "later"); // is not loaded yet
    set(after.store, 39, "later"); // is
    after.store.delete(key(2));
    after.store.delete(key(38));
    after.store.clearPrefix(span("key:1")); // and key:1 with it
  });
  assertEquals([1, 39, 2, 38, 15, 5].map((i) => get(after.store, i)), [
    undefined,
    "later",
    undefined,
    undefined,
    undefined,
    "value 5",
  ]);
  assertEquals(after.store.history.digest === before.store.history.digest, false);
});

Deno.test("a clear while a snapshot is loaded removes what is loaded after it", () => {
  const { before, after } = twoStarts();
  for (let i = 0; i < 40; i++) set(before.store, i);
  let pages = 0;
  loadSnapshot(after, snapshotOf(before.store, 100, 10), () => {
    if (++pages !== 2) return;
    after.store.clear();
    set(after.store, 100);
  });
  maintain(after.store);
  assertEquals([after.store.stats().entries, get(after.store, 100)], [1, "value 100"]);
});

Deno.test("what was written and has left while a snapshot is loaded is not replaced by what is older", () => {
  const { before, after } = twoStarts({}, { store: { maxGraves: 1 } });
  for (let i = 0; i < 40; i++) set(before.store, i);
  let pages = 0;
  loadSnapshot(after, snapshotOf(before.store, 100, 10), () => {
    if (pages++ > 0) return;
    for (const i of [1, 2, 3]) after.store.delete(key(i)); // two of the graves are dropped
  });
  assertEquals([1, 2, 3, 4].map((i) => get(after.store, i)), [undefined, undefined, undefined, "value 4"]);
});

Deno.test("a clear from before a snapshot holds after it", () => {
  const { before, after } = twoStarts();
  set(before.store, 1);
  before.store.clear();
  set(before.store, 2);
  loadSnapshot(after, snapshotOf(before.store));
  assertEquals(after.store.history.cleared, before.store.history.cleared);
  assertEquals([get(after.store, 1), get(after.store, 2)], [undefined, "value 2"]);
});

Deno.test("times to live in a snapshot go on by the wall clock, and what has passed leaves a fingerprint", () => {
  const { before, after, clocks } = twoStarts();
  set(before.store, 1, "short", 5000);
  set(before.store, 2, "long", 60_000);
  set(before.store, 3, "for ever");
  const snapshot = snapshotOf(before.store);
  clocks[1].nowMs = NOW_MS + 20_000;
  const { entries } = loadSnapshot(after, snapshot);
  assertEquals([entries, after.store.stats().entries, after.store.history.fingerprints], [2, 2, 1]);
  assertEquals([deadline(after.store, 2), deadline(after.store, 3)], [NOW_MS + 60_000, Infinity]);
  assertEquals(after.store.history.digest, before.store.history.digest);
});

Deno.test("times to live in a snapshot are what remained when it was begun, however long it took to make", () => {
  const { before, after, clocks } = twoStarts();
  for (let i = 0; i < 30; i++) set(before.store, i, "value", 60_000);
  const snapshot = snapshotOf(before.store, 100, 10, () => clocks[0].nowMs += 10_000);
  clocks[1].nowMs = NOW_MS + 40_000;
  loadSnapshot(after, snapshot);
  assertEquals([0, 15, 29].map((i) => deadline(after.store, i)), [0, 15, 29].map(() => NOW_MS + 60_000));
});

Deno.test("where the clock was put back, no entry of a snapshot lives longer than it would have lived when it was written", () => {
  const { before, after, clocks } = twoStarts();
  set(before.store, 1, "value", 60_000);
  const snapshot = snapshotOf(before.store);
  clocks[1].nowMs = NOW_MS - MAX_AHEAD_MS + 1;
  loadSnapshot(after, snapshot);
  assertEquals(deadline(after.store, 1) - clocks[1].nowMs, 60_000);
  clocks[1].nowMs += 60_000;
  assertEquals(hit(after.store, 1), false);
});

Deno.test("a snapshot with writes from the far future is refused", () => {
  const { before, after, clocks } = twoStarts();
  set(before.store, 1);
  clocks[1].nowMs = NOW_MS - MAX_AHEAD_MS - 5000;
  assertThrows(
    () => loadSnapshot(after, snapshotOf(before.store)),
    Error,
    "it holds writes from 65 s in the future: this machine's clock is wrong, or was then",
  );
  assertEquals(after.store.stats().entries, 0);
});

Deno.test("what is deleted and overwritten while a snapshot is made is never served older, at no point of a load", () => {
  const { before, after } = twoStarts();
  for (let i = 0; i < 40; i++) set(before.store, i);
  let pages = 0;
  const snapshot = snapshotOf(before.store, 100, 10, () => {
    if (pages++ > 0) return;
    before.store.delete(key(1)); // has been given
    set(before.store, 2, "new");
    set(before.store, 30, "new"); // has not
  });
  const seen = new Set<string | undefined>();
  loadSnapshot(after, snapshot, () => [1, 2, 30].forEach((i) => seen.add(get(after.store, i))));
  assertEquals([1, 2, 30].map((i) => get(after.store, i)), [undefined, "new", "new"]);
  assertEquals([...seen].filter((value) => value?.startsWith("value")), []);
});

Deno.test("what has been replaced and has left while a snapshot is made leaves its trace", () => {
  const { before, after } = twoStarts({ store: { maxGraves: 1 } });
  for (let i = 0; i < 40; i++) set(before.store, i);
  let pages = 0;
  const snapshot = snapshotOf(before.store, 100, 10, () => {
    if (pages++ > 0) return;
    for (const i of [1, 2, 35, 36]) before.store.delete(key(i)); // three of the graves are dropped
  });
  loadSnapshot(after, snapshot);
  for (const i of [1, 2, 35, 36]) assertEquals(get(after.store, i), undefined);
  const { history } = after.store;
  assertEquals(history.knownOf(100) >= before.store.versionOf(key(39))!.h, true);
  assertEquals(history.hasNewer(key(35), { h: 1, origin: 1 }), true);
});

Deno.test("a snapshot makes known what was known when it was begun, and brings what came later as orphans", () => {
  const { before, after } = twoStarts();
  for (let i = 0; i < 40; i++) set(before.store, i);
  const known = before.store.history.knownOf(100);
  let pages = 0;
  loadSnapshot(after, snapshotOf(before.store, 100, 10, () => pages++ === 0 && set(before.store, 41)));
  assertEquals([knownOf(after, 100), after.store.history.orphaned, get(after.store, 41)], [[known], [100], "value 41"]);
  for (let i = 0; i < 5; i++) after.gossip.round(() => 0);
  assertEquals([after.gossip.adoptions, after.store.history.orphaned], [1, []]);
});

Deno.test("a load that breaks off keeps what is newest, makes nothing known, and is adopted", () => {
  const { before, after } = twoStarts();
  for (let i = 0; i < 40; i++) set(before.store, i);
  before.store.delete(key(39));
  loadSnapshot(after, snapshotOf(before.store, 100, 10), undefined, 2);
  assertEquals([after.store.stats().entries, knownOf(after, 100)], [19, [0]]);
  for (let i = 0; i < 5; i++) after.gossip.round(() => 0);
  assertEquals([after.gossip.adoptions, after.store.history.orphaned], [1, []]);
  assertEquals(after.store.versionOf(key(39))!.origin, 100);
});

Deno.test("a smaller start keeps what is newest of a snapshot, and knows of the rest that it has left", () => {
  const { before, after } = twoStarts({}, { store: { maxSize: 15 } });
  for (let i = 0; i < 40; i++) set(before.store, i);
  loadSnapshot(after, snapshotOf(before.store, 100, 10));
  assertEquals(after.store.stats().entries, 15);
  for (let i = 0; i < 40; i++) assertEquals(get(after.store, i) !== undefined, i >= 25);
  assertEquals([after.store.history.fingerprints, after.store.history.digest], [25, before.store.history.digest]);
});

Deno.test("messages that are none of a snapshot are refused", () => {
  const { before, after } = twoStarts();
  for (let i = 0; i < 20; i++) set(before.store, i);
  const snapshot = snapshotOf(before.store, 100, 10);
  const tooNew = { ...snapshot, facts: { ...snapshot.facts, clock: snapshot.facts.clock - 1 } };
  assertThrows(() => loadSnapshot(after, tooNew), ProtocolError, "a write that is newer than the snapshot");
  const first = { ...snapshot, messages: snapshot.messages.slice(0, 1) };
  assertThrows(() => loadSnapshot(after, first), ProtocolError, "a snapshot without its last page");
  const digest = new MessageWriter().write({ type: MESSAGE.sync, digest: 1, from: 1, clock: 0, cleared: 0 });
  const other = { ...snapshot, messages: [digest] };
  assertThrows(() => loadSnapshot(after, other), ProtocolError, "a message of type 1 in a snapshot");
  assertEquals(after.store.stats().entries, 0);
});

/** Three nodes: the second is gone, and its next start, which has loaded what it was, is the third. Only the first has written since. */
function restarted(meanwhile: (store: ReturnType<typeof gossipNode>["store"]) => void, maxOrigins?: number) {
  const all = join([...PAIR, [0, 2]], { maxGraves: 2, maxForgotten: 64, maxOrigins });
  all.gossips[0].disconnect(2);
  all.gossips[2].disconnect(0);
  for (let i = 0; i < 40; i++) set(all.stores[i % 2], i);
  settle(all);
  const snapshot = snapshotOf(all.stores[1], 101, 10);
  all.gossips[0].disconnect(1);
  all.gossips[1].disconnect(0);
  all.clock.nowMs += 1000;
  meanwhile(all.stores[0]);
  loadSnapshot({ store: all.stores[2], gossip: all.gossips[2], origin: 102 }, snapshot);
  assertEquals(get(all.stores[2], 1), "value 1");
  all.gossips[0].connect(2);
  all.gossips[2].connect(0);
  rounds(all, 4);
  return { stores: [all.stores[0], all.stores[2]], gossip: all.gossips[2] };
}

Deno.test("deletions, overwrites and clears that a peer has made since win over a snapshot", () => {
  const { stores } = restarted((store) => {
    store.delete(key(1));
    set(store, 2, "new");
    store.clearPrefix(span("key:3"));
    store.delete(key(4));
    store.delete(key(5)); // of three graves one is dropped
  });
  for (let i = 0; i < 40; i++) assertEquals(get(stores[1], i), get(stores[0], i), `key ${i}`);
  assertEquals([1, 2, 30, 5, 6].map((i) => get(stores[1], i)), [undefined, "new", undefined, undefined, "value 6"]);
  assertEquals(stores[1].history.digest, stores[0].history.digest);
});

Deno.test("deletions win over a snapshot that is older than what graves and fingerprints remember", () => {
  const { stores, gossip } = restarted((store) => {
    store.delete(key(1));
    for (let i = 1000; i < 4000; i++) store.delete(key(i));
  });
  for (let i = 0; i < 40; i++) assertEquals(get(stores[1], i), get(stores[0], i), `key ${i}`);
  assertEquals(get(stores[0], 1), undefined);
  assert(gossip.verified.verifications > 0, "nothing was verified");
});

Deno.test("deletions win over a snapshot of an origin that the peer has forgotten", () => {
  const { stores } = restarted((store) => {
    for (let i = 1; i < 40; i += 2) store.delete(key(i)); // all that is of 101
    for (let id = 5000; id < 5040; id++) store.history.know({ h: store.clock + id, origin: id });
    assertEquals([store.history.limitOrigins(), store.history.hasMet(101)], [true, false]);
  }, 32);
  for (const store of stores) {
    for (let i = 0; i < 40; i++) assertEquals(get(store, i), i % 2 === 0 ? `value ${i}` : undefined);
  }
});

Deno.test("a clear that a peer has made since wins over a snapshot", () => {
  const { stores } = restarted((store) => {
    store.clear();
    set(store, 50);
  });
  maintain(stores[1]);
  assertEquals([stores[1].stats().entries, get(stores[1], 50)], [1, "value 50"]);
});

Deno.test("what a peer holds and a start has lost since its snapshot is fetched from it", () => {
  const all = join(PAIR, {});
  all.gossips[0].disconnect(1);
  all.gossips[1].disconnect(0);
  const { before } = twoStarts();
  for (let i = 0; i < 10; i++) set(before.store, i, "value", 60_000);
  const snapshot = snapshotOf(before.store);
  loadSnapshot({ store: all.stores[0], gossip: all.gossips[0], origin: 100 }, { ...snapshot, origin: 99 });
  for (let i = 0; i < 10; i++) all.stores[0].extend(key(i), all.stores[0].versionOf(key(i))!, 60_000);
  all.clock.nowMs += 59_000;
  for (let i = 0; i < 10; i++) assert(hit(all.stores[0], i)); // renews
  all.clock.nowMs += 2000;
  loadSnapshot({ store: all.stores[1], gossip: all.gossips[1], origin: 101 }, { ...snapshot, origin: 99 });
  assertEquals(all.stores.map((store) => store.stats().entries), [10, 0]);
  all.gossips[0].connect(1);
  all.gossips[1].connect(0);
  rounds(all, 4);
  assertEquals(all.stores.map((store) => store.stats().entries), [10, 10]);
});

Deno.test("two starts that load one snapshot at once come to agree", () => {
  const all = join(PAIR, {});
  all.gossips[0].disconnect(1);
  all.gossips[1].disconnect(0);
  const { before } = twoStarts();
  for (let i = 0; i < 40; i++) set(before.store, i);
  let pages = 0;
  const snapshot = snapshotOf(before.store, 99, 10, () => pages++ === 0 && set(before.store, 41));
  for (const i of [0, 1]) {
    loadSnapshot({ store: all.stores[i], gossip: all.gossips[i], origin: 100 + i }, snapshot);
    for (let rounds = 0; rounds < 5; rounds++) all.gossips[i].round(() => 0); // each adopts what was written meanwhile
  }
  all.stores[0].delete(key(3));
  set(all.stores[1], 4, "new");
  all.gossips[0].connect(1);
  all.gossips[1].connect(0);
  rounds(all, 5);
  for (const store of all.stores) {
    assertEquals([3, 4, 5, 41].map((i) => get(store, i)), [undefined, "new", "value 5", "value 41"]);
  }
  assertEquals(all.stores[0].history.digest, all.stores[1].history.digest);
});

Deno.test("a stamp and marks of an entry come with a snapshot", () => {
  const { before, after } = twoStarts();
  const value = spanOf(new TextEncoder().encode("value"));
  before.store.set(key(1), { flags: 77, marks: 1, value, ttlMs: 60_000 });
  loadSnapshot(after, snapshotOf(before.store));
  const [position, { reader }] = [after.store.peek(key(1)), after.store];
  assertEquals([reader.flags(position), reader.marks(position), reader.ttlMs(position)], [77, 1, 60_000]);
});
