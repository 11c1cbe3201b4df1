/**
 * How a client of memcached's binary protocol says who it is: by SASL's mechanism PLAIN, with the answers and statuses of
 * memcached. It knows no other command.
 */

import type { Access } from "../wire/access.ts";
import { type BinaryReplies, STATUS } from "./binary_packet.ts";

const PLAIN = "PLAIN";
/** Bytes of a mechanism's name at most. */
const MAX_MECHANISM_BYTES = 32;

/** One connection's exchange of SASL. */
export class Sasl {
  readonly #access: Access;
  readonly #replies: BinaryReplies;
  /** Whether the client has named the mechanism and has yet to send name and secret. */
  #isAwaiting = false;
  /** Whether a secret is being checked. */
  isChecking = false;

  constructor(access: Access, replies: BinaryReplies) {
    this.#access = access;
    this.#replies = replies;
  }

  /** Replies with the mechanisms: none where others could read what PLAIN sends. */
  list(): void {
    this.#replies.text(this.#access.takesSecrets ? PLAIN : "");
  }

  /** Takes a step: the first one names the mechanism, and has the secret or leaves it to the next. */
  step(isFirst: boolean, mechanism: Uint8Array, message: Uint8Array): void {
    if (mechanism.length > MAX_MECHANISM_BYTES) return this.#replies.fail(STATUS.invalid);
    const isExpected = isFirst || this.#isAwaiting;
    this.#isAwaiting = false;
    if (!isExpected || textOf(mechanism).toUpperCase() !== PLAIN) return this.#replies.fail(STATUS.unauthenticated);
    if (isFirst && message.length === 0) {
      this.#isAwaiting = true;
      return void this.#replies.head(STATUS.continued);
    }
    const [as, name, secret, ...more] = textOf(message).split("\0");
    const isWhole = secret !== undefined && more.length === 0 && (as === "" || as === name);
    if (!isWhole) return this.#replies.fail(STATUS.unauthenticated);
    this.#access.authenticate(name, secret);
    this.isChecking = true;
  }

  /** Replies what has come of it. Returns whether it has; before that nothing else may be answered. */
  answer(): boolean {
    if (this.#access.attempt === "checking") return false;
    this.isChecking = false;
    if (this.#access.attempt === "granted") this.#replies.text("Authenticated");
    else this.#replies.fail(STATUS.unauthenticated);
    return true;
  }
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
