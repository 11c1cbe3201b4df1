/** Puts load on a server through clients and measures it, for `cli.ts bench`. It prints only its progress. */

import { ProgressBar } from "@std/cli/unstable-progress-bar";
import { type ClientOptions, OrmucoCacheClient } from "../../client.ts";
import type { CacheError } from "../base/errors.ts";
import { grouped } from "../base/words.ts";

/** The load to put on a server. */
export interface LoadOptions {
  /** Options of the clients. */
  client: Omit<ClientOptions, "onError">;
  connections: number;
  /** Calls in flight on each connection. */
  inFlight: number;
  keys: number;
  valueBytes: number;
  /** Fraction of the calls that retrieve, 0 to 1; the others store. */
  ratio: number;
  durationMs: number;
  showProgress: boolean;
}

/** The figures that a run has measured. */
export interface LoadFigures {
  callsPerSecond: number;
  calls: number;
  retrievals: number;
  hits: number;
  failures: number;
  p50Ms: number;
  p99Ms: number;
  p999Ms: number;
}

const ENTRY_TTL_MS = 60_000;
const FILL_BATCH = 500;
const PROGRESS_INTERVAL_MS = 200;
/** Latencies kept at most: enough for a p99.9, and a bound for long runs. */
const MAX_SAMPLES = 1_000_000;

/** The run under way: its options and counters, which all workers share. */
interface Run {
  readonly options: LoadOptions;
  readonly value: string;
  /** Returns whether the time is over, or a failure has ended the run. */
  readonly isOver: () => boolean;
  readonly samples: Float64Array;
  calls: number;
  retrievals: number;
  hits: number;
}

/**
 * Stores every key once, then mixes retrievals and stores of random keys until the time is over.
 *
 * @returns The figures, or the failure that made them meaningless.
 */
export async function runLoad(options: LoadOptions): Promise<LoadFigures | CacheError> {
  let failure: CacheError | undefined;
  const onError = (error: CacheError) => {
    if (error.code !== "timeout") failure ??= error; // late replies are only counted
  };
  const clients = Array.from(
    { length: options.connections },
    () => new OrmucoCacheClient({ ...options.client, onError }),
  );
  await Promise.all(clients.map((client) => client.has("bench:0")));
  if (failure !== undefined) return failure;
  const value = "x".repeat(options.valueBytes);
  await fill(clients[0], options.keys, value);
  if (failure !== undefined) return failure;
  const startMs = performance.now();
  const samples = new Float64Array(MAX_SAMPLES);
  const run: Run = {
    options,
    value,
    samples,
    isOver: () => failure !== undefined || performance.now() >= startMs + options.durationMs,
    calls: 0,
    retrievals: 0,
    hits: 0,
  };
  const stopProgress = options.showProgress ? showProgress(run, startMs) : () => {};
  await Promise.all(clients.flatMap((client) => Array.from({ length: options.inFlight }, () => work(client, run))));
  const elapsedMs = performance.now() - startMs;
  await stopProgress();
  if (failure !== undefined) return failure;
  const failures = (await Promise.all(clients.map((client) => client.stats()))).map((stats) => stats.failures);
  await Promise.all(clients.map((client) => client.close()));
  const sorted = samples.subarray(0, Math.min(run.calls, MAX_SAMPLES)).sort();
  /** Milliseconds, to the microsecond: what lies below is noise. */
  const at = (part: number) => Math.round(1000 * sorted[Math.floor(part * (sorted.length - 1))]) / 1000;
  return {
    callsPerSecond: Math.round(1000 * run.calls / elapsedMs),
    calls: run.calls,
    retrievals: run.retrievals,
    hits: run.hits,
    failures: failures.flatMap((counts) => Object.values(counts)).reduce((sum, count) => sum + count, 0),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
  };
}

async function fill(client: OrmucoCacheClient, keys: number, value: string): Promise<void> {
  for (let from = 0; from < keys; from += FILL_BATCH) {
    const count = Math.min(FILL_BATCH, keys - from);
    await Promise.all(Array.from({ length: count }, (_, i) => store(client, from + i, value)));
  }
}

function store(client: OrmucoCacheClient, key: number, value: string): Promise<boolean> {
  return client.store(`bench:${key}`, value, { ttlMs: ENTRY_TTL_MS });
}

async function work(client: OrmucoCacheClient, run: Run): Promise<void> {
  const { keys, ratio } = run.options;
  for (let beginMs = performance.now(); !run.isOver();) {
    const key = Math.floor(Math.random() * keys);
    if (Math.random() < ratio) {
      run.retrievals++;
      if (await client.retrieve(`bench:${key}`) !== undefined) run.hits++;
    } else {
      await store(client, key, run.value);
    }
    const nowMs = performance.now();
    // Past the last place, samples replace older ones in turn.
    run.samples[run.calls++ % MAX_SAMPLES] = nowMs - beginMs;
    beginMs = nowMs;
  }
}

function showProgress(run: Run, startMs: number): () => Promise<void> {
  const { durationMs } = run.options;
  const bar = new ProgressBar({
    max: durationMs,
    clear: true,
    interval: PROGRESS_INTERVAL_MS,
    formatter: ({ progressBar }) => {
      const elapsedMs = Math.max(1, performance.now() - startMs);
      const rate = grouped(Math.round(1000 * run.calls / elapsedMs));
      return `[${progressBar}] ${Math.floor(elapsedMs / 1000)} of ${durationMs / 1000} s, ${rate} calls/s`;
    },
  });
  const timer = setInterval(() => bar.value = Math.min(durationMs, performance.now() - startMs), PROGRESS_INTERVAL_MS);
  return async () => {
    clearInterval(timer);
    await bar.stop();
  };
}
