/**
 * All connections of a server: accepts them, no more than there may be, and ends them when the server stops. It does not
 * know what is said over them.
 */

import { closeQuietly, isDisconnection, pause } from "../platform/socket.ts";
import { Connection, type ConnectionHost } from "./connection.ts";
import type { Listener } from "./listener.ts";
import { type Part, within } from "./part.ts";
import type { ServerCounters } from "./statistics.ts";

/** What connections need from the server. */
export interface ConnectionsOptions {
  readonly listener: Listener;
  /** What each connection needs. */
  readonly host: Omit<ConnectionHost, "isStopping">;
  /** Connections at most. */
  readonly maxConnections: number;
  readonly counters: ServerCounters;
  /** Takes a line on what goes wrong. */
  readonly log: (line: string) => void;
}

/** Connections over the limit that are told why, at a time. */
const MAX_TURNED_AWAY = 50;
/** Milliseconds to wait after a failed accept: out of descriptors, say. */
const ACCEPT_PAUSE_MS = 50;
/** Milliseconds in which requests that have reached this machine before a stop are read. */
const STOP_GRACE_MS = 20;

/** The connections of one server. */
export class Connections implements Part {
  readonly #options: ConnectionsOptions;
  readonly #host: ConnectionHost;
  readonly #open = new Map<Connection, Promise<void>>();
  /** Connections over the limit that are being told so. */
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

  /** Addresses of those who are connected. */
  get addresses(): string[] {
    return [...this.#open.keys()].map(({ remoteAddress }) => remoteAddress);
  }

  /** Begins to accept. */
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
        if (isDisconnection(error)) continue; // a client that went before it was welcomed
        if (!fails) log(`Cannot accept a connection, trying again: ${(error as Error).message}`);
        fails = true;
        await pause(ACCEPT_PAUSE_MS);
      }
    }
  }

  #welcome(socket: Deno.Conn): void {
    this.#options.counters.connectionsAccepted++;
    if (this.#open.size >= this.#options.maxConnections) return this.#turnAway(socket);
    if ("setNoDelay" in socket) (socket as Deno.TcpConn).setNoDelay(true);
    const connection = new Connection(socket, this.#host);
    this.#open.set(connection, connection.serve().finally(() => this.#open.delete(connection)));
  }

  /** Says why and hangs up; beyond a few at a time, just hangs up. */
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
