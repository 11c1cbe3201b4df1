/**
 * Requests of a cache on servers, whose failures are counted and told in one place, and of which near copies hear that change keys. It
 * knows neither what requests mean nor how bytes travel.
 */

import type { CallOptions } from "../base/cache.ts";
import type { CacheError } from "../base/errors.ts";
import { isDenied } from "../platform/connect.ts";
import { readYesNo } from "../wire/calls.ts";
import type { FrameWriter } from "../wire/frame.ts";
import { boundsOf } from "./bounded_call.ts";
import type { ClientConnection } from "./connection.ts";
import type { Failures } from "./failures.ts";
import type { NearCache } from "./near_cache.ts";
import type { Call } from "./pipeline.ts";

/** Writes a request. */
export type Write = (output: FrameWriter) => void;

/** Reads a reply, as a {@linkcode Call} does. */
export type Read<T> = Call<T>["read"];

/** A request; `T` is what its reply says, and `R` what its caller is told. */
export interface Request<T, R = T | undefined> {
  readonly write: Write;
  readonly read: Read<T>;
  /** What it does, and to which key, for messages; "ask the server" if left out. */
  readonly verb?: string;
  readonly key?: string;
  /** What its caller has said of it; checked. */
  readonly options?: CallOptions;
  /** Called when nothing more is to come of it, however late that is. */
  readonly ended?: () => void;
  /** Makes what the caller is told of what the reply says, or of `undefined` if the request fails; by default it is told just that. */
  readonly result?: (read: T | undefined) => R;
  /** Returns what the caller is to be told of a failure, which is not counted then; by default nothing, unless a permission lacks. */
  readonly rejection?: (error: CacheError) => Error | undefined;
}

/** Makes requests. */
export class Requests {
  readonly #connection: ClientConnection;
  readonly #failures: Failures;
  readonly #near: NearCache | undefined;

  constructor(connection: ClientConnection, failures: Failures, near: NearCache | undefined) {
    this.#connection = connection;
    this.#failures = failures;
    this.#near = near;
  }

  /** Makes a request. Resolves to `undefined` if it fails; rejects if this process lacks a permission, or the signal is aborted. */
  ask<T, R = T | undefined>(request: Request<T, R>): Promise<R> {
    const { write, read, verb = "ask the server", key, options, ended, result, rejection } = request;
    return new Promise((resolve, reject) => {
      const settle = (found: T | undefined, error: CacheError | undefined) => {
        if (error !== undefined) {
          const rejected = isDenied(error) ? error : rejection?.(error);
          if (rejected !== undefined) return reject(rejected);
          this.#failures.failed(error, verb, key);
        }
        resolve(result === undefined ? found as R : result(found));
      };
      this.#connection.call(write, { read, settle, ended }, options && boundsOf(options, reject));
    });
  }

  /** Makes a request that changes the entries of keys: they have no near copies until the reply is there. */
  change<T, R = T | undefined>(keys: readonly string[], request: Request<T, R>): Promise<R> {
    const tier = this.#near?.tier;
    if (tier === undefined) return this.ask(request);
    for (const key of keys) tier.began(key);
    return this.ask({ ...request, ended: () => keys.forEach((key) => tier.ended(key)) });
  }

  /** Makes a request that changes the entry of a key, and says whether it has. */
  changeOne(key: string, write: Write, verb: string, options?: CallOptions): Promise<boolean | undefined> {
    const tier = this.#near?.tier;
    tier?.began(key);
    const ended = tier && (() => tier.ended(key));
    return this.ask({ write, read: readYesNo, verb, key, options, ended });
  }
}

/** Milliseconds to live as requests have them, where `Infinity` is 0. */
export function wireTtlMs(ttlMs: number | undefined): number | undefined {
  return ttlMs === Infinity ? 0 : ttlMs === undefined ? undefined : Math.ceil(ttlMs);
}
