/**
 * One connection of a server from its first byte to its end: it reads requests, has the session answer them, and writes
 * the replies. It knows neither what they mean nor how many connections there are.
 */

import { closeQuietly, isDisconnection, remoteAddress } from "../platform/socket.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { Outbox } from "../platform/outbox.ts";
import type { FrameReader } from "../wire/frame.ts";
import type { PeerHello } from "../wire/hello.ts";
import { BYTES_A_UNIT } from "../wire/protocol_handler.ts";
import type { SessionHost } from "./protocols.ts";
import { Session } from "./session.ts";
import type { ServerCounters } from "./statistics.ts";
import { Turn, type Turns } from "./turns.ts";

/** The part of a server that a connection needs. */
export interface ConnectionHost {
  /** The part of the server that the session needs. */
  readonly session: SessionHost;
  readonly counters: ServerCounters;
  /** The turns that all connections share. */
  readonly turns: Turns;
  /** Whether the server is stopping: a connection then ends after its reply. */
  readonly isStopping: () => boolean;
  /** Takes over a connection whose client has turned out to be a peer; resolves when the connection ends. */
  readonly onPeer: (stream: ByteStream, input: FrameReader, peer: PeerHello) => Promise<void>;
  /** Called with a peer that was refused because it uses another version of the messages between peers. */
  readonly onIncompatible: (stream: ByteStream, peer: PeerHello) => void;
  /** Called with a line on each failure. */
  readonly log: (line: string) => void;
}

/** Bytes that may wait for one client while more is said to it that it has not asked for. */
const MAX_PUSHED_BYTES = 1024 * 1024;
/** Milliseconds in which a client has to finish the HELLO that it has begun. */
const GREETING_LIMIT_MS = 5000;
/** Bounds on reading after the last reply, in milliseconds, reads and bytes a read: unread input would cut it off. */
const PARTING_LIMIT_MS = 500;
const PARTING_READS = 16;
const PARTING_READ_BYTES = 64 * 1024;

/** A connection of a client, which may turn out to be a peer. */
export class Connection {
  /** Whether the connection waits for bytes of the client. */
  #isReading = false;
  #hasFailed = false;
  readonly #stream: ByteStream;
  readonly #host: ConnectionHost;
  readonly #session: Session;
  readonly #outbox: Outbox;
  readonly #turn: Turn;

  constructor(stream: ByteStream, host: ConnectionHost) {
    this.#stream = stream;
    this.#host = host;
    this.#outbox = new Outbox({
      stream,
      limitBytes: MAX_PUSHED_BYTES,
      traffic: host.counters,
      onError: (error) => this.#fail(error),
    });
    this.#turn = new Turn(host.turns);
    this.#session = new Session(host.session, {
      output: this.#outbox.output,
      remoteAddress: remoteAddress(stream),
      allowance: this.#turn,
      mayPush: () => !this.#outbox.isFull,
      onPush: () => this.#outbox.flushSoon(),
    });
  }

  /** Address of the client, for log lines. */
  get remoteAddress(): string {
    return this.#session.remoteAddress;
  }

  /** Whether the client has turned out to be a peer. */
  get isPeer(): boolean {
    return this.#session.peer !== undefined;
  }

  /** Says something that no request asked for: `write` puts it into the output. */
  push(write: Parameters<Session["push"]>[0]): boolean {
    return this.#session.push(write);
  }

  /** Serves the client until the client or the server ends the connection. */
  serve(): Promise<void> {
    return this.#untilEnd(this.#serve());
  }

  /** Sends the reason why the client is not served, and ends the connection. */
  refuse(code: string, message: string): Promise<void> {
    this.#session.close(code, message);
    return this.#untilEnd(this.#part());
  }

  /** Ends a connection that waits for its client, after a `CLOSING`; a busy one ends itself after its reply. */
  dismiss(): void {
    if (!this.#isReading || this.isPeer) return;
    this.#session.close("stopping", "the server stops");
    this.#outbox.flush().catch(() => {}).finally(() => this.close());
  }

  /** Ends the connection at once and sends nothing. */
  close(): void {
    closeQuietly(this.#stream);
  }

  /** Answers all requests of one read with one write, again and again. */
  async #serve(): Promise<void> {
    const [stream, session, outbox, host, turn] = [this.#stream, this.#session, this.#outbox, this.#host, this.#turn];
    const { input, output } = session;
    stream.setNoDelay?.(true);
    const timer = setTimeout(() => session.isGreeting && this.close(), GREETING_LIMIT_MS);
    try {
      while (true) {
        this.#isReading = true;
        const count = await stream.read(input.space());
        this.#isReading = false;
        if (count === null) return;
        host.counters.bytesReceived += count;
        input.received(count);
        turn.spend(count / BYTES_A_UNIT);
        let state = session.run();
        for (; state !== "closing"; state = session.run()) {
          while (outbox.writing !== undefined) await outbox.writing; // a push: one write at a time
          outbox.hold();
          turn.spend(output.pendingBytes / BYTES_A_UNIT);
          while (output.pendingBytes > 0) outbox.sent(await outbox.write());
          outbox.unhold();
          if (turn.isOver) await turn.next();
          if (state !== "output-full") break;
        }
        if (state === "closing") return await this.#part();
        if (session.peer !== undefined) {
          clearTimeout(timer);
          return await host.onPeer(stream, input, session.peer);
        }
        if (host.isStopping()) return await this.#sayStopping();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Writes the last reply, and gives the client a moment to read it. */
  async #part(): Promise<void> {
    const { incompatiblePeer } = this.#session;
    if (incompatiblePeer !== undefined) this.#host.onIncompatible(this.#stream, incompatiblePeer);
    const timer = setTimeout(() => this.close(), PARTING_LIMIT_MS);
    try {
      await this.#outbox.flush();
      await this.#stream.closeWrite();
      const rest = new Uint8Array(PARTING_READ_BYTES);
      for (let reads = 0; reads < PARTING_READS; reads++) if (await this.#stream.read(rest) === null) return;
    } finally {
      clearTimeout(timer);
    }
  }

  #sayStopping(): Promise<void> {
    this.#session.close("stopping", "the server stops");
    return this.#part();
  }

  /** Waits for the work on the connection, and gives up what the connection holds. */
  async #untilEnd(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#fail(error);
    } finally {
      this.close();
      this.#session.release();
    }
  }

  /** Says what went wrong, once: a push and a reply may have waited for the same write. */
  #fail(error: unknown): void {
    if (!isDisconnection(error) && !this.#hasFailed) {
      this.#hasFailed = true;
      this.#host.log(`Cannot go on with a connection: ${error instanceof Error ? error.stack : error}`);
    }
    this.close();
  }
}
