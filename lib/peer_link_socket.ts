/**
 * One connection to a peer, once both have said who they are: messages out, messages in. It knows sockets and frames, not
 * what messages say.
 */

import { ProtocolError } from "./errors.ts";
import { type FrameReader, FrameWriter, GOSSIP } from "./frame.ts";
import { MAX_GOSSIP_BYTES } from "./limits.ts";
import { closeQuietly, writeAll } from "./socket.ts";

/** Messages that wait to be written: beyond this they are dropped, and later rounds make up for them. */
const OUTBOX_BYTES = 1024 * 1024;

/** What a connection is made of. */
export interface PeerLinkOptions {
  readonly socket: Deno.Conn;
  /** The reader that has read the greeting. */
  readonly input: FrameReader;
  /** Takes each message; the bytes are valid during the call. Throws `ProtocolError` to end the connection. */
  readonly onMessage: (message: Uint8Array) => void;
}

/** A connection to a peer. */
export class PeerLink {
  /** When bytes last came from the peer, by `performance.now()`. */
  lastHeardMs: number = performance.now();
  /** Bytes each way since the connection was made. */
  bytesReceived = 0;
  bytesSent = 0;
  /** Messages that were dropped because too much waited. */
  dropped = 0;
  readonly #socket: Deno.Conn;
  readonly #input: FrameReader;
  readonly #onMessage: (message: Uint8Array) => void;
  #output = new FrameWriter();
  #spare = new FrameWriter();
  #flushIsQueued = false;
  /** The write under way. */
  #writing: Promise<void> | undefined;
  #closed = false;

  constructor({ socket, input, onMessage }: PeerLinkOptions) {
    this.#socket = socket;
    this.#input = input;
    this.#onMessage = onMessage;
    input.maxBodyBytes = MAX_GOSSIP_BYTES;
  }

  /** Sends a message, with all others of this turn. */
  send(message: Uint8Array): void {
    if (this.#closed) return;
    if (this.#output.length > OUTBOX_BYTES) {
      this.dropped++;
      return;
    }
    this.#output.begin(GOSSIP);
    this.#output.bytes(message);
    this.#output.end();
    if (this.#flushIsQueued || this.#writing !== undefined) return;
    this.#flushIsQueued = true;
    queueMicrotask(() => {
      this.#flushIsQueued = false;
      this.#writing ??= this.#write();
    });
  }

  /**
   * Takes messages until the connection ends.
   *
   * @throws {ProtocolError} If the peer breaks the protocol.
   */
  async run(): Promise<void> {
    try {
      while (true) {
        while (this.#input.next()) this.#take();
        const count = await this.#socket.read(this.#input.space());
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
    await Promise.resolve(); // a write that is about to begin
    await this.#writing;
    this.close();
  }

  /** Ends the connection. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeQuietly(this.#socket);
    this.#output.release();
  }

  #take(): void {
    const { code, start, end } = this.#input;
    if (code !== GOSSIP) throw new ProtocolError(`a frame of code ${code} between peers`);
    this.#onMessage(this.#input.slice(start, end));
  }

  async #write(): Promise<void> {
    try {
      while (this.#output.length > 0 && !this.#closed) {
        const taken = this.#output;
        this.#output = this.#spare;
        this.#spare = taken;
        await writeAll(this.#socket, taken.taken());
        this.bytesSent += taken.length;
        taken.reset();
      }
    } catch {
      this.close(); // the reading side tells why
    } finally {
      this.#writing = undefined;
    }
  }
}
