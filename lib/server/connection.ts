/**
 * One connection of a server from its first byte to its end: it reads requests, has the session answer them, and writes
 * the replies. It knows neither what they mean nor how many connections there are.
 */

import { closeQuietly, isDisconnection, remoteAddress, setUp, writeAll } from "../platform/socket.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { type AccessRules, ConnectionAccess } from "./access.ts";
import type { BufferHolder, Buffers, HeldBuffers } from "./buffers.ts";
import type { Encryption } from "./encryption.ts";
import { type Doing, type Impatience, Patience } from "./patience.ts";
import { FIRST_BYTES_MS, NO_BYTES, type Refusal, refusalOf, tooMany, WASTE } from "./refusal.ts";
import { Outbox } from "../platform/outbox.ts";
import type { Durations } from "../metrics/durations.ts";
import { processClock } from "../platform/clock.ts";
import { FrameReader, FrameWriter, STOPPING } from "../wire/frame.ts";
import type { PeerHello } from "../wire/hello.ts";
import { BYTES_A_UNIT, type HandlerState, unitsOf } from "../wire/protocol_handler.ts";
import type { RefusedPeer } from "./native_handler.ts";
import type { Connected } from "../memcached/statistics.ts";
import { type SessionHost, TLS } from "./protocols.ts";
import { Session, type SessionOptions } from "./session.ts";
import { shownAddress } from "./shown_address.ts";
import type { ServerCounters } from "./statistics.ts";
import type { Turns } from "./turns.ts";

/** The part of a server that a connection needs. */
export interface ConnectionHost {
  /** The part of the server that the session needs. */
  readonly session: SessionHost;
  readonly counters: ServerCounters;
  /** Who may connect. */
  readonly access: AccessRules;
  /** Accepts clients that encrypt; `undefined` where none may. */
  readonly encryption?: Encryption;
  /** Counts what requests have taken; `undefined` where nobody asks for that. */
  readonly durations?: Durations;
  /** The turns that all connections share, and the memory for what waits. */
  readonly turns: Turns;
  readonly buffers: Buffers;
  /** Milliseconds without a request after which a client is disconnected; `Infinity` is never. */
  readonly idleMs: number;
  /** Takes over a connection whose client has turned out to be a peer; resolves when the connection ends. */
  readonly onPeer: (arrival: PeerArrival) => Promise<void>;
  /** Called with a peer that was refused. */
  readonly onRefused: (stream: ByteStream, peer: RefusedPeer) => void;
  /** Called with the kind of each failure, the client's address, and a line. */
  readonly log: (kind: string, address: string, line: string) => void;
}

/** A connection that a peer has made. */
export interface PeerArrival {
  readonly stream: ByteStream;
  /** The reader that has read the greeting. */
  readonly input: FrameReader;
  readonly peer: PeerHello;
  readonly held: HeldBuffers;
  /** Whether the peer has shown a credential. */
  readonly isProven: boolean;
}

/** Bytes that may wait for one client while more is said to it that it has not asked for. */
const MAX_PUSHED_BYTES = 1024 * 1024;
/** Bounds on reading after the last reply, in milliseconds and reads: unread input would cut it off. */
const PARTING_LIMIT_MS = 500;
const PARTING_READS = 16;

/**
 * Bytes read, and written before that, of a connection that works much: others, which move fewer, have their turn first. One that has
 * had no answer yet may turn out to work much.
 */
const MUCH_BYTES = 8 * 1024;
/** Bytes of a reply for which it waits for a turn before it writes on: with fewer it had better give its memory back soon. */
const MUCH_LEFT_BYTES = 4 * 1024 * 1024;
/** Units of work that a handshake costs. */
const HANDSHAKE_UNITS = 1024;

/** What is to be said to a client on a stream that has said nothing yet. */
function encryptionOf(stream: ByteStream, encryption: Encryption | undefined): SessionOptions["encryption"] {
  if (stream.isEncrypted === true || encryption === undefined) return "impossible";
  return encryption.isRequired && stream.remoteAddr.transport === "tcp" ? "required" : "possible";
}

