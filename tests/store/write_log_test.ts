/** The writes of one origin, in order: against a sorted array, and as a store uses it. */

import { assert, assertEquals } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { Blocks } from "../../lib/store/blocks.ts";
import type { Records } from "../../lib/store/records.ts";
import { spanOf } from "../../lib/base/byte_span.ts";
import { Chunks, type Owner, WriteLog } from "../../lib/store/write_log.ts";
import { NOW_MS, replicatingStore } from "../support/stores.ts";

const CHUNK_BYTES = 4096;

/** Versions and places by position: all that a log asks of records. */
class Stub {
  readonly #versions: number[] = [0];
  readonly #places: number[] = [0];

  write(h: number): number {
    this.#places.push(0);
    return this.#versions.push(h) - 1;
  }

  /** Gives a record another position. */
  move(position: number): number {
    const to = this.write(this.h(position));
    this.#places[to] = this.#places[position];
    this.#versions[position] = this.#places[position] = NaN;
    return to;
  }

  h(position: number): number {
    return this.#versions[position];
  }

  place(position: number): number {
    return this.#places[position];
  }

  setPlace(position: number, place: number): void {
    this.#places[position] = place;
  }
}

interface Fixture {
  records: Stub;
  chunks: Chunks;
  logs: WriteLog[];
  owners: Owner[];
}

function fixture(logs = 1): Fixture {
  const records = new Stub();
  const asRecords = records as unknown as Records;
  const chunks = new Chunks(asRecords);
  const owners = Array.from({ length: logs }, (_, id): Owner => ({ id, size: 0, newest: 0 }));
  return { records, chunks, owners, logs: owners.map((owner) => new WriteLog(asRecords, chunks, owner)) };
}

/** Adds a write of a version. Returns its position. */
function add({ records, logs, owners }: Fixture, h: number, log = 0): number {
  const position = records.write(h);
  logs[log].add(position, owners[log]);
  return position;
}

function below(random: () => number, n: number): number {
  return Math.floor(random() * n);
}

/** Positions with their versions, the oldest first. */
interface Model {
  all: { h: number; position: number }[];
  newest: number;
}

/** Index of the first in a model that is newer than a version. */
function firstAfter({ all }: Model, h: number): number {
  let [low, high] = [0, all.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (all[middle].h <= h) low = middle + 1;
    else high = middle;
  }
  return low;
}

for (
  const [what, shares] of [["grows", [50, 20, 20]], ["shrinks", [20, 5, 60]], ["is filled in", [10, 50, 30]]] as const
) {
  Deno.test(`WriteLog is what a sorted array is, where it mostly ${what}`, () => {
    const random = seeded(20261124 + shares[0]);
    const all = fixture(2);
    const models: Model[] = all.logs.map(() => ({ all: [], newest: 1_000_000 }));
    const [newer, older, removal] = shares;
    for (let step = 0; step < 30_000; step++) {
      const which = below(random, 2);
      const [log, model] = [all.logs[which], models[which]];
      const dice = below(random, 100);
      if (step < 6000 || dice < newer) {
        model.newest += 1 + below(random, 5);
        model.all.push({ h: model.newest, position: add(all, model.newest, which) });
      } else if (dice < newer + older) {
        const h = below(random, model.newest);
        const at = firstAfter(model, h);
        if (model.all[at - 1]?.h !== h) model.all.splice(at, 0, { h, position: add(all, h, which) });
      } else if (model.all.length > 0) {
        const at = below(random, model.all.length);
        const item = model.all[at];
        if (dice < newer + older + removal) {
          all.chunks.remove(item.position);
          model.all.splice(at, 1);
        } else {
          item.position = all.records.move(item.position);
          all.chunks.moved(item.position);
        }
      }
      assertEquals(log.size, model.all.length);
      if (step % 50 > 0) continue;
      const { all: items } = model;
      const near = items[below(random, items.length)]?.h ?? 0;
      for (const h of [below(random, model.newest), near, near - 1, model.newest]) {
        assertEquals(log.countAfter(h), items.length - firstAfter(model, h));
        const rest = items.slice(firstAfter(model, h)).map(({ position }) => position);
        const before = items.slice(0, firstAfter(model, h - 1)).map(({ position }) => position).reverse();
        if (step % 500 === 0) {
          assertEquals([[...log.after(h)], [...log.before(h)]], [rest, before]);
        } else {
          assertEquals([log.after(h).next().value, log.before(h).next().value], [rest[0], before[0]]);
        }
      }
    }
    for (const [i, model] of models.entries()) {
      assertEquals([...all.logs[i].after(0)], model.all.map(({ position }) => position));
      for (const { position } of model.all) all.chunks.remove(position);
      assertEquals([[...all.logs[i].after(0)], all.logs[i].size, all.logs[i].countAfter(0)], [[], 0, 0]);
    }
    assert(all.chunks.bytes <= 2 * CHUNK_BYTES, `${all.chunks.bytes} bytes for nothing`);
  });
}

