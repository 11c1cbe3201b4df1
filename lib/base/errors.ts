/**
 * The errors that are not the caller's misuse (those are `RangeError` and `TypeError`).
 *
 * @module
 */

/** The other side sent bytes that break the protocol or the format it announced. */
export class ProtocolError extends Error {
  /** The class's name. */
  override name = "ProtocolError";
}

/**
 * Why a call to a server failed: no server could be reached (`unreachable`), no reply came in time (`timeout`), the
 * server refused (`refused`), what it sent could not be understood (`protocol`), or too much waits already (`busy`).
 */
export type CacheErrorCode = "unreachable" | "timeout" | "refused" | "protocol" | "busy";

/** Options of {@linkcode CacheError}. */
export interface CacheErrorOptions extends ErrorOptions {
  /**
   * What the error concerns.
   *
   * @default {"call"}
   */
  concerns?: "call" | "connection";
}

/** A call to a server failed. The client hands it to `onError`; the call itself counts as a miss. */
export class CacheError extends Error {
  /** The class's name. */
  override name = "CacheError";
  /** What kind of failure it was. */
  readonly code: CacheErrorCode;
  /** Whether it concerns this call alone, or a connection and all calls that wait for it. */
  readonly concerns: "call" | "connection";

  /**
   * Makes the error.
   *
   * @param code What kind of failure it was.
   * @param message What failed, where and why.
   * @param options The underlying error, as `cause`; and what it concerns, which is the call unless said otherwise.
   */
  constructor(code: CacheErrorCode, message: string, options: CacheErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.concerns = options.concerns ?? "call";
  }
}
