/** How long a client may keep its connection waiting. It knows bytes and requests, not what they say. */

/** Milliseconds for the first complete request, for any other, and for a reply that nobody takes. */
export const FIRST_REQUEST_MS = 5000;
export const REQUEST_MS = 30_000;
export const OUTPUT_MS = 30_000;
/** Bytes for which a request is given another millisecond: slower than this, it is not on its way but held back. */
export const LEAST_BYTES_PER_MS = 100;
/** Milliseconds without a byte after which a connection is still. */
const STILL_MS = 1000;

/**
 * Why a connection is ended: the client has not said who it is, no first request, a request that does not end, a reply that nobody
 * takes, or idleness.
 */
export type Impatience = "login" | "first-request" | "request" | "output" | "idle";

/** What a connection is doing. */
export interface Doing {
  /** Bytes received, and bytes sent. */
  readonly received: number;
  readonly sent: number;
  /** Whether output waits to be taken. */
  readonly isWriting: boolean;
  /** Whether bytes of the client are waited for. */
  readonly isReading: boolean;
  /** Whether a request has arrived in part. */
  readonly isPartial: boolean;
  /** Requests that have been answered. */
  readonly answered: number;
  /** Whether the client has said who it is, or need not. */
  readonly isKnown: boolean;
}

/** Watches one connection. The caller looks now and then, and says by its own clock when. */
export class Patience {
  #nowMs: number;
  readonly #startedMs: number;
  /** When a byte was last moved, and how many had been. */
  #movedMs: number;
  #moved = 0;
  /** When the request that is waited for began, and the bytes received and the requests answered before. */
  #beganMs: number;
  /** When a request was last seen to have been answered, and how many had been. */
  #answeredMs: number;
  #answered = 0;
  #receivedBefore = 0;
  #answeredBefore = 0;

  constructor(nowMs: number) {
    this.#nowMs =
      this.#startedMs =
      this.#movedMs =
      this.#beganMs =
      this.#answeredMs =
        nowMs;
  }

  /** Milliseconds without a byte, when the connection was last looked at. */
  get stillMs(): number {
    return this.#nowMs - this.#movedMs;
  }

  /** Milliseconds since the last request, or since the connection was made, to within the time between two looks. */
  idleMs(nowMs: number, { answered, isReading }: Doing): number {
    return answered !== this.#answered || !isReading ? 0 : nowMs - this.#answeredMs;
  }

  /** Whether no byte has been moved for a second. */
  isStill({ received, sent }: Doing): boolean {
    return received + sent === this.#moved && this.stillMs >= STILL_MS;
  }

  /** Looks at the connection. Returns why it is to be ended, if it is. */
  look(nowMs: number, doing: Doing, idleMs = Infinity): Impatience | undefined {
    this.#nowMs = nowMs;
    const { received, sent, answered } = doing;
    if (received + sent !== this.#moved) {
      this.#moved = received + sent;
      this.#movedMs = nowMs;
    }
    if (answered !== this.#answered) {
      this.#answered = answered;
      this.#answeredMs = nowMs;
    }
    if (!doing.isKnown && nowMs - this.#startedMs > FIRST_REQUEST_MS) return "login"; // whatever else it does
    if (doing.isWriting && this.stillMs > OUTPUT_MS) return "output";
    const isStranger = answered === 0;
    const isNext = answered !== this.#answeredBefore || (!doing.isPartial && !isStranger);
    if (isNext || doing.isWriting || !doing.isReading) {
      this.#beganMs = nowMs;
      this.#receivedBefore = received;
      this.#answeredBefore = answered;
    }
    const takenMs = nowMs - this.#beganMs - (received - this.#receivedBefore) / LEAST_BYTES_PER_MS;
    if (isStranger) return takenMs > FIRST_REQUEST_MS ? "first-request" : undefined;
    if (doing.isPartial) return takenMs > REQUEST_MS ? "request" : undefined;
    return doing.isReading && this.stillMs > idleMs ? "idle" : undefined;
  }
}
