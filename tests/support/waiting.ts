/** Waiting in tests: for something to be so, for a turn of the event loop. No test waits for time to pass. */

/** Waits until something is so, looking again and again; throws if it does not come to pass. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let looks = 0; looks < 4000; looks++) {
    if (await isSo()) return;
    await pause(looks < 100 ? 1 : 10);
  }
  throw new Error(`This did not come to pass: ${what}`);
}

/** Lets everything else have a turn. */
export function turn(): Promise<void> {
  return pause(0);
}

/** Waits for the next millisecond: which of two writes on two servers is newer is not left to chance. */
export async function nextMoment(): Promise<void> {
  const nowMs = performance.now();
  await until("a millisecond passes", () => performance.now() >= nowMs + 1);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