function writeStopping(output: FrameWriter): void {
  output.empty(STOPPING);
}

/** A connection of a client, which may turn out to be a peer. */
export class Connection implements BufferHolder, Doing {
  isReading = false;
  received = 0;
  /** Who the client is, and what it may do. */
  access!: ConnectionAccess;
  #hasFailed = false;
  #stream!: ByteStream;
  readonly #host: ConnectionHost;
  #session!: Session;
  #outbox!: Outbox;
  readonly #patience: Patience;
  readonly #held: HeldBuffers;
  readonly #onlyPeers: (() => string) | undefined;
  #hasEnded = false;
  /** What a stranger is to be told that makes room, and the timer that ends the wait for its first bytes. */
  #refusal: Refusal | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  /** When the last read was made, and the requests that it has brought; 0 where they are not timed. */
  #readMs = 0;
  #untimed = 0;
  /** What has been said of the server's stop: nothing, that the client is to go elsewhere, or that the connection ends. */
  #stop: "none" | "asked" | "told" | "last" = "none";

  /**
   * @param nowMs The time, by the clock of those who call `look`.
   * @param onlyPeers Returns why a client is refused, if only a peer may come in.
   */
  constructor(stream: ByteStream, host: ConnectionHost, nowMs = 0, onlyPeers?: () => string) {
    this.#host = host;
    this.#onlyPeers = onlyPeers;
    this.#patience = new Patience(nowMs);
    this.#held = host.buffers.of(this);
    this.#use(stream);
  }

  /** Address of the client, for log lines. */
  get remoteAddress(): string {
    return this.#session.remoteAddress;
  }

  get sent(): number {
    return this.#outbox.sentBytes;
  }

  get isWriting(): boolean {
    return this.#outbox.output.pendingBytes > 0;
  }

  get isPartial(): boolean {
    return this.#session.input.isPartial;
  }

  get answered(): number {
    return this.#session.answered;
  }

  /** Whether the client has said who it is, or need not. */
  get isKnown(): boolean {
    return this.access.isKnown;
  }

  get isStill(): boolean {
    return this.#patience.isStill(this);
  }

  /** Whether no complete request has come yet, so that the connection makes room when all places are taken. */
  get isStranger(): boolean {
    return (this.answered === 0 || !this.isKnown) && !this.#hasEnded;
  }

  /** Milliseconds without a byte, when the connection was last looked at. */
  get stillMs(): number {
    return this.#patience.stillMs;
  }

  /** Looks whether the client has kept the connection waiting for too long. Returns why it is to be ended, if so. */
  look(nowMs: number): Impatience | undefined {
    return this.#hasEnded || this.isPeer ? undefined : this.#patience.look(nowMs, this, this.#host.idleMs);
  }

  /** The connection as `stats conns` shows it. */
  shown(nowMs: number): Connected {
    const { remoteAddr, localAddr } = this.#stream;
    return {
      // A client of a unix socket has no address of its own: memcached shows the socket's too.
      address: shownAddress(remoteAddr.transport === "tcp" ? remoteAddr : localAddr ?? remoteAddr),
      listenAddress: localAddr && shownAddress(localAddr),
      state: this.#state(),
      idleSeconds: this.isPeer ? undefined : Math.round(this.#patience.idleMs(nowMs, this) / 1000),
    };
  }

  #state(): Connected["state"] {
    if (this.isWriting) return "conn_mwrite";
    if (!this.isReading && !this.isPeer) return "conn_parse_cmd"; // a peer's bytes are another's to read
    return this.#session.input.announced > 0 ? "conn_nread" : "conn_read";
  }

  /** Whether the client has turned out to be a peer. */
  get isPeer(): boolean {
    return this.#session.peer !== undefined;
  }

  /** Whether there is no place for the connection, unless it turns out to be a peer's. */
  get isCandidate(): boolean {
    return this.#onlyPeers !== undefined && !this.isPeer;
  }

  /** Says something that no request asked for: `write` puts it into the output. */
  push(write: Parameters<Session["push"]>[0]): boolean {
    return this.#session.push(write);
  }

