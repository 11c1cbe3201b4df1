/**
 * How many pages of a peer are under way: few at first, then more while they come as fast as the way is long, and fewer when
 * they come late, since then they wait for each other on the way, at the peer or here. It knows numbers and times, not what is
 * in pages.
 */

/** Pages under way at a time, at most: 8 MiB. */
export const MOST_PAGES = 64;
/**
 * A page is early that takes as long as one and a half of the quickest round trip and `SLACK_MS`, which is the work of a few
 * pages: then one more is asked for, so that the window doubles with every round trip. One that takes as long as two and a half
 * and twice that is late: then the window is halved, once until pages come that were asked for after that. So a write that is
 * pushed meanwhile waits behind pages for no longer than about two round trips.
 */
const EARLY = 1.5;
const LATE = 2.5;
const SLACK_MS = 40;

/** The pages that answer one question after another. */
export class PageWindow {
  /** Number of the first page, and how many of those that follow it have been taken and allowed. */
  #first = 0;
  #taken = 0;
  #allowed = 0;
  /** Pages that may be under way. */
  #size: number;
  readonly #least: number;
  /** Pages of this question that were asked for before the window was halved. */
  #before = 0;
  /** When each page that is under way was asked for. */
  #askedMs: number[] = [];

  /** @param least How many pages may be under way at first, and in any case. */
  constructor(least: number) {
    this.#size = this.#least = least;
  }

  /** Whether a page of this question has been passed over, so that the question has to be put again. */
  hasPassedOver = false;

  /** The number of the page that comes next. */
  get next(): number {
    return this.#first + 2 * this.#taken;
  }

  /** The highest number of a page that has been asked for. */
  get last(): number {
    return this.#first + 2 * (this.#allowed - 1);
  }

  /** The number of the question, and how many pages may answer it. */
  get said(): { question: number; pages: number } {
    return { question: this.#first, pages: this.#allowed };
  }

  /** Begins with a new question, for one page at first if `isOne`. */
  begin(question: number, nowMs: number, isOne: boolean): void {
    [this.#first, this.#taken, this.#before] = [question, 0, 0];
    this.hasPassedOver = false;
    this.#allowed = isOne ? 1 : this.#size;
    this.#askedMs = Array.from({ length: this.#allowed }, () => nowMs);
  }

  /** Takes note that the next page has come, over a way whose quickest round trip takes `quickestMs`. */
  took(nowMs: number, quickestMs: number): void {
    const tookMs = nowMs - (this.#askedMs.shift() ?? nowMs);
    if (tookMs <= EARLY * quickestMs + SLACK_MS) this.#size = Math.min(MOST_PAGES, this.#size + 1);
    else if (tookMs > LATE * quickestMs + 2 * SLACK_MS && this.#taken >= this.#before) this.#halve();
    this.#taken++;
  }

  /**
   * Takes note that a page is passed over. Returns whether others should have come before it: if it has not come twice, it has to
   * come again after them.
   */
  passOver(question: number): boolean {
    if (question <= this.next || question > this.last) return false;
    if (!this.hasPassedOver) this.#halve();
    return this.hasPassedOver = true;
  }

  /** Allows as many more pages as may be under way. Returns whether there are any. */
  allow(nowMs: number): boolean {
    const more = this.#taken + this.#size - this.#allowed;
    for (let i = 0; i < more; i++) this.#askedMs.push(nowMs);
    this.#allowed += Math.max(0, more);
    return more > 0;
  }

  #halve(): void {
    this.#size = Math.max(this.#least, this.#size >> 1);
    this.#before = this.#allowed;
  }
}
