/** What catching up needs of its surroundings. */

import type { MessageBody, Write } from "./message.ts";
import type { Known } from "../store/known.ts";
import type { Rules } from "../store/rules.ts";
import type { Store } from "../store/store.ts";

/** What a catch-up needs. */
export interface CatchUpOptions {
  readonly store: Store;
  readonly rules: Rules;
  /** Writes in a message, at most. */
  readonly maxWrites: number;
  /** Entries that are compared with fingerprints for one page. */
  readonly sweepPlaces?: number;
  readonly send: (peer: number, message: MessageBody) => void;
  /** What is known here, as peers are told. */
  readonly known: () => Known;
  /** Applies a write of a sender that knows `theirs`. */
  readonly apply: (peer: number, write: Write, theirs: Known) => void;
  /** Whether a peer can be asked for several pages at a time, and for how many in any case. */
  readonly hasWindow: (peer: number) => boolean;
  readonly leastPages: (peer: number) => number;
  /** Milliseconds of the quickest round trip to a peer. */
  readonly quickestMs: (peer: number) => number;
  /** Milliseconds that a peer, or any, may be silent. */
  readonly patienceMs: (peer?: number) => number;
  /** The origin of a peer, if it has sent a message. */
  readonly originOf: (peer: number) => number | undefined;
  /** Called when a peer has given everything. */
  readonly onComplete: (origin: number | undefined) => void;
  /** Called at the end of a catch-up that has dropped entries. */
  readonly onDropped?: (peer: number, counts: { covered: number; unconfirmed: number }) => void;
}
