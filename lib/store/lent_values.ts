/**
 * Values that are given out in parts, while they are written to somebody: they are read where they lie, and copied only if they leave
 * there before they are written. It knows where values lie by what reads them, not how.
 */

import type { Borrower, Lent } from "../base/lent.ts";
import type { EntryReader } from "./entry.ts";

/** The value of one record, for all who are given it. */
class LentValue {
  readonly #reader: EntryReader;
  /** Those who are given it; the first of them answers for the memory of a copy. */
  readonly #borrowers: Borrower[] = [];
  readonly #onEnd: (position: number) => void;
  #position: number;
  #copy: Uint8Array<ArrayBuffer> | undefined;
  #isLost = false;

  constructor(reader: EntryReader, position: number, onEnd: (position: number) => void) {
    this.#reader = reader;
    this.#position = position;
    this.#onEnd = onEnd;
  }

  /** Gives it to one more. */
  to(borrower: Borrower): Lent {
    this.#borrowers.push(borrower);
    return {
      copyPart: (from, to, target, at) => {
        if (this.#isLost) {
          throw new Error("The value has left while it was written, and there was no memory for a copy");
        }
        if (this.#copy === undefined) this.#reader.copyPart(this.#position, from, to, target, at);
        else target.set(this.#copy.subarray(from, to), at);
      },
      giveBack: () => this.#leave(borrower),
    };
  }

  /** The record lies elsewhere. */
  moved(position: number): void {
    this.#position = position;
  }

  /** Copies the value, if there is memory for it: its record is about to be something else. */
  keep(): void {
    const borrowers = this.#borrowers;
    const length = this.#reader.valueBytes(this.#position);
    const i = borrowers.findIndex((borrower) => borrower.mayHold(length));
    if (i < 0) {
      this.#isLost = true;
      for (const borrower of borrowers) borrower.giveUp();
      return;
    }
    this.#copy = new Uint8Array(length);
    this.#reader.copyPart(this.#position, 0, length, this.#copy, 0);
    borrowers.unshift(...borrowers.splice(i, 1));
    borrowers[0].changed(length);
  }

  #leave(borrower: Borrower): void {
    const borrowers = this.#borrowers;
    const i = borrowers.indexOf(borrower);
    borrowers.splice(i, 1);
    if (this.#isLost) return;
    if (this.#copy === undefined) {
      if (borrowers.length === 0) this.#onEnd(this.#position);
    } else if (i === 0) {
      borrower.changed(-this.#copy.length);
      borrowers[0]?.changed(this.#copy.length);
    }
  }
}

/** All values of one store's records that are given out now. */
export class LentValues {
  readonly #reader: EntryReader;
  readonly #all = new Map<number, LentValue>();
  readonly #onEnd = (position: number) => void this.#all.delete(position);

  constructor(reader: EntryReader) {
    this.#reader = reader;
  }

  /** Values given out that still lie where they lay. */
  get size(): number {
    return this.#all.size;
  }

  /** Gives out the value of the record at a position. `borrower` is told of the memory that a copy of it takes. */
  lend(position: number, borrower: Borrower): Lent {
    let value = this.#all.get(position);
    if (value === undefined) {
      value = new LentValue(this.#reader, position, this.#onEnd);
      this.#all.set(position, value);
    }
    return value.to(borrower);
  }

  /** A record has moved. */
  moved(from: number, to: number): void {
    const value = this.#all.get(from);
    if (value === undefined) return;
    this.#all.delete(from);
    this.#all.set(to, value);
    value.moved(to);
  }

  /** A record is about to lose its value, or to get another one: what is given out of it is copied. */
  keep(position: number): void {
    const value = this.#all.get(position);
    if (value === undefined) return;
    this.#all.delete(position);
    value.keep();
  }

  /** All records are about to go. */
  keepAll(): void {
    for (const position of this.#all.keys()) this.keep(position);
  }
}
