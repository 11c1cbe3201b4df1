/** Which rules of replication are in force: all of them, but in the simulator. */

/** The rules of docs/replication.md that the simulator can switch off, to show what each is for. */
export interface Rules {
  /** What leaves without a newer write of its key leaves a fingerprint. */
  fingerprints: boolean;
  /** Fingerprints are given after the last write, not after the first page. */
  lastPage: boolean;
  /** Entries that a peer's fingerprints cover are dropped. */
  sweep: boolean;
  /** What is refused leaves a fingerprint. */
  bury: boolean;
  /** What is known already is not accepted again. */
  cover: boolean;
  /** What may have left here, or is below the floor, is accepted only from those who know what has left. */
  floor: boolean;
  /** What may have left here, or is below the floor, is accepted from senders who know what has left. */
  dominance: boolean;
  /** Entries that may have been deleted elsewhere are verified. */
  verify: boolean;
  /** A push is applied only if the write before it is known. */
  prefix: boolean;
  /** Answers to an earlier start are ignored. */
  incarnation: boolean;
  /** Nothing from before a clear is accepted. */
  clear: boolean;
  /** Nothing that a clear of a prefix covers is accepted. */
  prefixes: boolean;
  /** A clear of a prefix that has been dropped counts as forgotten. */
  prefixFloor: boolean;
  /** A renewal is for the very version that it names. */
  touch: boolean;
  /** What pages bring is known with the last of them. */
  pages: boolean;
  /** What a catch-up that broke off has left is adopted. */
  adoption: boolean;
  /** A peer's clock may be ahead by less than a version may. */
  peerClock: boolean;
  /** A wall clock that is corrected is read again. */
  corrections: boolean;
  /** A peer may be silent for a few round trips. */
  patience: boolean;
  /** What a message has been late does not lengthen times to live. */
  lateness: boolean;
  /** What a peer's later build says is passed over where that is agreed. */
  skipUnknown: boolean;
  /** What is written while a snapshot is loaded is newer than all that it holds. */
  snapshotClock: boolean;
  /** What a snapshot says is known is known with the last of its pages. */
  snapshotKnown: boolean;
}

/** All rules. */
export const ALL_RULES: Rules = {
  fingerprints: true,
  lastPage: true,
  sweep: true,
  bury: true,
  cover: true,
  floor: true,
  dominance: true,
  verify: true,
  prefix: true,
  incarnation: true,
  clear: true,
  prefixes: true,
  prefixFloor: true,
  touch: true,
  pages: true,
  adoption: true,
  peerClock: true,
  corrections: true,
  patience: true,
  lateness: true,
  skipUnknown: true,
  snapshotClock: true,
  snapshotKnown: true,
};

/**
 * How a write is taken that is none of those that come in their turn: `known` is one that is taken all the same, since it left
 * elsewhere before this node heard of it; `ahead` comes before what makes it known, and with that once more.
 */
export type How = "known" | "ahead";

/** The rules by which a write is accepted or refused. */
export function rulesFor(how: How | undefined, rules: Rules): Rules {
  return how === undefined ? rules : { ...rules, cover: how === "ahead" && rules.cover, bury: false };
}
