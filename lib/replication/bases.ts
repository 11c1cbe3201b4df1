/**
 * What a base in a peer's message stands for, where there are many origins: it is what is known here as well, or the peer
 * explains it once, and messages wait for that. The rule is in docs/replication.md, "Origins".
 */

import { type Base, BasedKnown, type Known, mixed, MODULUS } from "../store/known.ts";
import type { Origins } from "../store/origins.ts";
import { MESSAGE, type Message, type MessageBody } from "./message.ts";

/** What is known of one peer's bases. */
export interface PeerBases {
  /** A base that the peer has explained, and one that it has been asked to explain since the last round. */
  told: Required<Base> | undefined;
  unclear: Base | undefined;
  /** Messages that wait for that. */
  held: Uint8Array[];
}

/** Messages of a peer that wait until a base has been explained, at most, and their bytes: others come again. */
const MAX_HELD = 8;
const MAX_HELD_BYTES = 256 * 1024;

/** What is known of a peer's bases at first. */
export function newPeerBases(): PeerBases {
  return { told: undefined, unclear: undefined, held: [] };
}

/** Forgets what a peer has been asked for and has not answered in time. */
export function giveUpWaiting(bases: PeerBases): void {
  bases.unclear = undefined;
  bases.held = [];
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
  if (bases.unclear === undefined) ask({ type: MESSAGE.explain, base });
  bases.unclear ??= base;
  const heldBytes = bases.held.reduce((sum, { length }) => sum + length, bytes.length);
  if (bases.held.length < MAX_HELD && heldBytes <= MAX_HELD_BYTES) bases.held.push(bytes.slice());
  return false;
}

function explained(known: Known, base: Base, { told }: PeerBases): Known | undefined {
  if (told === undefined || !isSame(told, base)) return undefined;
  return new BasedKnown(known, told, (id) => told.told.get(id));
}

/**
 * Takes what a peer says that a base stands for.
 *
 * @returns The messages that have waited, and whether they can be taken now: else the base has changed since they were sent.
 */
export function takeExplained(bases: PeerBases, base: Required<Base>): { held: Uint8Array[]; isSame: boolean } {
  const { unclear } = bases;
  let sum = 0;
  for (const [id, h] of base.told) sum = h > base.upTo ? NaN : (sum + mixed(id, h)) % MODULUS;
  if (unclear === undefined || sum !== base.digest) return { held: [], isSame: false };
  bases.unclear = undefined;
  bases.told = base;
  return { held: bases.held.splice(0), isSame: isSame(unclear, base) };
}

function isSame(base: Base, other: Base): boolean {
  return base.upTo === other.upTo && base.digest === other.digest;
}
