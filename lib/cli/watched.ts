/** A server that is looked at again and again: what it says, what it did in between, and whether it has gone or was restarted. */

import { OrmucoCacheClient } from "../../client.ts";
import type { CacheError } from "../base/errors.ts";
import type { ServerStats } from "../base/stats.ts";
import type { clientSettings } from "./arguments.ts";
import { type Figures, figuresBetween, isRestarted } from "./top_figures.ts";

/** What the last look at a server has shown. */
export interface Seen {
  readonly address: string;
  readonly state: "ready" | "not ready" | "no answer" | "refused" | "asked";
  /** What it says; `undefined` while it does not answer. */
  readonly stats: Partial<ServerStats> | undefined;
  /** What it did since the look before; `undefined` while that is not known. */
  readonly figures: Figures | undefined;
  /** Why it does not answer; empty if it does. */
  readonly error: string;
  /** How often it was seen to have been started again. */
  readonly restarts: number;
}

/** Looks at one server. */
export class Watched implements AsyncDisposable {
  readonly #client: OrmucoCacheClient;
  #failure: CacheError | undefined;
  #before: Partial<ServerStats> | undefined;
  #isAsking = false;
  #seen: Seen;

  constructor(address: string, settings: ReturnType<typeof clientSettings>) {
    this.#seen = { address, state: "asked", stats: undefined, figures: undefined, error: "", restarts: 0 };
    const onError = (error: CacheError) => this.#failure = error;
    this.#client = new OrmucoCacheClient({ ...settings, servers: [address], onError });
  }

  get seen(): Seen {
    return this.#seen;
  }

  /** Asks the server, unless an earlier question has not been answered yet. Rejects only if Deno does not permit it. */
  async look(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      const { server } = await this.#client.stats();
      this.#seen = server === undefined ? this.#gone() : this.#told(server);
    } finally {
      this.#isAsking = false;
    }
  }

  #gone(): Seen {
    const { code, message = "no reason is known" } = this.#failure ?? {};
    const state = code === "refused" ? "refused" : "no answer";
    return { ...this.#seen, state, stats: undefined, figures: undefined, error: message };
  }

  #told(stats: Partial<ServerStats>): Seen {
    const before = this.#before;
    this.#before = stats;
    const restarts = this.#seen.restarts + Number(before !== undefined && isRestarted(stats, before));
    const state = stats.ready === false ? "not ready" : "ready";
    return { ...this.#seen, state, stats, figures: figuresBetween(stats, before), error: "", restarts };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client.close();
  }
}
