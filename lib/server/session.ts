/**
 * One client's conversation without its socket: request bytes in, reply bytes out, in the protocol that the first byte
 * selects. It knows neither the protocols' messages nor how bytes travel.
 */

import { FrameReader, FrameWriter } from "../wire/frame.ts";
import type { PeerHello } from "../wire/hello.ts";
import { type Allowance, type HandlerState, NO_LIMIT, type ProtocolHandler } from "../wire/protocol_handler.ts";
import type { ConnectionAccess } from "./access.ts";
import { type NativeContext, NativeHandler, type RefusedPeer } from "./native_handler.ts";
import { protocolOf, type SessionHost, TLS } from "./protocols.ts";
import { HEAD_BYTES, refusalOf, TLS_ONLY } from "./refusal.ts";

/** Options of one {@linkcode Session}. */
export interface SessionOptions {
  /** The reader of requests; a new one by default. */
  readonly input?: FrameReader;
  /** The writer in which replies collect; a new one by default. */
  readonly output?: FrameWriter;
  /** Address of the client, for log lines; empty by default. */
  readonly remoteAddress?: string;
  /** The work that the client may cause before others have their turn; no limit by default. */
  readonly allowance?: Allowance;
  /** Whether the client may begin to encrypt, or has to; it cannot by default. */
  readonly encryption?: "impossible" | "possible" | "required";
  /** Returns why a client is refused, if only a peer may come in. */
  readonly onlyPeers?: () => string;
  /** Tells whether there is room for output that no request asked for; there is by default. */
  readonly mayPush?: () => boolean;
  /** Told that there is such output. */
  readonly onPush?: () => void;
}

const NO_BYTES = new Uint8Array(0);

/** One client's conversation: the caller puts bytes into `input`, calls `run`, and writes `output`. */
export class Session implements NativeContext {
  /** Bytes from the client. */
  readonly input: FrameReader;
  /** The first bytes of the client, which tell its protocol, as many as came at first; none while it has said nothing. */
  head: Uint8Array = NO_BYTES;
  /** What the client may do. */
  readonly access: ConnectionAccess;
  /** Runs that have answered a request of a client that may make one, or have let it in. */
  answered = 0;
  /** Replies; the caller writes them. */
  readonly output: FrameWriter;
  /** Address of the client, for log lines. */
  readonly remoteAddress: string;
  /** The work that the client may cause before others have their turn. */
  readonly allowance: Allowance;
  readonly onlyPeers: (() => string) | undefined;
  /** Whether the client has begun a handshake of TLS: the caller takes it over, and what follows is another session. */
  wantsEncryption = false;
  readonly #encryption: NonNullable<SessionOptions["encryption"]>;
  readonly #host: SessionHost;
  readonly #mayPush: () => boolean;
  readonly #onPush: () => void;
  #handler: ProtocolHandler | undefined;
  /** Whether the client was known at the end of the last run; a credential is checked between runs. */
  #wasKnown = true;
  #closing = false;

  constructor(
    host: SessionHost,
    access: ConnectionAccess,
    options: SessionOptions = {},
  ) {
    const { input, output, remoteAddress = "", allowance = NO_LIMIT, encryption = "impossible" } = options;
    const { mayPush = () => true, onPush = () => {} } = options;
    this.#encryption = encryption;
    this.#host = host;
    this.access = access;
    this.input = input ?? new FrameReader();
    this.output = output ?? new FrameWriter();
    this.remoteAddress = remoteAddress;
    this.allowance = allowance;
    this.onlyPeers = options.onlyPeers;
    this.#mayPush = mayPush;
    this.#onPush = onPush;
  }

  /** Set once the client has turned out to be a peer. */
  get peer(): PeerHello | undefined {
    return this.#handler instanceof NativeHandler ? this.#handler.peer : undefined;
  }

  /** Set once the client has turned out to be a peer that cannot be used. */
  get refusedPeer(): RefusedPeer | undefined {
    return this.#handler instanceof NativeHandler ? this.#handler.refusedPeer : undefined;
  }

  /** Whether the client goes elsewhere when it is told that the server stops. */
  get hearsOfStop(): boolean {
    return this.#handler instanceof NativeHandler && this.#handler.hearsOfStop;
  }

  /** Answers what has arrived. Never throws for what a client sent. */
  run(): HandlerState {
    if (this.#closing) return "closing";
    this.#handler ??= this.#begin();
    if (this.#handler === undefined) return this.#closing ? "closing" : "needs-input";
    const { counters } = this.#host;
    const { requests } = counters;
    const state = this.#closing ? "closing" : this.#handler.run();
    const { isKnown } = this.access;
    const answered = counters.requests - requests;
    if (answered > 0) this.allowance.spend(answered);
    if (isKnown && (answered > 0 || !this.#wasKnown)) this.answered++;
    this.#wasKnown = isKnown;
    this.#closing = state === "closing";
    return state;
  }

  /** Says something that no request asked for; not to a peer, whose connection is no longer this session's. */
  push(write: (output: FrameWriter) => void): boolean {
    if (this.#closing || this.peer !== undefined || !this.#mayPush()) return false;
    write(this.output);
    this.#onPush();
    return true;
  }

  /** Sends the reason why the connection is about to end. */
  close(code: string, message: string): void {
    this.#closing = true;
    this.#handler ??= new NativeHandler(this.#host, this);
    this.#handler.close(code, message);
  }

  /** Frees the buffers, though a read or a write may be under way; the session answers nothing more. */
  abandon(): void {
    this.#end();
    this.input.drop();
    this.output.release();
  }

  /** Gives the buffers back; the session cannot be used any more. */
  release(): void {
    this.#end();
    this.input.release();
    this.output.release();
  }

  #end(): void {
    this.#closing = true;
    this.#handler?.end?.();
  }

  #begin(): ProtocolHandler | undefined {
    const firstByte = this.input.firstByte();
    if (firstByte < 0) return undefined;
    const isTls = firstByte === TLS && this.#encryption !== "impossible";
    if (isTls || this.#encryption === "required") return this.#encryptOrRefuse(isTls);
    const { bytes, from, to } = this.input;
    this.head = bytes.slice(from, Math.min(to, from + HEAD_BYTES));
    const started = protocolOf(firstByte)(this.#host, this);
    if ("run" in started) return started;
    this.#host.counters.protocolErrors++;
    this.close(started.code, started.message);
    return this.#handler;
  }

  /** Leaves a handshake to the caller; says to anybody else that this server wants one. */
  #encryptOrRefuse(isTls: boolean): undefined {
    this.wantsEncryption = isTls;
    if (isTls) return undefined;
    const { input, output } = this;
    this.#closing = true;
    this.#host.counters.refusals++;
    output.bytes(refusalOf(input.slice(input.from, input.to), TLS_ONLY));
  }
}
