/**
 * What a peer has confirmed to know: by every message that says it, or by the answer that it knows the same as this node knew
 * when it asked. It knows what was said, not which writes are lacking.
 */

import type { Known } from "../store/known.ts";

/** Questions whose answers may be on their way, at most. */
const MOST_ASKED = 64;

/** What one peer has confirmed. */
export class Confirmed {
  /** How far the peer knows writes. */
  known: Known = new Map();
  /** What this node knew when it asked, for each question that has no answer yet; answers come in the order of questions. */
  readonly #asked: Known[] = [];

  /** Takes note that the peer is asked whether it knows the same. */
  asked(own: Known): void {
    if (this.#asked.push(own) > MOST_ASKED) this.#asked.shift();
  }

  /** Takes note that the peer has answered that it does, or, in a message of its own, does not. */
  answered(isSame: boolean): void {
    const own = this.#asked.shift();
    if (isSame && own !== undefined) this.known = own;
  }
}
