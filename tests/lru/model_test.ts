/** LruCache against a naive model of all promises of its comments: all operations, by chance. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { type EvictReason, LruCache, type LruCacheOptions, type LruSetOptions } from "../../lib/lru.ts";
import type { Event } from "../support/lru_fixture.ts";

interface ModelEntry {
  key: string;
  value: number;
  size: number;
  ttlMs: number;
  deadline: number;
  renewOnHit: boolean;
  /** Calls of `set` that swept, counted when the entry had expired; it must leave within a bound. */
  expiredAt: number | undefined;
}

/**
 * What the comments promise, done naively: an array, newest first. The one thing not promised exactly is which dead
 * entries a `set` sweeps, so those the model takes from the cache, and checks that they are dead, few and not too late.
 */
class Model {
  entries: ModelEntry[] = [];
  events: Event[] = [];
  #nowMs = 0;
  #sets = 0;
  #most = 0;
  readonly #options: Required<Pick<LruCacheOptions<number>, "maxSize" | "maxTotalSize" | "ttlMs" | "renewOnHit">>;
  readonly #sizeOf: (value: number) => number;

  constructor(options: LruCacheOptions<number>) {
    const { maxSize = 128, maxTotalSize = Infinity, ttlMs = 0, renewOnHit = true, sizeOf } = options;
    this.#options = { maxSize, maxTotalSize, ttlMs, renewOnHit };
    this.#sizeOf = sizeOf === undefined ? () => 0 : (value) => sizeOf(value, "");
  }

  get totalSize(): number {
    return this.entries.reduce((sum, { size }) => sum + size, 0);
  }

  get live(): [string, number][] {
    return this.entries.filter((entry) => !this.#dead(entry)).map(({ key, value }) => [key, value]);
  }

  advance(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const entry of this.entries) if (this.#dead(entry)) entry.expiredAt ??= this.#sets;
  }

  get(key: string): number | undefined {
    const entry = this.#find(key);
    if (entry === undefined) return undefined;
    if (entry.renewOnHit) entry.deadline = this.#nowMs + entry.ttlMs;
    this.#toFront(entry);
    return entry.value;
  }

  peek(key: string): number | undefined {
    return this.#find(key)?.value;
  }

  has(key: string): boolean {
    return this.#find(key) !== undefined;
  }

  touch(key: string, ttlMs: number | undefined): boolean {
    const entry = this.#find(key);
    if (entry === undefined) return false;
    entry.ttlMs = ttlMs === undefined ? entry.ttlMs : ttlMs || Infinity;
    entry.deadline = this.#nowMs + entry.ttlMs;
    this.#toFront(entry);
    return true;
  }

  delete(key: string): boolean {
    const entry = this.#find(key);
    if (entry === undefined) return false;
    this.#remove(entry, "deleted");
    return true;
  }

  pop(): [string, number] | undefined {
    for (let oldest = this.entries.at(-1); oldest !== undefined; oldest = this.entries.at(-1)) {
      const isLive = !this.#dead(oldest);
      this.#remove(oldest, isLive ? "deleted" : "expired");
      if (isLive) return [oldest.key, oldest.value];
    }
    return undefined;
  }

  remainingTtlMs(key: string): number | undefined {
    const entry = this.#find(key);
    return entry && entry.deadline - this.#nowMs;
  }

  clear(): void {
    for (const entry of this.entries) this.#remove(entry, this.#dead(entry) ? "expired" : "deleted");
    this.#most = 0;
  }

  set(key: string, value: number, own: LruSetOptions, observed: Event[]): boolean {
    const size = this.#sizeOf(value);
    if (size > this.#options.maxTotalSize) {
      this.delete(key);
      return false;
    }
    const ttlMs = (own.ttlMs ?? this.#options.ttlMs) || Infinity;
    const renewOnHit = this.#options.renewOnHit && own.renewOnHit !== false;
    const deadline = this.#nowMs + ttlMs;
    this.#sets++;
    this.#sweep(observed.filter(([, , reason]) => reason === "expired"), key);
    const old = this.entries.find((entry) => entry.key === key);
    if (old !== undefined) this.#remove(old, this.#dead(old) ? "expired" : "replaced");
    this.entries.unshift({ key, value, size, ttlMs, deadline, renewOnHit, expiredAt: undefined });
    this.#most = Math.max(this.#most, this.entries.length);
    while (this.entries.length > this.#options.maxSize || this.totalSize > this.#options.maxTotalSize) {
      this.#remove(this.entries[this.entries.length - 1], "evicted");
    }
    return true;
  }

  /** @param own The key that is set: its dead entry may leave by the sweep or for the new one. */
  #sweep(swept: Event[], own: string): void {
    assert(swept.filter(([key]) => key !== own).length <= 2, "a set looks at two slots");
    for (const [key] of swept) {
      const entry = this.entries.find((entry) => entry.key === key);
      assert(entry !== undefined && this.#dead(entry), `swept ${key}, which has not expired`);
      this.#remove(entry, "expired");
    }
    // Two slots a call: as many calls as slots pass over all of them twice, growth meanwhile included.
    const late = this.entries.find(({ expiredAt }) =>
      expiredAt !== undefined && this.#sets - expiredAt > this.#most + 1
    );
    assert(late === undefined, `${late?.key} expired and was not swept`);
  }

  #dead(entry: ModelEntry): boolean {
    return this.#nowMs >= entry.deadline;
  }

  #find(key: string): ModelEntry | undefined {
    const entry = this.entries.find((entry) => entry.key === key);
    if (entry === undefined || !this.#dead(entry)) return entry;
    this.#remove(entry, "expired");
    return undefined;
  }

  #remove(entry: ModelEntry, reason: EvictReason): void {
    this.entries = this.entries.filter((other) => other !== entry);
    this.events.push([entry.key, entry.value, reason]);
  }

