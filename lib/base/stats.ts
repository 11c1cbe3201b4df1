/** The statistics of servers, peers and clients, as types. It counts nothing itself. */

import type { CacheErrorCode } from "./errors.ts";

/**
 * One peer of a server, in {@linkcode ServerStats.peers}. For a peer in the option `peers`, counts of messages refused
 * or dropped begin when the server is made; all other figures begin with the connection.
 */
export interface PeerStats {
  /**
   * The peer's address: as in the option `peers`, or one to which a name there leads, or else where the peer listens, or has
   * connected from.
   */
  address: string;
  /** The name in the option `peers` that leads to the address; empty for others. */
  name: string;
  /**
   * State of the connection to the peer: `connected`, `connecting`, `waiting` (for the next attempt), `self` (the
   * address is this server's own), `duplicate` (another listed address leads to this peer too), `incompatible` (the
   * peer's build does not agree with this one on the messages between peers), `other-cluster` (its `CLUSTER` has another
   * name), `refused` (one of the two does not let the other
   * in; a listed peer is tried again), `not-permitted` (Deno does not permit to look the name up, or to connect; `error` names
   * the flag), `clocks-differ` (connected, but one of the two does not believe the other, since
   * their clocks are too far apart; `error` says which), or `stopping` (connected, but the peer has said that it stops).
   */
  state:
    | "connected"
    | "connecting"
    | "waiting"
    | "self"
    | "duplicate"
    | "incompatible"
    | "other-cluster"
    | "refused"
    | "not-permitted"
    | "clocks-differ"
    | "stopping";
  /** Whether this server has caught up with the peer on this connection: it knows all that the peer knew at its beginning. */
  ready: boolean;
  /** The peer's random number among peers, new each time that the peer is started; 0 while it is unknown. */
  id: number;
  /** The last failure that kept the peer from being connected; empty if there was none, or while it is connected. */
  error: string;
  /**
   * Milliseconds from a question to the peer's answer, or since the question if that is longer by now; -1 before the first
   * answer on this connection.
   */
  roundTripMs: number;
  /** Milliseconds since the peer last answered a round, or knew the same in one of its own; -1 before that on this connection. */
  lastRoundMs: number;
  /** Writes held by this server that the peer has not confirmed to have: all of them until it has said what it has. */
  lag: number;
  /** Milliseconds since the oldest of these was made; 0 if there are none. */
  lagMs: number;
  /** Whether this server is catching up with the peer: asking it for writes that this server lacks. */
  catchingUp: boolean;
  /** Bytes received from the peer on this connection. */
  bytesReceived: number;
  /** Bytes sent to the peer on this connection. */
  bytesSent: number;
  /** Writes received from the peer on this connection that this server did not have yet. */
  entriesReceived: number;
  /** Writes sent to the peer on this connection. */
  entriesSent: number;
  /**
   * Entries that this server dropped after catching up with the peer on this connection: they may be older than writes
   * that have left the peer, and the peer could not confirm them.
   */
  entriesDropped: number;
  /** Messages refused because the peer's clock is more than 20 s ahead of this server's, or a version more than a minute. */
  refusedFuture: number;
  /** Messages refused because they were malformed or could not be true; each ended the connection. */
  refusedBad: number;
  /** Messages to the peer dropped because it did not read fast enough, or because they were too large to send. */
  droppedFull: number;
}

/** Counters of replication with all peers, since the server was made. */
export interface GossipTotals {
  /** Writes received from peers and applied. */
  applied: number;
  /** Writes received from peers that this server had already, or that a newer write has replaced. */
  repeated: number;
  /** Writes sent in answer to peers that asked for what they lack. */
  sent: number;
  /** Writes sent to peers unasked, as soon as they were made or received, counted once for each peer. */
  pushed: number;
  /** Pushes received that could not be used, because writes before them were missing or a catch-up was under way. */
  gaps: number;
  /** Entries whose expiration was put off because of a hit on another server. */
  extended: number;
  /** Messages refused because the sender's clock is more than 20 s ahead of this server's, or a version more than a minute. */
  fromFuture: number;
  /** Verifications begun: each asks a peer whether entries held here may have been deleted elsewhere. */
  verifications: number;
  /** Entries dropped because a verification did not confirm them: more writes have left a server than it remembers. */
  unconfirmed: number;
  /** Entries dropped because a peer remembers that a write of their key has left that may be newer, and did not confirm them. */
  covered: number;
}

