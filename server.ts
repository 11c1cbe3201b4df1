/**
 * The server: keeps entries for clients in other processes.
 *
 * ```ts
 * import { OrmucoCacheServer } from "@ormuco/cache/server";
 *
 * await using server = new OrmucoCacheServer({ listen: "127.0.0.1:11142", maxSize: 10_000 });
 * await server.startServer(); // prints: Server listens on port 11142
 * ```
 *
 * @module
 */

import { MAX_TIMER_MS, Timer } from "./lib/platform/timer.ts";
import { processClock } from "./lib/platform/clock.ts";
import { type Address, DEFAULT_PORT, formatAddress } from "./lib/base/address.ts";
import { forgetBuffer } from "./lib/wire/buffer_pool.ts";
import { serverOptions } from "./lib/base/settings.ts";
import { LocalCache } from "./lib/server/local_cache.ts";
import { readEnvironment } from "./lib/platform/environment.ts";
import { serverLines } from "./lib/server/banner.ts";
import { MAX_STORE_BYTES, MIN_STORE_BYTES } from "./lib/base/limits.ts";
import { MemcachedCommands } from "./lib/memcached/commands.ts";
import { Peers } from "./lib/server/peers.ts";
import { checkAtLeast, checkedItemBytes, checkedListen, checkedPeer } from "./lib/server/options.ts";
import { Session, type SessionHost } from "./lib/server/session.ts";
import {
  boundAddress,
  closeQuietly,
  isDisconnection,
  listen,
  pause,
  remoteAddress,
  removeSocketFile,
  writeAll,
} from "./lib/platform/socket.ts";
import { SOFTWARE } from "./lib/base/software.ts";
import type { ServerStats } from "./lib/base/stats.ts";
import { Store } from "./lib/store/store.ts";

export type { LocalCache } from "./lib/server/local_cache.ts";
export type { GossipTotals, PeerStats, ServerStats } from "./lib/base/stats.ts";

/** Options of {@linkcode OrmucoCacheServer}. */
export interface ServerOptions {
  /**
   * A port (on the loopback interface), `host:port`, `[ipv6]:port` or `unix:/path`; port 0 takes a free one.
   *
   * @default {11142}
   */
  listen?: string | number;
  /**
   * Other servers as `host`, `host:port` or `[ipv6]:port`, with which entries are shared; it is enough if one of two lists
   * the other. The port is 11142 unless given.
   *
   * @default {[]}
   */
  peers?: string[];
  /**
   * Entries held at most.
   *
   * @default {128, or no limit if `maxBytes` is given}
   */
  maxSize?: number;
  /**
   * Memory for entries, in bytes: keys, values, their overhead and the room between them; 64 KiB to 16 GiB. About an
   * eighth of it is that room.
   *
   * @default {17179869184}
   */
  maxBytes?: number;
  /**
   * Milliseconds until an entry expires that was stored without a time of its own; 0 means never.
   *
   * @default {3600000}
   */
  ttlMs?: number;
  /**
   * Whether a hit restarts the entry's time to live.
   *
   * @default {true}
   */
  renewOnHit?: boolean;
  /**
   * Milliseconds between rounds with peers, in which they make up for what has been lost on the way.
   *
   * @default {1000}
   */
  gossipIntervalMs?: number;
  /**
   * Connections at most; more are told so and closed.
   *
   * @default {1000}
   */
  maxConnections?: number;
  /**
   * Bytes of an item that memcached's protocols store, at most: value, key, and 59 to 63 beside them; 1 KiB to 16 MiB.
   *
   * @default {1048576}
   */
  maxItemBytes?: number;
  /** Takes the lines that the server has to say. What it throws is ignored. `console.log` by default. */
  log?: (line: string) => void;
}

const DEFAULT_MAX_SIZE = 128;
const DEFAULT_TTL_MS = 3_600_000;
const DEFAULT_GOSSIP_INTERVAL_MS = 1000;
const DEFAULT_MAX_CONNECTIONS = 1000;
/** Full outputs of one connection before the others have their turn. */
const WRITES_A_TURN = 8;
/** Between slices of the store's own work: while there is some, and otherwise. */
const BUSY_PAUSE_MS = 4;
const IDLE_PAUSE_MS = 500;
/** A client has this long to send its HELLO. */
const GREETING_LIMIT_MS = 5000;
/** Connections over the limit that are told why, at a time. */
const MAX_TURNED_AWAY = 50;
/** How long to wait after a failed accept: out of descriptors, say. */
const ACCEPT_PAUSE_MS = 50;
/** Requests that have reached this machine before a stop get this long to be read … */
const STOP_GRACE_MS = 20;
/** … and their replies this long to be taken. */
const STOP_LIMIT_MS = 1000;
/** After its last words to a client that sent nonsense, a server listens this long and this much, then hangs up. */
const PARTING_LIMIT_MS = 500;
const PARTING_READS = 16;
const PARTING_READ_BYTES = 64 * 1024;

