/**
 * One connection to a peer, once both have greeted: messages out, messages in. It knows sockets and frames, not what
 * messages say.
 */

import { ProtocolError } from "../base/errors.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { Outbox } from "../platform/outbox.ts";
import { type FrameReader, GOSSIP } from "../wire/frame.ts";
import { MAX_GOSSIP_BYTES } from "../base/limits.ts";
import { closeQuietly } from "../platform/socket.ts";
import type { Turns } from "./turns.ts";

/** Bytes of messages that may wait to be written: more are dropped, and later rounds make up for them. */
const OUTBOX_BYTES = 1024 * 1024;

/** Options of {@linkcode PeerConnection}. */
export interface PeerConnectionOptions {
  readonly stream: ByteStream;
  /** The reader that has read the greeting. */
  readonly input: FrameReader;
  /** Called with each message; its bytes are valid during the call. Throws `ProtocolError` to end the connection. */
  readonly onMessage: (message: Uint8Array) => void;
  /** The turns that all connections of a server share. */
  readonly turns: Turns;
}

/** A connection to a peer. */
export class PeerConnection {
  /** The time at which bytes last came from the peer, by `performance.now()`. */
  lastHeardMs: number = performance.now();
  /** Bytes received since the connection was made. */
  bytesReceived = 0;
  /** Messages dropped because too many bytes waited, or because the message was too large. */
  dropped = 0;
  /** The time at which the peer last read any output; `Infinity` while no output waits. */
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
      onError: () => this.close(), // `run` fails with the reason
      onProgress: (isIdle) => this.#takenMs = isIdle ? Infinity : performance.now(),
    });
    this.#input = input;
    this.#onMessage = onMessage;
    this.#turns = turns;
    input.maxBodyBytes = MAX_GOSSIP_BYTES;
  }

  /** Bytes sent since the connection was made. */
  get bytesSent(): number {
    return this.#outbox.traffic.bytesSent;
  }

  /** The time since which the peer has sent nothing, or has read nothing of the output that waits. */
  get silentSinceMs(): number {
    return Math.min(this.lastHeardMs, this.#takenMs);
  }

  /** Whether a message is arriving, of which bytes have come in the last `withinMs` milliseconds. */
  isHearing(withinMs: number): boolean {
    return this.#input.pendingBytes > 0 && performance.now() - this.lastHeardMs < withinMs;
  }

  /** Sends a message, together with all others of this turn; drops one that is too large for the peer. */
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
          if (this.#turns.isOver()) await this.#turns.next();
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

  /** Waits until all messages are written, and ends the connection. */
  async finish(): Promise<void> {
    await this.#outbox.flush().catch(() => {}); // `run` fails with the reason
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