/**
 * Misses by their reason, in {@linkcode ServerStats.missesByReason}: counters since the server was made, whose sum is that of all
 * misses. What the server remembers of keys that are here no more is bounded, as docs/metrics.md says.
 */
export interface MissCounts {
  /** The key was never stored here, or has left longer ago than is remembered. */
  absent: number;
  /** The entry's time was over. */
  expired: number;
  /** The entry had to leave to make room for others, or there was no room for it when a peer sent it. */
  evicted: number;
  /** The key was deleted, here or by a peer; also by a store of a value that is too large. */
  deleted: number;
  /** All entries, or all under a prefix of the key, were cleared, here or by a peer. */
  cleared: number;
  /** The entry was dropped, or not taken from a peer, since a newer write of the key is, or may be, elsewhere. */
  superseded: number;
}

/** Statistics of a server: counters since the server was made, and what it holds now. */
export interface ServerStats {
  /** Name and version of the server's software, as in `ormuco-cache/0.1.0`. */
  server: string;
  /** Milliseconds since the server was last started; 0 before its first start. */
  uptimeMs: number;
  /**
   * Whether the server has caught up with every peer that it can reach, or `readyAfterMs` have passed since its start. A server
   * without peers is ready at once; one that is stopped, or stops, is not.
   */
  ready: boolean;
  /** Entries held now. */
  entries: number;
  /** Bytes of keys, values and their overhead, for the entries held now. */
  bytes: number;
  /** Bytes of memory taken for entries, including the room between them and fingerprints; `maxBytes` limits this figure. */
  memoryBytes: number;
  /** Writes that have left this server of which it keeps the fingerprint now. */
  fingerprints: number;
  /** Entries held at most; 0 means no limit. */
  maxSize: number;
  /** Bytes of memory taken for entries at most; if the option was not given, half of the memory that there is. */
  maxBytes: number;
  /**
   * About how many fingerprints the server keeps: when there are up to a fifteenth more, it drops the oldest, and a peer
   * that has missed those may have to drop entries that nobody deleted.
   */
  maxForgotten: number;
  /** Retrievals that found an entry. */
  hits: number;
  /** Retrievals that found no entry. */
  misses: number;
  /** These by their reason. */
  missesByReason: MissCounts;
  /** Values stored by callers of this server. */
  stores: number;
  /** Entries removed because they were deleted or cleared. */
  deletions: number;
  /** Entries removed to make room for others. */
  evictions: number;
  /** Entries removed because their time to live was over. */
  expirations: number;
  /** Connections open now, those of clients and those that peers have made. */
  connections: number;
  /** Connections accepted, those refused afterwards included. */
  connectionsAccepted: number;
  /** Connections refused because `maxConnections` were open, or `maxConnectionsPerAddress` from their address. */
  connectionsRefused: number;
  /** Connections ended because they asked for nothing during `idleTimeoutMs`. */
  connectionsIdle: number;
  /** Connections ended because a request did not end, or a reply was not taken, in time. */
  connectionsSlow: number;
  /** Connections without any request that were ended to make room for others at `maxConnections`. */
  connectionsReplaced: number;
  /** Connections, those of peers included, that were ended because their credential is no longer in the server's files. */
  connectionsWithdrawn: number;
  /** Credentials that clients and peers have shown, those that were good. */
  logins: number;
  /** Credentials that clients and peers have shown, those that were not good. */
  loginsFailed: number;
  /** Connections, those of peers included, that were ended because more than `maxBuffers` waited. */
  connectionsCut: number;
  /** Handshakes of TLS that succeeded. */
  tlsHandshakes: number;
  /** Handshakes of TLS that failed: the client did not believe this server, or showed no certificate though it must. */
  tlsFailures: number;
  /** Time at which the server's certificate expires, in milliseconds since 1970; 0 without one. */
  certificateExpiresMs: number;
  /**
   * Time at which the server orders its next certificate, in milliseconds since 1970: 0 if it orders none, or its first one
   * now.
   */
  certificateOrderMs: number;
  /** Times that another certificate was taken up. */
  certificateRenewals: number;
  /** Times that the files held a certificate that could not be used, so that the one before was kept. */
  certificateFaults: number;
  /** Times that a busy connection had to wait until others had had their turn. */
  turnsWaited: number;
  /** Bytes of memory in which requests and replies wait now; `maxBuffers` limits this figure. */
  bufferBytes: number;
  /** Bytes of memory at most in which requests and replies wait. */
  maxBuffers: number;
  /** Requests received, in any protocol. */
  requests: number;
  /** Requests of the native protocol that were refused: the request was malformed or its value too large. */
  refusals: number;
  /** Breaches of a protocol: bytes that were no request or message of it. */
  protocolErrors: number;
  /** Connections open now of clients that keep near copies. */
  nearConnections: number;
  /** Slots of keys of which such clients were told that something has changed, counted once for each client. */
  nearInvalidations: number;
  /** Times that such a client was told to drop all of its near copies: after a clear, and where too many slots had changed. */
  nearResets: number;
  /** Leases given: times that a client was told to compute a value that was not there, or not fresh. */
  leasesGiven: number;
  /** Values that came too late, after a newer write, a removal or another's lease, and were not stored; and leases given back then. */
  leasesLost: number;
  /** Leases that somebody waited for when they ended without a value: run out, given back, or their client gone. */
  leasesHandedOver: number;
  /** Clients that wait for another's lease now, counted once for each key. */
  leaseWaits: number;
  /** Time at which the snapshot was begun that was last written or loaded, in milliseconds since 1970; 0 if there was none. */
  snapshotMs: number;
  /** Entries in that snapshot when it was written, or those that were taken from it. */
  snapshotEntries: number;
  /** Times that a snapshot could not be written, or not be loaded as a whole. */
  snapshotFailures: number;
  /** Why that was so the last time; empty if a snapshot has been written since. */
  snapshotError: string;
  /** Bytes received from clients. */
  bytesReceived: number;
  /** Bytes sent to clients. */
  bytesSent: number;
  /** Counters of replication with all peers. */
  gossip: GossipTotals;
  /** The peers: those in the option `peers`, and others that have connected. */
  peers: PeerStats[];
}

