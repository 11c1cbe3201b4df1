/**
 * Calls the addresses at which a server's peers are to be found, and again when a connection has ended. It knows when to call
 * and how to greet, not what peers say to each other then.
 */

import { type Address, formatAddress } from "../base/address.ts";
import { CacheError, ProtocolError } from "../base/errors.ts";
import type { PeerStats } from "../base/stats.ts";
import type { ClientTlsOptions } from "../base/tls_options.ts";
import type { Token } from "../base/token.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { connect } from "../platform/connect.ts";
import { greet, type Greeted } from "../platform/handshake.ts";
import { newNonce } from "../platform/scram.ts";
import { closeQuietly, type Socket } from "../platform/socket.ts";
import { ReflectedError } from "../wire/control.ts";
import type { FrameReader } from "../wire/frame.ts";
import { type Disagreement, disagreement, DisagreementError } from "../wire/hello.ts";
import type { Buffers, HeldBuffers } from "./buffers.ts";
import { within } from "./part.ts";
import type { ConnectedPeer } from "./peer_row.ts";

/** An address that is called. */
export interface Target {
  readonly address: Address;
  readonly text: string;
  state: PeerStats["state"];
  /** The number of the peer that last answered there; 0 if none has. */
  id: number;
  error: string;
  failures: number;
  refusedFuture: number;
  refusedBad: number;
  droppedFull: number;
  /** The connection that has been made to the address. */
  connection: ConnectedPeer | undefined;
  /** Connections to the peer that answers there, for which one of the two sides has given up the one made to the address. */
  others: readonly ConnectedPeer[];
  /** Whether the address is not to be called any more. */
  isForgotten: boolean;
  /** Ends the pause until the next call. */
  wake: () => void;
}

/** A connection that has been made, and whom it leads to. */
export interface MadeCall {
  readonly stream: ByteStream;
  readonly input: FrameReader;
  readonly id: number;
  readonly address: string;
  /** What the peer can do, as it says. */
  readonly features: readonly string[];
  readonly held: HeldBuffers;
}

/** How a connection has ended. */
export interface CallEnd {
  /** What went wrong, if anything did. */
  readonly error?: string;
  /** Whether one of the two sides has given it up before a word was said, as it does where it has another one. */
  readonly isSpare?: boolean;
}

/** Options of {@linkcode PeerCalls}. */
export interface PeerCallsOptions {
  /** The addresses to call. */
  readonly addresses: readonly Address[];
  /** This server's number among peers. */
  readonly id: number;
  /** The name of this server's cluster; empty if it has none. */
  readonly cluster: string;
  /** Name and version for the greeting. */
  readonly software: string;
  /** Called with each line to log; it does not throw. */
  readonly log: (line: string) => void;
  /** Returns the token with which this server greets others; without one, only those that ask for none are used. */
  readonly token?: () => Token | undefined;
  /** Returns the port at which this server listens, for the greeting; `undefined` if it has none. */
  readonly port: () => number | undefined;
  /** The memory for what waits. */
  readonly buffers: Buffers;
  /** How connections to peers are encrypted; without it they are not. */
  readonly tls?: () => Promise<ClientTlsOptions>;
  /** Uses a connection until it ends. */
  readonly use: (call: MadeCall, target: Target) => Promise<CallEnd>;
  /** Returns the connections in use with a peer. */
  readonly connectedTo: (id: number) => readonly ConnectedPeer[];
}

/** Milliseconds between calls of an address that does not answer: the first pause, which doubles up to the last. */
const FIRST_BACKOFF_MS = 250;
const LAST_BACKOFF_MS = 4000;
/** Milliseconds between calls of an address that leads to this server, or to a peer that has another connection with it. */
const SETTLED_MS = 60_000;
/** Milliseconds that a connection and its greeting may take: with the last pause, a peer that is back is called within 10 s. */
const OPEN_LIMIT_MS = 5000;

/** The state of a peer with which this server cannot agree. */
export const DISAGREEMENT_STATES: Record<Disagreement["code"], PeerStats["state"]> = {
  "unsupported-gossip": "incompatible",
  "other-cluster": "other-cluster",
};
/** States of an address that are shown while there is no connection, until something else comes of a call. */
const LASTING: readonly PeerStats["state"][] = ["self", "incompatible", "other-cluster", "refused"];

/** What is said of an address at which this server meets itself. */
const SELF = "it is this server itself";

/** Calls addresses, and keeps a connection to each at which a peer answers. */
export class PeerCalls {
  readonly #options: PeerCallsOptions;
  #targets: Target[];
  #stop: AbortController | undefined;
  /** One promise for each address, which resolves when the connection to it has ended for a stop. */
  #keeping: Promise<void>[] = [];
  /** Nonces with which this server is proving itself to others: who sends one back has it from them. */
  readonly #nonces = new Set<string>();

  constructor(options: PeerCallsOptions) {
    this.#options = options;
    this.#targets = options.addresses.map(newTarget);
  }

  /** The addresses. */
  get targets(): readonly Target[] {
    return this.#targets;
  }

  /** Begins to call. */
  start(): void {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#keeping = this.#targets.map((target) => this.#keep(target, signal));
  }

  /** Calls nobody any more. */
  stop(): void {
    this.#stop?.abort();
  }

