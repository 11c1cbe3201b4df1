/**
 * Who is told when a signal is aborted: one listener for each signal, however many calls have it, since listeners are a list that is
 * searched for each. Nothing is kept of a signal for which nobody waits. It makes no calls.
 */

interface Waiting {
  readonly told: Set<() => void>;
  readonly listener: () => void;
}

const signals = new Map<AbortSignal, Waiting>();

/** Has `tell` called when a signal is aborted, which it is not yet. */
export function listen(signal: AbortSignal, tell: () => void): void {
  const waiting = signals.get(signal) ?? begin(signal);
  waiting.told.add(tell);
}

/** Has `tell` not called any more. */
export function unlisten(signal: AbortSignal, tell: () => void): void {
  const waiting = signals.get(signal);
  if (waiting === undefined || !waiting.told.delete(tell) || waiting.told.size > 0) return;
  signals.delete(signal);
  signal.removeEventListener("abort", waiting.listener);
}

/** Waits for a promise, or rejects with the reason of a signal that is aborted meanwhile, or was before. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const tell = () => reject(signal.reason);
  if (signal.aborted) tell();
  else listen(signal, tell);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    unlisten(signal, tell);
  }
}

function begin(signal: AbortSignal): Waiting {
  const told = new Set<() => void>();
  const listener = () => {
    signals.delete(signal);
    for (const tell of told) tell();
  };
  const waiting = { told, listener };
  signals.set(signal, waiting);
  signal.addEventListener("abort", listener, { once: true });
  return waiting;
}
