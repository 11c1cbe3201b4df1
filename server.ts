/**
 * The server: keeps entries for clients in other processes. With options it needs `--allow-net=HOST:PORT` for the
 * address that it listens on and for each peer; without, `--allow-env` and `--allow-read=.env` too.
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

import { formatAddress } from "./lib/base/address.ts";
import type { Role } from "./lib/base/roles.ts";
import { serverOptions } from "./lib/base/settings.ts";
import { INSPECT, inspected } from "./lib/base/inspect.ts";
import { SOFTWARE } from "./lib/base/software.ts";
import type { ServerInsight } from "./lib/base/insight.ts";
import type { ServerStats } from "./lib/base/stats.ts";
import { Durations } from "./lib/metrics/durations.ts";
import { Slots } from "./lib/near/slots.ts";
import { readEnvironment } from "./lib/platform/environment.ts";
import { CacheEvents } from "./lib/platform/cache_events.ts";
import { lacksHugePages } from "./lib/platform/huge_pages.ts";
import { lookUp } from "./lib/platform/lookup.ts";
import type { Acme } from "./lib/server/acme.ts";
import { serverLines } from "./lib/server/banner.ts";
import type { AccessRules } from "./lib/server/access.ts";
import { Attempts } from "./lib/server/attempts.ts";
import { type Buffers, loggedBuffers } from "./lib/server/buffers.ts";
import type { PeerArrival } from "./lib/server/connection.ts";
import { Connections } from "./lib/server/connections.ts";
import { CredentialWatch } from "./lib/server/credential_watch.ts";
import { Credentials } from "./lib/server/credentials.ts";
import { Departures } from "./lib/server/departures.ts";
import { Encryption } from "./lib/server/encryption.ts";
import type { Http } from "./lib/server/http.ts";
import { Insight } from "./lib/server/insight.ts";
import { LeaseTimer } from "./lib/server/lease_timer.ts";
import { LimitedLog } from "./lib/server/limited_log.ts";
import { Listener } from "./lib/server/listener.ts";
import { LocalCache } from "./lib/server/local_cache.ts";
import { PushQueue } from "./lib/server/push_queue.ts";
import { Maintenance } from "./lib/server/maintenance.ts";
import { type ResolvedServerOptions, resolveServerOptions, type ServerOptions } from "./lib/server/options.ts";
import { LaterPart, LoadedPart, type Part, startAll, stopAll } from "./lib/server/part.ts";
import { Peers } from "./lib/server/peers.ts";
import { Readiness } from "./lib/server/readiness.ts";
import type { SessionHost } from "./lib/server/protocols.ts";
import { newSessionHost, newStore } from "./lib/server/session_host.ts";
import type { Snapshots } from "./lib/server/snapshots.ts";
import { newCounters, serverStats } from "./lib/server/statistics.ts";
import { Turns } from "./lib/server/turns.ts";
import { checkHttpOpenness, checkOpenness, type Openness } from "./lib/server/who_may_connect.ts";

export type { CacheEvent } from "./lib/base/cache_event.ts";
export type { HitEstimates, HotKey, ServerInsight } from "./lib/base/insight.ts";
export type { LogLevel } from "./lib/base/log.ts";
export type { GossipTotals, MissCounts, PeerStats, ServerStats } from "./lib/base/stats.ts";
export type { CredentialOptions } from "./lib/server/credential_sources.ts";
export type { ServerAcmeOptions, ServerTlsOptions } from "./lib/base/tls_options.ts";
export type { LocalCache } from "./lib/server/local_cache.ts";
export type { ServerNearOptions, ServerOptions } from "./lib/server/options.ts";

/** Milliseconds that a stop waits for clients, and then for peers, to read what was sent to them. */
const STOP_LIMIT_MS = 1000;

