/**
 * A server's port of HTTP: accepts connections, up to a limit, ends those that let it wait, and all when the server stops. It does
 * not know what is asked there.
 */

import type { Address } from "../base/address.ts";
import { Durations } from "../metrics/durations.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { closeQuietly, isDisconnection, pause, remoteAddress } from "../platform/socket.ts";
import { unref } from "../platform/timer.ts";
import type { AccessRules } from "./access.ts";
import type { Buffers } from "./buffers.ts";
import type { Encryption } from "./encryption.ts";
import { HTTP_LIMITS_MS, HttpConnection, type HttpHost } from "./http_connection.ts";
import { HttpEvents } from "./http_events.ts";
import { metricsOf, readingOf } from "./http_metrics.ts";
import { HttpSite } from "./http_site.ts";
import type { LimitedLog } from "./limited_log.ts";
import { Listener } from "./listener.ts";
import { type Part, within } from "./part.ts";
import type { SessionHost } from "./protocols.ts";
import type { Turns } from "./turns.ts";

/** Options of {@linkcode Http}. */
export interface HttpOptions {
  readonly listen: Address;
  /** Whether this process may end though the port is open. */
  readonly isUnref: boolean;
  readonly access: AccessRules;
  readonly encryption: Encryption | undefined;
  /** What there is to tell. */
  readonly session: SessionHost;
  /** The status page, one file of HTML; without one there is none. */
  readonly page?: string;
  /** Where others find the server. */
  readonly address?: () => string | undefined;
  /** What the cache's requests have taken, which its connections count; none, if left out. */
  readonly durations?: Durations;
  readonly turns: Turns;
  readonly buffers: Buffers;
  readonly log: LimitedLog;
}

/** Connections open at most. */
export const MAX_HTTP_CONNECTIONS = 32;
/** Milliseconds between looks at all connections, and to wait after a failed accept. */
const LOOK_MS = 500;
const ACCEPT_PAUSE_MS = 50;
/** What the log says of a connection that was ended. */
const WHY: Readonly<Record<string, string>> = {
  head: `has sent no complete request in ${HTTP_LIMITS_MS.head / 1000} s`,
  output: `has not taken a reply in ${HTTP_LIMITS_MS.output / 1000} s`,
};

/** The port of HTTP of one server. */
export class Http implements Part {
  readonly #durations: Durations;
  readonly #log: LimitedLog;
  readonly #turns: Turns;
  readonly #listener: Listener;
  readonly #host: HttpHost;
  readonly #replies = new Map<number, number>();
  readonly #open = new Map<HttpConnection, Promise<void>>();
  #isOpen = false;
  #accepting: Promise<void> | undefined;
  #looking: ReturnType<typeof setInterval> | undefined;
  /** Milliseconds that this process has run: while it stands still, no client has let it wait. */
  #nowMs = 0;
  #lookedMs = 0;

  constructor(options: HttpOptions) {
    const { listen, isUnref, access, encryption, session, page, address, turns, buffers, log } = options;
    const { durations = new Durations() } = options;
    const httpReplies = this.#replies;
    this.#durations = durations;
    this.#log = log;
    this.#turns = turns;
    this.#listener = new Listener(listen, isUnref);
    this.#host = {
      site: new HttpSite({
        gate: { access, isTlsRequired: encryption?.isRequired ?? false },
        isReady: () => session.stats().ready,
        metrics: () => metricsOf(session, { durations, httpReplies }),
        page,
      }),
      events: new HttpEvents((seesKeys) => readingOf(session, durations, seesKeys, address?.())),
      encryption,
      turns,
      buffers,
      onReply: (status) => this.#replies.set(status, (this.#replies.get(status) ?? 0) + 1),
      log: (kind, address, line) => log.say(kind, address, line),
    };
  }

  /** The address that is listened on, with the real port in place of 0; before the start, the address asked for. */
  get address(): Address {
    return this.#listener.address;
  }

  /** Whether the port is open. */
  get isOpen(): boolean {
    return this.#listener.isOpen;
  }

  /** Connections open now. */
  get size(): number {
    return this.#open.size;
  }

  async start(): Promise<void> {
    await this.#listener.start();
    this.#isOpen = true;
    this.#accepting = this.#accept();
    this.#lookedMs = performance.now();
    this.#looking = unref(setInterval(() => this.look(), LOOK_MS));
  }

  async stop(limitMs: number): Promise<void> {
    this.#isOpen = false;
    clearInterval(this.#looking);
    this.#listener.close();
    await this.#accepting;
    this.#listener.stop();
    for (const connection of this.#open.keys()) connection.dismiss();
    await within(limitMs, Promise.all(this.#open.values()));
    for (const connection of this.#open.keys()) this.#end(connection);
  }

  /** Ends the connections that have let this server wait for too long. A timer calls this. */
  look(passedMs: number = performance.now() - this.#lookedMs): void {
    this.#lookedMs = performance.now();
    this.#nowMs += Math.min(passedMs, 2 * LOOK_MS);
    this.#durations.look();
    for (const connection of this.#open.keys()) {
      const why = connection.look(this.#nowMs);
      if (why === undefined) continue;
      const { remoteAddress } = connection;
      if (why in WHY) {
        this.#log.say(`http ${why}`, remoteAddress, `HTTP: client ${remoteAddress} is disconnected: it ${WHY[why]}`);
      }
      this.#end(connection);
    }
  }

  #end(connection: HttpConnection): void {
    connection.close();
    this.#open.delete(connection);
  }

  async #accept(): Promise<void> {
    while (this.#isOpen) {
      try {
        this.#welcome(await this.#listener.accept());
        await this.#turns.accepted();
      } catch (error) {
        if (!this.#isOpen) return;
        if (isDisconnection(error)) continue; // a client that has left before it was accepted
        this.#log.say("http accept", "", `HTTP: cannot accept, trying again: ${(error as Error).message}`);
        await pause(ACCEPT_PAUSE_MS);
      }
    }
  }

  #welcome(stream: ByteStream): void {
    if (this.#open.size >= MAX_HTTP_CONNECTIONS && !this.#makeRoom()) {
      const address = remoteAddress(stream);
      const line = `HTTP: client ${address} is refused: ${MAX_HTTP_CONNECTIONS} connections are taken at most`;
      this.#log.say("http refused", address, line);
      return closeQuietly(stream);
    }
    const connection = new HttpConnection(stream, this.#host);
    this.#open.set(connection, connection.serve().finally(() => this.#open.delete(connection)));
  }

  /** Ends the connection that has let this server wait for longest, of those that may go. Returns whether there was one. */
  #makeRoom(): boolean {
    let longest: HttpConnection | undefined;
    for (const connection of this.#open.keys()) {
      if (connection.mayGo && !(connection.waitedMs <= (longest?.waitedMs ?? -1))) longest = connection;
    }
    if (longest === undefined) return false;
    this.#end(longest);
    return true;
  }
}
