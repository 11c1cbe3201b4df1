/** What computations ask of a cache: the value of a key, or leave to compute it. It is a shape, and holds nothing. */

/** A value that is not fresh any more. */
export interface Stale {
  readonly value: unknown;
  /** Milliseconds for which it has not been fresh; 0 if left out. */
  readonly forMs?: number;
}

/**
 * What a cache says of a key:
 *
 * - `fresh`: here is the value.
 * - `compute`: the caller is to compute it, with a token if the cache gives leave to one at a time. A value that is not fresh
 *   any more may do meanwhile.
 * - `stale`: somebody else computes it, and this value may do meanwhile. It is not said to who does not accept it.
 * - `wait`: somebody else computes it. `again` resolves when there is reason to ask again, also where the one who has computed
 *   is lost; it does not reject.
 * - `failed`: nobody can be asked. The value is computed and not stored.
 */
export type Asked =
  | { readonly state: "fresh"; readonly value: unknown }
  | { readonly state: "compute"; readonly token?: unknown; readonly stale?: Stale }
  | ({ readonly state: "stale" } & Stale)
  | { readonly state: "wait"; readonly again: Promise<void> }
  | { readonly state: "failed" };

/** How somebody asks. */
export interface Question {
  /** Milliseconds for which nobody else is to be given leave to compute, where that is given: a whole number from 1 to 60,000. */
  readonly leaseMs: number;
  /** Whether a value that is not fresh any more will do. */
  readonly acceptsStale: boolean;
}

/** For how long a value is kept. */
export interface Lifetime {
  /** Milliseconds for which it is fresh; 0 or `Infinity` means for ever, `undefined` what the cache does by default. */
  readonly ttlMs: number | undefined;
  /** Whether a hit restarts that time, if the cache does that at all. */
  readonly renewOnHit: boolean;
  /** Milliseconds for which it is kept when it is not fresh any more; `Infinity` means for ever. */
  readonly staleMs: number;
}

/** A cache, as computations see it. Its methods do not check keys: who calls for a computation has done so. */
export interface Backend {
  /**
   * Asks for a value. What an earlier `fill` or an own `store` has changed shows in the answer.
   *
   * @throws If the caller is to know why there is no answer, such as a permission that this process lacks.
   */
  ask(key: string, question: Question): Asked | Promise<Asked>;
  /**
   * Stores a value that was computed.
   *
   * @param token What `ask` gave with its leave to compute.
   * @returns Whether it was stored; `false` if a newer write has come first, or the cache failed or refused it.
   * @throws {TypeError | RangeError} If it is no value for this cache.
   */
  fill(key: string, value: unknown, token: unknown, lifetime: Lifetime): boolean | Promise<boolean>;
  /** Gives a leave to compute back, unused. Without it that would be over after its time. It does not throw. */
  give(key: string, token: unknown): void;
  /** Is told of an error that no caller is told of, since all have been given an older value. It does not throw. */
  failed(key: string, error: unknown): void;
}
