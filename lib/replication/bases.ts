/**
 * What a base in a peer's message stands for, where there are many origins: it is what is known here as well, or the peer
 * explains it once, and messages wait for that. The rule is in docs/replication.md, "Origins".
 */

import { type Base, BasedKnown, type Known, type KnownList } from "../store/known.ts";
import type { Origins } from "../store/origins.ts";
import { MESSAGE, type Message, type MessageBody } from "./message.ts";

/** A message that waits, and the base in it. */
interface Held {
  readonly bytes: Uint8Array;
  readonly base: Base;
}

/** What is known of one peer's bases. */
export interface PeerBases {
  /** A base that the peer has explained, and one that it has been asked to explain and has not explained. */
  told: Required<Base> | undefined;
  unclear: Base | undefined;
  /** Rounds until it may be asked again, and how many that will be the next time. */
  rounds: number;
  /** When the last round was. */
  roundMs: number;
  patience: number;
  /** Messages that wait for that, and whether some were too large to wait. */
  held: Held[];
  hasDropped: boolean;
}

/** Messages of a peer that wait until a base has been explained, at most, and their bytes: others come again. */
const MAX_HELD = 8;
const MAX_HELD_BYTES = 256 * 1024;
/**
 * Rounds after which a peer is asked again, at most: over a slow line an explanation takes longer than a round. With more, a
 * catch-up would be given up before (as a silent peer is, after three rounds).
 */
const MOST_PATIENCE = 3;

/** What is known of a peer's bases at first. */
export function newPeerBases(): PeerBases {
  return {
    told: undefined,
    unclear: undefined,
    rounds: 0,
    roundMs: -Infinity,
    patience: 1,
    held: [],
    hasDropped: false,
  };
}

/** Takes note of a round, which begins a round trip after the last one at the earliest: messages that have waited are late. */
export function giveUpWaiting(bases: PeerBases, nowMs: number, roundTripMs: number): void {
  if (nowMs - bases.roundMs < roundTripMs) return;
  bases.roundMs = nowMs;
  if (bases.held.length > 0) bases.hasDropped = true;
  bases.held = [];
  bases.rounds--;
}

/**
 * Finds out what the base in a message stands for. If that cannot be told by what is known here, nor by what the peer has
 * explained last, the message has to wait.
 *
 * @param ask Asks the peer for an explanation.
 * @returns Whether the message can be taken.
 */
export function resolve(
  message: Message,
  bytes: Uint8Array,
  bases: PeerBases,
  { knowledge, ask }: { knowledge: Origins; ask: (body: MessageBody) => void },
): boolean {
  if (!("known" in message) || message.known.base === undefined) return true;
  const { known, known: { base } } = message;
  const same = knowledge.resolve(known);
  if (same !== undefined) bases.told = undefined; // its memory is not needed any more
  const resolved = same ?? explained(known, base, bases);
  if (resolved !== undefined) {
    message.known = resolved;
    return true;
  }
  if (bases.unclear === undefined || bases.rounds <= 0) {
    ask({ type: MESSAGE.explain, base });
    [bases.unclear, bases.rounds] = [base, bases.patience];
    bases.patience = Math.min(MOST_PATIENCE, 2 * bases.patience);
  }
  const heldBytes = bases.held.reduce((sum, { bytes: { length } }) => sum + length, bytes.length);
  if (bases.held.length < MAX_HELD && heldBytes <= MAX_HELD_BYTES) bases.held.push({ bytes: bytes.slice(), base });
  else bases.hasDropped = true;
  return false;
}

function explained(known: Known, base: Base, { told }: PeerBases): Known | undefined {
  if (told === undefined || !isSame(told, base)) return undefined;
  return new BasedKnown(known, told, (id) => told.told.known(id) || undefined);
}

/**
 * Takes what a peer says that a base stands for.
 *
 * @returns The messages that have waited and can be taken now, or whose base the peer can be asked to explain now; and whether
 * others have to be asked for again: the base may have changed since they were sent, and large ones do not wait, nor does any
 * longer than a round.
 */
export function takeExplained(
  bases: PeerBases,
  { base, told: list }: { base: Base; told: KnownList },
  knowledge: Origins,
): { held: Uint8Array[]; isMissed: boolean } {
  const { unclear } = bases;
  const told = unclear && knowledge.told(base, list);
  if (unclear === undefined || told === undefined) return { held: [], isMissed: false };
  bases.unclear = undefined;
  bases.patience = 1;
  bases.told = { ...base, told };
  const [{ held, hasDropped }, isAsked] = [bases, isSame(unclear, base)];
  [bases.held, bases.hasDropped] = [[], false];
  // If the peer has explained another base than it was asked to, that one is over, and so may be others.
  const good = held.filter((one) => isAsked || isSame(one.base, base));
  return { held: good.map(({ bytes }) => bytes), isMissed: hasDropped || good.length < held.length };
}

function isSame(base: Base, other: Base): boolean {
  return base.upTo === other.upTo && base.digest === other.digest;
}
