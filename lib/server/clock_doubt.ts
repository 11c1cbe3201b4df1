/**
 * What is said of a peer that is not believed, or that does not believe this server, because their clocks differ: at once,
 * also when it is for another reason, and again each minute while it lasts. It knows what replication knows of the peer, not the connection.
 */

import { grouped } from "../base/words.ts";
import { type PeerState, seemsToBelieve } from "../replication/peer_state.ts";
import { MAX_AHEAD_MS } from "../store/version.ts";

/** Milliseconds after which it is said again. */
const AGAIN_MS = 60_000;
/** Rounds without an answer, after which a peer whose clock is far behind is taken not to believe this server. */
const UNANSWERED = 3;

/** What is said when that is over. */
export const BELIEVED = "and this server believe each other again";

/**
 * Why clocks keep a peer and this server apart; `undefined` if they do not.
 *
 * @param writesAheadMs How far the newest write that this server knows is in the future.
 */
export function clockDoubt(state: Readonly<PeerState>, writesAheadMs: number): string | undefined {
  const { refusal, clockAheadMs, unanswered } = state;
  if (refusal === "clock") return `is not believed: its clock is ${seconds(clockAheadMs)} ahead of this machine's`;
  if (refusal === "writes") {
    return "is not believed: it has writes from more than a minute in the future, made with a clock that was wrong";
  }
  if (writesAheadMs > MAX_AHEAD_MS) {
    return `does not believe this server, which has writes from ${
      seconds(writesAheadMs)
    } in the future, made with a clock ` +
      "that was wrong: until then, or until this server is started again";
  }
  if (seemsToBelieve(state) || unanswered < UNANSWERED) return undefined;
  return `does not believe this server: its clock is ${seconds(-clockAheadMs)} behind this machine's`;
}

/** Remembers what has been said of one peer. */
export class ClockDoubt {
  #saidMs: number | undefined;
  /** What was said, without its number of seconds. */
  #said = "";

  /** What is to be logged of a peer now, if anything, after "Peer …". */
  look(state: Readonly<PeerState>, writesAheadMs: number, nowMs: number): string | undefined {
    const doubt = clockDoubt(state, writesAheadMs);
    if (doubt === undefined) {
      if (this.#saidMs === undefined) return undefined;
      this.#saidMs = undefined;
      return BELIEVED;
    }
    const reason = doubt.replace(/[\d,]+ s/, "");
    if (this.#saidMs !== undefined && nowMs - this.#saidMs < AGAIN_MS && reason === this.#said) return undefined;
    [this.#saidMs, this.#said] = [nowMs, reason];
    return doubt;
  }
}

function seconds(ms: number): string {
  return `${grouped(Math.round(ms / 1000))} s`;
}