  /** Serves the client until the client or the server ends the connection; `first` are bytes that have been read already. */
  serve(first?: Uint8Array): Promise<void> {
    return this.#untilEnd(this.#serve(first));
  }

  /**
   * Tells the client that the server stops, and serves it until it leaves, so that none of its requests is lost. One that does
   * not hear of a stop is dismissed.
   *
   * @returns Whether the client was told.
   */
  tellStop(): boolean {
    if (this.isPeer) return false;
    this.#stop = "asked";
    const isTold = this.#tellStop();
    if (!isTold && this.isReading) this.dismiss();
    return isTold;
  }

  /** Ends a connection that waits for its client, after a `CLOSING`; a busy one ends itself after its reply. */
  dismiss(): void {
    if (this.isPeer) return;
    this.#stop = "last";
    if (!this.isReading) return;
    this.#session.close("stopping", "the server stops");
    this.#outbox.flush().catch(() => {}).finally(() => this.close());
  }

  /**
   * Ends the connection of a stranger, which makes room for another, and tells it why: in the words of its protocol, which its first
   * bytes tell. If none has been read, they are waited for, as long as those of one that is refused, or until `refuse`.
   */
  replace(message: string): void {
    const { head, wantsEncryption } = this.#session;
    if (wantsEncryption) return this.close(); // nothing can be said in the middle of a handshake
    this.#hasEnded = true;
    this.#session.abandon();
    this.#refusal = tooMany(message);
    if (head.length > 0) this.refuse(head);
    else this.#silence = setTimeout(() => this.refuse(), FIRST_BYTES_MS);
  }

  /** Tells a stranger that makes room why, unless it has been told, and ends its connection. */
  async refuse(head = NO_BYTES): Promise<void> {
    const refusal = this.#refusal;
    this.#refusal = undefined;
    try {
      // One that begins a handshake could be told only after it, which costs too much.
      if (refusal !== undefined && head[0] !== TLS) await writeAll(this.#stream, refusalOf(head, refusal));
    } catch {
      // It has gone.
    }
    this.close();
  }

  /** Ends the connection at once, and frees what it holds, though a read or a write may be under way. */
  cut(): void {
    this.close();
    this.#session.abandon();
  }

  /** Ends the connection at once and sends nothing. */
  close(): void {
    this.#hasEnded = true;
    clearTimeout(this.#silence);
    closeQuietly(this.#stream);
  }

  /** Begins anew on a stream: nothing is known of the client. */
  #use(stream: ByteStream): void {
    const host = this.#host;
    this.#stream = stream;
    this.#outbox = new Outbox({
      stream,
      output: new FrameWriter(this.#held),
      limitBytes: MAX_PUSHED_BYTES,
      traffic: host.counters,
      onError: (error) => this.#fail(error),
    });
    this.access = new ConnectionAccess(host.access, stream);
    if (stream.peerNames !== undefined) this.access.grantCertificate(stream.peerNames);
    this.#session = new Session(host.session, this.access, {
      input: new FrameReader(this.#held),
      output: this.#outbox.output,
      remoteAddress: remoteAddress(stream),
      allowance: host.turns,
      encryption: encryptionOf(stream, host.encryption),
      onlyPeers: this.#onlyPeers,
      mayPush: () => !this.#outbox.isFull,
      onPush: () => this.#outbox.flushSoon(),
    });
  }