/**
 * A cache server on a TCP port or a unix socket.
 *
 * A client that misbehaves loses its own connection and nothing else. The server listens on the loopback interface
 * unless `listen` names a host: on another interface it does not start without credentials (`authToken`, `authFile`), unless it
 * is told to be `insecure`. docs/security.md says who may connect.
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
   * The client's methods on this server's entries, in this process and without a socket: entries that any peer has
   * stored are read at the speed of memory. It can be used whether the server is started or not.
   */
  readonly cache: LocalCache;
  readonly #options: ResolvedServerOptions;
  readonly #store: ReturnType<typeof newStore>;
  readonly #counters = newCounters();
  /** Who keeps near copies of what. */
  readonly #near: Slots;
  /** Who computes what. */
  readonly #leases: LeaseTimer;
  /** What reads tell. */
  readonly #insight: Insight;
  readonly #turns = new Turns();
  readonly #buffers: Buffers;
  readonly #credentials = new Credentials();
  readonly #watch: CredentialWatch;
  readonly #listener: Listener;
  readonly #encryption: Encryption | undefined;
  readonly #acme: LoadedPart<Acme> | undefined;
  readonly #peers: Peers;
  readonly #snapshots: LoadedPart<Snapshots> | undefined;
  readonly #readiness: Readiness;
  readonly #connections: Connections;
  readonly #http: LoadedPart<Http> | undefined;
  /** What requests have taken; they are timed where HTTP tells it. */
  readonly #durations: Durations | undefined;
  /** The parts in the order of their start; they stop in reverse, so that no part outlives one that it needs. */
  readonly #parts: readonly Part[];
  /** The start or stop under way, or the last one. */
  #changing: Promise<void> = Promise.resolve();
  #isStarted = false;
  #startedAtMs = 0;

  /**
   * Makes a server; {@linkcode OrmucoCacheServer.startServer} opens its port.
   *
   * @param options Where to listen and what to hold. Without this argument they come from the environment and `.env`
   * (`LISTEN_ON`, `HTTP_ON`, `PEERS`, `CLUSTER`, `ADVERTISE`, `PEER_LOOKUP_INTERVAL`, `GOSSIP_INTERVAL`, `READY_AFTER`, `SNAPSHOT_FILE`, `SNAPSHOT_INTERVAL`, `SNAPSHOT_MAX_AGE`, `CACHE_MAX_SIZE`, `CACHE_MAX_BYTES`, `CACHE_MAX_ITEM_BYTES`,
   * `CACHE_MAX_FORGOTTEN`, `CACHE_MAX_BUFFERS`, `CACHE_MAX_CONNECTIONS`, `CACHE_MAX_CONNECTIONS_PER_ADDRESS`,
   * `CACHE_IDLE_TIMEOUT`, `CACHE_EXPIRATION`, `CACHE_RENEW_ON_HIT`, `AUTH_TOKEN`, `AUTH_TOKEN_FILE`, `AUTH_FILE`, `PEER_TOKEN`,
   * `PEER_TOKEN_FILE`, `TLS`, `TLS_CERT`, `TLS_KEY`, `TLS_CA`, `TLS_CLIENT_CA`, `ACME_HOST`,
   * `ACME_EMAIL`, `ACME_DIRECTORY`, `ACME_FOLDER`, `ACME_LISTEN_ON`); `ORMUCO_X` wins over `X`.
   * @throws {RangeError} If an option or variable is out of range, or Deno does not permit reading the variables.
   */
  constructor(options: ServerOptions = serverOptions(readEnvironment())) {
    const resolved = resolveServerOptions(options);
    this.#options = resolved;
    const { log, maxBuffers } = resolved;
    const limitedLog = new LimitedLog(log);
    this.#buffers = loggedBuffers(maxBuffers, limitedLog);
    const id = crypto.getRandomValues(new Uint32Array(1))[0] || 1; // 0 means no server
    const [store, counters] = [this.#store = newStore(resolved, id), this.#counters];
    this.#near = new Slots(store);
    this.#leases = new LeaseTimer(store);
    const { leases, newToken } = this.#leases;
    this.#listener = new Listener(resolved.listen, resolved.unref);
    this.#insight = new Insight(store, () => performance.now());
    const maintenance = new Maintenance(store, this.#insight, log);
    this.#watch = this.#newWatch();
    const { tls } = resolved;
    this.#encryption = tls && new Encryption({ tls, counters, log, limitedLog });
    this.#acme = this.#newAcme();
    this.#peers = this.#newPeers(id, limitedLog);
    this.#snapshots = this.#newSnapshots(id);
    this.#readiness = this.#newReadiness();
    const session = newSessionHost(resolved, {
      store,
      near: this.#near,
      pushes: new PushQueue(),
      leases,
      newToken,
      id,
      counters,
      stats: () => this.stats(),
      insight: (seesKeys) => this.#insight.ask(seesKeys),
      forgetPeer: (address) => this.#peers.forget(address),
      isOwnNonce: (nonce) => this.#peers.isOwnNonce(nonce),
      connected: () => this.#connections.shown(),
      later: (ms, run) => maintenance.runLater(ms, run),
    });
    const access = this.#accessRules(limitedLog);
    this.#durations = resolved.http && new Durations();
    this.#http = this.#newHttp(session, access, limitedLog);
    this.#connections = this.#newConnections(session, access, limitedLog);
    this.cache = this.#newCache();
    this.#parts = this.#allParts(maintenance);
  }

  /** The address that the server listens on, as a client's `servers` takes it; `undefined` while it is not started. */
  get address(): string | undefined {
    return this.#listener.isOpen ? formatAddress(this.#listener.address) : undefined;
  }

  /** The address at which HTTP is spoken; `undefined` while it is not. */
  get httpAddress(): string | undefined {
    const http = this.#http?.part;
    return http?.isOpen ? formatAddress(http.address) : undefined;
  }

  /**
   * Opens the port and begins to connect to peers. The lines that tell where the server listens go to its option `log`.
   *
   * @throws {Error} If the server is started already, or the address cannot be bound (`Deno.errors.AddrInUse` where
   * something listens there already).
   * @throws {RangeError} If others could reach the server and nobody would be asked who they are, or a file of credentials
   * cannot be used.
   *
   * @example
   * ```ts
   * import { OrmucoCacheServer } from "@ormuco/cache/server";
   *
   * await using server = new OrmucoCacheServer({ listen: "127.0.0.1:0", log: console.log });
   * await server.startServer(); // stops at the end of this scope
   * ```
   */
  startServer(): Promise<void> {
    return this.#inTurn(() => this.#start());
  }

  /**
   * Refuses new connections, answers the requests that have arrived, and closes the connections, all within a few
   * seconds; then it writes its snapshot, if it makes any. The entries stay in memory, and the server can be started again.
   *
   * @example
   * ```ts
   * import { OrmucoCacheServer } from "@ormuco/cache/server";
   *
   * const server = new OrmucoCacheServer({ listen: "127.0.0.1:0", log: () => {} });
   * await server.startServer();
   * await server.cache.store("a", 1);
   * await server.stop();
   * console.log(server.address, await server.cache.retrieve("a")); // undefined 1
   * ```
   */
  stop(): Promise<void> {
    return this.#inTurn(() => this.#stop());
  }

  /**
   * Reads the files of credentials and certificates, and tells the option `log` where a start would listen, what for and for
   * whom. It opens no port and connects to nobody, so that it can be called while another server runs.
   *
   * @throws {Error} If a start would refuse: what {@linkcode OrmucoCacheServer.startServer} rejects with, but for the port.
   *
   * @example
   * ```ts
   * import { OrmucoCacheServer } from "@ormuco/cache/server";
   *
   * const server = new OrmucoCacheServer({ listen: "0.0.0.0:11142", log: () => {} });
   * await server.check().catch((error) => console.log(error instanceof RangeError)); // true
   * ```
   */
  check(): Promise<void> {
    return this.#inTurn(() => this.#check());
  }

  /**
   * Rereads the files of credentials and of the option `tls` now, instead of within two seconds after they have changed, and
   * orders a certificate now that could not be ordered before (`tls.acme`). `cli.ts serve` calls this at SIGHUP. A file that
   * cannot be used changes nothing, and the server's option `log` is told why.
   *
   * @returns The number of files.
   *
   * @example
   * ```ts
   * import { OrmucoCacheServer } from "@ormuco/cache/server";
   *
   * const authTokenFile = await Deno.makeTempFile();
   * await Deno.writeTextFile(authTokenFile, "an-old-secret");
   * await using server = new OrmucoCacheServer({ listen: "127.0.0.1:0", authTokenFile, log: () => {} });
   * await server.startServer();
   * await Deno.writeTextFile(authTokenFile, "a-new-secret");
   * console.log(await server.reload()); // 1
   * ```
   */
  async reload(): Promise<number> {
    const encryption = this.#isStarted ? this.#encryption : undefined;
    await Promise.all([this.#watch.look("asked"), encryption?.look("asked")]);
    if (this.#isStarted) await this.#acme?.part?.look(true);
    return this.#watch.files + (encryption?.files ?? 0);
  }

  /** Shows address, size and limits in a debugger. */
  [INSPECT](
    inspect: (value: unknown, options?: Record<string, unknown>) => string,
    options?: Record<string, unknown>,
  ): string {
    const { entries, maxSize, bytes, maxBytes, connections, peers } = this.stats();
    const others = peers.map(({ address, state }) => `${address} (${state})`);
    const facts = { address: this.address, entries, maxSize, bytes, maxBytes, connections, peers: others };
    return inspected("OrmucoCacheServer", facts, inspect, options);
  }

  /** Calls {@linkcode OrmucoCacheServer.stop}; `await using` needs it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * Returns counters since the server was made, and what it holds now.
   *
   * @returns The statistics.
   *
   * @example
   * ```ts
   * import { OrmucoCacheServer } from "@ormuco/cache/server";
   *
   * const server = new OrmucoCacheServer({ listen: 0, maxSize: 10_000 });
   * await server.cache.store("a", 1);
   * const { entries, maxSize, uptimeMs } = server.stats();
   * console.log(entries, maxSize, uptimeMs); // 1 10000 0
   * ```
   */
  stats(): ServerStats {
    return serverStats({
      store: this.#store,
      counters: this.#counters,
      uptimeMs: this.#startedAtMs === 0 ? 0 : performance.now() - this.#startedAtMs,
      isReady: this.#readiness.isReady,
      connections: this.#connections.size,
      certificateExpiresMs: this.#encryption?.expiresMs ?? 0,
      certificateOrderMs: this.#acme?.part?.dueMs ?? 0,
      buffers: this.#buffers,
      turns: this.#turns,
      near: this.#near.stats,
      leases: this.#leases.stats,
      snapshots: this.#snapshots?.part?.stats,
      gossip: this.#peers.gossip.totals,
      peers: this.#peers.stats(),
    });
  }

  /**
   * Returns what the server has learned from the reads that it has seen: which keys are read most, and what more memory would
   * give. It begins to count with the first call, and ends when there has been none for ten minutes, nor anybody who asks from
   * outside, or when it is stopped. docs/metrics.md says how sure the figures are.
   *
   * @returns What it has learned so far; nothing yet at the first call.
   *
   * @example
   * ```ts
   * import { OrmucoCacheServer } from "@ormuco/cache/server";
   *
   * const server = new OrmucoCacheServer({ listen: 0, maxSize: 10_000 });
   * server.insight(); // begins to count
   * await server.cache.store("a", 1);
   * for (let i = 0; i < 10; i++) await server.cache.retrieve("a");
   * console.log(server.insight().hottestByReads[0]); // { key: "a", share: 1, shareAtMost: 1 }
   * ```
   */
  insight(): ServerInsight {
    return this.#insight.ask();
  }

  /** Runs starts and stops one after another, in the order of the calls. */
  #inTurn(change: () => Promise<void>): Promise<void> {
    const done = this.#changing.then(change);
    this.#changing = done.catch(() => {});
    return done;
  }

  async #start(): Promise<void> {
    if (this.#isStarted) throw new Error("Cannot start server: it is started already");
    this.#refuseOpenness();
    await startAll(this.#parts, STOP_LIMIT_MS);
    this.#isStarted = true;
    this.#startedAtMs = performance.now();
    this.#sayWhatRuns(false);
  }

  async #check(): Promise<void> {
    if (this.#isStarted) throw new Error("Cannot check server: it is started");
    this.#refuseOpenness();
    const parts: Part[] = [this.#watch, ...(this.#encryption === undefined ? [] : [this.#encryption])];
    await startAll(parts, STOP_LIMIT_MS);
    this.#sayWhatRuns(true);
    await stopAll(parts, STOP_LIMIT_MS);
  }

  #refuseOpenness(): void {
    const { listen, http, credentials, insecure } = this.#options;
    const { wantsCertificate = false } = this.#encryption ?? {};
    const asked = { asks: credentials.length > 0, isInsecure: insecure, wantsCertificate };
    checkOpenness({ address: listen, ...asked });
    if (http !== undefined) checkHttpOpenness({ address: http, ...asked, isEncrypted: this.#encryption !== undefined });
  }

  #sayWhatRuns(isCheck: boolean): void {
    const { log, http: listen } = this.#options;
    const openness = this.#openness();
    const address = this.#http?.part?.address ?? listen;
    const http = address && { address, hasLookers: openness.hasClients || this.#has("admin") };
    const pages = { lacksHugePages: isCheck && lacksHugePages() };
    const facts = { ...this.#options, ...openness, ...pages, http, encryption: this.#encryption, isCheck };
    const { lines, warnings } = serverLines(facts);
    for (const line of lines) log(line);
    for (const warning of warnings) log(warning, "warn");
  }

  #allParts(maintenance: Maintenance): Part[] {
    const first = [this.#watch, this.#encryption, this.#acme, this.#http]; // HTTP says until it stops that this server is not ready
    const peers = new LaterPart(this.#peers, () => this.#snapshots?.part?.loaded ?? Promise.resolve());
    const talking = [this.#snapshots, this.#listener, peers, this.#connections];
    return [...first, ...talking, maintenance, this.#readiness].filter((part) => part !== undefined);
  }

  #newAcme(): LoadedPart<Acme> | undefined {
    const [encryption, { tls, log }] = [this.#encryption, this.#options];
    const acme = tls?.acme;
    if (encryption === undefined || acme === undefined) return undefined;
    return new LoadedPart(async () => {
      const { Acme } = await import("./lib/server/acme.ts");
      return new Acme({ acme, encryption, log });
    });
  }

  #newHttp(session: SessionHost, access: AccessRules, log: LimitedLog): LoadedPart<Http> | undefined {
    const { http: listen, unref: isUnref, advertise } = this.#options;
    if (listen === undefined) return undefined;
    const address = () => advertise ? formatAddress(advertise) : this.address;
    const [encryption, turns, buffers, durations] = [this.#encryption, this.#turns, this.#buffers, this.#durations];
    return new LoadedPart(async () => {
      const { Http } = await import("./lib/server/http.ts");
      const { statusPage } = await import("./lib/page/page.ts");
      const page = statusPage();
      const shared = { access, encryption, session, turns, buffers, durations, log };
      return new Http({ ...shared, listen, isUnref, page, address });
    });
  }

  #newPeers(id: number, limitedLog: LimitedLog): Peers {
    const { peers, peerLookupIntervalMs, cluster, advertise, gossipIntervalMs, unref, log } = this.#options;
    const encryption = this.#encryption;
    return new Peers({
      addresses: peers,
      lookUp,
      lookUpMs: peerLookupIntervalMs,
      store: this.#store,
      id,
      cluster,
      port: () => this.#listener.port,
      advertise: advertise && formatAddress(advertise),
      token: () => this.#watch.token,
      software: SOFTWARE,
      intervalMs: gossipIntervalMs,
      isUnref: unref,
      log,
      counters: this.#counters,
      turns: this.#turns,
      buffers: this.#buffers,
      limitedLog,
      tls: encryption && (() => encryption.toPeers()),
    });
  }

  #newConnections(session: SessionHost, access: AccessRules, log: LimitedLog): Connections {
    const { maxConnections, maxConnectionsPerAddress, idleTimeoutMs } = this.#options;
    const counters = this.#counters;
    return new Connections({
      listener: this.#listener,
      host: {
        session,
        access,
        encryption: this.#encryption,
        counters,
        durations: this.#durations,
        turns: this.#turns,
        buffers: this.#buffers,
        idleMs: idleTimeoutMs,
        onPeer: (arrival) => this.#accept(arrival),
        onRefused: (stream, refused) => this.#peers.refuse(stream, refused),
      },
      maxConnections,
      maxConnectionsPerAddress,
      counters,
      log,
    });
  }

  #newSnapshots(id: number): LoadedPart<Snapshots> | undefined {
    const { snapshots, cluster, peers, log } = this.#options;
    if (snapshots === undefined) return undefined;
    const [store, turns, { gossip }, hasPeers] = [this.#store, this.#turns, this.#peers, peers.length > 0];
    return new LoadedPart(async () => {
      const { Snapshots } = await import("./lib/server/snapshots.ts"); // dynamic: node:zlib, too, takes long to load
      return new Snapshots({ ...snapshots, store, turns, gossip, id, cluster, hasPeers, log });
    });
  }

  #newReadiness(): Readiness {
    const { readyAfterMs, log } = this.#options;
    return new Readiness({
      peers: () => this.#peers.rows(),
      readyAfterMs,
      isLoading: () => this.#snapshots?.part?.isLoading ?? false,
      onReady: () => this.#snapshots?.part?.release(),
      log,
    });
  }

  /** Lets a peer that has connected wait until this server has loaded what it had before. */
  async #accept(arrival: PeerArrival): Promise<void> {
    await this.#snapshots?.part?.loaded;
    await this.#peers.accept(arrival);
  }

  #newCache(): LocalCache {
    const { near, compressOverBytes, onEvent } = this.#options;
    const [store, { leases, newToken }, events] = [this.#store, this.#leases, new CacheEvents(onEvent)];
    if (onEvent !== undefined) store.listen(new Departures(events));
    return new LocalCache({ store, leases, newToken, near, compressOverBytes, events, stats: () => this.stats() });
  }

  /** Who may connect. */
  #accessRules(log: LimitedLog): AccessRules {
    const { failed } = new Attempts(log);
    const credentials = this.#credentials;
    credentials.onGone(() => this.#connections.endWithdrawn());
    return { credentials, isInsecure: this.#options.insecure, onDenied: failed, counters: this.#counters };
  }

  #newWatch(): CredentialWatch {
    const { credentials: sources, log } = this.#options;
    return new CredentialWatch({
      sources,
      credentials: this.#credentials,
      log,
      onToken: () => this.#peers.greetAnew(),
    });
  }

  #openness(): Openness {
    const credentials = this.#credentials;
    const wantsCertificate = this.#encryption?.wantsCertificate ?? false;
    return {
      address: this.#listener.address,
      asks: credentials.isRequired,
      isInsecure: this.#options.insecure,
      isEncrypted: this.#encryption !== undefined,
      isTlsRequired: this.#encryption?.isRequired ?? false,
      wantsCertificate,
      hasClients: this.#has("reader") || this.#has("client"),
      hasPeers: this.#has("peer"),
    };
  }

  /** Whether anybody who may connect has a role. */
  #has(role: Role): boolean {
    return this.#credentials.hasRole(role, this.#encryption?.wantsCertificate ?? false);
  }

  async #stop(): Promise<void> {
    if (!this.#isStarted) return;
    this.#isStarted = false;
    this.#peers.tellStop();
    await stopAll(this.#parts, STOP_LIMIT_MS);
    await this.#snapshots?.part?.save();
    await this.#turns.stop();
    this.#insight.end();
  }
}
