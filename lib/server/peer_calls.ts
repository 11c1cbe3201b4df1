/**
 * Calls the addresses at which a server's peers are to be found, and again when a connection has ended. It knows when to call
 * and how to greet, not what peers say to each other then.
 */

import { type Address, formatAddress, isLoopback, isName, isUnspecified, parseAddress } from "../base/address.ts";
import { CacheError, ProtocolError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { PeerStats } from "../base/stats.ts";
import type { ClientTlsOptions } from "../base/tls_options.ts";
import type { Token } from "../base/token.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { connect, isDenied, permits } from "../platform/connect.ts";
import type { LookUp } from "../platform/lookup.ts";
import { greet, type Greeted } from "../platform/handshake.ts";
import { newNonce } from "../platform/scram.ts";
import { closeQuietly, type Socket } from "../platform/socket.ts";
import { ReflectedError } from "../wire/control.ts";
import type { FrameReader } from "../wire/frame.ts";
import { type Disagreement, disagreement, DisagreementError, MAX_TOLD_PEERS, type PeerHello } from "../wire/hello.ts";
import type { Buffers, HeldBuffers } from "./buffers.ts";
import type { LimitedLog } from "./limited_log.ts";
import { within } from "./part.ts";
import { awake, pause, type Pausing } from "./pausing.ts";
import { type Name, PeerNames } from "./peer_names.ts";
import type { ConnectedPeer } from "./peer_row.ts";

/** An address that is called. */
export interface Target extends Pausing {
  readonly address: Address;
  readonly text: string;
  /** The name that leads to it; `undefined` for an address that is listed itself. */
  readonly name: Name | undefined;
  /** Whether a peer has told of it, who may be wrong. */
  readonly isTold: boolean;
  /** Whether its name leads there no more, or nobody answers where one was told to be: it is not called again. */
  isLeft: boolean;
  /** When a peer last answered there, by `performance.now()`. */
  answeredMs: number;
  state: PeerStats["state"];
  /** The number of the peer that last answered there; 0 if none has. */
  id: number;
  error: string;
  /** What has been logged since it was last connected, of calls of this server and of the peer: each may know another reason. */
  said: { own: string; theirs: string };
  failures: number;
  refusedFuture: number;
  refusedBad: number;
  droppedFull: number;
  /** The connection that has been made to the address. */
  connection: ConnectedPeer | undefined;
  /** Connections to the peer that answers there, for which one of the two sides has given up the one made to the address. */
  others: readonly ConnectedPeer[];
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
  /** Whether both sides have proven themselves by a token. */
  readonly isProven: boolean;
}

/** An address at which a peer answers that is connected. */
export interface Answering {
  readonly text: string;
  /** The peer's number. */
  readonly id: number;
  /** Whether only this machine reaches the address. */
  readonly isHere: boolean;
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
  /** The addresses to call; names among them are looked up. */
  readonly addresses: readonly Address[];
  readonly lookUp: LookUp;
  /** Milliseconds between two look-ups of a name, where it is not known how long an answer holds. */
  readonly lookUpMs: number;
  /** This server's number among peers. */
  readonly id: number;
  /** Whether this process may end though peers are connected. */
  readonly isUnref: boolean;
  /** The name of this server's cluster; empty if it has none. */
  readonly cluster: string;
  /** Name and version for the greeting. */
  readonly software: string;
  /** Called with each line to log; it does not throw. */
  readonly log: Log;
  /** Logs what peers cause that are not in `addresses`, or who says that he is one of them. */
  readonly limitedLog: LimitedLog;
  /** Returns the token with which this server greets others; without one, only those that ask for none are used. */
  readonly token?: () => Token | undefined;
  /** Returns the port at which this server listens, for the greeting; `undefined` if it has none. */
  readonly port: () => number | undefined;
  /** Where others reach this server, if that is another address than the one from which it connects. */
  readonly advertise?: string;
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
/** Milliseconds between calls of an address that leads to this server or to another build, and to a peer that has another connection. */
const SETTLED_MS = 60_000;
const SPARE_MS = 300_000;
/** Milliseconds that a connection and its greeting may take: with the last pause, a peer that is back is called within 10 s. */
const OPEN_LIMIT_MS = 5000;

/** The state of a peer with which this server cannot agree. */
export const DISAGREEMENT_STATES: Record<Disagreement["code"], PeerStats["state"]> = {
  "unsupported-gossip": "incompatible",
  "other-cluster": "other-cluster",
};
/** States of an address that are shown while there is no connection, until something else comes of a call. */
const LASTING: readonly PeerStats["state"][] = ["self", "incompatible", "other-cluster", "refused", "not-permitted"];
/** Addresses at most of which peers have told; failures of one that has never answered, and the time for one that has. */
const MAX_TOLD = MAX_TOLD_PEERS;
const MAX_TOLD_FAILURES = 5;
const TOLD_MS = 3_600_000;

/** What is said of an address at which this server meets itself. */
const SELF = "it is this server itself";

/** Calls addresses, and keeps a connection to each at which a peer answers. */
export class PeerCalls {
  readonly #options: PeerCallsOptions;
  readonly #targets = new Map<string, Target>();
  readonly #names: PeerNames;
  /** Addresses that are called no more, whoever says what. */
  readonly #forgotten = new Set<string>();
  #stop: AbortController | undefined;
  /** Work under way, which ends after a stop. */
  readonly #keeping = new Set<Promise<void>>();
  /** Nonces with which this server is proving itself to others: who sends one back has it from them. */
  readonly #nonces = new Set<string>();

  constructor(options: PeerCallsOptions) {
    this.#options = options;
    this.#names = new PeerNames({
      names: options.addresses.filter(isName),
      lookUp: options.lookUp,
      intervalMs: options.lookUpMs,
      onFound: (name, addresses) => this.#follow(name, addresses),
      log: options.log,
    });
    for (const address of options.addresses) if (!isName(address)) this.#add(address);
  }

  /** Names that lead to no address that may be called, but for those that lead to forgotten ones only. */
  get lost(): readonly Name[] {
    const led = new Set(this.targets.map(({ name }) => name));
    return this.#names.names.filter((name) => {
      return !led.has(name) &&
        (name.found === "" || !name.found.split(", ").every((text) => this.#forgotten.has(text)));
    });
  }

  /** The addresses. */
  get targets(): readonly Target[] {
    return [...this.#targets.values()];
  }

  /** Begins to call. */
  start(): void {
    this.#stop = new AbortController();
    for (const target of this.targets) this.#begin(this.#keep(target, this.#stop.signal));
    this.#begin(this.#names.run(this.#stop.signal));
  }

  /** Calls nobody any more. */
  stop(): void {
    this.#stop?.abort();
  }

  /** Resolves when all connections have ended that had been made. */
  async ended(limitMs: number): Promise<void> {
    await within(limitMs, Promise.all([...this.#keeping]));
  }

  /** Whether this server is proving itself to another with a nonce. */
  isOwnNonce(nonce: string): boolean {
    return this.#nonces.has(nonce);
  }

  /** The target at an address. */
  at(text: string): Target | undefined {
    return this.#targets.get(text);
  }

  /** Calls an address of which a peer has told, unless it is called already. */
  learn(told: string): void {
    const address = parseAddress(told);
    if (address === undefined || isUnspecified(address) || this.#targets.has(formatAddress(address))) return;
    if (this.targets.filter(({ isTold }) => isTold).length < MAX_TOLD) this.#add(address, undefined, true);
  }

  /** Addresses at which this server has reached peers that are connected and have proven themselves; one for each peer. */
  answering(): Answering[] {
    const found = new Map<number, Answering>();
    for (const { address, text, isTold, connection, others, id } of this.#targets.values()) {
      const peer = connection ?? others.find((other) => this.#options.connectedTo(id).includes(other));
      if (peer?.isProven !== true || found.has(id) || (isName(address) && !isTold)) continue;
      found.set(id, { text, id, isHere: isLoopback(address) || isUnspecified(address) });
    }
    return [...found.values()];
  }

  /** The target at an address, or those to which a name leads. */
  under(text: string): Target[] {
    return this.targets.filter((target) => target.text === text || target.name?.text === text);
  }

  /** Calls an address no more, though a name may lead there, or a peer tell of it; or a name. Returns whether there was one. */
  forget(text: string): boolean {
    const targets = this.under(text);
    const name = this.#names.forget(text);
    for (const target of targets) {
      this.#forgotten.add(target.text);
      this.#targets.delete(target.text);
      target.isLeft = true;
      target.wake();
    }
    return name !== undefined || targets.length > 0;
  }

  /** Takes note that a connection has ended: addresses for which it stood are called again. */
  miss(peer: ConnectedPeer): void {
    for (const target of this.#targets.values()) if (target.others.includes(peer)) target.wake();
  }

  /** Logs a failure, unless the last call of this server, or the peer's, has failed for the same reason. */
  sayOnce(target: Target, error: string, caller: keyof Target["said"]): void {
    if (!Object.values(target.said).includes(error)) {
      const isSelf = error === SELF; // as where all servers are given one list
      const line = `Peer ${target.text} ${isSelf ? "is this server itself" : `cannot be used: ${error}`}`;
      if (caller === "own" && !target.isTold) this.#options.log(line, isSelf ? "info" : "warn");
      else this.#options.limitedLog.say("unused", target.text, line); // whoever has told of it, or calls from there, may be a stranger
    }
    target.said[caller] = target.error = error;
  }

  #begin(work: Promise<void>): void {
    this.#keeping.add(work);
    work.finally(() => this.#keeping.delete(work));
  }

  #add(address: Address, name?: Name, isTold = false): void {
    if (this.#forgotten.has(formatAddress(address))) return;
    const target = newTarget(address, name, isTold);
    this.#targets.set(target.text, target);
    if (this.#stop?.signal.aborted === false) this.#begin(this.#keep(target, this.#stop.signal));
  }

  /** Calls the addresses to which a name leads. A connection to one to which it leads no more stays until it ends. */
  #follow(name: Name, addresses: readonly Address[]): void {
    if (!this.#names.names.includes(name)) return; // it has been forgotten meanwhile
    const now = new Map(addresses.map((address) => [formatAddress(address), address]));
    for (const target of this.#targets.values()) {
      if (target.name !== name) continue;
      target.isLeft = !now.has(target.text);
      if (target.isLeft) target.wake();
    }
    for (const [text, address] of now) if (!this.#targets.has(text)) this.#add(address, name);
  }

  /** Keeps a connection to the peer at an address, unless there is another one to that peer. */
  async #keep(target: Target, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !target.isLeft) {
      const { error, isSpare } = await this.#visit(target, signal);
      if (signal.aborted || this.#forgotten.has(target.text)) return;
      if (error !== undefined) {
        if (target.isTold && target.id === 0) target.error = error; // whoever has told of it may be wrong
        else this.sayOnce(target, error, "own");
      }
      if (target.name !== undefined && !isSpare) this.#names.hurry(target.name.text);
      target.others = isSpare ? this.#options.connectedTo(target.id) : [];
      if (target.others.length > 0) {
        target.state = "waiting";
        target.error = "";
        target.said = { own: "", theirs: "" };
        target.failures = 0;
        // A stranger may bear the peer's number, and stay when the peer goes: so the first that ends is reason to look.
        await pause(target, SPARE_MS * spread(), signal);
      } else if (target.state === "self" || target.state === "incompatible") { // until a restart
        await pause(target, SETTLED_MS * spread(), signal);
        continue;
      } else if (!LASTING.includes(target.state)) target.state = "waiting";
      if (target.isTold && isInVain(target)) target.isLeft = true;
      else await pause(target, backoffMs(target.failures++), signal);
    }
    if (target.isLeft && this.at(target.text) === target) this.#targets.delete(target.text);
  }

  /** Connects to an address and uses the connection until it ends. */
  async #visit(target: Target, signal: AbortSignal): Promise<CallEnd> {
    if (!LASTING.includes(target.state)) target.state = "connecting";
    let socket: Socket | undefined;
    let held: HeldBuffers | undefined;
    let peer: PeerHello | undefined;
    const token = this.#options.token?.();
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), OPEN_LIMIT_MS);
    const end = () => {
      limit.abort();
      if (socket !== undefined) closeQuietly(socket);
    };
    limit.signal.addEventListener("abort", () => socket && closeQuietly(socket));
    signal.addEventListener("abort", end);
    try {
      const opened = socket = await connect(target.address, limit.signal, await this.#tlsTo(target));
      if (this.#options.isUnref) socket.unref();
      const holder = { remoteAddress: target.text, isStill: false, cut: () => closeQuietly(opened) };
      held = this.#options.buffers.of(holder);
      const { input, server } = await this.#greet(socket, token, held);
      peer = server.peer;
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      if (peer === undefined) throw new ProtocolError("what answers there is a server that takes no peers");
      target.id = peer.id;
      if (peer.id === this.#options.id) throw new ReflectedError("refused", SELF);
      if (target.isLeft) return {};
      const why = disagreement(peer, this.#options.cluster);
      if (why !== undefined) throw new DisagreementError(why);
      const { id, features } = peer;
      const isProven = token !== undefined;
      return await this.#options.use(
        { stream: socket, input, id, features, address: target.text, held, isProven },
        target,
      );
    } catch (error) {
      const isLate = limit.signal.aborted && !signal.aborted;
      return { error: whyFailed(target, error as Error, isLate) };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      if (socket !== undefined) closeQuietly(socket);
      if (peer !== undefined) target.answeredMs = performance.now();
      held?.close();
    }
  }

  /** How a connection to an address is encrypted: its certificate is one for the name that leads there. */
  async #tlsTo({ name }: Target): Promise<ClientTlsOptions | undefined> {
    const tls = await this.#options.tls?.();
    return tls && name ? { serverName: name.address.hostname, ...tls } : tls;
  }

  /** Greets a peer, and has both sides prove themselves where this server has a token. */
  async #greet(socket: Socket, token: Token | undefined, account: HeldBuffers): Promise<Greeted> {
    const { id, cluster, software, port, advertise } = this.#options;
    const nonce = newNonce();
    this.#nonces.add(nonce);
    try {
      return await greet(socket, { software, peer: { id, cluster, port: port(), advertise }, token, nonce, account });
    } finally {
      this.#nonces.delete(nonce);
    }
  }
}

function newTarget(address: Address, name: Name | undefined, isTold: boolean): Target {
  return {
    address,
    text: formatAddress(address),
    name,
    isTold,
    isLeft: false,
    answeredMs: -Infinity,
    state: "waiting",
    id: 0,
    error: "",
    said: { own: "", theirs: "" },
    failures: 0,
    refusedFuture: 0,
    refusedBad: 0,
    droppedFull: 0,
    connection: undefined,
    others: [],
    wake: awake,
  };
}

/** Whether nobody will answer any more at an address of which a peer has told. */
function isInVain({ id, failures, answeredMs }: Target): boolean {
  return id === 0 ? failures >= MAX_TOLD_FAILURES : performance.now() - answeredMs > TOLD_MS;
}

/** Milliseconds until an address is called again that has not answered for `failures` calls in a row. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  return Math.min(FIRST_BACKOFF_MS * 2 ** Math.min(failures, 20), LAST_BACKOFF_MS) * spread(random);
}

/** A half to the whole, by chance, so that servers that have begun together do not go on so. */
function spread(random: () => number = Math.random): number {
  return 0.5 + random() / 2;
}

/** Why a call has failed; sets the target's state. */
function whyFailed(target: Target, error: Error, isLate: boolean): string {
  target.state = "waiting";
  if (error instanceof ReflectedError) {
    target.state = "self";
    return SELF;
  }
  if (isDenied(error) && !permits(target.address)) {
    target.state = "not-permitted";
    return `this server may not connect: it needs --allow-net=${target.text}`;
  }
  if (error instanceof DisagreementError) target.state = DISAGREEMENT_STATES[error.code];
  else if (error instanceof CacheError && error.code === "refused") target.state = "refused";
  return isLate ? `no connection and greeting within ${OPEN_LIMIT_MS} ms` : error.message;
}
