/** The interface of whoever watches what is read in a store. It knows no particular watcher. */

import type { ByteSpan } from "../base/byte_span.ts";
import type { Why } from "./misses.ts";

/** Hears of each retrieval, once it has been counted, with the hash by which the store looks the key up. It must not change the store. */
export interface ReadWatch {
  /** Takes note of a hit, of the entry at a position. Key and position are valid during the call. */
  hit(key: ByteSpan, hash: number, position: number): void;
  /** Takes note of a miss, and why it was one. */
  missed(key: ByteSpan, hash: number, why: Why): void;
}
