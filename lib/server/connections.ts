/**
 * All connections of a server: accepts them, up to a limit, ends those that are kept waiting for too long, and all when the
 * server stops. It does not know what their bytes mean.
 */

import { closeQuietly, isDisconnection, pause, remoteAddress, writeAll } from "../platform/socket.ts";
import { unref } from "../platform/timer.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import type { Connected } from "../memcached/statistics.ts";
import { Connection, type ConnectionHost } from "./connection.ts";
import type { Listener } from "./listener.ts";
import { hostOf, type LimitedLog } from "./limited_log.ts";
import { OwnConnection } from "./own_connection.ts";
import { type Part, within } from "./part.ts";
import { FIRST_REQUEST_MS, type Impatience, OUTPUT_MS, REQUEST_MS } from "./patience.ts";
import { type Candidate, refusalOf, refuse, tooMany } from "./refusal.ts";
import { shownAddress } from "./shown_address.ts";
import type { ServerCounters } from "./statistics.ts";

/** Options of {@linkcode Connections}. */
export interface ConnectionsOptions {
  readonly listener: Listener;
  /** The part of the server that each connection needs. */
  readonly host: Omit<ConnectionHost, "log">;
  /** Connections of clients open at most, in all and from one address; more are refused. */
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly counters: ServerCounters;
  readonly log: LimitedLog;
}

/** Places for peers, beside those of clients: who takes all of the latter does not keep servers from each other. */
export const PEER_PLACES = 256;
/**
 * Connections over the limit of which it is not known yet whether they are peers, while their first bytes are waited for, and
 * while they say who they are. The first of them make room for more.
 */
const MAX_TURNED_AWAY = 50;
/** Connections that have made room and are still to be told why. The first of them are told before more of their bytes are read. */
const MAX_LEAVING = 256;
/** Connections ended before others have their turn: to end one takes some 50 µs. */
const ENDS_PER_TURN = 32;
/** Milliseconds to wait after a failed accept, for example when there are no file descriptors left. */
const ACCEPT_PAUSE_MS = 50;
/** Milliseconds between looks at all connections. */
const LOOK_MS = 500;
/** What the log says of a connection that was ended. */
const WHY: Readonly<Record<Exclude<Impatience, "idle">, string>> = {
  "login": `has not said who it is in ${FIRST_REQUEST_MS / 1000} s`,
  "first-request": `has sent no complete request in ${FIRST_REQUEST_MS / 1000} s`,
  "request": `has not ended a request in ${REQUEST_MS / 1000} s`,
  "output": `has taken nothing of a reply for ${OUTPUT_MS / 1000} s`,
};
/** Milliseconds that a stop leaves for requests that have reached this machine to be read. */
const STOP_GRACE_MS = 20;
/** Times that a stop waits for clients to leave. */
const MOST_WAITS = 5;

/** Waits until clients have left that were told to: some times `limitMs`, as long as any of them moves bytes. */
async function gone(leaving: readonly (readonly [Connection, Promise<void>])[], limitMs: number): Promise<void> {
  const moved = () => leaving.reduce((sum, [{ received, sent }]) => sum + received + sent, 0);
  let isOver = false;
  const all = Promise.all(leaving.map(([, done]) => done)).then(() => isOver = true);
  for (let waits = 0, before = -1; waits < MOST_WAITS && !isOver && moved() !== before; waits++) {
    before = moved();
    await within(limitMs, all);
  }
}

