/** Options of how values become bytes: their types and their checks. */

import { MAX_VALUE_BYTES } from "./limits.ts";
import { isObject, numberOption, type OptionRule } from "./options.ts";

/** A serializer of your own, in {@linkcode ClientOptions.codec}. Both functions are called as methods of it. */
export interface ValueCodec {
  /**
   * Returns a value as bytes, which may be used again when the next value is encoded.
   *
   * @param value The value.
   * @returns The bytes, 16 MiB at most.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient, type ValueCodec } from "@ormuco/cache";
   *
   * const codec: ValueCodec = {
   *   encode: (value) => new TextEncoder().encode(JSON.stringify(value, (_, part) => typeof part === "bigint" ? `${part}` : part)),
   *   decode: (bytes) => JSON.parse(new TextDecoder().decode(bytes)),
   * };
   * await using cache = new OrmucoCacheClient({ copies: true, codec });
   * await cache.store("k", { id: 1n });
   * console.log((await cache.retrieve<{ id: string }>("k"))?.id); // 1
   * ```
   */
  encode(value: unknown): Uint8Array;
  /**
   * Returns the value that bytes stand for. It must not be a promise.
   *
   * @param bytes What `encode` has returned here or in another process, as an array of its own.
   * @returns The value.
   *
   * @example
   * ```ts
   * import type { ValueCodec } from "@ormuco/cache";
   *
   * const codec: ValueCodec = {
   *   encode: (value) => new TextEncoder().encode(JSON.stringify(value)),
   *   decode: (bytes) => JSON.parse(new TextDecoder().decode(bytes)),
   * };
   * console.log(codec.decode(codec.encode([1, 2]))); // [ 1, 2 ]
   * ```
   */
  decode(bytes: Uint8Array): unknown;
}

/** How values become bytes, where an option says so. */
export interface ValueOptions {
  readonly codec?: ValueCodec;
  /** Encoded bytes from which on a value is compressed; `undefined` if none is. */
  readonly compressOverBytes?: number;
}

/** A rule for a codec. */
export const CODEC_OPTION: OptionRule = {
  allowed: "an object with the functions encode and decode",
  isType: isObject,
  accepts: ({ encode, decode }: ValueCodec) => typeof encode === "function" && typeof decode === "function",
};

/** A rule for the bytes over which values are compressed. */
export const COMPRESS_OPTION: OptionRule = numberOption({ least: 0, most: MAX_VALUE_BYTES, isWhole: true });

/** Returns the options that are given; `undefined` if none is, so that encoders have one thing to look at. */
export function valueOptions({ codec, compressOverBytes }: ValueOptions): ValueOptions | undefined {
  return codec === undefined && compressOverBytes === undefined ? undefined : { codec, compressOverBytes };
}
