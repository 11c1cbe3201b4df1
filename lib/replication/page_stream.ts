/**
 * The pages that answer one pull of a peer, one after another, as many as the peer allows: what the peer has not said with the
 * pull is as it was at the end of the page before. It knows the store, not when a page may be sent.
 */

import { type Head, MORE, type Page, type Place, type Pull, type Window } from "./message.ts";
import { type PageContext, pageFor, pageOf, placeOf, recentPlaces } from "./pages.ts";
import type { Store } from "../store/store.ts";

/**
 * Entries that were used last which come first: a tenth of all, and these at least and at most. Each takes memory, finding them
 * some milliseconds, and where a catch-up breaks off, those that it has brought come again.
 */
const RECENT = 1 / 10;
const MIN_RECENT = 256;
const MAX_RECENT = 1024;
/** Starts of a peer of which it is remembered what they have asked last. */
const MOST_STARTS = 8;

/** The pages for one peer. */
export class PageStream {
  readonly #store: Store;
  readonly #pull: Pull;
  /** The origin of the peer that has asked. */
  readonly to: number;
  /** Pages sent. */
  #sent = 0;
  #isDone = false;
  /** Places that come first, and have not been sent yet. */
  readonly #recent: Place[];
  /** Of those that have been, by version, the number under which each is counted: they need not come again. */
  readonly #given = new Map<number, number>();

  /** @param window What the peer has said of its window before, of this pull or another. */
  constructor(store: Store, pull: Pull & Head, window: Window | undefined) {
    this.#store = store;
    this.to = pull.from;
    this.#pull = { ...pull };
    const wanted = window?.question === pull.question ? window.recent : 0;
    const most = Math.min(MAX_RECENT, Math.max(MIN_RECENT, store.stats().entries * RECENT));
    this.#recent = recentPlaces(store, pull.known, Math.min(wanted, most));
  }

  /** Sends no more. */
  end(): void {
    this.#isDone = true;
  }

  /** Whether a page is to be sent, by what the peer allows. */
  isDue(window: Window | undefined): boolean {
    const isSaid = window?.question === this.#pull.question;
    return !this.#isDone && this.#sent < (isSaid ? window.pages : 1);
  }

  /** Whether it can still be told what the peer knows: with a base, this node's own knowledge may have changed since. */
  get isClear(): boolean {
    const { known } = this.#pull;
    const isOwn = known.base !== undefined && known.base.told === undefined;
    return !isOwn || this.#store.history.knowledge.resolve(known) !== undefined;
  }

  /** The next page. */
  next(part: PageContext): Omit<Page, "to"> {
    const question = this.#pull.question + 2 * this.#sent++;
    if (this.#recent.length > 0) {
      const page = pageOf(this.#store, question, this.#recent, part);
      for (const { version } of page.writes) this.#given.set(version.h, placeOf(version).id);
      return page;
    }
    const page = pageFor(this.#store, { ...this.#pull, question }, part, this.#given);
    const last = page.writes.at(-1);
    if (page.more !== MORE.writes) this.#pull.cursor = page.cursor;
    else if (last !== undefined) this.#pull.after = placeOf(last.version);
    this.#isDone = page.more === MORE.nothing;
    return page;
  }
}

/**
 * Whether a pull is later than all others of this start of the peer, by what each start has asked last: of one that comes late, or
 * twice, the pages would bear numbers of others.
 */
export function isLatest(asked: Map<number, number>, { from, question }: Pull & Head): boolean {
  if (question <= (asked.get(from) ?? -1)) return false;
  asked.delete(from); // the start that has asked last comes last in the map
  asked.set(from, question);
  for (const [oldest] of asked) if (asked.size > MOST_STARTS) asked.delete(oldest);
  return true;
}

/** Of two that a peer has said of its window the one that holds: the later one, though it may have come before. */
export function wider(one: Window, other: Window | undefined): Window {
  const isOver = other !== undefined &&
    (one.question < other.question || (one.question === other.question && one.pages <= other.pages));
  return isOver ? other : one;
}
