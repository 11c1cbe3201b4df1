/**
 * A server's peers: connects to those listed, accepts others, keeps one connection to each, and carries the gossip's
 * messages. It knows sockets and timers, not what messages say: that is lib/replication's.
 */

import type { LogLevel } from "../base/log.ts";
import { formatAddress, parseAddress } from "../base/address.ts";
import { ProtocolError } from "../base/errors.ts";
import { escaped } from "../base/printable.ts";
import type { PeerStats } from "../base/stats.ts";
import { unref } from "../platform/timer.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { isDisconnection } from "../platform/socket.ts";
import { type Dropped, Gossip } from "../replication/gossip.ts";
import type { Store } from "../store/store.ts";
import { agreed, type Disagreement, hearsOfStop, MAX_TOLD_PEERS, type PeerHello } from "../wire/hello.ts";
import { staysHere } from "./access.ts";
import { BELIEVED, ClockDoubt } from "./clock_doubt.ts";
import type { PeerArrival } from "./connection.ts";
import { droppedLine } from "./dropped_line.ts";
import { handOver } from "./hand_over.ts";
import type { Forgetting, RefusedPeer } from "./native_handler.ts";
import { type Part, within } from "./part.ts";
import {
  type CallEnd,
  DISAGREEMENT_STATES,
  type MadeCall,
  PeerCalls,
  type PeerCallsOptions,
  type Target,
} from "./peer_calls.ts";
import { PeerConnection } from "./peer_connection.ts";
import type { Name } from "./peer_names.ts";
import { type ConnectedPeer, peerRow } from "./peer_row.ts";
import type { Turns } from "./turns.ts";

/** Options of {@linkcode Peers}. */
export interface PeersOptions extends Omit<PeerCallsOptions, "use" | "connectedTo"> {
  readonly store: Store;
  /** Milliseconds between rounds. */
  readonly intervalMs: number;
  /** Counts the connections that were ended because the peer broke the protocol. */
  readonly counters: { protocolErrors: number };
  /** The turns that all connections share. */
  readonly turns: Turns;
}

/** Milliseconds after which a connection was a good one: when it ends, pauses begin with the first again. */
const STEADY_MS = 5000;
/** Rounds, and milliseconds at least, after which a peer that sends or reads nothing is disconnected. */
const SILENT_ROUNDS = 15;
const SILENT_MS = 5000;
/** Refused peers that are remembered at most, and milliseconds for which one is shown after its last attempt. */
const MAX_REFUSED = 16;
const REFUSED_MS = 120_000;
/**
 * Peers in the statistics (all listed ones in any case), and letters of an error: more would be too long for a client.
 */
