/**
 * What a snapshot costs: a million entries of 100 bytes are written and loaded while the event loop is watched. Times of the
 * thread leave out what other processes had the processor for. Run with `deno task bench:snapshot [ENTRIES] [KILLS]`,
 * which also kills a process that writes snapshots at random moments, until KILLS were in the middle of one. Linux only: it reads /proc.
 */

import { processClock } from "../lib/platform/clock.ts";
import { Snapshots } from "../lib/server/snapshots.ts";
import { spanOf } from "../lib/base/byte_span.ts";
import { Store } from "../lib/store/store.ts";
import { Turns } from "../lib/server/turns.ts";
import { killAndLoad } from "../tests/support/killed_writer.ts";

const ENTRIES = Number(Deno.args[0] ?? 1_000_000);
const KILLS = Number(Deno.args[1] ?? 0);
const VALUE = spanOf(new Uint8Array(100).fill(118));
const TTL_MS = 3_600_000;
/** Bytes of a write with which the disk alone is measured. */
const WRITE_BYTES = 128 * 1024;

/** Milliseconds that this thread has had the processor: other load on the machine does not count. */
function workedMs(): number {
  return Number(Deno.readTextFileSync("/proc/self/schedstat").split(" ")[0]) / 1e6;
}

/** Watches the event loop: how long it works at most between two calls of a timer that is always due. */
class Watch {
  longestMs = 0;
  #isOver = false;
  readonly #watching = this.#run();

  async #run(): Promise<void> {
    for (let lastMs = workedMs(); !this.#isOver;) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      const nowMs = workedMs();
      this.longestMs = Math.max(this.longestMs, nowMs - lastMs);
      lastMs = nowMs;
    }
  }

  async end(): Promise<number> {
    this.#isOver = true;
    await this.#watching;
    return this.longestMs;
  }
}

async function measured(what: string, work: () => Promise<void>): Promise<void> {
  const watch = new Watch();
  const [beganMs, beganWorkedMs] = [performance.now(), workedMs()];
  await work();
  const [tookMs, itselfMs] = [performance.now() - beganMs, workedMs() - beganWorkedMs];
  const longestMs = await watch.end();
  const seconds = (ms: number) => (ms / 1000).toFixed(2);
  console.log(
    `${what.padEnd(36)} ${seconds(tookMs)} s, of which its thread worked ${seconds(itselfMs)} s, ` +
      `${longestMs.toFixed(1)} ms at most without a look at others`,
  );
}

/** A store, and what makes its snapshots. */
function node(path: string, id: number): { store: Store; snapshots: Snapshots } {
  const store = new Store({
    maxSize: Infinity,
    maxBytes: 2 ** 30,
    ttlMs: TTL_MS,
    renewOnHit: true,
    hashKey: [id, 2],
    clock: processClock,
    origin: id,
    replicates: true,
  });
  const times = { intervalMs: Infinity, maxAgeMs: Infinity };
  const gossip = { loaded: () => {} };
  const turns = new Turns();
  const log = (line: string, level?: string) => level === "warn" && console.log(line);
  return {
    store,
    snapshots: new Snapshots({ path, ...times, store, gossip, turns, id, cluster: "", hasPeers: false, log }),
  };
}

async function fill(store: Store): Promise<void> {
  for (let i = 0; i < ENTRIES; i++) {
    const key = spanOf(new TextEncoder().encode(`key:${String(i).padStart(8, "0")}`));
    store.set(key, { flags: 1, value: VALUE, ttlMs: undefined });
    if (i % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** Writes as many bytes as a snapshot has, and nothing else: what the disk takes of the time. */
async function writeBytes(path: string, bytes: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  const some = new Uint8Array(WRITE_BYTES);
  for (let written = 0; written < bytes;) written += await file.write(some.subarray(0, bytes - written));
  await file.syncData();
}

const folder = await Deno.makeTempDir();
const path = `${folder}/snapshot`;
const count = ENTRIES.toLocaleString("en");
try {
  const [one, two] = [node(path, 1), node(path, 2)];
  await fill(one.store);
  await measured(`${count} entries written`, () => one.snapshots.save());
  await measured(`${count} entries written again`, () => one.snapshots.save());
  const { size } = await Deno.stat(path);
  await measured(`${(size / 1e6).toFixed(0)} MB written and synced alone`, () => writeBytes(`${folder}/bytes`, size));
  await measured(`${count} entries loaded`, async () => {
    await two.snapshots.start();
    await two.snapshots.loaded;
  });
  if (two.store.stats().entries !== ENTRIES) throw new Error(`${two.store.stats().entries} entries, of ${ENTRIES}`);
  await two.snapshots.stop();
  let [kills, inMiddle] = [0, 0];
  for (; inMiddle < KILLS; kills++) inMiddle += Number(await killAndLoad(`${folder}/killed`, Math.random));
  if (KILLS > 0) {
    console.log(`${kills} kills, ${inMiddle} of them while a snapshot was written: each time one was whole`);
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
