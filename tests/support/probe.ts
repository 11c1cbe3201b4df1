/** A probe: a thread that asks a server for one entry every 10 ms, and how long it has waited for the answers. */

import type { Door } from "./door.ts";
import { exchange } from "./text_socket.ts";
import { until } from "./waiting.ts";

/** Questions of one probe at most: an hour of them. */
export const SLOTS = 360_000;
/** What it asks, and the answers. The text protocol of memcached is understood by every server that is attacked. */
export const ASK = "get probe\r\n";
export const HIT = "VALUE probe 0 5\r\nknown\r\nEND\r\n";
export const MISS = "END\r\n";

/** What the thread is given: the way to the server, and memory for numbers. */
export interface ProbeTask {
  door: Door;
  /** How many questions were asked, how many are over, and how many of those were no hit. */
  counts: SharedArrayBuffer;
  /**
   * When each was asked, and how long its answer took, in milliseconds; and of those how long the server's thread worked, and
   * how long it waited for a processor.
   */
  times: SharedArrayBuffer;
  /** The server's process, where the system tells what it does. */
  pid?: number;
}

/** How long answers took, in milliseconds, and how many were no hits. */
export interface Waits {
  p999Ms: number;
  longestMs: number;
  /** In the longest wait, how long the server's thread worked, and how long it waited for a processor; 0 if that is not told. */
  workedMs: number;
  queuedMs: number;
  failed: number;
}

/** A thread that asks. */
export class Probe implements Disposable {
  readonly #worker = new Worker(new URL("probe_worker.ts", import.meta.url), { type: "module" });
  readonly #counts = new SharedArrayBuffer(3 * 4);
  readonly #times = new SharedArrayBuffer(4 * 8 * SLOTS);
  readonly #count = new Int32Array(this.#counts);
  #from = 0;
  #failed = 0;

  /** Stores the entry, and begins to ask. */
  static async of(door: Door, pid?: number): Promise<Probe> {
    await exchange(door, "set probe 0 0 5\r\nknown\r\n", (reply) => reply.endsWith("\r\n"));
    const probe = new Probe();
    const task: ProbeTask = { door, counts: probe.#counts, times: probe.#times, pid };
    probe.#worker.postMessage(task);
    await until("the probe asks", () => probe.#count[1] > 3);
    probe.lap();
    return probe;
  }

  /** Questions asked so far. */
  get asked(): number {
    return Atomics.load(this.#count, 0);
  }

  /** Returns what it has waited since the last lap, answers that it still waits for included, and begins the next. */
  lap(): Waits {
    const [asked, took, worked, queued] = [0, 1, 2, 3].map((i) => new Float64Array(this.#times, i * 8 * SLOTS, SLOTS));
    const [to, over, failed] = [this.asked, Atomics.load(this.#count, 1), Atomics.load(this.#count, 2)];
    const nowMs = performance.timeOrigin + performance.now();
    const waits = Array.from({ length: to - this.#from }, (_, i) => {
      const question = this.#from + i;
      return { question, ms: question < over ? took[question] : nowMs - asked[question] };
    }).sort((a, b) => a.ms - b.ms);
    const longest = waits.at(-1);
    const isOver = longest !== undefined && longest.question < over;
    const result = {
      p999Ms: waits[Math.ceil(0.999 * waits.length) - 1]?.ms ?? 0,
      longestMs: longest?.ms ?? 0,
      workedMs: isOver ? worked[longest.question] : 0,
      queuedMs: isOver ? queued[longest.question] : 0,
      failed: failed - this.#failed,
    };
    [this.#from, this.#failed] = [to, failed];
    return result;
  }

  /** Waits until it has asked for so many seconds more: so long does an attack last. */
  async seconds(seconds: number): Promise<void> {
    for (let left = 100 * seconds; left > 0; left -= 100) {
      const goal = this.asked + Math.min(left, 100);
      await until("the probe goes on", () => this.asked >= goal);
    }
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
