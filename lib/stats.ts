/** What a server counts, and sends to those who ask. */

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
  /** Bytes received. */
  bytesReceived: number;
  /** Bytes sent. */
  bytesSent: number;
}

/** What a store counts, and what it holds now. */
export type StoreStats = Pick<
  ServerStats,
  "entries" | "bytes" | "memoryBytes" | "hits" | "misses" | "stores" | "deletions" | "evictions" | "expirations"
>;