  /** Resolves when all connections have ended that had been made. */
  async ended(limitMs: number): Promise<void> {
    await within(limitMs, Promise.all(this.#keeping));
  }

  /** Whether this server is proving itself to another with a nonce. */
  isOwnNonce(nonce: string): boolean {
    return this.#nonces.has(nonce);
  }

  /** The target at an address. */
  at(text: string): Target | undefined {
    return this.#targets.find((target) => target.text === text);
  }

  /** Calls an address no more. Returns whether there was one. */
  forget(text: string): boolean {
    const target = this.at(text);
    if (target === undefined) return false;
    this.#targets = this.#targets.filter((other) => other !== target);
    target.isForgotten = true;
    target.wake();
    return true;
  }

  /** Takes note that a connection has ended: addresses for which it stood are called again. */
  lost(peer: ConnectedPeer): void {
    for (const target of this.#targets) if (target.others.includes(peer)) target.wake();
  }

  /** Logs a failure, unless the last one of this target was the same. */
  sayOnce(target: Target, error: string): void {
    if (target.error !== error) this.#options.log(`Peer ${target.text} cannot be used: ${error}`);
    target.error = error;
  }

  /** Keeps a connection to the peer at an address, unless there is another one to that peer. */
  async #keep(target: Target, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !target.isForgotten) {
      const { error, isSpare } = await this.#visit(target, signal);
      if (signal.aborted || target.isForgotten) return;
      if (error !== undefined) this.sayOnce(target, error);
      target.others = isSpare ? this.#options.connectedTo(target.id) : [];
      if (target.others.length > 0) {
        target.state = "waiting";
        target.error = "";
        target.failures = 0;
        // A stranger may bear the peer's number, and stay when the peer goes: so the first that ends is reason to look.
        await pause(target, SETTLED_MS * spread(), signal);
      } else if (target.state === "self" || target.state === "incompatible") { // until a restart
        await pause(target, SETTLED_MS * spread(), signal);
        continue;
      } else if (!LASTING.includes(target.state)) target.state = "waiting";
      await pause(target, backoffMs(target.failures++), signal);
    }
  }

  /** Connects to an address and uses the connection until it ends. */
  async #visit(target: Target, signal: AbortSignal): Promise<CallEnd> {
    target.state = "connecting";
    let socket: Socket | undefined;
    let held: HeldBuffers | undefined;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), OPEN_LIMIT_MS);
    const end = () => {
      limit.abort();
      if (socket !== undefined) closeQuietly(socket);
    };
    limit.signal.addEventListener("abort", () => socket && closeQuietly(socket));
    signal.addEventListener("abort", end);
    try {
      const opened = socket = await connect(target.address, limit.signal, await this.#options.tls?.());
      const holder = { remoteAddress: target.text, isStill: false, cut: () => closeQuietly(opened) };
      held = this.#options.buffers.of(holder);
      const { input, server: { peer } } = await this.#greet(socket, held);
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      if (peer === undefined) throw new ProtocolError("what answers there is a server that takes no peers");
      target.id = peer.id;
      if (peer.id === this.#options.id) throw new ReflectedError("refused", SELF);
      if (target.isForgotten) return {};
      const why = disagreement(peer, this.#options.cluster);
      if (why !== undefined) throw new DisagreementError(why);
      const { id, features } = peer;
      return await this.#options.use({ stream: socket, input, id, features, address: target.text, held }, target);
    } catch (error) {
      const isLate = limit.signal.aborted && !signal.aborted;
      return { error: whyFailed(target, error as Error, isLate) };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      if (socket !== undefined) closeQuietly(socket);
      held?.close();
    }
  }

  /** Greets a peer, and has both sides prove themselves where this server has a token. */
  async #greet(socket: Socket, account: HeldBuffers): Promise<Greeted> {
    const { id, cluster, software, port, token } = this.#options;
    const nonce = newNonce();
    this.#nonces.add(nonce);
    try {
      return await greet(socket, { software, peer: { id, cluster, port: port() }, token: token?.(), nonce, account });
    } finally {
      this.#nonces.delete(nonce);
    }
  }
}

function newTarget(address: Address): Target {
  return {
    address,
    text: formatAddress(address),
    state: "waiting",
    id: 0,
    error: "",
    failures: 0,
    refusedFuture: 0,
    refusedBad: 0,
    droppedFull: 0,
    connection: undefined,
    others: [],
    isForgotten: false,
    wake: nothing,
  };
}

/** Milliseconds until an address is called again that has not answered so many times. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  return Math.min(FIRST_BACKOFF_MS * 2 ** Math.min(failures, 20), LAST_BACKOFF_MS) * spread(random);
}

/** A half to the whole, by chance, so that servers that have begun together do not go on so. */
function spread(random: () => number = Math.random): number {
  return 0.5 + random() / 2;
}

/** Why a call has failed; sets the target's state. */
function whyFailed(target: Target, error: Error, isLate: boolean): string {
  if (error instanceof ReflectedError) {
    target.state = "self";
    return SELF;
  }
  if (error instanceof DisagreementError) target.state = DISAGREEMENT_STATES[error.code];
  else if (error instanceof CacheError && error.code === "refused") target.state = "refused";
  return isLate ? `no connection and greeting within ${OPEN_LIMIT_MS} ms` : error.message;
}

/** Resolves after some milliseconds, or when the target is woken or `signal` aborts. */
function pause(target: Target, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      target.wake = nothing;
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    target.wake = end;
  });
}

function nothing(): void {}
