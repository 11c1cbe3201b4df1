/**
 * The clears of prefixes that a store remembers: whether one is newer than a write of a key. It knows bytes, versions and
 * positions, not what lies there.
 *
 * They are sorted by prefix, and each leads to that of the longest prefix of its own. So one search finds the clears of a key: all
 * that stand between a prefix of the key and the key begin with that prefix. Of the clears of one key that of the longest prefix
 * is the newest, since a clear of a shorter one that is newer stands for all the others.
 */

import { beginsWith, type ByteSpan, commonBytes } from "../base/byte_span.ts";
import { compareVersions, type Version } from "./version.ts";

/** A clear of all keys that begin with a prefix. */
interface PrefixClear {
  readonly prefix: ByteSpan;
  readonly version: Version;
  /** Bytes of its record. */
  readonly bytes: number;
  /** The round of erasing with which nothing is left that it has cleared. */
  readonly erasedWith: number;
  /** Position of its record; 0 once that has left. */
  position: number;
  /** The clear of the longest prefix of this one, itself left out. */
  shorter: PrefixClear | undefined;
  /** How many clears there are of prefixes of this one, itself included; and one of them further on, so that few steps lead to any. */
  depth: number;
  jump: PrefixClear | undefined;
}

/** Clears of prefixes. Those whose records have left are among them until nothing is left that they have cleared. */
export class PrefixClears {
  /** Those that have a record, and the bytes of their records. */
  held = 0;
  bytes = 0;
  /** In the order of the prefixes' bytes. */
  #sorted: PrefixClear[] = [];
  /** Whether depths and jumps are those of the clears that there are. */
  #hasJumps = true;
  /** None has a version above this one. */
  #newest = 0;
  /** The last round of erasing that is over. */
  #round = 0;

  /** How many there are. */
  get size(): number {
    return this.#sorted.length;
  }

  /** Positions of their records. */
  get positions(): number[] {
    return this.#sorted.flatMap(({ position }) => position === 0 ? [] : [position]);
  }

  /** Position of the oldest record; 0 if there is none. */
  get oldest(): number {
    let oldest: PrefixClear | undefined;
    for (const clear of this.#sorted) {
      const isOlder = oldest === undefined || compareVersions(clear.version, oldest.version) < 0;
      if (clear.position !== 0 && isOlder) oldest = clear;
    }
    return oldest?.position ?? 0;
  }

