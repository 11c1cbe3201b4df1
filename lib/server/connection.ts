/**
 * One connection of a server from its first byte to its end: reads, has the session answer, writes, and parts. It knows
 * neither what is said nor how many connections there are.
 */

import { isDisconnection, pause, remoteAddress } from "../platform/socket.ts";
import { closeQuietly } from "../platform/socket.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { Outbox } from "../platform/outbox.ts";
import type { FrameReader } from "../wire/frame.ts";
import type { PeerHello } from "../wire/hello.ts";
import type { SessionHost } from "./protocols.ts";
import { Session } from "./session.ts";
import type { ServerCounters } from "./statistics.ts";

/** What a connection needs from the server. */
export interface ConnectionHost {
  /** What its session needs. */
  readonly session: SessionHost;
  readonly counters: ServerCounters;
  /** Whether the server stops: then a connection ends after its reply. */
  readonly isStopping: () => boolean;
  /** Takes the connection over where the client has turned out to be a peer, until it ends. */
  readonly onPeer: (stream: ByteStream, input: FrameReader, peer: PeerHello) => Promise<void>;
  /** Told of a peer that was refused because its messages are not understood here. */
  readonly onIncompatible: (stream: ByteStream, peer: PeerHello) => void;
  /** Takes a line on what goes wrong. */
  readonly log: (line: string) => void;
}

/** Full outputs of one connection before the others have their turn. */
const WRITES_A_TURN = 8;
/** Bytes that may wait for one client while more is said to it that it has not asked for. */
const MAX_PUSHED_BYTES = 1024 * 1024;
/** Milliseconds in which a client has to finish the HELLO that it has begun. */
const GREETING_LIMIT_MS = 5000;
/** After its last words, a server listens this long and this much, then hangs up: unread input would cut the words off. */
const PARTING_LIMIT_MS = 500;
const PARTING_READS = 16;
const PARTING_READ_BYTES = 64 * 1024;

/** A connection. */
export class Connection {
  /** Whether the next thing to happen is the client's. */
  #isReading = false;
  readonly #stream: ByteStream;
  readonly #host: ConnectionHost;
  readonly #session: Session;
  readonly #outbox: Outbox;

  constructor(stream: ByteStream, host: ConnectionHost) {
    this.#stream = stream;
    this.#host = host;
    this.#outbox = new Outbox({ stream, limitBytes: MAX_PUSHED_BYTES, onError: (error) => this.#fail(error) });
    this.#session = new Session(host.session, {
      output: this.#outbox.output,
      remoteAddress: remoteAddress(stream),
      mayPush: () => !this.#outbox.isFull,
      onPush: () => this.#outbox.flushSoon(),
    });
  }

  /** Address of the client, for people. */
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

  /** Serves the client until it ends the connection, or has to be parted with. */
  async serve(): Promise<void> {
    try {
      await this.#serve();
    } catch (error) {
      if (!isDisconnection(error)) this.#fail(error);
    } finally {
      this.#end();
    }
  }

  /** Says why the client is not served, and parts. */
  async refuse(code: string, message: string): Promise<void> {
    this.#session.close(code, message);
    try {
      await this.#part();
    } catch (error) {
      if (!isDisconnection(error)) this.#fail(error);
    } finally {
      this.#end();
    }
  }

  /** Ends a connection that waits for its client, with a word; a busy one ends itself after its reply. */
  dismiss(): void {
    if (!this.#isReading || this.isPeer) return;
    this.#session.close("stopping", "the server stops");
    this.#outbox.flush().catch(() => {}).finally(() => this.close());
  }

  /** Ends the connection without a word. */
  close(): void {
    closeQuietly(this.#stream);
  }

  /** One write for all that one read asked. */
  async #serve(): Promise<void> {
    const [stream, session, outbox, host] = [this.#stream, this.#session, this.#outbox, this.#host];
    const { input, output } = session;
    const timer = setTimeout(() => session.isGreeting && this.close(), GREETING_LIMIT_MS);
    try {
      while (true) {
        this.#isReading = true;
        const count = await stream.read(input.space());
        this.#isReading = false;
        if (count === null) return;
        host.counters.bytesReceived += count;
        input.received(count);
        let state = session.run();
        for (let writes = 1; state !== "closing"; writes++, state = session.run()) {
          if (outbox.writing !== undefined) await outbox.writing;
          outbox.hold();
          while (output.pendingBytes > 0) outbox.sent(await outbox.write());
          outbox.unhold();
          if (state !== "output-full") break;
          if (writes % WRITES_A_TURN === 0) await pause(0); // the others' turn
        }
        if (state === "closing") return await this.#part();
        if (session.peer !== undefined) return await host.onPeer(stream, input, session.peer);
        if (host.isStopping()) return await this.#sayStopping();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Writes the last words and waits a moment for the client to hear them. */
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

  #fail(error: unknown): void {
    if (!isDisconnection(error)) {
      this.#host.log(`Cannot go on with a connection: ${error instanceof Error ? error.stack : error}`);
    }
    this.close();
  }

  #end(): void {
    this.close();
    this.#session.release();
  }
}
