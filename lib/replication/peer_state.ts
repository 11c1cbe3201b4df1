/** What a node knows of a peer that it is connected to. */

import type { Known } from "../store/known.ts";
import { newPeerBases, type PeerBases } from "./bases.ts";
import { MAX_PEER_AHEAD_MS } from "../store/version.ts";
import type { PeerFeature } from "../wire/hello.ts";
import { Confirmed } from "./confirmed.ts";
import { Lateness } from "./lateness.ts";
import type { Window } from "./message.ts";
import type { PageStream } from "./page_stream.ts";
import { newRoundTrips, type RoundTrips } from "./round_trips.ts";

/** Why what a peer said last was refused: its clock is too far ahead, or it tells of writes that are. */
export type Refusal = "clock" | "writes";

/** What is known of a peer. */
export interface PeerState {
  /** The features that this node and the peer have agreed on. */
  readonly features: readonly PeerFeature[];
  /** The peer's origin, once it has sent a message. */
  origin: number | undefined;
  /** Writes received from the peer and applied; `sent` are those sent to it. */
  applied: number;
  sent: number;
  /** Entries dropped here because of what the peer has said. */
  dropped: number;
  /** What the peer has confirmed to know. */
  readonly confirmed: Confirmed;
  /** What the peer knew when it was first heard, until this node knows all of it; `undefined` before it has been heard. */
  arrears: Known | undefined;
  /** Whether this node knows all that the peer knew when it was first heard. */
  isCaughtUp: boolean;
  /** How long the peer takes to answer. */
  readonly roundTrips: RoundTrips;
  /** When the peer last answered a round. */
  lastRoundMs: number | undefined;
  /** How often the peer has been asked whether it knows the same writes, since it last answered. */
  unanswered: number;
  /** The digest with which the peer has asked whether this node knows the same, since this node's last round, if it has. */
  askedWith: number | undefined;
  /** Milliseconds by which the peer's wall clock was ahead of this node's when its last message came; below 0 if behind. */
  clockAheadMs: number;
  /** How late its messages come. */
  readonly lateness: Lateness;
  /** Milliseconds that the last one came late, which its times to live have been shortened by. */
  lateMs: number;
  /** Why its last message was refused; `undefined` if it was not. */
  refusal: Refusal | undefined;
  /** Whether the peer has been offered what it lacks, after a catch-up, since the last round. */
  isOffered: boolean;
  /** The pages that it has asked for, and what it has said last of how many it takes. */
  pages: PageStream | undefined;
  window: Window | undefined;
  /** The last question for pages of each of its starts. */
  readonly asked: Map<number, number>;
  /** What the bases in its messages stand for. */
  bases: PeerBases;
}

/** What is known of a peer at first. */
export function newPeerState(features: readonly PeerFeature[] = []): PeerState {
  return {
    features,
    origin: undefined,
    applied: 0,
    sent: 0,
    dropped: 0,
    confirmed: new Confirmed(),
    arrears: undefined,
    isCaughtUp: false,
    roundTrips: newRoundTrips(),
    lastRoundMs: undefined,
    unanswered: 0,
    askedWith: undefined,
    clockAheadMs: 0,
    lateness: new Lateness(),
    lateMs: 0,
    refusal: undefined,
    isOffered: false,
    pages: undefined,
    window: undefined,
    asked: new Map(),
    bases: newPeerBases(),
  };
}

/** Takes note that the peer has answered a round. */
export function answered(state: PeerState, nowMs: number): void {
  state.unanswered = 0;
  state.lastRoundMs = nowMs;
}

/** Whether nothing speaks against that a peer believes this node: one whose clock is far behind does not. */
export function seemsToBelieve({ clockAheadMs }: Readonly<PeerState>): boolean {
  return clockAheadMs >= -MAX_PEER_AHEAD_MS;
}

/** Takes note of what the peer says that it knows: with the first of that, this node has to catch up. */
export function heardOf(state: PeerState, theirs: Known): void {
  if (!state.isCaughtUp) state.arrears ??= theirs;
}

/** Takes note that the peer says that it knows the same as this node. */
export function heardSame(state: PeerState): void {
  state.isCaughtUp = true;
  state.arrears = undefined;
}

/** Whether this node knows all that the peer knew when it was first heard: `lacks` tells whether something is missing here. */
export function isCaughtUp(state: PeerState, lacks: (theirs: Known) => boolean): boolean {
  if (state.arrears !== undefined && !lacks(state.arrears)) heardSame(state);
  return state.isCaughtUp;
}