  /** Answers all requests of one read with one write, again and again. */
  async #serve(first?: Uint8Array): Promise<void> {
    const [stream, session, outbox, host] = [this.#stream, this.#session, this.#outbox, this.#host];
    const { turns, durations } = host;
    const { input, output } = session;
    let sentBytes = 0;
    setUp(stream);
    if (first !== undefined) input.space().set(first);
    for (let before = first?.length; true; before = undefined) {
      this.isReading = true;
      const count = before ?? await stream.read(input.space());
      this.isReading = false;
      if (count === null) return;
      this.received += count;
      host.counters.bytesReceived += count;
      input.received(count);
      this.#readMs = durations !== undefined && durations.isTimed() ? processClock.now() : 0;
      if (count >= BYTES_A_UNIT) turns.spend(unitsOf(count));
      if (turns.isOver) {
        const moved = count + outbox.sentBytes - sentBytes;
        await turns.next(input.isFull || moved >= MUCH_BYTES || session.answered === 0);
      }
      sentBytes = outbox.sentBytes;
      let state = this.#run();
      for (; state !== "closing"; state = this.#run()) {
        while (outbox.writing !== undefined) await outbox.writing; // a push: one write at a time
        outbox.hold();
        // Bytes are spent before they are written: many readers who do not read would each fill their buffers in one turn.
        if (output.pendingBytes >= BYTES_A_UNIT) turns.spend(unitsOf(output.pendingBytes));
        while (output.pendingBytes > 0) {
          outbox.sent(await outbox.write());
          if (output.pendingBytes > MUCH_LEFT_BYTES && turns.check()) await turns.next();
        }
        outbox.unhold();
        if (state === "waiting") {
          await this.access.settled();
          continue;
        }
        if (state !== "output-full") break;
        if (turns.isOver) await turns.next();
      }
      if (this.#untimed > 0) this.#count();
      if (state === "closing") return await this.#part();
      if (session.wantsEncryption) return await this.#encrypt();
      if (session.peer !== undefined) {
        const isProven = this.access.name !== undefined;
        return await host.onPeer({ stream, input, peer: session.peer, held: this.#held, isProven });
      }
      if (this.#stop !== "none" && !input.isFull && !this.#tellStop()) return await this.#sayStopping();
    }
  }

  #run(): HandlerState {
    if (this.#readMs === 0) return this.#session.run();
    const { counters } = this.#host;
    const { requests } = counters;
    const state = this.#session.run();
    this.#untimed += counters.requests - requests;
    return state;
  }

  /** Counts the requests of the last read: their replies have been taken, but for one that ends the connection. */
  #count(): void {
    this.#host.durations!.add(processClock.now() - this.#readMs, this.#untimed);
    this.#untimed = 0;
  }

  /** Makes the handshake of a client that encrypts, and serves it then. */
  async #encrypt(): Promise<void> {
    const { encryption, turns } = this.#host;
    const { input } = this.#session;
    const first = input.slice(input.from, input.to).slice();
    this.#session.release();
    turns.spend(HANDSHAKE_UNITS);
    if (turns.isOver) await turns.next();
    const stream = await encryption!.accept(this.#stream, first, this.#held);
    if (stream === undefined) return;
    if (this.#hasEnded) return stream.close();
    this.#use(stream);
    return await this.#serve();
  }

  /** Writes the last reply, and gives the client a moment to read it. */
  async #part(): Promise<void> {
    const { refusedPeer, input } = this.#session;
    if (this.#refusal !== undefined) return await this.refuse(input.slice(input.from, input.to));
    if (refusedPeer !== undefined) this.#host.onRefused(this.#stream, refusedPeer);
    const timer = setTimeout(() => this.close(), PARTING_LIMIT_MS);
    try {
      await this.#outbox.flush();
      await this.#stream.closeWrite();
      for (let reads = 0; reads < PARTING_READS; reads++) if (await this.#stream.read(WASTE) === null) return;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Tells a client that hears of it that the server stops. Returns whether it is served until it leaves. */
  #tellStop(): boolean {
    if (this.#stop === "asked" && this.#session.hearsOfStop && this.#session.push(writeStopping)) this.#stop = "told";
    return this.#stop === "told";
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
      this.#held.close();
    }
  }

  /** Says what went wrong, once: a push and a reply may have waited for the same write. */
  #fail(error: unknown): void {
    if (!isDisconnection(error) && !this.#hasFailed) {
      this.#hasFailed = true;
      const what = error instanceof Error ? `${error.stack}`.replace(/\n\s*/g, " ") : error;
      this.#host.log("failure", this.remoteAddress, `Cannot go on with a connection: ${what}`);
    }
    this.close();
  }
}
