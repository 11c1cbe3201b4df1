/**
 * Leases of a server's own cache: it asks the same table as clients do, without a socket. It knows keys as text and values as
 * bytes, not who computes what.
 */

import type { Asked, Question } from "../compute/backend.ts";
import { Waits } from "../compute/waits.ts";
import { Asker } from "../near/leases.ts";
import type { LeaseToken } from "../wire/leases.ts";
import type { ByteSpan } from "../base/byte_span.ts";
import type { LeaseHost } from "./native_leases.ts";

/** Keys may begin with U+FEFF, which is otherwise taken for a mark of the byte order. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Asks for leases in this process. */
export class LocalLeases {
  readonly #host: LeaseHost;
  readonly #asker = new Asker((key) => key === undefined ? this.#waits.wakeAll() : this.#waits.wake(utf8.decode(key)));
  readonly #waits = new Waits();

  constructor(host: LeaseHost) {
    this.#host = host;
  }

  /**
   * Asks for leave to compute a key that has no fresh entry.
   *
   * @param stale What there is that is not fresh any more and will do, if there is anything.
   */
  ask(key: string, span: ByteSpan, { leaseMs }: Question, stale: { value: unknown; forMs: number } | undefined): Asked {
    const { leases, newToken, store: { nowMs } } = this.#host;
    const token = newToken();
    const answer = leases.ask(span, this.#asker, { ...token, nowMs, leaseMs, hasStale: stale !== undefined });
    if (answer === "stale") return { state: "stale", ...stale! };
    if (answer === "wait") return { state: "wait", again: this.#waits.wait(key) };
    return { state: "compute", token, ...(stale === undefined ? {} : { stale }) };
  }

  /** Whether a lease is still that of its key; one that is not is counted. */
  isValid(span: ByteSpan, token: unknown): boolean {
    return this.#host.leases.isValid(span, token as LeaseToken);
  }

  /** Gives a lease back. */
  give(span: ByteSpan, token: unknown): void {
    const { leases, store } = this.#host;
    leases.takeBack(span, token as LeaseToken, store.nowMs, store.kept(span) !== 0);
  }
}
