/**
 * Looks at the content of files once a second, so that it does not matter how they change: rewritten, renamed over, or behind a
 * symbolic link. It does not know what stands in them.
 */

import { unref } from "../platform/timer.ts";

/** Why files are looked at: a timer does; somebody knows that they have changed; somebody asks, and wants to be answered. */
export type LookReason = "timer" | "at once" | "asked";

/** Milliseconds between looks. */
const LOOK_MS = 1000;

/** What one file holds, or several that belong together. */
export class Watched<Content> {
  readonly #read: () => Promise<Content>;
  readonly #textOf: (content: Content) => string;
  /** What the last look has found, and what was new last: a text after `=`, or after `!` why there is none. */
  #found = "";
  #settled = "";

  /** @param textOf Returns a text that is another one where something is new. */
  constructor(read: () => Promise<Content>, textOf: (content: Content) => string) {
    this.#read = read;
    this.#textOf = textOf;
  }

  /**
   * Reads what is there. Returns it, or why it cannot be read, if that is new; `undefined` otherwise. What a timer has found
   * is new when it is found for the second time: it may have been half written.
   */
  async news(reason: LookReason): Promise<Content | Error | undefined> {
    const content = await this.#read().catch((error: Error) => error);
    const text = content instanceof Error ? `!${content.message}` : `=${this.#textOf(content)}`;
    const isSettled = reason !== "timer" || text === this.#found;
    this.#found = text;
    if (!isSettled || text === this.#settled) return undefined;
    this.#settled = text;
    return content;
  }
}

/** Looks again and again, and never twice at the same time. */
export class FileWatch {
  readonly #look: (reason: LookReason) => Promise<void>;
  #timer: ReturnType<typeof setInterval> | undefined;
  #looking: Promise<void> | undefined;

  /** @param look Looks at the files; it does not reject. */
  constructor(look: (reason: LookReason) => Promise<void>) {
    this.#look = look;
  }

  /** Begins to look. */
  start(): void {
    this.#timer = unref(setInterval(() => this.look("timer"), LOOK_MS));
  }

  /** Ends that, and waits for the look under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Looks once more. Unless a timer calls this, the look begins after the call. */
  look(reason: LookReason): Promise<void> {
    if (this.#looking !== undefined) {
      return reason === "timer" ? this.#looking : this.#looking.then(() => this.look(reason));
    }
    return this.#looking = this.#look(reason).finally(() => this.#looking = undefined);
  }
}
