/**
 * Takes a snapshot into a store that nothing has been written to before: page after page, the newest writes first. It knows
 * messages, not files. The rules are in docs/replication.md.
 */

import { ProtocolError } from "../base/errors.ts";
import { ENTRY } from "../store/entry.ts";
import { type Base, BasedKnown, forEachListed, type Known, type KnownList, type Told } from "../store/known.ts";
import { ALL_RULES, type Rules } from "../store/rules.ts";
import type { Store } from "../store/store.ts";
import { aheadMs } from "../store/version.ts";
import { type Head, MESSAGE, MORE, type Page, shorten } from "./message.ts";
import { highest, readMessage } from "./message_reader.ts";
import type { SnapshotFacts } from "./snapshot_format.ts";

/** What a load needs. */
export interface SnapshotLoadOptions {
  readonly store: Store;
  /** What the snapshot's header says. */
  readonly facts: Pick<SnapshotFacts, "writtenMs" | "clock">;
  /** Whether clients are given nothing of it before `release` is called. */
  readonly isWithheld?: boolean;
  /** Rules of replication; for the simulator. */
  readonly rules?: Rules;
}

/** The load of one snapshot. */
export class SnapshotLoad {
  /** Entries taken in that have not expired meanwhile; there may be no room for all of them. */
  entries = 0;
  readonly #store: Store;
  readonly #facts: SnapshotLoadOptions["facts"];
  readonly #rules: Rules;
  /** What is known with the last page, and how far writes have been forgotten. */
  #known: Known | undefined;
  #lossy: Known = new Map();
  /** What a base stands for, if there is one. */
  #base: Base | undefined;
  #told: Told | undefined;

  /**
   * Begins: whatever is written here from now on is newer than all that the snapshot holds.
   *
   * @throws {Error} If the snapshot holds writes from the far future.
   */
  constructor({ store, facts, isWithheld = false, rules = ALL_RULES }: SnapshotLoadOptions) {
    this.#store = store;
    this.#facts = facts;
    this.#rules = rules;
    if (rules.snapshotClock && !store.seeClock(facts.clock)) {
      const seconds = Math.round(aheadMs(facts.clock, store.wallMs) / 1000);
      throw new Error(`it holds writes from ${seconds} s in the future: this machine's clock is wrong, or was then`);
    }
    if (isWithheld) store.history.withheldBelow = facts.clock + 1;
  }

  /** Lets clients have what is loaded: whatever is newer elsewhere is here by now, or cannot be reached. */
  release(): void {
    this.#store.history.withheldBelow = 0;
  }

  /**
   * Takes a message: the last of the snapshot first.
   *
   * @throws {Error} If it is none of a snapshot.
   */
  take(bytes: Uint8Array): void {
    const message = readMessage(bytes);
    if (highest(message) > this.#facts.clock) throw new ProtocolError("a write that is newer than the snapshot");
    if (message.type === MESSAGE.explained && this.#known === undefined) return this.#takeBase(message);
    if (message.type !== MESSAGE.page) throw new ProtocolError(`a message of type ${message.type} in a snapshot`);
    const known = this.#known ??= this.#begin(message);
    if (message.departures.length > 0) this.#store.takeDepartures(message.departures);
    shorten(message.writes, Math.max(0, this.#store.wallMs - this.#facts.writtenMs));
    for (const write of message.writes) {
      const isNews = this.#store.apply(write.key, write, known);
      if (isNews && write.kind === ENTRY && write.entry!.remainingMs > 0) this.entries++;
    }
  }

  /** Takes note that all has been taken: what was known where the snapshot was made is known here. */
  finish(): void {
    const { history } = this.#store;
    this.end();
    if (this.#known === undefined) return;
    this.#know(this.#known);
    history.rest();
    history.addDoubts(this.#lossy);
    history.forgetAll(this.#lossy);
  }

  /** Ends with what has been taken: it is kept, but makes nothing known. */
  end(): void {
    this.#store.history.isUnswept = false; // each entry was compared with all fingerprints when it was taken
  }

  #takeBase({ base, told }: { base: Base; told: KnownList }): void {
    this.#told = this.#store.history.knowledge.told(base, told);
    if (this.#told === undefined) throw new ProtocolError("a base that stands for something else");
    this.#base = base;
  }

  /** Takes what the last page says of all. */
  #begin({ known, lossy, more, cleared }: Page & Head): Known {
    if (more !== MORE.nothing) throw new ProtocolError("a snapshot without its last page");
    const all = this.#resolved(known);
    this.#lossy = new Map(lossy);
    this.#store.clearUpTo(cleared);
    if (!this.#rules.snapshotKnown) this.#know(all);
    return all;
  }

  #resolved(known: Known): Known {
    const { base } = known;
    if (base === undefined) return known;
    const told = this.#told;
    if (told === undefined || base.upTo !== this.#base?.upTo || base.digest !== this.#base.digest) {
      throw new ProtocolError("a base that nothing explains");
    }
    return new BasedKnown(known, { ...base, told }, (id) => told.known(id) || undefined);
  }

  #know(known: Known): void {
    const { history } = this.#store;
    if (known.base !== undefined) history.knowledge.expect(known.base);
    forEachListed(known, (id, h) => history.know({ origin: id, h }));
  }
}