/** The connections of one server. */
export class Connections implements Part {
  readonly #options: ConnectionsOptions;
  readonly #host: ConnectionHost;
  readonly #open = new Map<Connection, Promise<void>>();
  /** Connections over the limit whose first bytes are waited for, or that are being sent the reason; and what counts them. */
  readonly #turnedAway = new Map<Deno.Conn, () => string>();
  /** Connections that have made room for others, until they have been told so. */
  readonly #leaving = new Set<Connection>();
  #isOpen = false;
  #looking: ReturnType<typeof setTimeout> | undefined;
  /** Milliseconds that this process has run: while it stands still, or its machine, no client has kept it waiting. */
  #nowMs = 0;
  #lookedMs = 0;
  #accepting: Promise<void> | undefined;
  #own: OwnConnection | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    const log: ConnectionHost["log"] = (kind, address, line) => options.log.say(kind, address, line);
    this.#host = { ...options.host, log };
  }

  /** Connections open now. */
  get size(): number {
    return this.#open.size;
  }

  /** The socket that is listened on, and the connections, as `stats conns` shows them. */
  shown(): Connected[] {
    const nowMs = this.#nowMs + performance.now() - this.#lookedMs;
    const listening: Connected = { address: shownAddress(this.#options.listener.address), state: "conn_listening" };
    return [listening, ...[...this.#open.keys()].map((connection) => connection.shown(nowMs))];
  }

  /** Begins to accept connections. */
  start(): void {
    this.#isOpen = true;
    this.#accepting = this.#accept();
    this.#lookedMs = performance.now();
    this.#looking = unref(setInterval(() => this.look(), LOOK_MS));
  }

  /**
   * Closes the port and answers the requests that have arrived. Clients that hear of a stop have time to leave, the connections of
   * others are ended.
   */
  async stop(limitMs: number): Promise<void> {
    this.#isOpen = false;
    clearInterval(this.#looking);
    this.#options.listener.close();
    this.#own?.close(); // a turn that is waited for begins otherwise then
    await this.#accepting;
    this.#own?.close(); // it may have been made meanwhile
    this.#options.listener.stop();
    for (const connection of this.#leaving) connection.refuse();
    if (this.#open.size > 0) await pause(STOP_GRACE_MS);
    const open = [...this.#open];
    await gone(open.filter(([connection]) => connection.tellStop()), limitMs);
    const clients = open.filter(([connection]) => !connection.isPeer);
    for (const [connection] of clients) connection.dismiss();
    await within(limitMs, Promise.all(clients.map(([, done]) => done)));
    for (const [connection] of clients) connection.close();
  }

  /** Ends the connections that have kept this server waiting for too long. A timer calls this. */
  async look(passedMs: number = performance.now() - this.#lookedMs): Promise<void> {
    this.#lookedMs = performance.now();
    this.#nowMs += Math.min(passedMs, 2 * LOOK_MS);
    this.#own?.closeIfStuck();
    const { log, counters } = this.#options;
    log.tidy();
    let ended = 0;
    for (const connection of [...this.#open.keys()]) {
      const why = connection.look(this.#nowMs);
      if (why === undefined) continue;
      counters[why === "idle" ? "connectionsIdle" : "connectionsSlow"]++;
      const { remoteAddress } = connection;
      if (why !== "idle") log.say(why, remoteAddress, `Client ${remoteAddress} is disconnected: it ${WHY[why]}`);
      connection.close();
      if (++ended % ENDS_PER_TURN === 0) await this.#host.turns.next();
    }
  }

  /** Ends the connections whose credential has been withdrawn, those of peers too: at once, so that none makes another request. */
  endWithdrawn(): void {
    const { log, counters } = this.#options;
    for (const connection of this.#open.keys()) {
      if (!connection.access.isWithdrawn) continue;
      counters.connectionsWithdrawn++;
      const { remoteAddress, access } = connection;
      const line = `Client ${remoteAddress} is disconnected: "${access.name}" may connect no more`;
      log.say("withdrawn", remoteAddress, line);
      connection.close();
    }
  }

  async #accept(): Promise<void> {
    const { listener, log, host: { turns } } = this.#options;
    const own = this.#own = await OwnConnection.to(listener.address);
    while (this.#isOpen) {
      try {
        const socket = await listener.accept();
        if (own?.meets(socket)) {
          turns.look = () => own.look();
          continue;
        }
        this.#welcome(socket);
        await turns.accepted();
      } catch (error) {
        if (!this.#isOpen) return;
        if (isDisconnection(error)) continue; // a client that has left before it was accepted
        log.say("accept", "", `Cannot accept a connection, trying again: ${(error as Error).message}`);
        await pause(ACCEPT_PAUSE_MS);
      }
    }
  }

  #welcome(socket: Deno.Conn): void {
    const { counters, maxConnections, maxConnectionsPerAddress } = this.#options;
    counters.connectionsAccepted++;
    const isTooMany = this.#countOf(remoteAddress(socket)) >= maxConnectionsPerAddress;
    if (isTooMany || (this.#clients() >= maxConnections && !this.#makeRoom())) return this.#turnAway(socket, isTooMany);
    this.#serve(new Connection(socket, this.#host, this.#nowMs));
  }

  #serve(connection: Connection, first?: Uint8Array): void {
    const done = connection.serve(first).finally(() =>
      this.#open.delete(connection) || this.#leaving.delete(connection)
    );
    this.#open.set(connection, done);
  }

  /** Connections that take a place of a client: those that are no peers, and peers beyond their own places. */
  #clients(): number {
    if (this.#open.size < this.#options.maxConnections) return this.#open.size;
    let [peers, candidates] = [0, 0];
    for (const connection of this.#open.keys()) {
      if (connection.isPeer) peers++;
      else if (connection.isCandidate) candidates++;
    }
    return this.#open.size - candidates - Math.min(peers, PEER_PLACES);
  }

  /** Connections of clients from the address of another. */
  #countOf(address: string): number {
    if (this.#options.maxConnectionsPerAddress === Infinity || address === "unix") return 0;
    let count = 0;
    for (const { remoteAddress, isPeer, isCandidate } of this.#open.keys()) {
      if (!isPeer && !isCandidate && hostOf(remoteAddress) === hostOf(address)) count++;
    }
    return count;
  }

  /** Ends the connection that has been quiet for longest, of those that have asked for nothing. Returns whether there was one. */
  #makeRoom(): boolean {
    let quietest: Connection | undefined;
    for (const connection of this.#open.keys()) {
      if (connection.isStranger && !connection.isCandidate && !(connection.stillMs <= (quietest?.stillMs ?? -1))) {
        quietest = connection;
      }
    }
    if (quietest === undefined) return false;
    this.#options.counters.connectionsReplaced++;
    this.#open.delete(quietest);
    this.#leaving.add(quietest);
    quietest.replace(`this server takes ${this.#options.maxConnections} connections at most, and others came`);
    if (this.#leaving.size > MAX_LEAVING) this.#hurryFirst();
    return true;
  }

  /** Has the connection that has been leaving for longest leave at once. */
  #hurryFirst(): void {
    const [first] = this.#leaving;
    this.#leaving.delete(first);
    first.refuse();
  }

  /** Sends the reason and closes the connection, unless it turns out to be a peer's. */
  #turnAway(socket: Deno.Conn, isForAddress: boolean): void {
    const { counters, log, maxConnections, maxConnectionsPerAddress } = this.#options;
    const address = remoteAddress(socket);
    const limit = isForAddress
      ? `${maxConnectionsPerAddress} connections from one address`
      : `${maxConnections} connections`;
    let isRefused = false;
    const onRefuse = () => {
      if (!isRefused) {
        counters.connectionsRefused++;
        log.say("refused", address, `Client ${address} is refused: this server takes ${limit} at most`);
      }
      isRefused = true;
      return `this server takes ${limit} at most`;
    };
    this.#turnedAway.set(socket, onRefuse);
    if (this.#turnedAway.size > MAX_TURNED_AWAY) this.#dropFirst();
    const { encryption } = this.#host;
    const encrypt = encryption && ((stream: ByteStream, first: Uint8Array) => encryption.accept(stream, first));
    refuse(socket, onRefuse, encrypt).then((candidate) => {
      this.#turnedAway.delete(socket);
      if (candidate !== undefined) this.#consider(candidate, onRefuse);
    });
  }

  /** Closes the first connection over the limit, so that another can be looked at. */
  #dropFirst(): void {
    const [[socket, onRefuse]] = this.#turnedAway;
    this.#turnedAway.delete(socket);
    closeQuietly(socket);
    onRefuse();
  }

  /** Serves a connection that may be a peer's, until it turns out not to be one. */
  #consider({ stream, first }: Candidate, onRefuse: () => string): void {
    if (!this.#isOpen) return closeQuietly(stream);
    const open = [...this.#open.keys()];
    if (open.filter(({ isPeer }) => isPeer).length >= PEER_PLACES) {
      const refusal = refusalOf(first, tooMany(onRefuse()));
      writeAll(stream, refusal).catch(() => {}).finally(() => closeQuietly(stream));
      return;
    }
    const candidates = open.filter(({ isCandidate }) => isCandidate);
    if (candidates.length >= MAX_TURNED_AWAY) candidates[0].close();
    this.#serve(new Connection(stream, this.#host, this.#nowMs, onRefuse), first);
  }
}
