/**
 * One connection to a peer, once both have said who they are: messages out, messages in. It knows sockets and frames, not
 * what messages say.
 */

import { ProtocolError } from "../base/errors.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { Outbox } from "../platform/outbox.ts";
import { type FrameReader, GOSSIP } from "../wire/frame.ts";
import { MAX_GOSSIP_BYTES } from "../base/limits.ts";
import { closeQuietly } from "../platform/socket.ts";

/** Messages that wait to be written: beyond this they are dropped, and later rounds make up for them. */
const OUTBOX_BYTES = 1024 * 1024;
/** Messages are taken for so long before the rest of the process has its turn. */
const TURN_MS = 2;

/** What a connection is made of. */
export interface PeerConnectionOptions {
  readonly stream: ByteStream;
  /** The reader that has read the greeting. */
  readonly input: FrameReader;
  /** Takes each message; the bytes are valid during the call. Throws `ProtocolError` to end the connection. */
  readonly onMessage: (message: Uint8Array) => void;
  /** Shared by all links of a server. */
  readonly turns: Turns;
}

/** Whose turn it is: however many peers send however much, they do not keep clients waiting. */
export class Turns {
  #endMs = 0;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  /** Whether the turn is not over yet, or else another may begin at once. */
  mayGoOn(): boolean {
    const nowMs = performance.now();
    if (nowMs < this.#endMs) return true;
    if (this.#waiting > 0 || nowMs < this.#endMs + TURN_MS) return false;
    this.#endMs = nowMs + TURN_MS;
    return true;
  }

  /** Waits for a turn, after those who have waited longer. */
  async take(): Promise<void> {
    this.#waiting++;
    await (this.#last = this.#last.then(() => new Promise((resolve) => setTimeout(resolve, 0))));
    this.#waiting--;
    this.#endMs = performance.now() + TURN_MS;
  }
}

/** A connection to a peer. */
export class PeerConnection {
  /** When bytes last came from the peer, by `performance.now()`. */
  lastHeardMs: number = performance.now();
  /** Bytes received since the connection was made. */
  bytesReceived = 0;
  /** Messages that were dropped because too much waited. */
  dropped = 0;
  /** When the peer last took anything, while something waits to be taken. */
  #takenMs = Infinity;
  readonly #stream: ByteStream;
  readonly #input: FrameReader;
  readonly #onMessage: (message: Uint8Array) => void;
  readonly #turns: Turns;
  readonly #outbox: Outbox;
  #closed = false;

  constructor({ stream, input, onMessage, turns }: PeerConnectionOptions) {
    this.#stream = stream;
    this.#outbox = new Outbox({
      stream,
      limitBytes: OUTBOX_BYTES,
      onError: () => this.close(), // the reading side tells why
      onProgress: (isIdle) => this.#takenMs = isIdle ? Infinity : performance.now(),
    });
    this.#input = input;
    this.#onMessage = onMessage;
    this.#turns = turns;
    input.maxBodyBytes = MAX_GOSSIP_BYTES;
  }

  /** Bytes sent since the connection was made. */
  get bytesSent(): number {
    return this.#outbox.bytesSent;
  }

  /** Since when the peer has said nothing, or has taken nothing of what waits. */
  get silentSinceMs(): number {
    return Math.min(this.lastHeardMs, this.#takenMs);
  }

  /** Whether a message is arriving of which something has come within so many milliseconds. */
  isHearing(withinMs: number): boolean {
    return this.#input.pendingBytes > 0 && performance.now() - this.lastHeardMs < withinMs;
  }

  /** Sends a message, with all others of this turn; not one that the peer would have to refuse. */
  send(message: Uint8Array): void {
    if (this.#closed) return;
    const { output, isFull } = this.#outbox;
    if (isFull || message.length > MAX_GOSSIP_BYTES) {
      this.dropped++;
      return;
    }
    output.begin(GOSSIP);
    output.bytes(message);
    output.end();
    this.#outbox.flushSoon();
  }

  /**
   * Takes messages until the connection ends.
   *
   * @throws {ProtocolError} If the peer breaks the protocol.
   */
  async run(): Promise<void> {
    try {
      while (true) {
        while (this.#input.next()) {
          if (!this.#turns.mayGoOn()) await this.#turns.take();
          this.#take();
        }
        const count = await this.#stream.read(this.#input.space());
        if (count === null) return;
        this.bytesReceived += count;
        this.lastHeardMs = performance.now();
        this.#input.received(count);
      }
    } finally {
      this.close();
      this.#input.release();
    }
  }

  /** Waits until what has been sent is written, and ends the connection. */
  async finish(): Promise<void> {
    await this.#outbox.flush().catch(() => {}); // the reading side tells why
    this.close();
  }

  /** Ends the connection. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeQuietly(this.#stream);
    this.#outbox.output.release();
  }

  #take(): void {
    const { code, start, end } = this.#input;
    if (code !== GOSSIP) throw new ProtocolError(`a frame of code ${code} between peers`);
    this.#onMessage(this.#input.slice(start, end));
  }
}
