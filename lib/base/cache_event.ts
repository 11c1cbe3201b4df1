/** What a cache tells those who listen. It tells nobody. */

import type { CacheError } from "./errors.ts";

/**
 * What has happened in a cache, by a call of this process:
 * - `hit` and `miss`: a value was asked for;
 * - `store` and `remove`: an entry was stored, or removed;
 * - `clear`: all entries were removed whose keys begin with `prefix`, which is empty for all;
 * - `evict`: an entry of a cache in this process has left by itself, to make room or since its time was over;
 * - `error`: a call or a connection has failed;
 * - `reconnect`: a client has a server again after it had lost one.
 */
export type CacheEvent =
  | { readonly type: "hit" | "miss" | "store" | "remove"; readonly key: string }
  | { readonly type: "clear"; readonly prefix: string }
  | { readonly type: "evict"; readonly key: string; readonly reason: "evicted" | "expired" }
  | { readonly type: "error"; readonly error: CacheError }
  | { readonly type: "reconnect"; readonly server: string };
