/** Keys that are about to be looked up together: what their lookups read is fetched for all of them at once. */

import type { ByteSpan } from "../base/byte_span.ts";
import { MAX_PREFETCHED } from "./entries.ts";
import type { Store } from "./store.ts";

/** Hashes of the next keys, in their order. */
export class KeyBatch {
  /** Hashes of the keys that have been added. */
  readonly hashes: Int32Array = new Int32Array(MAX_PREFETCHED);
  /** Keys that have been added. */
  count = 0;
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Whether no further key may be added. */
  get isFull(): boolean {
    return this.count === MAX_PREFETCHED;
  }

  /** Adds a key, which must not be one too many. */
  add(key: ByteSpan): void {
    this.hashes[this.count++] = this.#store.hash(key);
  }

  /** Fetches what the lookups of the keys will read; of a single key that would be no gain. */
  prefetch(): void {
    if (this.count > 1) this.#store.prefetch(this.hashes, this.count);
  }
}
