/** The versions of the writes that are made here. It knows no entries. */

import type { History } from "./history.ts";
import { HybridClock, type Version } from "./version.ts";

/** What {@linkcode OwnVersions} needs of the store. */
export interface OwnVersionsOptions {
  readonly history: History;
  /** Whether writes have versions. */
  readonly replicates: boolean;
  /** By how many milliseconds the wall clock is ahead of the time by which entries age. */
  readonly wallAheadMs: () => number;
}

const NO_VERSION: Version = { h: 0, origin: 0 };

/** Gives each write of one store its version. */
export class OwnVersions {
  readonly #options: OwnVersionsOptions;
  readonly #clock = new HybridClock();

  constructor(options: OwnVersionsOptions) {
    this.#options = options;
  }

  /** The last version given or seen. */
  get last(): number {
    return this.#clock.last;
  }

  /** The wall clock, in milliseconds since 1970, at a time by which entries age. */
  wallMs(nowMs: number): number {
    return nowMs + this.#options.wallAheadMs();
  }

  /** The version of a write that is made now. */
  next(nowMs: number): Version {
    const { replicates, history } = this.#options;
    if (!replicates) return NO_VERSION;
    return { h: this.stamp(nowMs), origin: history.knowledge.own.id };
  }

  /** The number of a version that no write here has. */
  stamp(nowMs: number): number {
    return this.#clock.tick(this.wallMs(nowMs));
  }

  /** A write made here is known here. */
  know({ h }: Version): void {
    if (this.#options.replicates) this.#options.history.knowledge.own.known = h;
  }

  /** Takes note of another node's clock; returns false if that is too far in the future. */
  see(h: number, nowMs: number): boolean {
    return this.#clock.see(h, this.wallMs(nowMs));
  }
}
