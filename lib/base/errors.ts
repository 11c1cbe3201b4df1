/**
 * The errors for failures on the other side of a connection. A caller's misuse is a `RangeError` or a `TypeError`.
 *
 * @module
 */

/**
 * The other side of a connection sent bytes that break the protocol, or a value that is not in its announced format.
 */
export class ProtocolError extends Error {
  /** The class's name. */
  override name = "ProtocolError";
}

/**
 * Why a call failed:
 *
 * - `unreachable`: no server could be reached, the connection was lost, or the client is closed.
 * - `timeout`: no connection or no reply came within the client's `timeoutMs`, or no value within that of a `retrieveOrStore`.
 * - `refused`: the server refused the request, or the value is larger than a server takes.
 * - `protocol`: the reply, or the value in it, could not be understood.
 * - `busy`: too many calls of this client wait for the server already.
 * - `compute`: a computation of `retrieveOrStore` failed of which a caller was given an older value.
 */
export type CacheErrorCode = "unreachable" | "timeout" | "refused" | "protocol" | "busy" | "compute";

/** Options of {@linkcode CacheError}; `cause` is the underlying error. */
export interface CacheErrorOptions extends ErrorOptions {
  /**
   * Whether the error concerns one call, or a connection and every call that waits for it.
   *
   * @default {"call"}
   */
  concerns?: "call" | "connection";
}

/**
 * A call failed. The client passes this error to its option `onError` and does not throw it: the call itself resolves to a miss
 * or to `false`. A `retrieveOrStore` whose time is over rejects with it.
 *
 * @example
 * ```ts
 * import { CacheError, OrmucoCacheClient } from "@ormuco/cache";
 *
 * const onError = (error: CacheError) => console.log(error.code, error.message);
 * await using _cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"], onError });
 *
 * const alone = new OrmucoCacheClient({});
 * const neverDone = () => new Promise(() => {});
 * await alone.retrieveOrStore("k", neverDone, { timeoutMs: 10 }).catch((error) => {
 *   if (error instanceof CacheError) console.log(error.code); // timeout
 * });
 * ```
 */
export class CacheError extends Error {
  /** The class's name. */
  override name = "CacheError";
  /** The reason of the failure. */
  readonly code: CacheErrorCode;
  /** Whether the error concerns one call, or a connection and every call that waits for it. */
  readonly concerns: "call" | "connection";

  /**
   * Makes the error.
   *
   * @param code The reason of the failure.
   * @param message What failed, where and why.
   * @param options The underlying error as `cause`, and what the error concerns.
   */
  constructor(code: CacheErrorCode, message: string, options: CacheErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.concerns = options.concerns ?? "call";
  }
}
