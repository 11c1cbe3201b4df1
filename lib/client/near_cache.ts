/**
 * The near tier of a client between the calls of its cache and their connection: it reads the clocks, keeps copies where replies are
 * read, and sends what the tier wants to be sent. Which copies may be used it does not know: that is lib/near's.
 */

import { type FrameReader, type FrameWriter, INVALID, REQUEST } from "../wire/frame.ts";
import { type LATER, manyReader, readFound, readYesNo, writeKeyed } from "../wire/calls.ts";
import type { ValueCodec } from "../base/value_options.ts";
import { NEAR } from "../wire/hello.ts";
import { readInvalid, readLeft } from "../wire/near.ts";
import type { Allowance } from "../wire/protocol_handler.ts";
import { ASK, DUE, type NearLimits, NearTier } from "../near/near_tier.ts";
import type { ConnectionHearer } from "./connection.ts";
import type { Call } from "./pipeline.ts";

/** Reads a reply, as a {@linkcode Call} does. */
type Read<T> = Call<T>["read"];

/** Makes a call, as `ClientConnection.call` does. */
type MakeCall = <Result>(write: (output: FrameWriter) => void, call: Call<Result>) => void;

/** The two clocks that tell whether a machine has slept, in milliseconds. */
export interface Clocks {
  /** One that is never put back, and may stand still while the machine sleeps. */
  steadyMs(): number;
  /** One that goes on meanwhile. */
  wallMs(): number;
}

const OF_THIS_PROCESS: Clocks = { steadyMs: () => performance.now(), wallMs: () => Date.now() };

/** Near copies of a client with servers. */
export class NearCache implements ConnectionHearer {
  /** The copies. */
  readonly tier: NearTier;
  readonly features: readonly string[];
  readonly #call: MakeCall;
  readonly #clocks: Clocks;
  readonly #codec: ValueCodec | undefined;

  /** @param call Makes a call on the connection that this one hears of; used for what near reads want to be sent. */
  constructor(limits: NearLimits, call: MakeCall, clocks: Clocks = OF_THIS_PROCESS, codec?: ValueCodec) {
    this.#clocks = clocks;
    this.#codec = codec;
    this.tier = new NearTier(limits);
    this.features = limits.maxStaleMs > 0 ? [NEAR] : [];
    this.#call = call;
  }

  /** Returns the value of a key, or `ASK`. */
  retrieve(key: string): unknown {
    if (typeof key !== "string") return ASK; // it is refused where the server is asked
    const nowMs = this.#clocks.steadyMs(); // first: a sleep between the two is noticed so
    return this.#read(key, nowMs, this.#clocks.wallMs());
  }

  /** Finds the values of keys that need not be asked for. */
  retrieveMany(keys: Iterable<string>): Map<string, unknown> {
    const found = new Map<string, unknown>();
    const nowMs = this.#clocks.steadyMs();
    const wallMs = this.#clocks.wallMs();
    for (const key of keys) {
      const value = this.#read(key, nowMs, wallMs);
      if (value !== ASK) found.set(key, value);
    }
    return found;
  }

  /** Returns a function that reads the reply to a `GET`, and keeps a copy. */
  reader(key: string): Read<unknown> {
    return (frame, allowance, givenAtMs) => {
      if (givenAtMs === undefined) return readFound(frame, allowance, undefined, this.#codec);
      this.tier.drop(key); // whatever the answer is, it is newer
      return readFound(
        frame,
        allowance,
        (value, terms, _, bytes, codec) => this.tier.fill(key, value, givenAtMs, terms, bytes, codec),
        this.#codec,
      );
    };
  }

  /** Returns a function that reads the reply to a `GET_MANY`, and keeps copies; see `manyReader`. */
  manyReader(keys: readonly string[], onBadValue: (i: number, error: Error) => void): Read<unknown[]> {
    let read: ((frame: FrameReader, allowance?: Allowance) => unknown[] | typeof LATER) | undefined;
    let keepsAtMs: number | undefined;
    return (frame, allowance, givenAtMs) => {
      keepsAtMs = givenAtMs; // the connection may have been left since the last turn
      if (read === undefined) {
        for (const key of givenAtMs === undefined ? [] : keys) this.tier.drop(key);
        read = manyReader(keys.length, onBadValue, (value, terms, i, bytes, codec) => {
          if (keepsAtMs !== undefined) this.tier.fill(keys[i], value, keepsAtMs, terms, bytes, codec);
        }, this.#codec);
      }
      return read(frame, allowance);
    };
  }

  connected(features: readonly string[]): void {
    if (this.features.includes(NEAR) && features.includes(NEAR)) this.tier.connected();
  }

  sent(nowMs: number): void {
    this.tier.sent(nowMs);
  }

  lost(): void {
    this.tier.lost();
  }

  replied(givenAtMs: number): void {
    this.tier.replied(givenAtMs);
  }

  pushed(frame: FrameReader): void {
    if (frame.code === INVALID) readInvalid(frame, (slot) => this.tier.invalid(slot), () => this.tier.all());
  }

  #read(key: string, nowMs: number, wallMs: number): unknown {
    const value = this.tier.read(key, nowMs, wallMs);
    if (this.tier.due !== 0) this.#follow(key, this.tier.due);
    return value;
  }

  /** Sends what a read wants to be sent. Nobody waits for it, and a failure is the connection's. */
  #follow(key: string, due: number): void {
    if ((due & DUE.ping) !== 0) {
      this.#call((output) => output.empty(REQUEST.ping), {
        read: readYesNo,
        settle: () => {},
        ended: () => this.tier.pinged(),
      });
    }
    if ((due & DUE.use) === 0) return;
    this.#call((output) => writeKeyed(output, REQUEST.use, key), {
      read: (frame, _, givenAtMs) => {
        const left = readLeft(frame);
        if (left === undefined) this.tier.drop(key);
        else if (givenAtMs !== undefined) this.tier.used(key, givenAtMs, left);
      },
      settle: () => {},
    });
  }
}
