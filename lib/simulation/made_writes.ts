/** All writes that clients have made in a simulated cluster, even those that were lost with their node. */

import { compareVersions, type Version } from "../store/version.ts";

/** The writes of every key. */
export class MadeWrites {
  /** For each key, the versions of its writes, the oldest first. */
  readonly #writes = new Map<number, Version[]>();

  /** Takes note of a write; one that is noted already is passed over. */
  add(key: number, version: Version): void {
    const writes = this.#writes.get(key);
    if (writes === undefined) {
      this.#writes.set(key, [version]);
      return;
    }
    let at = writes.length;
    while (at > 0 && compareVersions(writes[at - 1], version) > 0) at--;
    if (at > 0 && compareVersions(writes[at - 1], version) === 0) return;
    writes.splice(at, 0, version);
  }

  /** The versions of a key's writes, the oldest first. */
  of(key: number): readonly Version[] {
    return this.#writes.get(key) ?? [];
  }

  /** The newest version of a key. */
  newest(key: number): Version | undefined {
    return this.#writes.get(key)?.at(-1);
  }

  /** Whether a write is older than another of its key. */
  hasNewer(key: number, version: Version): boolean {
    const newest = this.newest(key);
    return newest !== undefined && compareVersions(newest, version) > 0;
  }

  /** Whether another write of the key has the same number and a different origin: fingerprints do not tell them apart. */
  hasTwin(key: number, { h, origin }: Version): boolean {
    return this.of(key).some((other) => other.h === h && other.origin !== origin);
  }
}
