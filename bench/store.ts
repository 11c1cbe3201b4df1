/**
 * The store by itself where it is large: how long callers wait at most while it fills, while its values grow, and in slices of
 * `maintain`; what gets cost beside those of a small store; what sets cost with versions and without. Linux only: it reads /proc, to
 * leave out what other processes had the processor for.
 *
 * Usage: deno task bench:store [pauses | gets | sets] …     (all by default; ENTRIES=5000000 says how many entries)
 */

import { spanOf } from "../lib/base/byte_span.ts";
import { SLICE_MS } from "../lib/server/maintenance.ts";
import { Store } from "../lib/store/store.ts";
import { seeded } from "./compare.ts";

const ENTRIES = Number(Deno.env.get("ENTRIES") ?? 5_000_000);
const FEW = 10_000;
const SOME = 100_000;
const VALUE_BYTES = 100;
const GROWN_BYTES = 200;
const MAX_BYTES = 3 * 1024 ** 3;
const TTL_MS = 3_600_000;
/** Sets that a client sends at once. */
const BATCH = 100;
/** Batches between two slices of `maintain`, as a timer calls it while there is work. */
const BATCHES = 40;
const REPEATS = 9;
const CHANGES = 200_000;
const READS = 1_000_000;
const PARTS: Record<string, () => void> = { pauses, gets, sets };

/** A store, and what the load needs of it; nothing is allocated for a call. */
class Load {
  readonly store: Store;
  readonly #key = spanOf(new TextEncoder().encode("key:00000000"));
  readonly #values = new Uint8Array(GROWN_BYTES).fill(118);
  readonly #entry = { flags: 0, value: { bytes: this.#values, from: 0, to: VALUE_BYTES }, ttlMs: undefined };
  /** Milliseconds that the store's clock is ahead. */
  aheadMs = 0;

  constructor(replicates: boolean) {
    let recent = Date.now();
    this.store = new Store({
      maxSize: Infinity,
      maxBytes: MAX_BYTES,
      ttlMs: TTL_MS,
      renewOnHit: true,
      hashKey: [1, 2],
      origin: 1,
      replicates,
      clock: { now: () => recent = Date.now() + this.aheadMs, recent: () => recent },
    });
  }