  /** Whether a clear of a prefix of a key is newer than a version. */
  covers(key: ByteSpan, version: Version): boolean {
    if (version.h > this.#newest) return false;
    const newest = this.newestOf(key);
    return newest !== undefined && compareVersions(newest, version) > 0;
  }

  /** The version of the newest clear of a prefix of a key. */
  newestOf(key: ByteSpan): Version | undefined {
    return this.#longest(key)?.version;
  }

  /** The newest clear of a prefix of a key: which prefix, and the version. */
  lastOf(key: ByteSpan): Pick<PrefixClear, "prefix" | "version"> | undefined {
    return this.#longest(key);
  }

  /**
   * Adds a clear that no other covers. It stands for all of longer prefixes that are older: these are taken out.
   *
   * @param position Position of its record, which takes `bytes` bytes.
   * @param erasedWith The round of erasing with which nothing is left that it has cleared.
   * @returns Positions of the records of those that have been taken out.
   */
  add(
    { bytes: all, from, to }: ByteSpan,
    version: Version,
    position: number,
    bytes: number,
    erasedWith: number,
  ): number[] {
    const prefix: ByteSpan = { bytes: all.slice(from, to), from: 0, to: to - from };
    const older = this.#beginningWith(prefix).filter((clear) => compareVersions(clear.version, version) <= 0);
    const positions = older.flatMap(({ position }) => position === 0 ? [] : [position]);
    if (older.length > 0) this.#takeOut(new Set(older));
    const shorter = this.#longest(prefix);
    const added = { prefix, version, bytes, erasedWith, position, shorter, depth: 0, jump: undefined };
    for (const longer of this.#beginningWith(prefix)) if (longer.shorter === shorter) longer.shorter = added;
    this.#sorted.splice(this.#after(prefix), 0, added);
    this.#hasJumps = false;
    this.held++;
    this.bytes += bytes;
    this.#newest = Math.max(this.#newest, version.h);
    return positions;
  }

  /** Takes note that a record has moved. */
  moved(prefix: ByteSpan, from: number, to: number): void {
    const clear = this.#longest(prefix);
    if (clear?.position === from) clear.position = to;
  }

  /** Takes note that the record at a position leaves. */
  left(prefix: ByteSpan, position: number): void {
    const clear = this.#longest(prefix);
    if (clear?.position !== position) return;
    if (clear.erasedWith <= this.#round) this.#takeOut(new Set([clear]));
    else this.#let(clear);
  }

  /** Takes note that a round of erasing is over: nothing is left of what has been cleared before it began. */
  erased(round: number): void {
    this.#round = round;
    const over = this.#sorted.filter(({ position, erasedWith }) => position === 0 && erasedWith <= round);
    if (over.length > 0) this.#takeOut(new Set(over));
  }

  /** Takes note that nothing is held any more. */
  clear(): void {
    this.#sorted = [];
    this.held = this.bytes = this.#newest = 0;
  }

  #let(clear: PrefixClear): void {
    if (clear.position === 0) return;
    clear.position = 0;
    this.held--;
    this.bytes -= clear.bytes;
  }

  /** Takes clears out in one go: they may be many, of prefixes of each other. */
  #takeOut(clears: ReadonlySet<PrefixClear>): void {
    for (const clear of clears) this.#let(clear);
    for (const clear of this.#sorted) { // shorter ones come first: what they lead to stays
      if (clear.shorter !== undefined && clears.has(clear.shorter)) clear.shorter = clear.shorter.shorter;
    }
    this.#sorted = this.#sorted.filter((clear) => !clears.has(clear));
    this.#hasJumps = false;
  }

  /** The clear of the longest prefix of a key. */
  #longest(key: ByteSpan): PrefixClear | undefined {
    let clear: PrefixClear | undefined = this.#sorted[this.#after(key) - 1];
    const common = clear === undefined ? 0 : commonBytes(clear.prefix, key);
    if (!this.#hasJumps && clear !== undefined && clear.prefix.to > common) this.#setJumps();
    while (clear !== undefined && clear.prefix.to > common) {
      const { jump }: PrefixClear = clear;
      clear = jump !== undefined && jump.prefix.to > common ? jump : clear.shorter;
    }
    return clear;
  }

  /**
   * Has each clear jump as far as the one that it leads to, and as the one that this jumps to, if both jump equally far; else to the one
   * that it leads to. So the number of steps grows with the logarithm of the depth: anybody may clear prefixes of prefixes.
   */
  #setJumps(): void {
    for (const clear of this.#sorted) {
      const { shorter, shorter: { depth = 0, jump } = {} } = clear;
      clear.depth = depth + 1;
      const areEqual = jump !== undefined && depth - jump.depth === jump.depth - (jump.jump?.depth ?? 0);
      clear.jump = areEqual ? jump.jump : shorter;
    }
    this.#hasJumps = true;
  }

  /** The clears of a prefix and of longer ones that begin with it. */
  #beginningWith(prefix: ByteSpan): PrefixClear[] {
    const begins = (clear: PrefixClear | undefined) => clear !== undefined && beginsWith(clear.prefix, prefix);
    const after = this.#after(prefix);
    let [from, to] = [after, after];
    if (begins(this.#sorted[from - 1])) from--; // that of this very prefix
    while (begins(this.#sorted[to])) to++;
    return this.#sorted.slice(from, to);
  }

  /** Place of the first whose prefix comes after a key. */
  #after(key: ByteSpan): number {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isAfter(this.#sorted[middle].prefix, key)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Whether a key comes after another one in the order of their bytes. */
function isAfter(a: ByteSpan, b: ByteSpan): boolean {
  const common = commonBytes(a, b);
  return common < a.to - a.from && (common === b.to - b.from || a.bytes[a.from + common] > b.bytes[b.from + common]);
}
