/** Tells of entries that leave a server's store by themselves. It knows keys as text, not who listens. */

import type { ByteSpan } from "../base/byte_span.ts";
import type { EventTeller } from "../base/cache_event.ts";
import { CAUSE, type Cause, type StoreListener } from "../store/store_listener.ts";

/** Keys may begin with U+FEFF, which is otherwise taken for a mark of the byte order. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Hears of entries that are evicted or expire. */
export class Departures implements StoreListener {
  readonly causes: number = CAUSE.evicted | CAUSE.expired;
  readonly #events: EventTeller;

  constructor(events: EventTeller) {
    this.#events = events;
  }

  /** Tells of an entry that leaves, once the store is done. A key of another program that is no text is told to nobody. */
  changed(cause: Cause, span: ByteSpan | undefined): void {
    const key = span && textOf(span);
    if (key === undefined) return;
    this.#events.later({ type: "evict", key, reason: cause === CAUSE.evicted ? "evicted" : "expired" });
  }
}

function textOf({ bytes, from, to }: ByteSpan): string | undefined {
  try {
    return utf8.decode(bytes.subarray(from, to));
  } catch {
    return undefined;
  }
}
