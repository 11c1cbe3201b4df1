/** What a node drops and refuses because of what peers say: what counts as needed, as needless, and as neither. */

import { assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import type { Write } from "../../lib/replication/message.ts";
import { Keeping, type KeepingCounts } from "../../lib/simulation/keeping.ts";
import { MadeWrites } from "../../lib/simulation/made_writes.ts";
import { ENTRY, TOMB } from "../../lib/store/entry.ts";
import type { Store } from "../../lib/store/store.ts";
import type { StoreOptions } from "../../lib/store/store_options.ts";
import type { Version } from "../../lib/store/version.ts";
import { key } from "../support/gossip_nodes.ts";
import { NOW_MS, replicatingStore, type TestClock } from "../support/stores.ts";

interface Bench {
  readonly clock: TestClock;
  readonly store: Store;
  readonly made: MadeWrites;
  readonly counts: KeepingCounts;
  readonly keeping: Keeping;
  /** What has been told, with key and version. */
  readonly told: string[];
}

function bench(settings: Partial<StoreOptions> = {}): Bench {
  const clock = { nowMs: NOW_MS };
  const { clock: _, ...others } = settings;
  const store = replicatingStore(clock, others);
  const made = new MadeWrites();
  const counts = { needed: 0, needless: 0, refused: 0 };
  const told: string[] = [];
  const onLoss = (what: string, k: number, { h, origin }: Version) => void told.push(`${what} ${k} ${h}/${origin}`);
  return { clock, store, made, counts, told, keeping: new Keeping(store, made, counts, onLoss) };
}

const VALUE = spanOf(new Uint8Array(4));

function write(k: number, h: number, origin = 101): Write {
  const entry = { flags: 0, value: VALUE, ttlMs: Infinity, remainingMs: Infinity };
  return { key: key(k), version: { h, origin }, kind: ENTRY, entry };
}

/** Puts writes into the store and into what has been made. */
function give({ store, made }: Bench, ...writes: Write[]): void {
  for (const one of writes) {
    const k = Number.parseInt(new TextDecoder().decode(one.key.bytes.subarray(one.key.from + 4, one.key.to)));
    made.add(k, one.version);
    store.apply(one.key, one, new Map());
  }
}

/** Judges what the store drops while it does something. */
function drops(all: Bench, act: () => void): [needed: number, needless: number] {
  const before = all.keeping.before(true);
  act();
  all.keeping.judgeDrops(before);
  return [all.counts.needed, all.counts.needless];
}

Deno.test("Keeping counts a dropped entry as needless if it is the newest of its key, and as needed if it is not", () => {
  const all = bench();
  give(all, write(1, 5), write(2, 6), write(3, 7));
  all.made.add(2, { h: 8, origin: 102 });
  assertEquals(drops(all, () => all.store.distrust(all.store.peek(key(1)))), [0, 1]);
  assertEquals(drops(all, () => all.store.distrust(all.store.peek(key(2)))), [1, 1]);
  assertEquals(all.told, ["loses 1 5/101"]);
  assertEquals(drops(all, () => {}), [1, 1]);
});

Deno.test("Keeping passes over entries that are replaced, deleted, evicted, expired or cleared", () => {
  const all = bench({ maxSize: 3 });
  give(all, write(1, 5), write(2, 6));
  assertEquals(drops(all, () => give(all, write(1, 9, 102))), [0, 0]);
  const tomb: Write = { key: key(2), version: { h: 8, origin: 102 }, kind: TOMB };
  assertEquals(drops(all, () => give(all, tomb)), [0, 0]);
  assertEquals(drops(all, () => give(all, write(3, 10), write(4, 11), write(5, 12))), [0, 0]);
  assertEquals(all.store.stats().evictions, 1);
  all.store.set(key(6), { flags: 0, value: VALUE, ttlMs: 10 });
  assertEquals(
    drops(all, () => {
      all.clock.nowMs += 20;
      all.store.peek(key(6));
    }),
    [0, 0],
  );
  assertEquals(drops(all, () => all.store.clear()), [0, 0]);
});

Deno.test("Keeping.before() looks at entries without ending those that have expired", () => {
  const all = bench();
  all.store.set(key(1), { flags: 0, value: VALUE, ttlMs: 10 });
  give(all, write(2, 6));
  all.clock.nowMs += 20;
  assertEquals([...all.keeping.before(true).keys()], [2]);
  assertEquals(all.store.stats().expirations, 0);
  assertEquals(all.keeping.before(false).size, 0);
});

Deno.test("Keeping counts a refused write once, if it is the newest of its key and was news", () => {
  const all = bench();
  const one = write(1, 5);
  all.made.add(1, one.version);
  const judge = (known: [number, number][] = [], held: [number, Version][] = []) => {
    all.keeping.before(false);
    all.keeping.judgeRefusals([one], new Map(known), new Map(held));
    return all.counts.refused;
  };
  assertEquals(judge([[101, 5]]), 0, "known");
  assertEquals(judge([], [[1, one.version]]), 0, "held");
  all.made.add(1, { h: 6, origin: 102 });
  assertEquals(judge(), 0, "not the newest");
  const two = bench();
  two.made.add(1, one.version);
  two.keeping.judgeRefusals([one], new Map(), new Map());
  two.keeping.judgeRefusals([one], new Map(), new Map());
  assertEquals([two.counts.refused, two.told], [1, ["refuses 1 5/101"]]);
});

Deno.test("Keeping passes over a write that a full store evicts at once, since all its entries are newer", () => {
  const all = bench({ maxSize: 2 });
  const [old, replaced] = [write(1, 5), write(2, 6)];
  give(all, write(2, 4), replaced, write(3, 7));
  const before = all.keeping.before(true);
  give(all, old, write(4, 3), write(2, 9));
  all.keeping.judgeDrops(before);
  all.keeping.judgeRefusals([old, write(4, 3)], new Map(), new Map());
  assertEquals([all.store.stats().evictions, all.store.has(key(1)), all.told], [2, false, []]);
  all.store.distrust(all.store.peek(key(3)));
  all.made.add(5, { h: 8, origin: 102 });
  all.keeping.judgeRefusals([write(5, 8, 102)], new Map(), new Map());
  assertEquals(all.told, ["refuses 5 8/102"]);
});

Deno.test("MadeWrites keeps the versions of a key in order, each once", () => {
  const made = new MadeWrites();
  for (const h of [5, 3, 7, 5]) made.add(1, { h, origin: 101 });
  made.add(1, { h: 5, origin: 100 });
  assertEquals(made.of(1).map(({ h, origin }) => `${h}/${origin}`), ["3/101", "5/100", "5/101", "7/101"]);
  assertEquals(made.newest(1), { h: 7, origin: 101 });
  assertEquals([made.of(2), made.newest(2)], [[], undefined]);
  assertEquals([3, 7, 8].map((h) => made.hasNewer(1, { h, origin: 101 })), [true, false, false]);
  assertEquals(made.hasNewer(2, { h: 1, origin: 101 }), false);
});
