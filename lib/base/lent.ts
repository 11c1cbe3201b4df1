/** What a store lends to whoever writes it to somebody: the shape of a value that is read in parts, and of the memory it may take. */

/** Told of the memory that the buffers of one connection take. */
export interface BufferAccount {
  /** Takes note that the buffers take `bytes` more, or less if it is below 0. */
  changed(bytes: number): void;
}

/** A connection to which values may be lent. */
export interface Borrower extends BufferAccount {
  /** Whether `bytes` more may be held. */
  mayHold(bytes: number): boolean;
  /** Ends the connection, soon: there is no memory for what it is owed. */
  giveUp(): void;
}

/** A value that is given out in parts. It stays as it was when it was asked for, whatever becomes of the entry. */
export interface Lent {
  /**
   * Copies the bytes from `from` up to `to` to a place in an array that has room for them.
   *
   * @throws {Error} If the value has left and there was no memory for a copy: the account has been told to give up.
   */
  copyPart(from: number, to: number, target: Uint8Array, at: number): void;
  /** Nothing more of it is needed. To be called once. */
  giveBack(): void;
}

/** Has values, each at a position. */
export interface ValueSource {
  /** Copies a value to a place in an array that has room for it; a short one faster if there is a view of the same array, too. */
  copyValue(position: number, target: Uint8Array, at: number, view?: DataView): void;
  /** Gives out a value, to be read in parts. */
  lend(position: number, borrower: Borrower): Lent;
}
