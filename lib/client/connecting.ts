/**
 * The attempts of this process's clients to connect: few at the same time to one server, so that none is late only because
 * of the others, and those that wait share the failure of one that did not, unless it is that one's own: given up, or refused, for a
 * token say. It does not know how to connect.
 */

import { CacheError } from "../base/errors.ts";
import { FullServerError } from "../wire/control.ts";

/** Attempts at the same time to one server. */
const MAX_ATTEMPTS = 32;
/** Milliseconds for which a server that was full is taken to be so. */
const FULL_MS = 250;

/** An attempt that its client has given up: that says nothing of the server, and those that wait do not share it. */
export class AbandonedError extends Error {}

/** The attempts to connect to one server. */
interface Attempts {
  underWay: number;
  /** Those that wait: called with the failure of another, or with none when it is their turn. */
  readonly waiting: Set<(failure?: unknown) => void>;
  full: FullServerError | undefined;
  fullUntilMs: number;
}

/** Servers to which there are attempts, or that were full when last tried. */
const servers = new Map<string, Attempts>();

/**
 * Makes an attempt to connect to `server` when it is its turn.
 *
 * @throws What `attempt` throws, or what that of another client threw for which this one waited, or a `FullServerError` that
 * another has received a moment ago.
 */
export async function attemptInTurn<T>(server: string, attempt: () => Promise<T>): Promise<T> {
  let attempts = servers.get(server);
  if (attempts === undefined) {
    servers.set(server, attempts = { underWay: 0, waiting: new Set(), full: undefined, fullUntilMs: 0 });
  }
  const { waiting } = attempts;
  if (attempts.full !== undefined && performance.now() < attempts.fullUntilMs) throw attempts.full;
  attempts.full = undefined;
  if (attempts.underWay < MAX_ATTEMPTS) attempts.underWay++;
  else await turn(waiting);
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof FullServerError) {
      attempts.full = error;
      attempts.fullUntilMs = performance.now() + FULL_MS;
    }
    const isOwn = error instanceof AbandonedError || (error instanceof CacheError && error.code === "refused");
    if (!isOwn) {
      for (const go of waiting) go(error);
      waiting.clear();
    }
    throw error;
  } finally {
    const [next] = waiting;
    if (next !== undefined) {
      waiting.delete(next);
      next();
    } else if (--attempts.underWay === 0 && attempts.full === undefined) servers.delete(server);
  }
}

function turn(waiting: Attempts["waiting"]): Promise<void> {
  return new Promise((resolve, reject) => {
    waiting.add((failure) => failure === undefined ? resolve() : reject(failure));
  });
}
