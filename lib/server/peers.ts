/**
 * A server's peers: connects to those listed, accepts others, keeps one connection to each, and carries the gossip's
 * messages. It knows sockets and timers, not what messages say: that is lib/replication's.
 */

import { type Address, formatAddress } from "../base/address.ts";
import { CacheError, ProtocolError } from "../base/errors.ts";
import type { Token } from "../base/token.ts";
import { ReflectedError } from "../wire/control.ts";
import type { ClientTlsOptions } from "../base/tls_options.ts";
import type { FrameReader } from "../wire/frame.ts";
import { ClockDoubt } from "./clock_doubt.ts";
import { droppedLine } from "./dropped_line.ts";
import { type Dropped, Gossip } from "../replication/gossip.ts";
import { greet, type Greeted } from "../platform/handshake.ts";
import { newNonce } from "../platform/scram.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { type Part, within } from "./part.ts";
import { PeerConnection } from "./peer_connection.ts";
import { type ConnectedPeer, peerRow } from "./peer_row.ts";
import {
  agreed,
  type Disagreement,
  disagreement,
  DisagreementError,
  type PeerFeature,
  type PeerHello,
} from "../wire/hello.ts";
import { connect } from "../platform/connect.ts";
import { closeQuietly, isDisconnection, type Socket } from "../platform/socket.ts";
import type { PeerStats } from "../base/stats.ts";
import type { Store } from "../store/store.ts";
import type { Buffers, HeldBuffers } from "./buffers.ts";
import type { LimitedLog } from "./limited_log.ts";
import type { RefusedPeer } from "./native_handler.ts";
import type { Turns } from "./turns.ts";

/** Options of {@linkcode Peers}. */
export interface PeersOptions {
  /** The addresses of the peers to connect to. */
  readonly addresses: readonly Address[];
  readonly store: Store;
  /** This server's number among peers: the store's origin. */
  readonly id: number;
  /** The name of this server's cluster; empty if it has none. */
  readonly cluster: string;
  /** Name and version for the greeting. */
  readonly software: string;
  /** Milliseconds between rounds. */
  readonly intervalMs: number;
  /** Called with each line to log; it does not throw. */
  readonly log: (line: string) => void;
  /** Logs what peers cause that are not in `addresses`. */
  readonly limitedLog: LimitedLog;
  /** Returns the token with which this server greets others; without one, only those that ask for none are used. */
  readonly token?: () => Token | undefined;
  /** Returns the port at which this server listens, for the greeting; `undefined` if it has none. */
  readonly port: () => number | undefined;
  /** Counts the connections that were ended because the peer broke the protocol. */
  readonly counters: { protocolErrors: number };
  /** The turns that all connections share. */
  readonly turns: Turns;
  /** The memory for what waits. */
  readonly buffers: Buffers;
  /** How connections to peers are encrypted; without it they are not. */
  readonly tls?: () => Promise<ClientTlsOptions>;
}

/** Milliseconds between attempts to reach a peer: the first pause, which doubles up to the last. */
const FIRST_BACKOFF_MS = 250;
const LAST_BACKOFF_MS = 60_000;
/** Milliseconds after which a connection was a good one: when it ends, pauses begin with the first again. */
const STEADY_MS = 5000;
/** Milliseconds that a connection and its greeting may take. */
const OPEN_LIMIT_MS = 5000;
/** Rounds, and milliseconds at least, after which a peer that sends or reads nothing is disconnected. */
const SILENT_ROUNDS = 15;
const SILENT_MS = 5000;
/** Refused peers that are remembered at most, and milliseconds for which one is shown after its last attempt. */
const MAX_REFUSED = 16;
const REFUSED_MS = 2 * LAST_BACKOFF_MS;
/**
 * Peers in the statistics (all listed ones in any case), and letters of an error: more would be too long for a client.
 */
const MAX_ROWS = 64;
const MAX_ERROR_LETTERS = 200;

/** The state of a peer with which this server cannot agree. */
const DISAGREEMENT_STATES: Record<Disagreement["code"], PeerStats["state"]> = {
  "unsupported-gossip": "incompatible",
  "other-cluster": "other-cluster",
};
/** States of a listed peer that are shown while it is not connected, until something else comes of an attempt. */
const LASTING: readonly PeerStats["state"][] = ["self", "incompatible", "other-cluster", "refused"];

/** What is said of an address at which this server meets itself. */
const SELF = "it is this server itself";

/** A peer on the list. */
interface Listed {
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
}

/** A peer that was refused. */
interface Refused {
  readonly id: number;
  readonly state: PeerStats["state"];
  readonly error: string;
  /** The time of its last attempt, by `performance.now()`. */
  readonly lastMs: number;
}

