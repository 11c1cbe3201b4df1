/** What a server is made of: parts that are started one after another and stopped in reverse. It knows none of them. */

/** A part of a server. It can be started again after a stop. */
export interface Part {
  /** Begins its work. If that fails, it has not begun. */
  start(): void | Promise<void>;
  /**
   * Ends its work.
   *
   * @param limitMs Milliseconds after which what others have yet to do is not waited for.
   */
  stop(limitMs: number): void | Promise<void>;
}

/** Starts parts in order; if one fails, those before it are stopped again. */
export async function startAll(parts: readonly Part[], limitMs: number): Promise<void> {
  for (let i = 0; i < parts.length; i++) {
    try {
      await parts[i].start();
    } catch (error) {
      await stopAll(parts.slice(0, i), limitMs);
      throw error;
    }
  }
}

/** Stops parts in reverse order. */
export async function stopAll(parts: readonly Part[], limitMs: number): Promise<void> {
  for (const part of parts.toReversed()) await part.stop(limitMs);
}

/** Waits for work to be done, but no longer than a limit. */
export async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, limitMs));
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
