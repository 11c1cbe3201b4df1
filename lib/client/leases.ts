/**
 * Leases of a client with servers: it asks a server for values or for leave to compute them, waits where another process computes, and
 * fills in what was computed. It knows the calls and the pushes, not who computes what in this process.
 */

import type { CacheError, CacheErrorCode } from "../base/errors.ts";
import { checkData } from "../base/checks.ts";
import type { CallCounters } from "../base/call_counters.ts";
import type { ValueOptions } from "../base/value_options.ts";
import type { Asked, Backend, Lifetime, Question } from "../compute/backend.ts";
import { Waits } from "../compute/waits.ts";
import { isDenied } from "../platform/connect.ts";
import { readYesNo, ValueError, writeKeyed } from "../wire/calls.ts";
import { AGAIN, type FrameReader, type FrameWriter, INVALID, REQUEST } from "../wire/frame.ts";
import { LEASE } from "../wire/hello.ts";
import {
  type Leased,
  type LeaseToken,
  readAgain,
  readIsValid,
  readLeased,
  readToken,
  writeFill,
  writeGive,
  writeLease,
} from "../wire/leases.ts";
import { CLIENT_UNITS } from "../wire/decoding_budget.ts";
import { encodeValue } from "../wire/values.ts";
import type { Failures } from "./failures.ts";
import type { NearCache } from "./near_cache.ts";
import type { Call } from "./pipeline.ts";
import { wireTtlMs } from "./requests.ts";

/** What leases need of a client. */
export interface LeasesOptions {
  /** Makes a call, as `ClientConnection.call` does. */
  readonly call: <Result>(write: (output: FrameWriter) => void, call: Call<Result>) => void;
  /** Near copies, if any are kept. */
  readonly near: NearCache | undefined;
  readonly calls: CallCounters;
  readonly failures: Failures;
  /** Milliseconds for which a value without a ttl of its own is fresh; `undefined` leaves this to the server. */
  readonly ttlMs: number | undefined;
  /** How values become bytes, where an option says so. */
  readonly values?: ValueOptions;
  /** Asks for a value, and stores one, without a lease: of a server that gives none, or not to this client. */
  readonly retrieve: (key: string) => Promise<Asked>;
  readonly store: (key: string, value: unknown, lifetime: Lifetime) => Promise<boolean>;
}

/** Failures after which the next call would only wait for the same. */
const NO_ANSWER: readonly CacheErrorCode[] = ["unreachable", "timeout", "busy"];

/** Whether a failure means that no server answers now. */
export function isNoAnswer({ code }: CacheError): boolean {
  return NO_ANSWER.includes(code);
}

/** What a server has answered to a `LEASE`, or why it has not. */
interface Answer {
  readonly leased?: Asked;
  readonly error?: CacheError;
}

/** What a cache on servers tells computations. */
export class ClientLeases implements Backend {
  readonly features: readonly string[] = [LEASE];
  readonly #options: LeasesOptions;
  readonly #waits = new Waits();
  /** Whether the server in use gives no leases; not known before its greeting. */
  #isOff = false;

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  /** Another connection is in use, to a server with these features. */
  connected(features: readonly string[]): void {
    this.#isOff = !features.includes(LEASE);
  }

  /** The connection is not in use any more: nobody will say when to ask again. */
  lost(): void {
    this.#isOff = false;
    this.#waits.wakeAll();
  }

  /** A push has come. */
  pushed(frame: FrameReader): void {
    if (frame.code === AGAIN) this.#waits.wake(readAgain(frame));
    else if (frame.code === INVALID && frame.start === frame.end) this.#waits.wakeAll();
  }