  #at(i: number) {
    for (let at = 11; at > 3; at--, i = Math.floor(i / 10)) this.#key.bytes[at] = 48 + i % 10;
    return this.#key;
  }

  set(i: number, bytes = VALUE_BYTES): void {
    this.#entry.value.to = bytes;
    this.store.set(this.#at(i), this.#entry);
  }

  get(i: number): boolean {
    return this.store.get(this.#at(i)) !== 0;
  }

  fill(count: number): this {
    for (let i = 0; i < count; i++) this.set(i);
    return this;
  }
}

/** Nanoseconds for which this thread could have run, and another had the processor. */
function waitedNs(): number {
  return Number(Deno.readTextFileSync("/proc/self/schedstat").split(" ")[1]);
}

/** The longest times of calls of one kind, in milliseconds, without those of others. */
class Longest {
  readonly #times: number[] = [];
  count = 0;

  measure(call: () => void): void {
    const waited = waitedNs();
    const startMs = performance.now();
    call();
    const tookMs = performance.now() - startMs;
    this.count++;
    if (tookMs < 0.5) return;
    this.#times.push(tookMs - (waitedNs() - waited) / 1e6);
  }

  toString(): string {
    this.#times.sort((a, b) => b - a);
    const shown = [0, 1, 2, 9, 99].map((i) => (this.#times[i] ?? 0.5).toFixed(1));
    return `longest ${shown.slice(0, 3).join(", ")}; 10th ${shown[3]}, 100th ${shown[4]} ms of ${this.count}`;
  }
}

function pauses(): void {
  for (const replicates of [true, false]) {
    const load = new Load(replicates);
    console.log(`${ENTRIES} entries, ${replicates ? "with" : "without"} versions`);
    sent("fill", load, (i) => load.set(i));
    sent("grow", load, (i) => load.set(Math.floor(i * 7919) % ENTRIES, GROWN_BYTES));
    load.aheadMs = 2 * TTL_MS;
    tidied("expire", load);
    load.fill(ENTRIES);
    load.store.clear();
    tidied("clear", load);
  }
}

/** Batches of sets, and slices of `maintain` between them. */
function sent(what: string, { store }: Load, set: (i: number) => void): void {
  const [batches, slices] = [new Longest(), new Longest()];
  const startMs = performance.now();
  for (let from = 0; from < ENTRIES; from += BATCH) {
    batches.measure(() => {
      for (let i = from; i < from + BATCH; i++) set(i);
    });
    if (batches.count % BATCHES === 0) slices.measure(() => slice(store));
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(
    `  ${what.padEnd(8)} ${BATCH} sets: ${batches}\n  ${"".padEnd(8)} maintain: ${slices}   (${seconds} s in all)`,
  );
}

/** A slice of `maintain`, as a server has it done. */
function slice(store: Store): boolean {
  const endMs = performance.now() + SLICE_MS;
  return store.maintain(() => performance.now() >= endMs);
}

/** Slices of `maintain` until all is gone. */
function tidied(what: string, { store }: Load): void {
  const slices = new Longest();
  for (let idle = 0; idle < 10;) {
    slices.measure(() => idle = slice(store) ? 0 : idle + 1);
  }
  console.log(`  ${what.padEnd(8)} maintain: ${slices}   (${store.stats().entries} entries left)`);
}

function gets(): void {
  const [small, large] = [new Load(true).fill(FEW), new Load(true).fill(ENTRIES)];
  const random = seeded(5);
  const timed = (load: Load, count: number) => {
    const startMs = performance.now();
    for (let i = 0; i < READS; i++) load.get(Math.floor(random() * count));
    return 1e6 * (performance.now() - startMs) / READS;
  };
  const [few, many]: number[][] = [[], []];
  for (let i = 0; i < REPEATS; i++) {
    few.push(timed(small, FEW));
    many.push(timed(large, ENTRIES));
  }
  print(`a get of ${ENTRIES} entries beside one of ${FEW}`, few, many);
}

function sets(): void {
  const [off, on] = [new Load(false).fill(SOME), new Load(true).fill(SOME)];
  const random = seeded(3);
  const timed = (load: Load) => {
    const startMs = performance.now();
    for (let i = 0; i < CHANGES; i++) load.set(Math.floor(random() * SOME));
    return 1e6 * (performance.now() - startMs) / CHANGES;
  };
  const [without, versions]: number[][] = [[], []];
  for (let i = 0; i < 4 * REPEATS; i++) {
    without.push(timed(off));
    versions.push(timed(on));
  }
  print(`a set with versions beside one without, of ${SOME} entries`, without, versions);
}

/** Medians of two, and the median and the middle half of what the second takes beside the first. */
function print(what: string, first: number[], second: number[]): void {
  const sorted = (all: number[]) => all.toSorted((a, b) => a - b);
  const of = (all: number[], part: number) => sorted(all)[Math.floor(part * (all.length - 1))];
  const ratios = second.map((ns, i) => ns / first[i]);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((part) => of(ratios, part).toFixed(3));
  console.log(
    `${what}: ${of(second, 0.5).toFixed(0)} ns, ${of(first, 0.5).toFixed(0)} ns, ${middle}× (${low}–${high})`,
  );
}

const asked = Deno.args.length === 0 ? Object.keys(PARTS) : Deno.args;
for (const part of asked) {
  if (!Object.hasOwn(PARTS, part)) {
    throw new RangeError(`Cannot run part "${part}": it must be one of ${Object.keys(PARTS)}`);
  }
  PARTS[part]();
}