/** The peers of one server. */
export class Peers implements Part {
  /** What this server and its peers say to each other. */
  readonly gossip: Gossip;
  readonly #options: PeersOptions;
  readonly #listed: Listed[];
  readonly #connected = new Map<number, ConnectedPeer>();
  #numbers = 0;
  #stop: AbortController | undefined;
  /** One promise for each listed peer, which resolves when the connections to it have ended for a stop. */
  #keeping: Promise<void>[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Peers that were refused, by address. */
  readonly #refused = new Map<string, Refused>();
  /** Nonces with which this server is proving itself to others: who sends one back has it from them. */
  readonly #nonces = new Set<string>();

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#listed = options.addresses.map((address) => ({
      address,
      text: formatAddress(address),
      state: "waiting",
      id: 0,
      error: "",
      failures: 0,
      refusedFuture: 0,
      refusedBad: 0,
      droppedFull: 0,
    }));
    this.gossip = new Gossip({
      store: options.store,
      origin: options.id,
      send: (number, message) => this.#connected.get(number)?.connection.send(message),
      isReady: (number) => this.#connected.get(number)?.connection.isReady ?? false,
      hasRoom: (number) => this.#connected.get(number)?.connection.hasRoom() ?? false,
      onWaiting: () => queueMicrotask(() => this.#guard(() => this.gossip.flush())),
      onDropped: (number, counts) => this.#sayDropped(number, counts),
    });
  }

  /** Begins to connect to the listed peers, and begins the rounds. */
  start(): void {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#keeping = this.#listed.map((listed) => this.#keep(listed, signal));
    this.#round();
  }

  /** Ends the connections that this server has made, because the token is another one; they are made again. */
  greetAnew(): void {
    for (const { isOwn, connection } of this.#connected.values()) if (isOwn) connection.close();
  }

  /** Ends all connections, once their output is written. */
  async stop(limitMs: number): Promise<void> {
    this.#stop?.abort();
    clearTimeout(this.#timer);
    this.#guard(() => this.gossip.flush());
    const connections = [...this.#connected.values()].map(({ connection }) => connection);
    await within(limitMs, Promise.all(connections.map((connection) => connection.finish())));
    for (const connection of connections) connection.close();
    await within(limitMs, Promise.all(this.#keeping));
  }

  /** Uses a connection that a peer has made, until it ends. */
  async accept(stream: ByteStream, input: FrameReader, peer: PeerHello, held: HeldBuffers): Promise<void> {
    if (peer.id === this.#options.id || this.#stop?.signal.aborted !== false) return;
    const [address, features] = [addressOf(stream, peer), agreed(peer)];
    await this.#use(stream, input, { id: peer.id, address, features, isOwn: false, held });
  }

  /** Whether this server is proving itself to another with a nonce. */
  isOwnNonce(nonce: string): boolean {
    return this.#nonces.has(nonce);
  }

  /** Takes note of a peer that was refused. */
  refuse(stream: ByteStream, { peer, code, message }: RefusedPeer): void {
    if (peer.id === this.#options.id) return;
    const address = addressOf(stream, peer);
    const error = code === "auth-failed" ? "it does not know a token of this server" : message;
    const state = DISAGREEMENT_STATES[code as Disagreement["code"]] ?? "refused";
    const listed = this.#listed.find(({ text }) => text === address);
    if (listed !== undefined) this.#sayOnce(listed, error);
    else if (!this.#refused.has(address)) {
      this.#say(state, address, `Peer ${address} cannot be used: ${error}`);
    }
    this.#refused.delete(address); // the peer that tried last comes last in the map
    this.#refused.set(address, { id: peer.id, state, error, lastMs: performance.now() });
    for (const [oldest] of this.#refused) {
      if (this.#refused.size > MAX_REFUSED) this.#refused.delete(oldest);
    }
  }

  /** Statistics of the listed peers, and of others that have connected; of very many, only the first. */
  stats(): PeerStats[] {
    const connections = [...this.#connected.values()];
    const { nowMs } = this.#options.store;
    const row = (address: string, peer: ConnectedPeer | undefined) => peerRow(address, peer, this.gossip, nowMs);
    const rows = this.#listed.map((listed): PeerStats => {
      const { id, text: address, error, refusedFuture, refusedBad, droppedFull } = listed;
      const peer = id === 0 ? undefined : connections.find((peer) => peer.id === id);
      const isFirst = this.#listed.find((other) => other.id === id) === listed;
      const state = peer === undefined || listed.state === "self" ? listed.state : isFirst ? "connected" : "duplicate";
      const shown = row(address, state === "connected" ? peer : undefined);
      const refused = { refusedFuture, refusedBad, droppedFull };
      for (const reason of ["refusedFuture", "refusedBad", "droppedFull"] as const) shown[reason] += refused[reason];
      return state === "connected" ? shown : { ...shown, state, id, error: error.slice(0, MAX_ERROR_LETTERS) };
    });
    const others = connections.filter(({ id }) => !this.#listed.some((listed) => listed.id === id));
    rows.push(...others.map((peer) => row(peer.address, peer)));
    for (const [address, { id, state, error, lastMs }] of this.#refused) {
      const isShown = rows.some((row) => row.address === address) || performance.now() - lastMs > REFUSED_MS;
      if (!isShown) rows.push({ ...row(address, undefined), state, id, error });
    }
    return rows.slice(0, Math.max(MAX_ROWS, this.#listed.length));
  }

  /** Keeps a connection to a listed peer, unless the peer itself has made one. */
  async #keep(listed: Listed, signal: AbortSignal): Promise<void> {
    const { intervalMs } = this.#options;
    while (!signal.aborted) {
      if (this.#find(listed.id) !== undefined) {
        await pause(intervalMs, signal);
        continue;
      }
      const error = await this.#visit(listed, signal);
      if (signal.aborted) return;
      if (error !== undefined) this.#sayOnce(listed, error);
      const isSettled = listed.state === "self" || listed.state === "incompatible"; // until a restart
      if (!LASTING.includes(listed.state)) listed.state = "waiting";
      const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** Math.min(listed.failures++, 20), LAST_BACKOFF_MS);
      await pause((isSettled ? LAST_BACKOFF_MS : backoffMs) * (0.5 + Math.random() / 2), signal);
    }
  }

  /** Connects to a peer and uses the connection until it ends. Returns the failure, if there was one. */
  async #visit(listed: Listed, signal: AbortSignal): Promise<string | undefined> {
    listed.state = "connecting";
    const { id: own, cluster } = this.#options;
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
      const opened = socket = await connect(listed.address, limit.signal, await this.#options.tls?.());
      const holder = { remoteAddress: listed.text, isStill: false, cut: () => closeQuietly(opened) };
      held = this.#options.buffers.of(holder);
      const { input, server } = await this.#greet(socket, held);
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      if (server.peer === undefined) throw new ProtocolError("what answers there is a server that takes no peers");
      listed.id = server.peer.id;
      if (listed.id === own) {
        listed.state = "self";
        return SELF;
      }
      const why = disagreement(server.peer, cluster);
      if (why !== undefined) throw new DisagreementError(why);
      const features = agreed(server.peer);
      return await this.#use(
        socket,
        input,
        { id: listed.id, address: listed.text, features, isOwn: true, held },
        listed,
      );
    } catch (error) {
      if (error instanceof ReflectedError) {
        listed.state = "self";
        return SELF;
      }
      if (error instanceof DisagreementError) listed.state = DISAGREEMENT_STATES[error.code];
      else if (error instanceof CacheError && error.code === "refused") listed.state = "refused";
      const isLate = limit.signal.aborted && !signal.aborted;
      return isLate ? `no connection and greeting within ${OPEN_LIMIT_MS} ms` : (error as Error).message;
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

  /** Uses a connection until it ends. Returns the failure, if there was one. */
  async #use(
    stream: ByteStream,
    input: FrameReader,
    { id, address, features, isOwn, held }: {
      id: number;
      address: string;
      features: readonly PeerFeature[];
      isOwn: boolean;
      held: HeldBuffers;
    },
    listed = this.#listed.find((listed) => listed.id === id) ?? this.#upgraded(address),
  ): Promise<string | undefined> {
    if (!this.#mayUse(id, isOwn)) return undefined;
    const number = ++this.#numbers;
    const onMessage = (message: Uint8Array) => {
      if (this.gossip.receive(number, message)) return;
      peer.refusedFuture++;
      this.#sayDoubt(peer);
    };
    const onIdle = () => this.#guard(() => this.gossip.resume(number));
    const peer: ConnectedPeer = {
      number,
      id,
      address,
      isOwn,
      doubt: new ClockDoubt(),
      refusedFuture: 0,
      connection: new PeerConnection({ stream, input, onMessage, onIdle, turns: this.#options.turns, held, address }),
    };
    this.#connected.set(number, peer);
    this.#refused.delete(address);
    this.gossip.connect(number, features);
    this.#say("connected", address, `Peer ${address} is connected`);
    const beganMs = performance.now();
    if (listed !== undefined) {
      listed.id = id;
      listed.error = "";
      listed.state = "connected";
    }
    this.gossip.measure();
    this.gossip.ask(number);
    let error: unknown;
    try {
      await peer.connection.run();
    } catch (thrown) {
      error = thrown;
    }
    this.gossip.disconnect(number); // which may have something to say of the peer
    this.#connected.delete(number);
    if (error instanceof ProtocolError) this.#options.counters.protocolErrors++;
    if (listed !== undefined) {
      listed.refusedFuture += peer.refusedFuture;
      listed.droppedFull += peer.connection.dropped;
      if (error instanceof ProtocolError) listed.refusedBad++;
      if (performance.now() - beganMs > STEADY_MS) listed.failures = 0;
    }
    if (this.#find(id) !== undefined || this.#stop?.signal.aborted !== false) return undefined;
    const reason = error === undefined || isDisconnection(error)
      ? "the connection has ended"
      : (error as Error).message;
    this.#say("gone", address, `Peer ${address} is gone: ${reason}`);
    return isDisconnection(error) ? undefined : reason;
  }

  /**
   * Whether to use a connection beside another to the same peer. If each side has made one, both keep the one that the
   * server with the lower number has made. If one side has made both, that side gives up the second.
   */
  #mayUse(id: number, isOwn: boolean): boolean {
    const other = this.#find(id);
    if (other === undefined) return true;
    if (other.isOwn === isOwn) return !isOwn;
    const isOwnPreferred = this.#options.id < id;
    // The other server ends the connection made here: one that connects may use its number without being it.
    if (!isOwn) return !isOwnPreferred;
    if (isOwnPreferred) other.connection.close();
    return isOwnPreferred;
  }

  /** The listed peer at an address with which this server could not agree until now: who comes from there is that peer. */
  #upgraded(address: string): Listed | undefined {
    return this.#listed.find(({ text, state }) =>
      text === address && Object.values(DISAGREEMENT_STATES).includes(state)
    );
  }

  #find(id: number): ConnectedPeer | undefined {
    for (const peer of this.#connected.values()) if (peer.id === id) return peer;
    return undefined;
  }

  #round(): void {
    const { intervalMs } = this.#options;
    for (const { connection, number } of this.#connected.values()) {
      if (connection.isHearing(2 * intervalMs)) this.gossip.heard(number);
    }
    this.#guard(() => {
      this.gossip.measure();
      this.gossip.round(Math.random);
    });
    const silentMs = Math.max(SILENT_MS, SILENT_ROUNDS * intervalMs);
    for (const peer of this.#connected.values()) {
      const { connection, address } = peer;
      this.#sayDoubt(peer);
      if (performance.now() - connection.silentSinceMs < silentMs) continue;
      const what = connection.silentSinceMs === connection.lastHeardMs ? "said" : "taken";
      this.#say("silent", address, `Peer ${address} has ${what} nothing for ${Math.round(silentMs / 1000)} s`);
      connection.close();
    }
    this.#timer = setTimeout(() => this.#round(), intervalMs);
  }

  #sayDoubt({ doubt, number, address }: ConnectedPeer): void {
    const state = this.gossip.peer(number);
    const line = state && doubt.look(state, this.gossip.writesAheadMs, performance.now());
    if (line !== undefined) this.#say("clock", address, `Peer ${address} ${line}`);
  }

  #sayDropped(number: number, counts: Dropped): void {
    const peer = this.#connected.get(number);
    if (peer !== undefined) this.#say("dropped", peer.address, droppedLine(peer.address, counts));
  }

  /** Logs a line on a peer; of those that are not listed, one of a kind for each address and minute. */
  #say(kind: string, address: string, line: string): void {
    if (this.#listed.some(({ text }) => text === address)) this.#options.log(line);
    else this.#options.limitedLog.say(kind, address, line);
  }

  /** Logs a failure, unless the last one of this peer was the same. */
  #sayOnce(listed: Listed, error: string): void {
    if (listed.error !== error) this.#options.log(`Peer ${listed.text} cannot be used: ${error}`);
    listed.error = error;
  }

  /** Does work and logs its errors, which must not end the server. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.limitedLog.say(
        "replication",
        "",
        `Cannot replicate: ${error instanceof Error ? error.stack : error}`,
      );
    }
  }
}

/** The address at which a peer that has connected listens; without a known port, the one that it connected from. */
function addressOf({ remoteAddr }: ByteStream, { port }: PeerHello): string {
  if (!("port" in remoteAddr) || !("hostname" in remoteAddr)) return "unix";
  return formatAddress({ transport: "tcp", hostname: remoteAddr.hostname, port: port ?? remoteAddr.port });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
