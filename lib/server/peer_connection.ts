/**
 * One connection to a peer, once both have greeted: messages out, messages in. It knows sockets and frames, not what
 * messages say.
 */

import { ProtocolError } from "../base/errors.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { Outbox } from "../platform/outbox.ts";
import { type FrameReader, FrameWriter, GOSSIP, PEERS, STOPPING } from "../wire/frame.ts";
import { readPeers, writePeers } from "../wire/hello.ts";
import { MAX_GOSSIP_BYTES } from "../base/limits.ts";
import { closeQuietly } from "../platform/socket.ts";
import type { BufferHolder, HeldBuffers } from "./buffers.ts";
import type { Turns } from "./turns.ts";

/**
 * Bytes of messages that may wait to be written: more are dropped, and later rounds make up for them. So are long ones where
 * the buffers of all connections leave no room.
 */
const OUTBOX_BYTES = 1024 * 1024;

/** Bytes of messages that may wait where a further page is sent: what is new, and may not wait for long, comes after them. */
const READY_BYTES = 128 * 1024;
/** Bytes of a message for which there is always room. */
const SHORT_BYTES = 16 * 1024;
/** Milliseconds without a byte after which a connection is still. */
const STILL_MS = 1000;

/** Options of {@linkcode PeerConnection}. */
export interface PeerConnectionOptions {
  readonly stream: ByteStream;
  /** The reader that has read the greeting. */
  readonly input: FrameReader;
  /** Called with each message; its bytes are valid during the call. Throws `ProtocolError` to end the connection. */
  readonly onMessage: (message: Uint8Array) => void;
  /** Whether the peer can be told that this server stops. */
  readonly hearsOfStop: boolean;
  /** Called with the addresses of peers of which the peer tells. Without it, it may not. */
  readonly onTold?: (addresses: readonly string[]) => void;
  /** Called when all that waited is written. */
  readonly onIdle: () => void;
  /** The turns that all connections of a server share. */
  readonly turns: Turns;
  /** The buffers of the connection. */
  readonly held: HeldBuffers;
  /** The peer's address, for the log. */
  readonly address: string;
}

/** A connection to a peer. */
export class PeerConnection implements BufferHolder {
  readonly remoteAddress: string;
  /** The time at which bytes last came from the peer, by `performance.now()`. */
  lastHeardMs: number = performance.now();
  /** Bytes received since the connection was made. */
  bytesReceived = 0;
  /** Whether the peer has said that it stops. */
  isStopping = false;
  /** Messages dropped because too many bytes waited, or because the message was too large. */
  dropped = 0;
  /** The time at which the peer last read any output; `Infinity` while no output waits. */
  #takenMs = Infinity;
  #lastTakenMs = 0;
  readonly #held: HeldBuffers;
  readonly #stream: ByteStream;
  readonly #input: FrameReader;
  readonly #onMessage: (message: Uint8Array) => void;
  readonly #hearsOfStop: boolean;
  readonly #onTold: PeerConnectionOptions["onTold"];
  readonly #turns: Turns;
  readonly #outbox: Outbox;
  #closed = false;

  constructor({ stream, input, onMessage, onIdle, hearsOfStop, onTold, turns, held, address }: PeerConnectionOptions) {
    this.#hearsOfStop = hearsOfStop;
    this.remoteAddress = address;
    this.#held = held;
    held.holder = this;
    this.#stream = stream;
    this.#outbox = new Outbox({
      stream,
      output: new FrameWriter(held),
      limitBytes: OUTBOX_BYTES,
      onError: () => this.close(), // `run` fails with the reason
      onProgress: (isIdle) => {
        this.#lastTakenMs = performance.now();
        this.#takenMs = isIdle ? Infinity : this.#lastTakenMs;
        if (isIdle && !this.#closed) onIdle();
      },
    });
    this.#input = input;
    this.#onMessage = onMessage;
    this.#onTold = onTold;
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

  get isStill(): boolean {
    return performance.now() - Math.max(this.lastHeardMs, this.#lastTakenMs) >= STILL_MS;
  }

  /** Whether a message is arriving, of which bytes have come in the last `withinMs` milliseconds. */
  isHearing(withinMs: number): boolean {
    return this.#input.pendingBytes > 0 && performance.now() - this.lastHeardMs < withinMs;
  }

  /** Whether so little waits that a page of what the peer has asked for may be sent. */
  get isReady(): boolean {
    const { output } = this.#outbox;
    return !this.#closed && output.length < READY_BYTES && this.#held.mayHold(output.growth(READY_BYTES));
  }

  /** Whether a long message may be sent; if not, counts it as one that is dropped. */
  hasRoom(): boolean {
    if (this.#closed) return false;
    const { output, isFull } = this.#outbox;
    const hasRoom = !isFull && this.#held.mayHold(output.growth(SHORT_BYTES));
    if (!hasRoom) this.dropped++;
    return hasRoom;
  }

  /** Sends a message, together with all others of this turn; drops one that is too large for the peer. */
  send(message: Uint8Array): void {
    if (this.#closed) return;
    const { output, isFull } = this.#outbox;
    const hasRoom = message.length <= SHORT_BYTES || this.#held.mayHold(output.growth(message.length));
    if (isFull || message.length > MAX_GOSSIP_BYTES || !hasRoom) {
      this.dropped++;
      return;
    }
    output.begin(GOSSIP);
    output.bytes(message);
    output.end();
    this.#outbox.flushSoon();
  }

  /** Tells the peer, if it can be told, that this server stops. */
  tellStop(): void {
    if (this.#closed || !this.#hearsOfStop) return;
    this.#outbox.output.empty(STOPPING);
    this.#outbox.flushSoon();
  }

  /** Tells the peer of others. */
  tell(addresses: readonly string[]): void {
    if (this.#closed) return;
    writePeers(this.#outbox.output, addresses);
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
          if (this.#turns.check()) await this.#turns.next();
          if (this.#closed) return;
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

  /** Ends the connection, and frees what it holds, though a read or a write may be under way. */
  cut(): void {
    this.close();
    this.#input.drop();
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
    if (code === STOPPING) {
      this.isStopping = true;
      return;
    }
    if (code === PEERS && this.#onTold !== undefined) return this.#onTold(readPeers(this.#input));
    if (code !== GOSSIP) throw new ProtocolError(`a frame of code ${code} between peers`);
    this.#onMessage(this.#input.slice(start, end));
  }
}
