/**
 * Whether a server is ready: it has caught up with every peer that it can reach, or has tried for long enough. It knows the rows
 * of the statistics, not how servers catch up.
 */

import type { Log, LogLevel } from "../base/log.ts";
import { awaitedText, isAwaited, isUnreachable } from "../base/readiness.ts";
import type { PeerStats } from "../base/stats.ts";
import { unref } from "../platform/timer.ts";
import type { Part } from "./part.ts";

/** Options of {@linkcode Readiness}. */
export interface ReadinessOptions {
  /** The peers, listed or connected. */
  readonly peers: () => PeerStats[];
  /** Milliseconds after which the server is ready in any case. */
  readonly readyAfterMs: number;
  /** Told once how the server has become ready, if it has peers. */
  readonly log: Log;
  /** Whether entries are still loaded that the server had before; never, if left out. */
  readonly isLoading?: () => boolean;
  /** Called after each start when the server is ready. */
  readonly onReady?: () => void;
  /** Returns the time in milliseconds; by `performance.now()` if left out. */
  readonly nowMs?: () => number;
}

/** Milliseconds between looks. */
const LOOK_MS = 250;
/** Milliseconds after the start until a peer that could not be reached is not waited for: it may have been tried too early. */
const UNREACHABLE_MS = 2000;

/**
 * A server's readiness. Once it has become ready beside peers it stays so until it stops: a peer that comes later has lacked this
 * server's writes, and not the other way round.
 */
export class Readiness implements Part {
  readonly #options: ReadinessOptions;
  #timer: ReturnType<typeof setInterval> | undefined;
  #startedMs: number | undefined;
  #isSettled = false;
  #isSaid = false;

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  /** Begins to look at the peers. */
  start(): void {
    this.#startedMs = this.#nowMs;
    this.#isSettled = this.#isSaid = false;
    this.#timer = unref(setInterval(() => this.isReady, LOOK_MS));
  }

  /** A server that stops is not ready any more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#startedMs = undefined;
  }

  /** Whether the server is ready. One without peers is; but it is not if a peer connects then from which it lacks something. */
  get isReady(): boolean {
    const isReady = this.#look();
    if (isReady && !this.#isSaid) {
      this.#isSaid = true;
      this.#options.onReady?.();
    }
    return isReady;
  }

  #look(): boolean {
    if (this.#startedMs === undefined) return false;
    if (this.#isSettled) return true;
    if (this.#options.isLoading?.()) {
      this.#startedMs = this.#nowMs; // only then it greets its peers
      return false;
    }
    const { readyAfterMs } = this.#options;
    const peers = this.#options.peers().filter(({ state }) => state !== "self" && state !== "duplicate");
    const passedMs = this.#nowMs - this.#startedMs;
    const isOver = passedMs >= readyAfterMs;
    if (peers.some(isAwaited)) {
      if (isOver) {
        this.#settle(`Ready after ${seconds(readyAfterMs)} s, not caught up with ${awaitedText(peers)}`, "warn");
      }
      return isOver;
    }
    const unreachable = peers.filter(isUnreachable).length;
    if (unreachable > 0 && passedMs < UNREACHABLE_MS && !isOver) return false;
    if (peers.length > 0) this.#settle(readyLine(passedMs, peers, unreachable));
    else if (isOver) this.#settle();
    return true;
  }

  get #nowMs(): number {
    return this.#options.nowMs?.() ?? performance.now();
  }

  #settle(line?: string, level?: LogLevel): void {
    this.#isSettled = true;
    clearInterval(this.#timer);
    if (line !== undefined) this.#options.log(line, level);
  }
}

function readyLine(passedMs: number, peers: readonly PeerStats[], unreachable: number): string {
  const met = peers.filter(({ ready }) => ready).length;
  const others = unreachable === 0 ? "" : `, and ${unreachable} cannot be reached`;
  return `Ready after ${seconds(passedMs)} s: caught up with ${met} ${met === 1 ? "peer" : "peers"}${others}`;
}

function seconds(ms: number): string {
  return String(Math.round(ms / 100) / 10);
}