/** The part of a server's statistics that is about near copies. */
export type NearStats = Pick<ServerStats, "nearConnections" | "nearInvalidations" | "nearResets">;

/** The part of a server's statistics that is about snapshots. */
export type SnapshotStats = Pick<
  ServerStats,
  "snapshotMs" | "snapshotEntries" | "snapshotFailures" | "snapshotError"
>;

/** The part of a server's statistics that is about leases. */
export type LeaseStats = Pick<ServerStats, "leasesGiven" | "leasesLost" | "leasesHandedOver" | "leaseWaits">;

/** The part of a server's statistics that its store knows. */
export type StoreStats = Pick<
  ServerStats,
  | "entries"
  | "bytes"
  | "memoryBytes"
  | "fingerprints"
  | "hits"
  | "misses"
  | "missesByReason"
  | "stores"
  | "deletions"
  | "evictions"
  | "expirations"
>;

/** Near copies of a client, or of a `server.cache`, in {@linkcode ClientStats.near}: counters since it was made, and what it holds now. */
export interface NearCopyStats {
  /** Retrievals that a near copy has answered; they count among the client's `hits` too. */
  hits: number;
  /**
   * Retrievals of which there was a near copy, but the client could not show that it is fresh enough, and asked the server: the
   * server has not answered for `maxStaleMs`, or has not been asked for as long. In a `server.cache` there are none.
   */
  fenced: number;
  /** Near copies dropped because the server said that their keys may have changed. */
  invalidations: number;
  /** Near copies held now. */
  entries: number;
  /** Whether near copies are kept now: the client is connected, and its server tells of changes. A `server.cache` always keeps them. */
  isOn: boolean;
}

/** What `stats()` of an `OrmucoCache` returns: counters of the calls made through it since it was made. */
export interface ClientStats {
  /** Address of the server that a client is connected to; `undefined` while it is not, or if it has no servers. */
  connectedTo: string | undefined;
  /**
   * Values that `retrieve`, `retrieveEntry`, `retrieveMany`, `retrieveOrStore` and `take` found; callers who share a computation have
   * asked once.
   */
  hits: number;
  /** Values that these did not find, because there was none that is fresh or the call failed. */
  misses: number;
  /** Values that `store`, `storeMany` and `retrieveOrStore` have stored. */
  stores: number;
  /** Calls that failed, by the code of their error. */
  failures: Record<CacheErrorCode, number>;
  /**
   * Entries held now by a stand-alone client, or by the server of a `server.cache`; `undefined` with remote servers. Those that a
   * namespace's `clear` has removed may count for a moment still.
   */
  entries: number | undefined;
  /** Near copies; only of a client with servers, or a server's own cache, that was given the option `near`. */
  near?: NearCopyStats;
  /** The server's own statistics; `undefined` in a stand-alone client, or if no server can be reached. */
  server: Partial<ServerStats> | undefined;
}