  #toFront(entry: ModelEntry): void {
    this.entries = [entry, ...this.entries.filter((other) => other !== entry)];
  }
}

const SEQUENCES = 400;
const OPERATIONS = 400;

/** One random sequence of operations, on the cache and on the model alike. */
function runSequence(random: () => number): void {
  const whole = (below: number) => Math.floor(random() * below);
  const pick = <T>(items: T[]): T => items[whole(items.length)];
  const events: Event[] = [];
  let nowMs = whole(2) * 1e12;
  const options: LruCacheOptions<number> = {
    maxSize: pick([1, 2, 3, 8, 20, 50, Infinity]),
    ttlMs: pick([0, 0, 5, 20, Infinity]),
    renewOnHit: pick([true, false]),
    now: () => nowMs,
    onEvict: (...event) => events.push(event),
  };
  if (random() < 0.5) {
    options.sizeOf = (value) => value % 7;
    options.maxTotalSize = pick([1, 5, 12, 40, 200]);
  }
  const untimed = random() < 0.3;
  if (untimed) options.ttlMs = 0;
  const ownTtl = () => untimed ? undefined : pick([undefined, undefined, 0, 1, 7, 30, Infinity]);
  const cache = new LruCache<number>(options);
  const model = new Model(options);
  const pool = 2 + whole(60);
  for (let step = 0; step < OPERATIONS; step++) {
    if (random() < 0.3) nowMs += whole(8);
    model.advance(nowMs);
    const key = `k${whole(pool)}`;
    const at = random();
    let results: unknown[];
    if (at < 0.45) {
      const own = { ttlMs: ownTtl(), renewOnHit: pick([undefined, undefined, true, false]) };
      const stored = cache.set(key, step, own);
      results = [stored, model.set(key, step, own, events)];
    } else if (at < 0.7) results = [cache.get(key), model.get(key)];
    else if (at < 0.78) results = [cache.peek(key), model.peek(key)];
    else if (at < 0.85) results = [cache.has(key), model.has(key)];
    else if (at < 0.92) {
      const ttlMs = ownTtl();
      results = [cache.touch(key, ttlMs), model.touch(key, ttlMs)];
    } else if (at < 0.93) results = [cache.remainingTtlMs(key), model.remainingTtlMs(key)];
    else if (at < 0.94) {
      const [popped, expected] = [cache.pop(), model.pop()];
      assertEquals(popped, expected, `step ${step}: popped`);
      results = [undefined, undefined];
    } else if (at < 0.995) results = [cache.delete(key), model.delete(key)];
    else {
      cache.clear();
      model.clear();
      results = [undefined, undefined];
    }
    assertStrictEquals(results[0], results[1], `step ${step}: result`);
    assertEquals(events.splice(0), model.events.splice(0), `step ${step}: events`);
    assertStrictEquals(cache.size, model.entries.length, `step ${step}: size`);
    assertStrictEquals(cache.totalSize, model.totalSize, `step ${step}: totalSize`);
    assertEquals([...cache], model.live, `step ${step}: entries`);
  }
}

Deno.test("LruCache does as a naive model when operations are random", () => {
  for (let seed = 1; seed <= SEQUENCES; seed++) {
    try {
      runSequence(seeded(seed));
    } catch (cause) {
      throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause });
    }
  }
});
