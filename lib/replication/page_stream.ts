/**
 * The pages that answer one pull of a peer, one after another, as many as the peer allows: what the peer has not said with the
 * pull is as it was at the end of the page before. It knows the store, not when a page may be sent.
 */

import { type Head, MORE, type Page, type Place, type Pull, type Window } from "./message.ts";
import { pageFor, pageOf, type PageSize, placeOf, recentPlaces } from "./pages.ts";
import type { Known } from "../store/known.ts";
import type { Rules } from "../store/rules.ts";
import type { Store } from "../store/store.ts";

/** Entries that were used last which come first, at most: 16 bytes of memory each, and some milliseconds of work at once. */
const MAX_RECENT = 16_384;

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
    const recent = window?.question === pull.question ? Math.min(window.recent, MAX_RECENT) : 0;
    this.#recent = recentPlaces(store, pull.known, recent);
  }

  /** The question's number. */
  get question(): number {
    return this.#pull.question;
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
  next(part: PageSize & { rules: Rules; known: Known }): Omit<Page, "to"> {
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

/** Of two that a peer has said of its window the one that holds: the later one, though it may have come before. */
export function wider(one: Window, other: Window | undefined): Window {
  const isOver = other !== undefined &&
    (one.question < other.question || (one.question === other.question && one.pages <= other.pages));
  return isOver ? other : one;
}
