/**
 * The memory in which requests and replies wait, of all connections of a server together: one budget. When it is spent,
 * connections are ended, those first that hold much and move nothing. It does not know what a connection is.
 */

import type { Borrower } from "../base/lent.ts";
import { forgetBuffer, keptBytes } from "../wire/buffer_pool.ts";
import type { LimitedLog } from "./limited_log.ts";

/** Whoever holds buffers. */
export interface BufferHolder {
  /** Address of the other side, for the log. */
  readonly remoteAddress: string;
  /** Whether no byte has been moved for a second, in either direction. */
  readonly isStill: boolean;
  /** Ends the connection at once and frees its buffers. */
  cut(): void;
}

/** Options of {@linkcode Buffers}. */
export interface BuffersOptions {
  /** Bytes at most. */
  readonly maxBytes: number;
  /** Called when a connection has been ended to make room, with the bytes that it held. */
  readonly onCut: (holder: BufferHolder, bytes: number) => void;
}

/** The buffers of one holder. */
export class HeldBuffers implements Borrower {
  /** Bytes that are held. */
  bytes = 0;
  /** Whether they are counted no more. */
  #isClosed = false;
  holder: BufferHolder;
  readonly #all: Buffers;

  constructor(all: Buffers, holder: BufferHolder) {
    this.#all = all;
    this.holder = holder;
  }

  changed(bytes: number): void {
    if (this.#isClosed) return;
    this.bytes += bytes;
    this.#all.changed(bytes);
  }

  /** Whether `bytes` more may be held: connections that hold more, and move nothing, are ended to make room. */
  mayHold(bytes: number): boolean {
    return !this.#isClosed && this.#all.hasRoom(bytes, this);
  }

  giveUp(): void {
    if (!this.#isClosed) this.#all.end(this);
  }

  /** Counts the bytes no more. */
  close(): void {
    if (this.#isClosed) return;
    this.#all.changed(-this.bytes);
    this.#isClosed = true;
    this.#all.forget(this);
  }
}

/** The buffers of one server's connections. */
export class Buffers {
  /** Bytes that are held by all. */
  bytes = 0;
  /** Connections that were ended to make room. */
  cuts = 0;
  readonly maxBytes: number;
  readonly #onCut: BuffersOptions["onCut"];
  readonly #held = new Set<HeldBuffers>();

  constructor({ maxBytes, onCut }: BuffersOptions) {
    this.maxBytes = maxBytes;
    this.#onCut = onCut;
  }

  /** Begins to count the buffers of a holder. */
  of(holder: BufferHolder): HeldBuffers {
    const held = new HeldBuffers(this, holder);
    this.#held.add(held);
    return held;
  }

  /** Takes note that `bytes` more are held, or fewer if it is below 0. Beyond `maxBytes`, connections are ended. */
  changed(bytes: number): void {
    this.bytes += bytes;
    if (bytes <= 0) return;
    while (this.bytes + keptBytes() > this.maxBytes && keptBytes() > 0) forgetBuffer();
    while (this.bytes > this.maxBytes && this.#cut(true)) continue;
  }

  /** Whether there is room for `bytes` more; holders of more than the one that asks, which move nothing, are ended first. */
  hasRoom(bytes: number, { bytes: own }: HeldBuffers): boolean {
    while (this.bytes + bytes > this.maxBytes) if (!this.#cut(false, own)) return false;
    return true;
  }

  /** Ends a holder's connection. */
  end(held: HeldBuffers): void {
    const { bytes, holder } = held;
    held.close();
    this.cuts++;
    this.#onCut(holder, bytes);
    queueMicrotask(() => holder.cut()); // not now: it may be about to write into its buffers
  }

  /** Drops a holder. */
  forget(held: HeldBuffers): void {
    this.#held.delete(held);
  }

  /** Ends the connection that holds most, of those that move nothing if there is one. Returns false if none was ended. */
  #cut(alsoMoving: boolean, least = 0): boolean {
    let most: HeldBuffers | undefined;
    for (const held of this.#held) {
      if (held.bytes <= least) continue;
      const [isStill, wasStill] = [held.holder.isStill, most?.holder.isStill ?? false];
      if (
        isStill ? !wasStill || held.bytes > most!.bytes : alsoMoving && !wasStill && held.bytes > (most?.bytes ?? 0)
      ) {
        most = held;
      }
    }
    if (most !== undefined) this.end(most);
    return most !== undefined;
  }
}

/** Makes buffers that log which connections are ended. */
export function loggedBuffers(maxBytes: number, log: LimitedLog): Buffers {
  const onCut = ({ remoteAddress }: BufferHolder, bytes: number) =>
    log.say("cut", remoteAddress, cutLine(remoteAddress, bytes, maxBytes));
  return new Buffers({ maxBytes, onCut });
}

/** Returns the line for the log on a connection that was ended to make room. */
export function cutLine(address: string, bytes: number, maxBytes: number): string {
  return `Connection with ${address} is closed: it held ${bytes} bytes, and all together more than ${maxBytes} (maxBuffers)`;
}
