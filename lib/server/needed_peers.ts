/** The peers of a server, loaded for the first that is listed, comes or is refused: most servers stay alone. It does not know what peers do. */

import type { GossipTotals } from "../base/stats.ts";
import type { Part } from "./part.ts";

/** What a server without peers has counted of them. */
export const NO_GOSSIP: Readonly<GossipTotals> = {
  applied: 0,
  repeated: 0,
  sent: 0,
  pushed: 0,
  gaps: 0,
  extended: 0,
  fromFuture: 0,
  verifications: 0,
  unconfirmed: 0,
  covered: 0,
};

/** Peers that run from when they are needed, while the server does. */
export class NeededPeers<Peers extends Part> implements Part {
  readonly #load: (sinceStartMs: number) => Promise<Peers>;
  #loading: Promise<Peers> | undefined;
  #loaded: Peers | undefined;
  #isStarted = false;
  #startedMs: number | undefined;

  /** @param load Imports what peers are made of, and makes them, so many milliseconds after the server's first start. */
  constructor(load: (sinceStartMs: number) => Promise<Peers>) {
    this.#load = load;
  }

  /** The peers; `undefined` while none have been needed. */
  get loaded(): Peers | undefined {
    return this.#loaded;
  }

  /** Begins the work of peers that are loaded, and of others as soon as they are. */
  async start(): Promise<void> {
    this.#isStarted = true;
    this.#startedMs ??= performance.now();
    await this.#loaded?.start();
  }

  /** Ends the work. */
  async stop(limitMs: number): Promise<void> {
    this.#isStarted = false;
    await this.#loaded?.stop(limitMs);
  }

  /** Loads the peers unless that has been done. */
  async need(): Promise<Peers> {
    if (this.#loaded !== undefined) return this.#loaded;
    const loaded = await (this.#loading ??= this.#load(performance.now() - (this.#startedMs ?? performance.now())));
    if (this.#loaded === undefined) {
      this.#loaded = loaded;
      if (this.#isStarted) await loaded.start();
    }
    return loaded;
  }
}
