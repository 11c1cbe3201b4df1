/** What a server tells of one key when it is asked to explain it, as a type. */

import type { MissCounts } from "./stats.ts";

/** What a server holds of a key, or why it holds nothing, as a client's `explain` returns it. Times are by the server's clocks. */
export interface KeyExplanation {
  /**
   * `held` if a retrieval would be a hit; else what it would count as, as in {@linkcode MissCounts}. One that is `expired` may be kept
   * for a while still (`keptMs`), and one of a snapshot is `superseded` until the server is ready.
   */
  state: "held" | keyof MissCounts;
  /** The number of the server among its peers, new each time that it is started. */
  server: number;
  /**
   * The version of what is here: of the entry, of the deletion, or of the last clear of the key. If there is none of them, of the last
   * write of the key that has left, or a little more; by chance that is one of another key with the same hash. Missing if nothing is known.
   */
  version?: number;
  /** The number of the server on which what has that version was made; missing where that is not known. */
  origin?: number;
  /** Milliseconds since then. */
  ageMs?: number;
  /** Milliseconds until the entry expires if nobody uses it; missing if it never does. */
  remainingMs?: number;
  /** Milliseconds for which an entry is kept still, though its time is over: it may be given to who waits for a newer one. */
  keptMs?: number;
  /** Bytes of the value. */
  valueBytes?: number;
  /** Bytes of memory that the entry takes, its key and overhead included. */
  bytes?: number;
  /** How the value is to be read, a number that clients choose. */
  flags?: number;
  /**
   * What else is known of the entry: `fixed` (hits do not renew it), `stale` (to be replaced), `promised` (a client has been told to
   * replace it), `fetched` (it has been retrieved here), `aging` (kept for a while after its time), `stamped`, `binaryKey`.
   */
  marks?: string[];
  /** The prefix whose clear has removed the key; missing if all keys were cleared. */
  prefix?: string;
}