  /** Asks for a value, or for leave to compute it. */
  async ask(key: string, question: Question): Promise<Asked> {
    if (this.#isOff) return await this.#options.retrieve(key);
    const { calls, failures } = this.#options;
    const { leased, error } = await this.#leaseReadable(key, question);
    if (error !== undefined && isDenied(error)) throw error;
    if (error?.code === "refused") return await this.#options.retrieve(key); // an older server, or a client that may only read
    if (error !== undefined) failures.failed(error, "retrieve", key);
    if (leased === undefined) {
      calls.asked(key, false);
      return { state: error !== undefined && isNoAnswer(error) ? "failed" : "compute" };
    }
    if (leased.state !== "wait") calls.asked(key, leased.state !== "compute");
    return leased;
  }

  /**
   * Asks past a value that cannot be read: for none that is stale then, and a fresh one is removed. What is computed in its place
   * without a lease would replace newer writes too.
   */
  async #leaseReadable(key: string, question: Question): Promise<Answer> {
    const answer = await this.#lease(key, question);
    if (!(answer.error?.cause instanceof ValueError)) return answer;
    this.#options.failures.failed(answer.error, "retrieve", key);
    if (question.acceptsStale) return await this.#leaseReadable(key, { ...question, acceptsStale: false });
    await this.#remove(key);
    return await this.#lease(key, question);
  }

  #remove(key: string): Promise<void> {
    const { call, near } = this.#options;
    const ended = near && (() => near.tier.ended(key));
    near?.tier.began(key);
    return new Promise((resolve) =>
      call((output) => writeKeyed(output, REQUEST.delete, key), { read: readYesNo, settle: () => resolve(), ended })
    );
  }

  #lease(key: string, { leaseMs, acceptsStale }: Question): Promise<Answer> {
    const { call, near, values } = this.#options;
    return new Promise((resolve) => {
      call<Asked>((output) => writeLease(output, key, leaseMs, acceptsStale), {
        read: (frame, allowance, givenAtMs) => {
          const tier = givenAtMs === undefined ? undefined : near?.tier;
          tier?.drop(key); // whatever the answer is, it is newer
          const leased = readLeased(
            frame,
            allowance,
            (value, terms, _, bytes, codec) => tier?.fill(key, value, givenAtMs!, terms, bytes, codec),
            values?.codec,
          );
          return this.#answered(key, leased, givenAtMs !== undefined); // here: a push that says to ask again may be the next frame
        },
        settle: (leased, error) => resolve({ leased, error }),
        late: (frame) => this.give(key, readToken(frame)), // or all would wait for it, this process too
      });
    });
  }

  /** @param hears Whether pushes of the connection are heard; else nobody will say when to ask again, and another is to be asked at once. */
  #answered(key: string, leased: Leased, hears: boolean): Asked {
    if (leased.state !== "wait") return leased;
    return { state: "wait", again: hears ? this.#waits.wait(key) : Promise.resolve() };
  }

  /** Stores what was computed, unless a newer write has come first. */
  async fill(key: string, value: unknown, token: unknown, lifetime: Lifetime): Promise<boolean> {
    if (token === undefined) return await this.#options.store(key, value, lifetime);
    const { call, near, calls, failures } = this.#options;
    const { ttlMs = this.#options.ttlMs, renewOnHit, staleMs } = lifetime;
    const encoded = encodeValue(checkData(value), CLIENT_UNITS, this.#options.values);
    const filling = { token: token as LeaseToken, ttlMs: wireTtlMs(ttlMs), isFixed: !renewOnHit, staleMs };
    return await new Promise((resolve, reject) => {
      const settle = (isStored: boolean | undefined, error: CacheError | undefined) => {
        if (error !== undefined && isDenied(error)) return reject(error);
        if (error !== undefined) failures.failed(error, "store", key);
        if (isStored) calls.stored(key);
        resolve(isStored ?? false);
      };
      const ended = near && (() => near.tier.ended(key)); // also where the call cannot be made
      near?.tier.began(key);
      try {
        call<boolean>((output) => writeFill(output, key, encoded, filling), { read: readIsValid, settle, ended });
      } catch (error) {
        this.give(key, token); // it has more bytes than a server takes
        settle(undefined, error as CacheError);
      }
    });
  }

  /** Gives leave to compute back. */
  give(key: string, token: unknown): void {
    if (token === undefined) return;
    const write = (output: FrameWriter) => writeGive(output, key, token as LeaseToken);
    this.#options.call(write, { read: readIsValid, settle: () => {} });
  }

  /** Takes note of an error that no caller is told of. */
  failed(key: string, error: unknown): void {
    this.#options.failures.computing(error, key);
  }
}
