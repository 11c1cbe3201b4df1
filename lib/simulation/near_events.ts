/** Simulated time, and what is to happen when. */

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** What happens, in the order of times; of one time in the order in which it was said. */
export class Events {
  /** Simulated time, in milliseconds. */
  nowMs = 0;
  /** A binary heap. */
  readonly #heap: Event[] = [];
  #said = 0;

  /** Lets something happen at a time, or now if that is over. */
  at(atMs: number, run: () => void): void {
    const event = { atMs: Math.max(atMs, this.nowMs), order: this.#said++, run };
    const heap = this.#heap;
    let place = heap.push(event) - 1;
    for (let above = place - 1 >> 1; place > 0 && isBefore(event, heap[above]); above = place - 1 >> 1) {
      heap[place] = heap[above];
      place = above;
    }
    heap[place] = event;
  }

  /** Lets something happen again and again, each time after as many milliseconds as `pauseMs` says. */
  every(pauseMs: () => number, run: () => void): void {
    this.at(this.nowMs + pauseMs(), () => {
      run();
      this.every(pauseMs, run);
    });
  }

  /** Lets all happen that is to happen before a time. */
  runUntil(endMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs < endMs; next = this.#heap[0]) {
      this.#removeFirst();
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = endMs;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let place = 0;
    for (let below = 1; below < heap.length; below = 2 * place + 1) {
      if (below + 1 < heap.length && isBefore(heap[below + 1], heap[below])) below++;
      if (isBefore(last, heap[below])) break;
      heap[place] = heap[below];
      place = below;
    }
    heap[place] = last;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
