/** Those in a client who hear of its connection, as one. */

import type { FrameReader } from "../wire/frame.ts";
import type { ConnectionHearer } from "./connection.ts";
import type { ClientLeases } from "./leases.ts";
import type { NearCache } from "./near_cache.ts";

/** Near copies, if any are kept, and leases: copies hear of everything first. */
export class Hearers implements ConnectionHearer {
  readonly features: readonly string[];
  readonly #near: NearCache | undefined;
  readonly #leases: ClientLeases;

  constructor(near: NearCache | undefined, leases: ClientLeases) {
    this.features = [...near?.features ?? [], ...leases.features];
    this.#near = near;
    this.#leases = leases;
  }

  connected(features: readonly string[]): void {
    this.#near?.connected(features);
    this.#leases.connected(features);
  }

  sent(nowMs: number): void {
    this.#near?.sent(nowMs);
  }

  lost(): void {
    this.#near?.lost();
    this.#leases.lost();
  }

  replied(givenAtMs: number): void {
    this.#near?.replied(givenAtMs);
  }

  pushed(frame: FrameReader): void {
    this.#near?.pushed(frame);
    this.#leases.pushed(frame);
  }
}