interface Connection {
  readonly socket: Deno.Conn;
  readonly session: Session;
  /** Settles once the connection is closed. */
  done: Promise<void>;
  /** Whether the next thing to happen is the client's. */
  isReading: boolean;
}

/**
 * A cache server on a TCP port or a unix socket.
 *
 * A client that misbehaves loses its own connection and nothing else. The server binds to the loopback interface
 * unless `listen` names a host; there is no authentication yet, so a server on another interface serves anyone who
 * reaches it, and says so when it starts.
 *
 * @example
 * ```ts
 * import { OrmucoCacheServer } from "@ormuco/cache/server";
 *
 * const server = new OrmucoCacheServer({ listen: 0, maxBytes: 64 * 1024 * 1024, log: () => {} });
 * await server.startServer();
 * server.address; // for example "127.0.0.1:40123"
 * await server.stop();
 * ```
 */
export class OrmucoCacheServer implements AsyncDisposable {
  /**
   * The client's methods on this server's entries, in this process and without a socket: what any peer has stored is read
   * at the speed of memory. It can be used whether the server is started or not.
   */
  readonly cache: LocalCache;
  readonly #listenOn: Address;
  readonly #peerList: readonly Address[];
  readonly #peers: Peers;
  readonly #ttlMs: number;
  readonly #renewOnHit: boolean;
  readonly #maxConnections: number;
  readonly #log: (line: string) => void;
  readonly #store: Store;
  readonly #host: SessionHost;
  readonly #connections = new Set<Connection>();
  #listener: Deno.Listener | undefined;
  /** The start or stop under way, or the last one. */
  #changing: Promise<void> = Promise.resolve();
  #accepting: Promise<void> | undefined;
  /** Runs a delayed `flush_all`. */
  readonly #flush = new Timer();
  #maintenance: ReturnType<typeof setTimeout> | undefined;
  #startedAtMs = 0;
  #accepted = 0;
  #refused = 0;
  /** Connections over the limit that are being told so. */
  #turnedAway = 0;
  #bytesReceived = 0;
  #bytesSent = 0;

