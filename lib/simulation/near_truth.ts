/** What the values of a simulated server's keys have been, and when: by this near reads are judged. */

/** A key had this value from a time on; 0 stands for none. */
interface Change {
  readonly atMs: number;
  readonly value: number;
}

/** The history of one start of one server. */
export class NearTruth {
  readonly #changes = new Map<number, Change[]>();
  /** Until when each value was to live, by the longest of its times to live. */
  readonly #deadlines = new Map<number, number>();

  /** Takes note of a key's value, if it is another one than before, and of how long it is to live. */
  note(key: number, atMs: number, value: number, deadlineMs: number): void {
    if (value !== 0) this.#deadlines.set(value, Math.max(deadlineMs, this.#deadlines.get(value) ?? 0));
    const changes = this.#changes.get(key) ?? [];
    this.#changes.set(key, changes);
    if ((changes.at(-1)?.value ?? 0) !== value) changes.push({ atMs, value });
  }

  /** Says what is wrong with a value that a near read gives, or nothing. What has happened since `sinceMs` it need not know. */
  judge(key: number, value: number, sinceMs: number): string | undefined {
    const changes = this.#changes.get(key) ?? [];
    const place = changes.findLastIndex(({ atMs }) => atMs <= sinceMs);
    const last = changes.findLastIndex((change) => change.value === value);
    if (last < 0) return `the server has never held ${value}`;
    if (last < place) {
      const { atMs, value: newer } = changes[last + 1];
      return `stale: ${value}, in place of which there was ${newer === 0 ? "none" : newer} at ${atMs}`;
    }
    const deadlineMs = this.#deadlines.get(value)!;
    return deadlineMs <= sinceMs ? `expired: ${value}, which was over at ${deadlineMs}` : undefined;
  }

  /** Milliseconds for which a value has been replaced; 0 if it has not been. */
  ageMs(key: number, value: number, nowMs: number): number {
    const changes = this.#changes.get(key) ?? [];
    const next = changes[changes.findLastIndex((change) => change.value === value) + 1];
    return next === undefined ? 0 : nowMs - next.atMs;
  }
}
