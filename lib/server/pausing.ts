/** Pauses of loops that run as long as a part of a server, and can be cut short. It does not know what is waited for. */

import { unref } from "../platform/timer.ts";

/** Whoever pauses. */
export interface Pausing {
  /** Ends the pause. */
  wake: () => void;
}

/** What `wake` is while there is no pause. */
export function awake(): void {}

/** Resolves after some milliseconds, or when whoever pauses is woken or `signal` aborts. */
export function pause(pausing: Pausing, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      pausing.wake = awake;
      resolve();
    };
    const timer = unref(setTimeout(end, ms));
    signal.addEventListener("abort", end);
    pausing.wake = end;
    if (signal.aborted) end();
  });
}