  /**
   * Makes a server; `startServer` opens its port.
   *
   * @param options Where to listen and what to hold. Without this argument they come from the environment and `.env`
   * (`LISTEN_ON`, `PEERS`, `GOSSIP_INTERVAL`, `CACHE_MAX_SIZE`, `CACHE_MAX_BYTES`, `CACHE_MAX_ITEM_BYTES`,
   * `CACHE_EXPIRATION`, `CACHE_RENEW_ON_HIT`).
   * @throws {RangeError} If an option or variable is out of range.
   */
  constructor(options: ServerOptions = serverOptions(readEnvironment())) {
    this.#listenOn = checkedListen(options.listen ?? DEFAULT_PORT);
    this.#peerList = (options.peers ?? []).map(checkedPeer);
    const intervalMs = options.gossipIntervalMs ?? DEFAULT_GOSSIP_INTERVAL_MS;
    checkAtLeast("gossipIntervalMs", intervalMs, 10, MAX_TIMER_MS);
    if (options.maxBytes !== undefined) checkAtLeast("maxBytes", options.maxBytes, MIN_STORE_BYTES, MAX_STORE_BYTES);
    this.#ttlMs = options.ttlMs ?? DEFAULT_TTL_MS;
    this.#renewOnHit = options.renewOnHit ?? true;
    this.#maxConnections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
    checkAtLeast("maxConnections", this.#maxConnections, 1);
    this.#log = options.log ?? console.log;
    const id = crypto.getRandomValues(new Uint32Array(1))[0] || 1; // 0 is nobody
    this.#store = new Store({
      maxSize: options.maxSize ?? (options.maxBytes === undefined ? DEFAULT_MAX_SIZE : Infinity),
      maxBytes: options.maxBytes,
      ttlMs: this.#ttlMs,
      renewOnHit: this.#renewOnHit,
      hashKey: [...crypto.getRandomValues(new Int32Array(2))] as [number, number],
      clock: processClock,
      origin: id,
      replicates: true,
      keepsGhosts: this.#peerList.length > 0, // until a peer comes, nobody would ask for them
    });
    const maxItemBytes = checkedItemBytes(options.maxItemBytes);
    this.#host = {
      store: this.#store,
      memcached: new MemcachedCommands({
        store: this.#store,
        maxItemBytes,
        later: (ms, run) => this.#flush.set(ms, run),
      }),
      software: SOFTWARE,
      id,
      counters: { requests: 0, refusals: 0, protocolErrors: 0 },
      stats: () => ({ ...this.stats() }),
      pid: Deno.pid,
      maxConnections: this.#maxConnections,
      connected: () => [...this.#connections].map(({ socket }) => remoteAddress(socket)),
    };
    this.cache = new LocalCache({ store: this.#store, stats: () => this.stats() });
    this.#peers = new Peers({
      addresses: this.#peerList,
      store: this.#store,
      id,
      software: SOFTWARE,
      intervalMs,
      log: (line) => this.#say(line),
      counters: this.#host.counters,
    });
  }

  /** Where the server listens, as a client's `servers` takes it; `undefined` unless started. */
  get address(): string | undefined {
    return this.#listener && formatAddress(boundAddress(this.#listenOn, this.#listener));
  }

  /**
   * Opens the port, and says so.
   *
   * @throws {Error} If the server is started already, or the address cannot be bound (`Deno.errors.AddrInUse` where
   * something listens there already).
   */
  startServer(): Promise<void> {
    return this.#inTurn(() => this.#start());
  }

  /** Stops taking connections, answers the requests that have arrived, and closes. The entries stay in memory. */
  stop(): Promise<void> {
    return this.#inTurn(() => this.#stop());
  }

  /** Starts and stops one after another, in the order asked. */
  #inTurn(change: () => Promise<void>): Promise<void> {
    const done = this.#changing.then(change);
    this.#changing = done.catch(() => {});
    return done;
  }

  async #start(): Promise<void> {
    if (this.#listener !== undefined) throw new Error("Cannot start server: it is started already");
    this.#listener = await listen(this.#listenOn);
    this.#startedAtMs = performance.now();
    this.#accepting = this.#accept(this.#listener);
    this.#maintain();
    const address = boundAddress(this.#listenOn, this.#listener);
    const { maxSize, maxBytes } = this.#store;
    const about = {
      address,
      maxSize,
      maxBytes,
      ttlMs: this.#ttlMs,
      renewOnHit: this.#renewOnHit,
      peers: this.#peerList,
    };
    for (const line of serverLines(about)) this.#say(line);
    this.#peers.start(address.transport === "tcp" ? address.port : 0);
  }

  async #stop(): Promise<void> {
    const listener = this.#listener;
    if (listener === undefined) return;
    this.#listener = undefined;
    clearTimeout(this.#maintenance);
    this.#flush.stop();
    closeQuietly(listener);
    await this.#accepting;
    // Before anything that takes time: later, the file could be another server's, started in our place.
    if (this.#listenOn.transport === "unix") removeSocketFile(this.#listenOn.path);
    if (this.#connections.size > 0) await pause(STOP_GRACE_MS);
    const open = [...this.#connections];
    for (const connection of open) this.#dismiss(connection);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, STOP_LIMIT_MS));
    const clients = open.filter(({ session }) => session.peer === undefined);
    await Promise.race([Promise.all(clients.map(({ done }) => done)), limit]);
    clearTimeout(timer);
    await this.#peers.stop();
    for (const { socket } of open) closeQuietly(socket);
  }

  /** Same as {@linkcode OrmucoCacheServer.stop}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * Returns counters, and what the server holds now.
   *
   * @returns The statistics.
   */
  stats(): ServerStats {
    return {
      server: SOFTWARE,
      uptimeMs: this.#startedAtMs === 0 ? 0 : Math.round(performance.now() - this.#startedAtMs),
      maxSize: this.#store.maxSize === Infinity ? 0 : this.#store.maxSize,
      maxBytes: this.#store.maxBytes ?? 0,
      ...this.#store.stats(),
      connections: this.#connections.size,
      connectionsAccepted: this.#accepted,
      connectionsRefused: this.#refused,
      ...this.#host.counters,
      bytesReceived: this.#bytesReceived,
      bytesSent: this.#bytesSent,
      gossip: this.#peers.totals,
      peers: this.#peers.stats(),
    };
  }

  /** Expired entries leave and memory goes back in slices between requests. */
  #maintain(): void {
    let pauseMs = IDLE_PAUSE_MS;
    forgetBuffer();
    try {
      if (this.#store.maintain()) pauseMs = BUSY_PAUSE_MS;
    } catch (error) {
      this.#say(`Cannot tidy up, trying again: ${(error as Error).message}`);
    }
    this.#maintenance = setTimeout(() => this.#maintain(), pauseMs);
  }

  async #accept(listener: Deno.Listener): Promise<void> {
    let fails = false;
    while (this.#listener === listener) {
      try {
        this.#welcome(await listener.accept());
        fails = false;
      } catch (error) {
        if (this.#listener !== listener) return;
        if (isDisconnection(error)) continue; // a client that went before it was welcomed
        if (!fails) this.#say(`Cannot accept a connection, trying again: ${(error as Error).message}`);
        fails = true;
        await pause(ACCEPT_PAUSE_MS);
      }
    }
  }

  /** What a caller's `log` throws must not end a loop. */
  #say(line: string): void {
    try {
      this.#log(line);
    } catch {
      // It has been told, in its way.
    }
  }

  #welcome(socket: Deno.Conn): void {
    this.#accepted++;
    if (this.#connections.size >= this.#maxConnections) return this.#turnAway(socket);
    const connection: Connection = {
      socket,
      session: new Session(this.#host),
      done: Promise.resolve(),
      isReading: false,
    };
    this.#connections.add(connection);
    connection.done = this.#serve(connection).catch((error) => this.#sayUnlessGone(error)).finally(() => {
      this.#connections.delete(connection);
      closeQuietly(socket);
      connection.session.input.release();
      connection.session.output.release();
    });
  }

  /** Says why and hangs up; beyond a few at a time, just hangs up. */
  #turnAway(socket: Deno.Conn): void {
    this.#refused++;
    if (this.#turnedAway >= MAX_TURNED_AWAY) return closeQuietly(socket);
    this.#turnedAway++;
    const session = new Session(this.#host);
    session.close("too-many-connections", `this server takes ${this.#maxConnections} connections at most`);
    this.#partWith(socket, session).catch((error) => this.#sayUnlessGone(error)).finally(() => {
      this.#turnedAway--;
      closeQuietly(socket);
    });
  }

  #sayUnlessGone(error: unknown): void {
    if (isDisconnection(error)) return;
    this.#say(`Cannot go on with a connection: ${error instanceof Error ? error.stack : error}`);
  }

  /** One connection from beginning to end: one write for all that one read asked. */
  async #serve(connection: Connection): Promise<void> {
    const { socket, session } = connection;
    const { input, output } = session;
    if ("setNoDelay" in socket) (socket as Deno.TcpConn).setNoDelay(true);
    const timer = setTimeout(() => session.isGreeting && closeQuietly(socket), GREETING_LIMIT_MS);
    try {
      while (true) {
        connection.isReading = true;
        const count = await socket.read(input.space());
        connection.isReading = false;
        if (count === null) return;
        this.#bytesReceived += count;
        input.received(count);
        let state = session.run();
        for (let writes = 1; state !== "closing"; writes++, state = session.run()) {
          this.#bytesSent += output.length;
          // Here and not in `#write`: waiting for a function that waits is felt in every request.
          while (output.length > 0) output.sent(await socket.write(output.taken()));
          if (state !== "output-full") break;
          if (writes % WRITES_A_TURN === 0) await pause(0); // the others' turn
        }
        if (state === "closing") return await this.#partWith(socket, session);
        if (session.peer !== undefined) return await this.#peers.accept(socket, input, session.peer);
        if (this.#listener === undefined) return await this.#sayStopping(connection);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async #write(socket: Deno.Conn, { output }: Session): Promise<void> {
    this.#bytesSent += output.length;
    await writeAll(socket, output.taken());
    output.reset();
  }

  /** Writes the last words and waits a moment for the client to hear them: unread input would cut them off. */
  async #partWith(socket: Deno.Conn, session: Session): Promise<void> {
    const timer = setTimeout(() => closeQuietly(socket), PARTING_LIMIT_MS);
    try {
      await this.#write(socket, session);
      await socket.closeWrite();
      const rest = new Uint8Array(PARTING_READ_BYTES);
      for (let reads = 0; reads < PARTING_READS; reads++) if (await socket.read(rest) === null) return;
    } finally {
      clearTimeout(timer);
    }
  }

  #sayStopping({ socket, session }: Connection): Promise<void> {
    session.close("stopping", "the server stops");
    return this.#partWith(socket, session);
  }

  /** Ends a connection that waits for its client; a busy one ends itself after its reply. */
  #dismiss(connection: Connection): void {
    const { socket, session, isReading } = connection;
    if (!isReading || session.peer !== undefined) return;
    session.close("stopping", "the server stops");
    this.#write(socket, session).catch(() => {}).finally(() => closeQuietly(socket));
  }
}
