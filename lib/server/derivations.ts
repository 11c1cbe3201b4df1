/**
 * The derivations of keys that logins cost a server: one at a time, for one host after another. So a stranger who guesses takes one
 * thread at most, and delays others by one guess each. It knows neither secrets nor connections.
 */

/** Derivations that may wait for one host. */
const MAX_WAITING = 1024;
/** Milliseconds after which nobody waits for one any more: a client has as many to say who it is. */
const LIMIT_MS = 5000;

interface Waiting {
  readonly derive: () => Promise<boolean>;
  readonly untilMs: number;
  readonly resolve: (result: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** Runs derivations in turn. */
export class Derivations {
  readonly #now: () => number;
  /** By host, in the order of their turns. */
  readonly #waiting = new Map<string, Waiting[]>();
  #isRunning = false;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Runs `derive` when its host's turn has come. Resolves with what it does; with `false` if there are too many before it. */
  run(host: string, derive: () => Promise<boolean>): Promise<boolean> {
    const others = this.#waiting.get(host) ?? [];
    if (others.length >= MAX_WAITING) return Promise.resolve(false);
    return new Promise((resolve, reject) => {
      others.push({ derive, untilMs: this.#now() + LIMIT_MS, resolve, reject });
      this.#waiting.set(host, others);
      if (!this.#isRunning) this.#runAll();
    });
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (this.#now() > next.untilMs) next.resolve(false);
      else await next.derive().then(next.resolve, next.reject);
    }
    this.#isRunning = false;
  }

  /** Takes the first one of the host whose turn it is; that host comes last then. */
  #next(): Waiting | undefined {
    for (const [host, waiting] of this.#waiting) {
      this.#waiting.delete(host);
      const next = waiting.shift();
      if (waiting.length > 0) this.#waiting.set(host, waiting);
      return next;
    }
    return undefined;
  }
}
