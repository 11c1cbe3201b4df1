/** The parts of a server: they are started one after another and stopped in reverse. It does not know what they do. */

/** A part of a server. It can be started again after a stop. */
export interface Part {
  /** Begins the work. If that fails, the part is as it was before. */
  start(): void | Promise<void>;
  /**
   * Ends the work.
   *
   * @param limitMs Milliseconds that the part waits at most for the other sides of its connections.
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

/** A part that is loaded with its first start, so that servers which do without it start without it. */
export class LoadedPart<Loaded extends Part> implements Part {
  readonly #load: () => Promise<Loaded>;
  #part: Loaded | undefined;

  /** @param load Imports what the part is made of, and makes it. */
  constructor(load: () => Promise<Loaded>) {
    this.#load = load;
  }

  /** The part; `undefined` before the first start. */
  get part(): Loaded | undefined {
    return this.#part;
  }

  /** Loads the part unless a start before has, and begins its work. */
  async start(): Promise<void> {
    this.#part ??= await this.#load();
    await this.#part.start();
  }

  /** Ends the work. */
  async stop(limitMs: number): Promise<void> {
    await this.#part?.stop(limitMs);
  }
}

/** A part that begins its work only when something is over, for which its start does not wait. */
export class LaterPart implements Part {
  readonly #part: Part;
  readonly #whenOver: () => Promise<void>;
  #starts = 0;
  #isStarted = false;

  /** @param whenOver Returns a promise that resolves when the part may start; it does not reject. */
  constructor(part: Part, whenOver: () => Promise<void>) {
    this.#part = part;
    this.#whenOver = whenOver;
  }

  /** Begins to wait. */
  start(): void {
    const start = ++this.#starts;
    this.#whenOver().then(async () => {
      if (start !== this.#starts) return; // it has been stopped
      this.#isStarted = true;
      await this.#part.start();
    });
  }

  /** Ends the work, if it has begun. */
  async stop(limitMs: number): Promise<void> {
    this.#starts++;
    if (!this.#isStarted) return;
    this.#isStarted = false;
    await this.#part.stop(limitMs);
  }
}

/** Resolves when `work` is done, or after `limitMs` milliseconds. */
export async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, limitMs));
  try {
    await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
