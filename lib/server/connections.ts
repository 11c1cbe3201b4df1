/**
 * All connections of a server: accepts them, up to a limit, ends those that are kept waiting for too long, and all when the
 * server stops. It does not know what their bytes mean.
 */

import { closeQuietly, isDisconnection, pause, remoteAddress } from "../platform/socket.ts";
import { unref } from "../platform/timer.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import type { Connected } from "../memcached/statistics.ts";
import { Connection, type ConnectionHost } from "./connection.ts";
import type { Listener } from "./listener.ts";
import { hostOf, type LimitedLog } from "./limited_log.ts";
import { type Part, within } from "./part.ts";
import { FIRST_REQUEST_MS, type Impatience, OUTPUT_MS, REQUEST_MS } from "./patience.ts";
import { refuse } from "./refusal.ts";
import { shownAddress } from "./shown_address.ts";
import type { ServerCounters } from "./statistics.ts";

/** Options of {@linkcode Connections}. */
export interface ConnectionsOptions {
  readonly listener: Listener;
  /** The part of the server that each connection needs. */
  readonly host: Omit<ConnectionHost, "isStopping" | "log">;
  /** Connections open at most, in all and from one address; more are refused. */
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly counters: ServerCounters;
  readonly log: LimitedLog;
}

/** Connections over the limit that are sent the reason at the same time; more are just closed. */
const MAX_TURNED_AWAY = 50;
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

/** The connections of one server. */
export class Connections implements Part {
  readonly #options: ConnectionsOptions;
  readonly #host: ConnectionHost;
  readonly #open = new Map<Connection, Promise<void>>();
  /** Connections over the limit that are being sent the reason. */
  #turnedAway = 0;
  #isOpen = false;
  #looking: ReturnType<typeof setTimeout> | undefined;
  /** Milliseconds that this process has run: while it stands still, or its machine, no client has kept it waiting. */
  #nowMs = 0;
  #lookedMs = 0;
  #accepting: Promise<void> | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    const log: ConnectionHost["log"] = (kind, address, line) => options.log.say(kind, address, line);
    this.#host = { ...options.host, log, isStopping: () => !this.#isOpen };
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

  /** Closes the port, answers the requests that have arrived, and ends the connections. */
  async stop(limitMs: number): Promise<void> {
    this.#isOpen = false;
    clearInterval(this.#looking);
    this.#options.listener.close();
    await this.#accepting;
    this.#options.listener.stop();
    if (this.#open.size > 0) await pause(STOP_GRACE_MS);
    const open = [...this.#open];
    for (const [connection] of open) connection.dismiss();
    const clients = open.filter(([connection]) => !connection.isPeer);
    await within(limitMs, Promise.all(clients.map(([, done]) => done)));
    for (const [connection] of clients) connection.close();
  }

  /** Ends the connections that have kept this server waiting for too long. A timer calls this. */
  look(passedMs: number = performance.now() - this.#lookedMs): void {
    this.#lookedMs = performance.now();
    this.#nowMs += Math.min(passedMs, 2 * LOOK_MS);
    const { log, counters } = this.#options;
    log.tidy();
    for (const connection of this.#open.keys()) {
      const why = connection.look(this.#nowMs);
      if (why === undefined) continue;
      counters[why === "idle" ? "connectionsIdle" : "connectionsSlow"]++;
      const { remoteAddress } = connection;
      if (why !== "idle") log.say(why, remoteAddress, `Client ${remoteAddress} is disconnected: it ${WHY[why]}`);
      connection.close();
    }
  }

  /** Ends the connections whose credential has been withdrawn, those of peers too. */
  endWithdrawn(): void {
    const { log, counters } = this.#options;
    for (const connection of this.#open.keys()) {
      if (!connection.access.isWithdrawn) continue;
      counters.connectionsWithdrawn++;
      const { remoteAddress, access } = connection;
      log.say(
        "withdrawn",
        remoteAddress,
        `Client ${remoteAddress} is disconnected: "${access.name}" may connect no more`,
      );
      connection.close();
    }
  }

  async #accept(): Promise<void> {
    const { listener, log, host: { turns } } = this.#options;
    while (this.#isOpen) {
      try {
        this.#welcome(await listener.accept());
        turns.spend(1);
        if (turns.isOver) await turns.next(false);
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
    if (isTooMany || (this.#open.size >= maxConnections && !this.#makeRoom())) return this.#turnAway(socket, isTooMany);
    const connection = new Connection(socket, this.#host, this.#nowMs);
    this.#open.set(connection, connection.serve().finally(() => this.#open.delete(connection)));
  }

  /** Connections from the address of another. */
  #countOf(address: string): number {
    if (this.#options.maxConnectionsPerAddress === Infinity || address === "unix") return 0;
    let count = 0;
    for (const { remoteAddress } of this.#open.keys()) if (hostOf(remoteAddress) === hostOf(address)) count++;
    return count;
  }

  /** Ends the connection that has been quiet for longest, of those that have asked for nothing. Returns whether there was one. */
  #makeRoom(): boolean {
    let quietest: Connection | undefined;
    for (const connection of this.#open.keys()) {
      if (connection.isStranger && !(connection.stillMs <= (quietest?.stillMs ?? -1))) quietest = connection;
    }
    if (quietest === undefined) return false;
    this.#options.counters.connectionsReplaced++;
    quietest.replace(`this server takes ${this.#options.maxConnections} connections at most, and others came`);
    return true;
  }

  /** Sends the reason and closes the connection; if too many are being sent it, closes the connection at once. */
  #turnAway(socket: Deno.Conn, isForAddress: boolean): void {
    const { counters, log, maxConnections, maxConnectionsPerAddress } = this.#options;
    counters.connectionsRefused++;
    const address = remoteAddress(socket);
    const limit = isForAddress
      ? `${maxConnectionsPerAddress} connections from one address`
      : `${maxConnections} connections`;
    log.say("refused", address, `Client ${address} is refused: this server takes ${limit} at most`);
    if (this.#turnedAway >= MAX_TURNED_AWAY) return closeQuietly(socket);
    this.#turnedAway++;
    const { encryption } = this.#host;
    const encrypt = encryption && ((stream: ByteStream, first: Uint8Array) => encryption.accept(stream, first));
    refuse(socket, `this server takes ${limit} at most`, encrypt).finally(() => this.#turnedAway--);
  }
}
