/** A cache by hand for computations: it answers as a test says, and keeps what it was asked, told and given. */

import type { RetrieveOrStoreOptions } from "../../lib/base/cache.ts";
import type { Asked, Lifetime, Question } from "../../lib/compute/backend.ts";
import type { Compute } from "../../lib/compute/computation.ts";
import { Computations } from "../../lib/compute/computations.ts";

/** What a cache by hand was asked, told and given. */
export interface Seen {
  readonly questions: Question[];
  readonly fills: { value: unknown; token: unknown; lifetime: Lifetime }[];
  readonly given: unknown[];
  readonly failures: unknown[];
}

/** Computations on a cache by hand, and a clock of its own. */
export interface HandMade extends Seen {
  readonly computations: Computations;
  readonly clock: { nowMs: number };
  /** Asks for the key `k`. */
  ask(compute: Compute, options?: RetrieveOrStoreOptions): Promise<unknown>;
}

/** What a cache by hand answers: to each question the next of a list, and to later ones the last. */
export interface Answers {
  readonly asked: (Asked | Promise<Asked> | (() => Asked | Promise<Asked>))[];
  readonly fill?: (value: unknown) => boolean | Promise<boolean>;
}

/** Makes computations on a cache by hand. */
export function handMade({ asked, fill = () => true }: Answers): HandMade {
  const [questions, fills, given, failures] = [[], [], [], []] as unknown as [
    ...[Question[], HandMade["fills"], unknown[], unknown[]],
  ];
  const clock = { nowMs: 1000 };
  const computations = new Computations({
    ask: (_key, question) => {
      const answer = asked[Math.min(questions.push(question), asked.length) - 1];
      return typeof answer === "function" ? answer() : answer;
    },
    fill: (_key, value, token, lifetime) => {
      fills.push({ value, token, lifetime });
      return fill(value);
    },
    give: (_key, token) => void given.push(token),
    failed: (_key, error) => void failures.push(error),
  }, () => clock.nowMs);
  const ask = async (compute: Compute, options: RetrieveOrStoreOptions = {}) =>
    await computations.retrieveOrStore("k", compute, options);
  return { computations, clock, questions, fills, given, failures, ask };
}

/** A computation that a test ends: it counts its calls, and keeps the signals that it was given. */
export function held(): PromiseWithResolvers<unknown> & { compute: Compute; calls: number; signals: AbortSignal[] } {
  const signals: AbortSignal[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const made = {
    ...{ promise, resolve, reject, calls: 0, signals },
    compute: ({ signal }: { signal: AbortSignal }) => {
      made.calls++;
      signals.push(signal);
      return promise;
    },
  };
  return made;
}