for (const [seed, range, most] of [[2, 200, 1500], [3, 20, 800], [5, 3000, 4000]]) {
  Deno.test(`WriteLog of many origins keeps ${most} writes of ${range} versions in the order of versions, then of origins`, () => {
    const random = seeded(seed);
    const records = new Stub();
    const chunks = new Chunks(records as unknown as Records);
    const log = new WriteLog(records as unknown as Records, chunks);
    const owners = Array.from({ length: 60 }, (_, i): Owner => ({ id: 1 + i * 37 % 61, size: 0, newest: 0 }));
    let model: { h: number; owner: Owner; position: number }[] = [];
    for (let step = 0; step < 20_000; step++) {
      const [h, owner] = [1 + below(random, range), owners[below(random, owners.length)]];
      if (model.length > most || (model.length > 0 && random() < 0.35)) {
        const [{ position }] = model.splice(below(random, model.length), 1);
        chunks.remove(position);
      } else if (log.at(h, owner) === 0) {
        const position = records.write(h);
        log.add(position, owner);
        model.push({ h, owner, position });
      }
      if (step % 500 > 0) continue;
      model = model.sort((a, b) => a.h - b.h || a.owner.id - b.owner.id);
      assertEquals([...log.after(0)], model.map(({ position }) => position), `step ${step}`);
      assertEquals(model.map(({ h, owner }) => log.at(h, owner)), model.map(({ position }) => position));
      assertEquals(model.map(({ position }) => chunks.owner(position)), model.map(({ owner }) => owner));
    }
    for (const { position } of model) chunks.remove(position);
    assertEquals([log.size, owners.some(({ size }) => size > 0), chunks.bytes], [0, false, 0]);
  });
}

Deno.test("WriteLog is empty when nothing was added", () => {
  const { logs: [log], chunks } = fixture();
  assertEquals([[...log.after(0)], [...log.before(9)], log.countAfter(0), log.size, chunks.bytes], [[], [], 0, 0, 0]);
});

Deno.test("WriteLog.before() gives what is older than a version, the newest first, over chunks and gaps", () => {
  const all = fixture();
  const { logs: [log], records, chunks } = all;
  const before = (h: number) => [...log.before(h)].map((position) => records.h(position));
  const down = (from: number, step: number) => Array.from({ length: from / step }, (_, i) => from - step * i);
  const positions = Array.from({ length: 5000 }, (_, i) => add(all, 10 * (i + 1)));
  for (const [h, newest] of [[10, 0], [11, 10], [30_000, 29_990], [30_001, 30_000], [Infinity, 50_000]]) {
    assertEquals(before(h), down(newest, 10), `before ${h}`);
  }
  for (const [i, position] of positions.entries()) if (i % 1000 !== 999) chunks.remove(position);
  assertEquals([before(Infinity), before(30_000), before(10_000)], [down(50_000, 10_000), down(20_000, 10_000), []]);
  for (const h of [5, 29_999, 30_001]) add(all, h);
  assertEquals([before(30_001), before(30_000), before(20_000)], [
    [30_000, 29_999, 20_000, 10_000, 5],
    [29_999, 20_000, 10_000, 5],
    [10_000, 5],
  ]);
});

