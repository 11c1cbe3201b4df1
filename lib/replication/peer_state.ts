/** What a node knows of a peer that it is linked with. */

/** What is known of a peer. */
export interface PeerState {
  /** Its origin, once it has spoken. */
  origin: number | undefined;
  /** Writes received from it and applied, and sent to it. */
  applied: number;
  sent: number;
  /** Writes held here that the peer lacked when it was last heard. */
  lag: number;
  /** Milliseconds from a question to its answer; `undefined` before the first. */
  roundTripMs: number | undefined;
  /** When it last answered a round. */
  lastRoundMs: number | undefined;
  /** When it was asked and has not answered yet, and how often since. */
  askedMs: number | undefined;
  unanswered: number;
  /** Whether it has been offered what it lacks, after a catch-up, since the last round. */
  isOffered: boolean;
}

/** What is known at first. */
export function newPeerState(): PeerState {
  return {
    origin: undefined,
    applied: 0,
    sent: 0,
    lag: 0,
    roundTripMs: undefined,
    lastRoundMs: undefined,
    askedMs: undefined,
    unanswered: 0,
    isOffered: false,
  };
}

/** Takes note that the peer has been asked whether it knows the same. */
export function asked(state: PeerState, nowMs: number): void {
  state.askedMs ??= nowMs;
  state.unanswered++;
}

/** Takes note that it has answered. */
export function answered(state: PeerState, nowMs: number): void {
  if (state.askedMs !== undefined) state.roundTripMs = Math.max(0, nowMs - state.askedMs);
  state.askedMs = undefined;
  state.unanswered = 0;
  state.lastRoundMs = nowMs;
}