const MAX_ROWS = 64;
const MAX_ERROR_LETTERS = 200;

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
  readonly #calls: PeerCalls;
  readonly #connected = new Map<number, ConnectedPeer>();
  #numbers = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isRunning = false;
  /** Peers that were refused, by address. */
  readonly #refused = new Map<string, Refused>();

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#calls = new PeerCalls({
      ...options,
      use: (call, target) => this.#use({ ...call, from: undefined }, target),
      connectedTo: (id) => this.#with(id),
    });
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
    this.#isRunning = true;
    this.#calls.start();
    this.#round();
  }

  /** Ends the connections that this server has made, because the token is another one; they are made again. */
  greetAnew(): void {
    for (const { isOwn, connection } of this.#connected.values()) if (isOwn) connection.close();
  }

  /** Tells all peers that this server stops. */
  tellStop(): void {
    for (const { connection } of this.#connected.values()) connection.tellStop();
  }

  /** Ends all connections, once the peers have what is held here and their output is written. */
  async stop(limitMs: number): Promise<void> {
    this.#isRunning = false;
    this.#calls.stop();
    clearTimeout(this.#timer);
    this.#guard(() => this.gossip.flush());
    await handOver(() => this.#connected.values(), this.gossip, this.#options.store.clock, limitMs);
    const connections = [...this.#connected.values()].map(({ connection }) => connection);
    await within(limitMs, Promise.all(connections.map((connection) => connection.finish())));
    for (const connection of connections) connection.close();
    await this.#calls.ended(limitMs);
  }

  /** Uses a connection that a peer has made, until it ends. */
  async accept({ stream, input, peer, held, isProven }: PeerArrival): Promise<void> {
    const { id, features, port } = peer;
    if (id === this.#options.id || !this.#isRunning) return;
    const from = addressOf(stream, peer);
    const advertise = isProven ? peer.advertise : undefined; // a stranger could name the address of another
    const address = advertise ?? from;
    const isReachable = (advertise ?? port) !== undefined;
    if (isProven && isReachable && agreed(peer).includes("peers")) this.#calls.learn(address); // others are told once it answers
    await this.#use({ stream, input, id, features, address, from, held, isProven }, this.#calls.at(from));
  }

  /** Whether this server is proving itself to another with a nonce. */
  isOwnNonce(nonce: string): boolean {
    return this.#calls.isOwnNonce(nonce);
  }

  /** Takes note of a peer that was refused. */
  refuse(stream: ByteStream, { peer, code, message }: RefusedPeer): void {
    if (peer.id === this.#options.id) return;
    const address = addressOf(stream, peer);
    const error = code === "auth-failed" ? "it does not know a token of this server" : message;
    const state = DISAGREEMENT_STATES[code as Disagreement["code"]] ?? "refused";
    const target = this.#calls.at(address);
    if (target !== undefined) this.#calls.sayOnce(target, error, "theirs");
    else if (!this.#refused.has(address)) {
      this.#say(state, address, `Peer ${address} cannot be used: ${error}`);
    }
    this.#refused.delete(address); // the peer that tried last comes last in the map
    this.#refused.set(address, { id: peer.id, state, error, lastMs: performance.now() });
    for (const [oldest] of this.#refused) {
      if (this.#refused.size > MAX_REFUSED) this.#refused.delete(oldest);
    }
  }

  /** Forgets a peer that has left for good: it is called no more, and not shown, until this server is made anew. */
  forget(text: string): Forgetting {
    const parsed = parseAddress(text);
    const address = parsed === undefined ? text : formatAddress(parsed);
    const isConnected = [...this.#connected.values()].some((peer) => peer.address === address) ||
      this.#calls.under(address).some((target) => (target.connection ?? this.#standingFor(target)) !== undefined);
    if (isConnected) return "connected";
    const isKnown = this.#calls.forget(address);
    if (!this.#refused.delete(address) && !isKnown) return "unknown";
    this.#options.log(`Peer ${address} is forgotten`);
    return "forgotten";
  }

  /** Statistics of the listed peers, and of others that have connected or were refused; of very many, only the first. */
  stats(): PeerStats[] {
    const rows = this.rows();
    for (const [address, { id, state, error, lastMs }] of this.#refused) {
      const isShown = rows.some((row) => row.address === address) || performance.now() - lastMs > REFUSED_MS;
      const { nowMs } = this.#options.store;
      if (!isShown) {
        rows.push({ ...peerRow(address, undefined, this.gossip, nowMs), state, id, error: shortened(error) });
      }
    }
    return rows.slice(0, Math.max(MAX_ROWS, this.#calls.targets.length));
  }

  /** Statistics of the listed peers, and of others that are connected. */
  rows(): PeerStats[] {
    const targets = this.#calls.targets.filter(isShown);
    const { nowMs } = this.#options.store;
    const row = (address: string, peer: ConnectedPeer | undefined) => peerRow(address, peer, this.gossip, nowMs);
    const shown = new Set(targets.map(({ connection }) => connection));
    const rows = targets.map((target): PeerStats => {
      const peer = target.connection ?? this.#standingFor(target);
      const isSecond = peer !== target.connection && shown.has(peer);
      shown.add(peer);
      return targetRow(row(target.text, isSecond ? undefined : peer), target, isSecond);
    });
    rows.push(...this.#calls.lost.map((name) => nameRow(row(name.text, undefined), name)));
    const others = [...this.#connected.values()].filter((peer) => !shown.has(peer));
    rows.push(...others.map((peer) => row(peer.address, peer)));
    return rows;
  }

  /** Uses a connection until it ends. */
  async #use(call: MadeCall & Pick<ConnectedPeer, "from">, target: Target | undefined): Promise<CallEnd> {
    const { stream, input, id, features, address, from, held, isProven } = call;
    const isOwn = from === undefined;
    if (!this.#mayUse(id, isOwn)) return { isSpare: true };
    const isNews = this.#with(id).length === 0;
    const number = ++this.#numbers;
    const common = agreed(call);
    const tells = isProven && common.includes("peers");
    const learn = (addresses: readonly string[]) => addresses.forEach((text) => this.#calls.learn(text));
    const peer: ConnectedPeer = {
      number,
      id,
      address,
      from,
      isOwn,
      isProven,
      tells,
      isHere: staysHere(stream.remoteAddr),
      told: "",
      doubt: new ClockDoubt(),
      refusedFuture: 0,
      connection: new PeerConnection({
        stream,
        input,
        held,
        address,
        turns: this.#options.turns,
        onMessage: (message) => this.#take(peer, message),
        onIdle: () => this.#guard(() => this.gossip.resume(number)),
        hearsOfStop: hearsOfStop(features),
        onTold: tells ? learn : undefined,
      }),
    };
    this.#connected.set(number, peer);
    this.#refused.delete(address);
    this.gossip.connect(number, common);
    if (isNews) this.#say("connected", address, `Peer ${address} is connected`, "info");
    const beganMs = performance.now();
    if (target !== undefined) {
      target.error = "";
      target.said = { own: "", theirs: "" };
      target.state = "connected";
      if (isOwn) target.connection = peer;
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
    if (target?.connection === peer) target.connection = undefined;
    this.#calls.miss(peer);
    if (error instanceof ProtocolError) this.#options.counters.protocolErrors++;
    if (target !== undefined) addUp(target, peer, error, performance.now() - beganMs);
    return this.#ended(peer, error);
  }

  #take(peer: ConnectedPeer, message: Uint8Array): void {
    if (this.gossip.receive(peer.number, message)) return;
    peer.refusedFuture++;
    this.#sayDoubt(peer);
  }

  /** Says that a peer is gone, if that was its last connection. */
  #ended({ id, address, connection }: ConnectedPeer, error: unknown): CallEnd {
    if (!this.#isRunning) return {};
    const isSpare = connection.bytesReceived === 0;
    const others = this.#with(id);
    if (connection.isStopping) { for (const other of others) other.connection.isStopping = true; } // made as it began to stop
    if (others.length > 0) return { isSpare };
    if (connection.isStopping) {
      this.#say("stopped", address, `Peer ${address} has stopped`, "info");
      return { isSpare };
    }
    const reason = error === undefined || isDisconnection(error)
      ? "the connection has ended"
      : (error as Error).message;
    this.#say("gone", address, `Peer ${address} is gone: ${reason}`);
    return { isSpare, error: isDisconnection(error) ? undefined : reason };
  }

  /**
   * Whether to use a connection beside another to the same peer. If each side has made one, both keep the one that the
   * server with the lower number has made, and that server ends the other: a stranger may bear a number without being the
   * peer, and would keep this server from it if it ended its own. If one side has made both, that side gives up the second.
   */
  #mayUse(id: number, isOwn: boolean): boolean {
    const others = this.#with(id);
    const isOwnPreferred = this.#options.id < id;
    const hasOwn = others.some((other) => other.isOwn);
    if (hasOwn) return !isOwn && !isOwnPreferred;
    if (isOwn && isOwnPreferred) { for (const { connection } of others) connection.close(); }
    return true;
  }

  /**
   * The connection that stands for one that this server would make to an address. One that comes from there need not: a machine
   * with several addresses may connect from another one than that at which it listens.
   */
  #standingFor({ text, others }: Target): ConnectedPeer | undefined {
    const connected = [...this.#connected.values()];
    const elsewhere = this.#calls.targets.flatMap((target) => target.text === text ? [] : target.others);
    return others.find((peer) => connected.includes(peer)) ??
      connected.find((peer) => peer.from === text && !elsewhere.includes(peer));
  }

  /** The connections with a peer. */
  #with(id: number): ConnectedPeer[] {
    return [...this.#connected.values()].filter((peer) => peer.id === id);
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
    this.#tell();
    this.#timer = unref(setTimeout(() => this.#round(), intervalMs));
  }

  /** Tells peers of those that have answered, when there are others than before. */
  #tell(): void {
    const answering = this.#calls.answering();
    const told = answering.map(({ text }) => text).join();
    for (const peer of this.#connected.values()) {
      if (!peer.tells || peer.told === told) continue;
      peer.told = told;
      const others = answering.filter(({ id, isHere }) => id !== peer.id && (peer.isHere || !isHere));
      if (others.length > 0) peer.connection.tell(others.slice(0, MAX_TOLD_PEERS).map(({ text }) => text));
    }
  }

  #sayDoubt({ doubt, number, address }: ConnectedPeer): void {
    const state = this.gossip.peer(number);
    const line = state && doubt.look(state, this.gossip.writesAheadMs, performance.now());
    if (line !== undefined) this.#say("clock", address, `Peer ${address} ${line}`, line === BELIEVED ? "info" : "warn");
  }

  #sayDropped(number: number, counts: Dropped): void {
    const peer = this.#connected.get(number);
    if (peer !== undefined) this.#say("dropped", peer.address, droppedLine(peer.address, counts));
  }

  /** Logs a line on a peer; of those that are not listed, one of a kind for each address and minute. */
  #say(kind: string, address: string, line: string, level: LogLevel = "warn"): void {
    if (this.#calls.at(address)?.isTold === false) this.#options.log(line, level);
    else this.#options.limitedLog.say(kind, address, line, level);
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
  const hostname = remoteAddr.hostname.replace(/^::ffff:(?=[\d.]+$)/i, ""); // of a socket for both kinds of addresses
  return formatAddress({ transport: "tcp", hostname, port: port ?? remoteAddr.port });
}

/** Adds what a connection has counted to what is known of an address. */
function addUp(target: Target, { refusedFuture, connection }: ConnectedPeer, error: unknown, lastedMs: number): void {
  target.refusedFuture += refusedFuture;
  target.droppedFull += connection.dropped;
  if (error instanceof ProtocolError) target.refusedBad++;
  if (lastedMs > STEADY_MS || connection.isStopping) target.failures = 0;
  if (connection.isStopping) target.error = "it has stopped";
}

/** The row of an address that is called: that of a connection if there is one, and what is known beside it. */
function targetRow(row: PeerStats, target: Target, isSecond: boolean): PeerStats {
  for (const reason of ["refusedFuture", "refusedBad", "droppedFull"] as const) row[reason] += target[reason];
  const { id, error, state, name } = target;
  row.name = name?.text ?? "";
  if (row.id !== 0) return name?.isDenied && row.error === "" ? { ...row, error: shortened(name.error) } : row;
  return { ...row, state: isSecond ? "duplicate" : state, id, error: shortened(name?.isDenied ? name.error : error) };
}

/** Whether an address has a row: one of which a peer has told only where a peer has answered. */
function isShown({ isTold, id, state }: Target): boolean {
  return !isTold || (id !== 0 && state !== "self");
}

/** The row of a name that leads to no address. */
function nameRow(row: PeerStats, { text, error, isDenied }: Name): PeerStats {
  return { ...row, name: text, state: isDenied ? "not-permitted" : "waiting", error: shortened(error) };
}

/** What went wrong, which the other side may have said, for whoever prints it. */
function shortened(error: string): string {
  return escaped(error.slice(0, MAX_ERROR_LETTERS));
}
