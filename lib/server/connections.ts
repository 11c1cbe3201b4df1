/**
 * All connections of a server: accepts them, up to a limit, and ends them when the server stops. It does not know what
 * their bytes mean.
 */

import { closeQuietly, isDisconnection, pause } from "../platform/socket.ts";
import { Connection, type ConnectionHost } from "./connection.ts";
import type { Listener } from "./listener.ts";
import { type Part, within } from "./part.ts";
import type { ServerCounters } from "./statistics.ts";

/** Options of {@linkcode Connections}. */
export interface ConnectionsOptions {
  readonly listener: Listener;
  /** The part of the server that each connection needs. */
  readonly host: Omit<ConnectionHost, "isStopping">;
  /** Connections open at most; more are refused. */
  readonly maxConnections: number;
  readonly counters: ServerCounters;
  /** Called with a line on each failure. */
  readonly log: (line: string) => void;
}

/** Connections over the limit that are sent the reason at the same time; more are just closed. */
const MAX_TURNED_AWAY = 50;
/** Milliseconds to wait after a failed accept, for example when there are no file descriptors left. */
const ACCEPT_PAUSE_MS = 50;
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
  #accepting: Promise<void> | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#host = { ...options.host, isStopping: () => !this.#isOpen };
  }

  /** Connections open now. */
  get size(): number {
    return this.#open.size;
  }

  /** Addresses of the clients that are connected. */
  get addresses(): string[] {
    return [...this.#open.keys()].map(({ remoteAddress }) => remoteAddress);
  }

  /** Begins to accept connections. */
  start(): void {
    this.#isOpen = true;
    this.#accepting = this.#accept();
  }

  /** Closes the port, answers the requests that have arrived, and ends the connections. */
  async stop(limitMs: number): Promise<void> {
    this.#isOpen = false;
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

  async #accept(): Promise<void> {
    const { listener, log } = this.#options;
    let fails = false;
    while (this.#isOpen) {
      try {
        this.#welcome(await listener.accept());
        fails = false;
      } catch (error) {
        if (!this.#isOpen) return;
        if (isDisconnection(error)) continue; // a client that has left before it was accepted
        if (!fails) log(`Cannot accept a connection, trying again: ${(error as Error).message}`);
        fails = true;
        await pause(ACCEPT_PAUSE_MS);
      }
    }
  }

  #welcome(socket: Deno.Conn): void {
    this.#options.counters.connectionsAccepted++;
    if (this.#open.size >= this.#options.maxConnections) return this.#turnAway(socket);
    const connection = new Connection(socket, this.#host);
    this.#open.set(connection, connection.serve().finally(() => this.#open.delete(connection)));
  }

  /** Sends the reason and closes the connection; if too many are being sent it, closes the connection at once. */
  #turnAway(socket: Deno.Conn): void {
    const { counters, maxConnections } = this.#options;
    counters.connectionsRefused++;
    if (this.#turnedAway >= MAX_TURNED_AWAY) return closeQuietly(socket);
    this.#turnedAway++;
    new Connection(socket, this.#host)
      .refuse("too-many-connections", `this server takes ${maxConnections} connections at most`)
      .finally(() => this.#turnedAway--);
  }
}
