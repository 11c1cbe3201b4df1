/**
 * Clears of prefixes that are under way: entries that were there before are not found any more, and leave when a sweep over the
 * slots meets them. It knows versions and slots by their numbers, and holds no entries.
 */

/** A clear of a prefix. */
interface Clear {
  /** The latest version that is cleared. */
  readonly upTo: number;
  /** The pass over the slots with whose end no such entry is there any more. */
  readonly pass: number;
}

/** Clears of prefixes. */
export class PrefixClears {
  readonly #clears = new Map<string, Clear>();
  /** The lengths of their prefixes, each once. */
  #lengths: number[] = [];
  #pass = 0;
  /** Slots that the pass has to look at still: those from this one down to 1. */
  #left = 0;

  /** Whether there may be entries that are cleared. */
  get areUnderWay(): boolean {
    return this.#clears.size > 0;
  }

  /**
   * Begins a clear.
   *
   * @param prefix What the keys begin with.
   * @param upTo The latest version that there has been.
   * @param end The first number that is no slot.
   */
  begin(prefix: string, upTo: number, end: number): void {
    const isFirst = this.#clears.size === 0;
    if (isFirst) this.#left = end - 1; // later ones wait for a pass of their own: this one has been over some slots already
    this.#clears.set(prefix, { upTo, pass: isFirst ? this.#pass : this.#pass + 1 });
    if (!this.#lengths.includes(prefix.length)) this.#lengths.push(prefix.length);
  }

  /** Tells whether an entry is cleared. */
  has(name: string, version: number): boolean {
    for (const length of this.#lengths) {
      if (length > name.length) continue;
      const clear = this.#clears.get(name.slice(0, length));
      if (clear !== undefined && version <= clear.upTo) return true;
    }
    return false;
  }

  /** Returns the next slot to look at; 0 when no clear is under way any more. */
  next(end: number): number {
    while (this.#left === 0 && this.#clears.size > 0) {
      for (const [prefix, { pass }] of this.#clears) if (pass === this.#pass) this.#clears.delete(prefix);
      this.#lengths = [...new Set(Array.from(this.#clears.keys(), ({ length }) => length))];
      this.#pass++;
      if (this.#clears.size > 0) this.#left = end - 1;
    }
    return this.#left === 0 ? 0 : this.#left--;
  }

  /** Ends all: there are no entries any more. */
  end(): void {
    this.#clears.clear();
    this.#lengths = [];
    this.#left = 0;
  }
}
