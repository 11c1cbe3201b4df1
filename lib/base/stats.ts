/** What a server counts, and sends to those who ask; what a client counts. */

import type { CacheErrorCode } from "./errors.ts";

/** A peer, as `stats` and `peers` show it. */
export interface PeerStats {
  /** Where it is, as far as is known: as `peers` lists it, or else the address that it connected from. */
  address: string;
  /**
   * `connected`, `connecting`, `waiting` (for the next attempt), `self` (this server's own address),
   * `duplicate` (the same peer as another address), or `incompatible` (its build speaks other messages than this one).
   */
  state: "connected" | "connecting" | "waiting" | "self" | "duplicate" | "incompatible";
  /** Its number among peers, new at each of its starts; 0 while that is not known. */
  id: number;
  /** Why it is not connected: what failed last. Empty if nothing has. */
  error: string;
  /** Milliseconds that it took to answer the last round; -1 before the first. */
  roundTripMs: number;
  /** Milliseconds since it last answered a round; -1 before the first. */
  lastRoundMs: number;
  /** Writes held here that it lacked when it was last heard. */
  lag: number;
  /** Whether this server is catching up with it: asking for what it lacks itself. */
  catchingUp: boolean;
  /** Bytes received from it since the connection was made. */
  bytesReceived: number;
  /** Bytes sent to it since the connection was made. */
  bytesSent: number;
  /** Writes received from it that were news. */
  entriesReceived: number;
  /** Writes sent to it. */
  entriesSent: number;
  /** Since this server started, messages that were not taken … because its clock is more than a minute ahead, … */
  refusedFuture: number;
  /** … because they were none or could not be true (that ends the connection), … */
  refusedBad: number;
  /** … and messages to it that were dropped because it does not read fast enough. */
  droppedFull: number;
}

/** What replication has done since the server was made. */
export interface GossipTotals {
  /** Writes of other servers applied. */
  applied: number;
  /** Writes received that were no news. */
  repeated: number;
  /** Writes sent to peers that asked for what they lack. */
  sent: number;
  /** Writes sent to peers at once. */
  pushed: number;
  /** Pushes received that did not follow what is known. */
  gaps: number;
  /** Deadlines that hits on other servers have put off. */
  extended: number;
  /** Messages refused because the sender's clock is more than a minute ahead. */
  fromFuture: number;
  /** Verifications of entries that may have been deleted elsewhere. */
  verifications: number;
  /** Entries that these have dropped. */
  unconfirmed: number;
}

/** Statistics of a server: counters since it was made, and what it holds now. */
export interface ServerStats {
  /** Name and version. */
  server: string;
  /** Milliseconds since the server started. */
  uptimeMs: number;
  /** Entries held now. */
  entries: number;
  /** Bytes of keys, values and their overhead held now. */
  bytes: number;
  /** Bytes of memory held for entries, with the room between them: this is what `maxBytes` limits. */
  memoryBytes: number;
  /** Entries held at most; 0 is no limit. */
  maxSize: number;
  /** Bytes of memory held at most; 0 is no limit. */
  maxBytes: number;
  /** Retrievals that found an entry. */
  hits: number;
  /** Retrievals that did not. */
  misses: number;
  /** Entries stored. */
  stores: number;
  /** Entries removed by callers. */
  deletions: number;
  /** Entries removed for room. */
  evictions: number;
  /** Entries removed by time. */
  expirations: number;
  /** Connections open now. */
  connections: number;
  /** Connections accepted. */
  connectionsAccepted: number;
  /** Connections turned away because there were too many. */
  connectionsRefused: number;
  /** Requests answered. */
  requests: number;
  /** Requests refused. */
  refusals: number;
  /** Connections ended because of bytes that are not the protocol. */
  protocolErrors: number;
  /** Bytes received from clients. */
  bytesReceived: number;
  /** Bytes sent to clients. */
  bytesSent: number;
  /** What replication has done. */
  gossip: GossipTotals;
  /** Peers: those listed, and those that have connected. */
  peers: PeerStats[];
}

/** What a store counts, and what it holds now. */
export type StoreStats = Pick<
  ServerStats,
  "entries" | "bytes" | "memoryBytes" | "hits" | "misses" | "stores" | "deletions" | "evictions" | "expirations"
>;

/** What `OrmucoCacheClient.stats` returns. */
export interface ClientStats {
  /** Server in use, or `undefined` while there is none. */
  connectedTo: string | undefined;
  /** Values that `retrieve` and `retrieveMany` found. */
  hits: number;
  /** Values that they did not find, failed calls included. */
  misses: number;
  /** Values stored. */
  stores: number;
  /** Calls that failed, by reason. */
  failures: Record<CacheErrorCode, number>;
  /** Stand-alone: entries in memory. */
  entries: number | undefined;
  /** The server's own statistics; `undefined` stand-alone, or if it cannot be reached. */
  server: Partial<ServerStats> | undefined;
}