Deno.test("WriteLog gives memory back as it becomes sparse, whichever writes leave", () => {
  for (const order of ["the oldest", "the newest", "by chance"]) {
    const all = fixture();
    const random = seeded(7);
    const positions = Array.from({ length: 100_000 }, (_, i) => add(all, 1 + i));
    assert(all.chunks.bytes <= 4 * 100_000 + 2 * CHUNK_BYTES);
    if (order === "the newest") positions.reverse();
    if (order === "by chance") {
      for (let i = positions.length - 1; i > 0; i--) {
        const j = below(random, i + 1);
        [positions[i], positions[j]] = [positions[j], positions[i]];
      }
    }
    for (let left = positions.length; left > 0; left--) {
      all.chunks.remove(positions[positions.length - left]);
      if (left % 1000 > 0) continue;
      const { bytes } = all.chunks;
      assert(bytes <= 8 * 4 * left + 3 * CHUNK_BYTES, `${order}: ${bytes} bytes for ${left} writes`);
    }
    assert(all.chunks.bytes <= CHUNK_BYTES, `${all.chunks.bytes} bytes for nothing`);
  }
});

Deno.test("WriteLog keeps few chunks when one key is overwritten 100,000 times, alone or among others", () => {
  for (const others of [0, 1000]) {
    const all = fixture();
    let h = 0;
    for (let i = 0; i < others; i++) add(all, ++h);
    let hot = add(all, ++h);
    let kept = others;
    for (let i = 0; i < 100_000; i++) {
      all.chunks.remove(hot);
      hot = add(all, ++h);
      if (others > 0 && i % 1000 === 999) {
        add(all, ++h); // a cold one between
        kept++;
      }
    }
    assertEquals([all.logs[0].size, [...all.logs[0].after(0)].length], [kept + 1, kept + 1]);
    assert(all.chunks.bytes <= (others === 0 ? 1 : 5) * CHUNK_BYTES, `${all.chunks.bytes} bytes`);
  }
});

Deno.test("WriteLog leads to every record of a store through overwrites, evictions and closed holes", () => {
  const random = seeded(20261125);
  const clock = { nowMs: NOW_MS };
  const store = replicatingStore(clock, { maxBytes: 1024 * 1024, origin: 5, maxGraves: 200 });
  const names = Array.from({ length: 5000 }, (_, i) => spanOf(new TextEncoder().encode(`key:${i}`)));
  const newest = new Map<number, number>();
  for (let step = 0; step < 40_000; step++) {
    const i = below(random, names.length);
    if (random() < 0.1) store.delete(names[i]);
    else store.set(names[i], { flags: 0, value: spanOf(new Uint8Array(below(random, 600))), ttlMs: undefined });
    newest.set(i, store.history.origins[0].known);
    if (step % 7 === 0) store.maintain();
    if (step % 10 === 0) clock.nowMs++;
    if (step % 2000 > 0) continue;
    const { origins: [{ known }], logs: { all: [log] } } = store.history;
    const held = names.flatMap((name, i) => {
      const version = store.versionOf(name);
      if (version !== undefined) assertEquals(version, { h: newest.get(i)!, origin: 5 });
      return version === undefined ? [] : [version.h];
    }).sort((a, b) => a - b);
    assertEquals([...log.after(0)].map((position) => store.reader.h(position)), held);
    assertEquals([log.size, log.countAfter(0), log.countAfter(known)], [held.length, held.length, 0]);
  }
  assert(store.stats().evictions > 1000 && store.stats().memoryBytes <= 1024 * 1024);
});

Deno.test("Chunks of full size take their memory from blocks, and give all of it back", () => {
  const { take, giveBack } = Blocks.prototype;
  let [taken, given] = [0, 0];
  Blocks.prototype.take = function () {
    taken++;
    return take.call(this);
  };
  Blocks.prototype.giveBack = function (view) {
    given++;
    giveBack.call(this, view);
  };
  try {
    const all = fixture();
    const positions = Array.from({ length: 50_000 }, (_, i) => add(all, i + 1));
    assert(taken >= 48 && given === 0, `${taken} taken, ${given} given back`);
    for (const position of positions) all.chunks.remove(position);
    assertEquals([given, all.chunks.bytes], [taken, 0]);
  } finally {
    Object.assign(Blocks.prototype, { take, giveBack });
  }
});
