/** A server's options: their defaults and their checks. */

import {
  type Address,
  DEFAULT_HTTP_PORT,
  DEFAULT_PORT,
  isReachable,
  isUnspecified,
  parseAddress,
} from "../base/address.ts";
import {
  DEFAULT_MAX_SIZE,
  DEFAULT_TTL_MS,
  MAX_FORGOTTEN,
  MAX_ITEM_BYTES,
  MAX_PORT,
  MAX_STORE_BYTES,
  MAX_TIMER_MS,
  MIN_BUFFERS,
  MIN_ITEM_BYTES,
  MIN_STORE_BYTES,
} from "../base/limits.ts";
import type { CacheEvent } from "../base/cache_event.ts";
import { COMPRESS_OPTION } from "../base/value_options.ts";
import { COPY_DEFAULTS, COPY_RULES, type CopyLimits, nearOption } from "../base/near_options.ts";
import {
  BOOLEAN_OPTION,
  checkOptions,
  FILE_OPTION,
  FUNCTION_OPTION,
  listOption,
  numberOption,
  type OptionRules,
  portOption,
  textOption,
  TTL_OPTION,
} from "../base/options.ts";
import {
  resolveAcme,
  type ResolvedTls,
  SERVER_TLS_OPTION,
  type ServerTlsOptions,
  whyNoTls,
} from "../base/tls_options.ts";
import { printable } from "../base/printable.ts";
import { isName, NAME_RULE } from "../base/token.ts";
import { machineMemory } from "../platform/machine_memory.ts";
import {
  CREDENTIAL_RULES,
  type CredentialOptions,
  type CredentialSource,
  credentialSources,
} from "./credential_sources.ts";
import type { Log, LogLevel } from "../base/log.ts";
import type { SnapshotSettings } from "./snapshots.ts";
import { fingerprintBytes, mostFingerprints } from "../store/fingerprint_size.ts";

/** Options of the near copies of a server's own cache, in {@linkcode ServerOptions.near}. */
export interface ServerNearOptions {
  /**
   * Copies held at most: a whole number from 1 to 16,777,215, or `Infinity`.
   *
   * @default {1000}
   */
  maxSize?: number;
  /**
   * Bytes held at most, more than 0: values as the store holds them, keys, and 128 for each copy. This comes beside `maxBytes`, and what
   * is made of a value may take more memory than that: objects take several times as much as their JSON.
   *
   * @default {67108864}
   */
  maxTotalSize?: number;
  /**
   * Whether each call returns a value of its own. Without it **a value handed out twice is the same object**: code that changes it
   * changes it for all in this process that retrieve it, until the entry changes. With it only text, numbers and the like are kept:
   * objects are decoded for each call, which takes less time than to copy them.
   *
   * @default {false}
   */
  copies?: boolean;
}

/**
 * Options of {@linkcode OrmucoCacheServer}.
 *
 * @example
 * ```ts
 * import { OrmucoCacheServer } from "@ormuco/cache/server";
 *
 * const server = new OrmucoCacheServer({
 *   listen: "10.0.0.2:11142",
 *   peers: ["10.0.0.1"],
 *   authTokenFile: "cache-token",
 *   maxBytes: 1024 ** 3,
 *   ttlMs: 600_000,
 *   log: (line, level) => level === "info" ? console.log(line) : console.error(level, line),
 * });
 * console.log(server.stats().maxBytes); // 1073741824
 * ```
 */
export interface ServerOptions extends CredentialOptions {
  /**
   * Where to listen: a port on the loopback interface, `host:port`, `[ipv6]:port` or `unix:/path`. Port 0 takes a free
   * one.
   *
   * @default {11142}
   */
  listen?: string | number;
  /**
   * Where to tell by HTTP how the server is (docs/metrics.md), as `listen` takes it: a port of its own, 9100 unless given, for
   * `/healthz`, `/readyz` and `/metrics`. Beyond this machine it needs `tls`, unless the server is `insecure`.
   *
   * @default {undefined}
   */
  http?: string | number;
  /**
   * Other servers to share entries with, as `host`, `host:port` or `[ipv6]:port`; the port is 11142 unless given. Of
   * two servers, one has to list the other. A name with many addresses is many peers; this server's own is passed over.
   *
   * @default {[]}
   */
  peers?: string[];
  /**
   * Name of the cluster: 1 to 64 letters, digits, and characters of `._@-`. Servers with another name, or with none where this
   * has one, are no peers, so that two clusters are not joined by mistake.
   *
   * @default {undefined}
   */
  cluster?: string;
  /**
   * Where peers reach this server, as `host`, `host:port` or `[ipv6]:port`, if that is not the address from which it connects
   * to them: behind network address translation, say. The port is 11142 unless given.
   *
   * @default {undefined}
   */
  advertise?: string;
  /**
   * Milliseconds between two look-ups of a name in `peers`, 1000 or more, where Deno does not permit to find out how long an
   * answer holds. A name is also looked up when one of its addresses does not answer.
   *
   * @default {30000}
   */
  peerLookupIntervalMs?: number;
  /**
   * Entries held at most, 1 or more; beyond that, the least recently used are evicted.
   *
   * @default {128, or no limit if `maxBytes` is given}
   */
  maxSize?: number;
  /**
   * Bytes of memory for entries: keys, values, their overhead and the room between them; 64 KiB to 16 GiB. About an
   * eighth is room between them, more below 4 MiB. The fingerprints of `maxForgotten` come out of it too.
   *
   * @default {16 GiB, or half of the memory that the machine or its control group has, if that is less}
   */
  maxBytes?: number;
  /**
   * Writes that have left (evicted, expired, or deleted long ago) of which the server keeps the fingerprint, so that a
   * peer can miss as many while it is away, and afterwards need not drop entries that nobody deleted; 0 to 1,469,644.
   * Each takes about 7 bytes of `maxBytes`, once there is one; all together 60 % of it at most.
   *
   * @default {1469644; where entries may take less than 76 MiB fewer: 734822 from 38 MiB on, 367411 from 4 MiB on}
   */
  maxForgotten?: number;
  /**
   * Milliseconds until an entry expires that was stored without a time to live of its own; 0 or `Infinity` means never.
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
   * Milliseconds between rounds with peers, 10 or more. In a round, servers compare what they hold and make up for
   * messages that were lost.
   *
   * @default {1000}
   */
  gossipIntervalMs?: number;
  /**
   * Milliseconds after its start when the server is `ready` in any case, though it has not caught up with all peers that it can
   * reach.
   *
   * @default {30000}
   */
  readyAfterMs?: number;
  /**
   * The path of a file in which the server keeps what it holds over a restart: it is loaded by the first start, if nothing has been
   * stored before, while the server serves already, and written at a stop and every `snapshotIntervalMs`. Values lie readable in it, for
   * this user alone. With `peers` it may be of any age: what those that it reaches have removed or overwritten since is never served.
   * Needs `--allow-read` and `--allow-write` for the file, and for that with `.new` and with `.refused` behind its name.
   * docs/replication.md says more.
   *
   * @default {undefined}
   */
  snapshotFile?: string;
  /**
   * Milliseconds between two snapshots, 1000 or more; `Infinity` for those at a stop only. What is stored and removed after the last one
   * is lost in a crash.
   *
   * @default {300000}
   */
  snapshotIntervalMs?: number;
  /**
   * Milliseconds after which a snapshot is not loaded any more; `Infinity` for never. What its entries are copies of may have
   * changed meanwhile, and a server without peers does not hear of that.
   *
   * @default {3600000}
   */
  snapshotMaxAgeMs?: number;
  /**
   * Connections of clients open at most, 1 or more; peers have 256 places of their own. For one beyond them, a client that has
   * sent no complete request yet makes room, the one that has been quiet for longest; if there is none, the new one is told
   * why and closed.
   *
   * @default {1000}
   */
  maxConnections?: number;
  /**
   * Connections of clients open from one address at most, 1 or more; more are told why and closed. Behind a proxy all clients have one
   * address.
   *
   * @default {Infinity}
   */
  maxConnectionsPerAddress?: number;
  /**
   * Bytes of memory, 18 MiB or more, in which requests and replies of all clients and peers wait that have arrived or
   * left in part. Beyond that the connection is closed that holds most, of those that have moved nothing for a second if
   * there is one.
   *
   * @default {37748736}
   */
  maxBuffers?: number;
  /**
   * Milliseconds without a byte after which a client that has no request under way is disconnected, 1000 or more.
   *
   * @default {Infinity}
   */
  idleTimeoutMs?: number;
  /**
   * Bytes at most of an item that a memcached client stores, counted as memcached does: value, key, and 59 or 63 bytes
   * of overhead; 1 KiB to 16 MiB.
   *
   * @default {1048576}
   */
  maxItemBytes?: number;
  /**
   * How connections are encrypted, those of clients and peers alike; without it they are not. Needs Deno 2.8.1 or later.
   *
   * @default {undefined}
   */
  tls?: ServerTlsOptions;
  /**
   * Whether the process may end though the server is started: neither its port nor its connections and timers keep it alive
   * then. For programs that something else keeps alive, such as those of `deno serve`, which end at SIGTERM only if nothing
   * does (docs/embedded.md).
   *
   * @default {false}
   */
  unref?: boolean;
  /**
   * Whether `server.cache` keeps the values that it has decoded, so that `retrieve`, `retrieveSync`, `retrieveMany` and `retrieveOrStore` need not decode
   * a key's value each time; `true` is all defaults. A copy is dropped as soon as its entry changes, whoever has changed it.
   * **A value handed out twice is the same object**, unless `near.copies` is true. Clients of the server have an option of their own.
   *
   * @default {undefined}
   */
  near?: true | ServerNearOptions;
  /**
   * Bytes of an encoded value over which `server.cache` compresses it, where that makes it smaller: a whole number from 0 to
   * 16,777,216. That takes 5 to 30 ms for each MiB, in which the server does nothing else. What clients send is kept as it comes.
   *
   * @default {undefined, which compresses nothing}
   */
  compressOverBytes?: number;
  /**
   * Called with each {@linkcode CacheEvent}: what calls of `server.cache` find, store and remove, values that they cannot read, and each
   * entry of the server that leaves by itself, whoever has stored it. It may use `server.cache`, and what it does takes part in the
   * call's time; an error that it throws is ignored. docs/events.md has more, and the channels of `node:diagnostics_channel` on
   * which the events of all caches are heard.
   *
   * @default {none}
   */
  onEvent?: (event: CacheEvent) => void;
  /**
   * Called with each line that the server logs, and its level, `info` or `warn`: where it listens, what its peers do, what
   * fails. An error that `log` throws is ignored.
   *
   * @default {console.log, and console.warn for warnings}
   */
  log?: (line: string, level: LogLevel) => void;
}

const DEFAULT_LOOKUP_INTERVAL_MS = 30_000;
const LEAST_LOOKUP_INTERVAL_MS = 1000;
const DEFAULT_GOSSIP_INTERVAL_MS = 1000;
const LEAST_GOSSIP_INTERVAL_MS = 10;
const DEFAULT_READY_AFTER_MS = 30_000;
const DEFAULT_SNAPSHOT_INTERVAL_MS = 300_000;
const LEAST_SNAPSHOT_INTERVAL_MS = 1000;
/** As long as an entry lives by default: what is older than that has mostly expired. */
const DEFAULT_SNAPSHOT_MAX_AGE_MS = 3_600_000;
export const DEFAULT_MAX_CONNECTIONS = 1000;
/** What two of the largest values need, and some for others. */
export const DEFAULT_MAX_BUFFERS = 36 * 1024 * 1024;
const LEAST_IDLE_TIMEOUT_MS = 1000;
const DEFAULT_MAX_ITEM_BYTES = 1024 * 1024;
/** Part of the memory for entries that fingerprints may take. */
const MOST_FINGERPRINTS_SHARE = 0.6;

/** Options of a server, complete and checked. */
export interface ResolvedServerOptions {
  readonly listen: Address;
  /** Where HTTP is spoken; `undefined` where it is not. */
  readonly http: Address | undefined;
  readonly peers: readonly Address[];
  /** The name of the cluster; empty if it has none. */
  readonly cluster: string;
  readonly maxSize: number;
  readonly maxBytes: number | undefined;
  /** Bytes that entries may take, also where `maxBytes` is not given; `isGuess` if nothing says how much memory there is. */
  readonly limitBytes: number;
  readonly isGuess: boolean;
  readonly maxForgotten: number;
  readonly ttlMs: number;
  readonly renewOnHit: boolean;
  readonly advertise: Address | undefined;
  readonly peerLookupIntervalMs: number;
  readonly gossipIntervalMs: number;
  readonly readyAfterMs: number;
  /** Where and when snapshots are made; `undefined` where none are. */
  readonly snapshots: SnapshotSettings | undefined;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxBuffers: number;
  readonly idleTimeoutMs: number;
  readonly maxItemBytes: number;
  /** Where credentials come from; none where nobody is asked who they are. */
  readonly credentials: readonly CredentialSource[];
  readonly insecure: boolean;
  readonly tls: ResolvedTls | undefined;
  /** Passes a line to the caller's `log`; it does not throw. */
  readonly unref: boolean;
  /** Limits of the near copies of the server's own cache; `undefined` where none are kept. */
  readonly near: CopyLimits | undefined;
  readonly compressOverBytes: number | undefined;
  readonly onEvent: ((event: CacheEvent) => void) | undefined;
  readonly log: Log;
}

const LISTEN_OPTION = portOption(
  `a port (0 to ${MAX_PORT}), "host:port", "[ipv6]:port" or "unix:/path"`,
  (text) => listenAddress(text) !== undefined,
);

const RULES: OptionRules<ServerOptions> = {
  listen: LISTEN_OPTION,
  http: LISTEN_OPTION,
  peers: listOption("an array of text", textOption('"host", "host:port" or "[ipv6]:port"', isPeer)),
  cluster: textOption(`a name (${NAME_RULE})`, isName),
  maxSize: numberOption({ least: 1, isWhole: true, orInfinity: true }),
  maxBytes: numberOption({ least: MIN_STORE_BYTES, most: MAX_STORE_BYTES }),
  maxForgotten: numberOption({ least: 0, most: MAX_FORGOTTEN, isWhole: true }),
  ttlMs: TTL_OPTION,
  renewOnHit: BOOLEAN_OPTION,
  advertise: textOption('where others reach it, as "host", "host:port" or "[ipv6]:port"', isElsewhere),
  peerLookupIntervalMs: numberOption({ least: LEAST_LOOKUP_INTERVAL_MS, most: MAX_TIMER_MS }),
  gossipIntervalMs: numberOption({ least: LEAST_GOSSIP_INTERVAL_MS, most: MAX_TIMER_MS }),
  readyAfterMs: numberOption({ least: 0 }),
  snapshotFile: FILE_OPTION,
  snapshotIntervalMs: numberOption({ least: LEAST_SNAPSHOT_INTERVAL_MS, orInfinity: true }),
  snapshotMaxAgeMs: numberOption({ least: 1, orInfinity: true }),
  maxConnections: numberOption({ least: 1, isWhole: true, orInfinity: true }),
  maxConnectionsPerAddress: numberOption({ least: 1, isWhole: true, orInfinity: true }),
  maxBuffers: numberOption({ least: MIN_BUFFERS }),
  idleTimeoutMs: numberOption({ least: LEAST_IDLE_TIMEOUT_MS }),
  maxItemBytes: numberOption({ least: MIN_ITEM_BYTES, most: MAX_ITEM_BYTES }),
  tls: SERVER_TLS_OPTION,
  unref: BOOLEAN_OPTION,
  near: nearOption(COPY_RULES),
  compressOverBytes: COMPRESS_OPTION,
  onEvent: FUNCTION_OPTION,
  log: FUNCTION_OPTION,
  ...CREDENTIAL_RULES,
};

/**
 * Completes and checks a server's options.
 *
 * @param memoryBytes Memory that this process may use, if that is known.
 * @throws {RangeError} If an option is not allowed.
 * @throws {TypeError} If there is no option of that name.
 */
export function resolveServerOptions(options: ServerOptions, memoryBytes?: number): ResolvedServerOptions {
  const checked = checkOptions("create server", options, RULES);
  const { maxBytes, log = sayOnConsole } = checked;
  const memory = maxBytes === undefined ? memoryBytes ?? machineMemory() : undefined;
  const limitBytes = maxBytes ?? defaultLimit(memory);
  const maxForgotten = checked.maxForgotten ?? mostFingerprints(limitBytes);
  checkForgotten(maxForgotten, limitBytes);
  const peers = (checked.peers ?? []).map((peer) => parseAddress(peer)!);
  return {
    listen: listenAddress(String(checked.listen ?? DEFAULT_PORT))!,
    http: checked.http === undefined ? undefined : listenAddress(String(checked.http), DEFAULT_HTTP_PORT),
    peers,
    cluster: checked.cluster ?? "",
    maxSize: checked.maxSize ?? (maxBytes === undefined ? DEFAULT_MAX_SIZE : Infinity),
    maxBytes,
    limitBytes,
    isGuess: maxBytes === undefined && memory === undefined,
    maxForgotten,
    ttlMs: checked.ttlMs ?? DEFAULT_TTL_MS,
    renewOnHit: checked.renewOnHit ?? true,
    advertise: checked.advertise === undefined ? undefined : parseAddress(checked.advertise),
    peerLookupIntervalMs: checked.peerLookupIntervalMs ?? DEFAULT_LOOKUP_INTERVAL_MS,
    gossipIntervalMs: checked.gossipIntervalMs ?? DEFAULT_GOSSIP_INTERVAL_MS,
    readyAfterMs: checked.readyAfterMs ?? DEFAULT_READY_AFTER_MS,
    snapshots: resolveSnapshots(checked),
    maxConnections: checked.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
    maxConnectionsPerAddress: checked.maxConnectionsPerAddress ?? Infinity,
    maxBuffers: checked.maxBuffers ?? DEFAULT_MAX_BUFFERS,
    idleTimeoutMs: checked.idleTimeoutMs ?? Infinity,
    maxItemBytes: checked.maxItemBytes ?? DEFAULT_MAX_ITEM_BYTES,
    credentials: credentialSources(checked, peers.length > 0),
    insecure: checked.insecure ?? false,
    tls: checked.tls && resolveTls(checked.tls),
    unref: checked.unref ?? false,
    near: checked.near && { ...COPY_DEFAULTS, ...(checked.near === true ? {} : checked.near) },
    compressOverBytes: checked.compressOverBytes,
    onEvent: checked.onEvent,
    log: (line, level = "info") => sayTo(log, line, level),
  };
}

/** Returns where and when snapshots are made. */
function resolveSnapshots(options: ServerOptions): SnapshotSettings | undefined {
  const { snapshotFile: path, snapshotIntervalMs, snapshotMaxAgeMs } = options;
  if (path === undefined && (snapshotIntervalMs ?? snapshotMaxAgeMs) !== undefined) {
    throw new RangeError("Cannot create server: snapshotIntervalMs and snapshotMaxAgeMs need snapshotFile");
  }
  return path === undefined ? undefined : {
    path,
    intervalMs: snapshotIntervalMs ?? DEFAULT_SNAPSHOT_INTERVAL_MS,
    maxAgeMs: snapshotMaxAgeMs ?? DEFAULT_SNAPSHOT_MAX_AGE_MS,
  };
}

/** Bytes that entries may take where `maxBytes` is not given: half of the memory that there is, and 16 GiB at most. */
function defaultLimit(memoryBytes = Infinity): number {
  return Math.max(MIN_STORE_BYTES, Math.min(MAX_STORE_BYTES, Math.floor(memoryBytes / 2)));
}

function sayOnConsole(line: string, level: LogLevel): void {
  if (level === "info") console.log(line);
  else console.warn(line);
}

/** Calls `log` and ignores its errors, which must not end a loop of the server. */
function sayTo(log: NonNullable<ServerOptions["log"]>, line: string, level: LogLevel): void {
  try {
    log(printable(line), level);
  } catch {
    // There is nobody else to report to.
  }
}

/** The address to listen on. */
function listenAddress(text: string, port?: number): Address | undefined {
  return parseAddress(text, { hostname: "127.0.0.1", port });
}

function isPeer(text: string): boolean {
  const address = parseAddress(text);
  return isReachable(address) && address.transport === "tcp";
}

/** Whether an address may be one at which others reach this server. */
function isElsewhere(text: string): boolean {
  return isPeer(text) && !isUnspecified(parseAddress(text)!);
}

/** Returns options for TLS. */
function resolveTls({ certFile, keyFile, acme, ...others }: ServerTlsOptions): ResolvedTls {
  const why = whyNoTls(Deno.version.deno);
  if (why !== undefined) throw new RangeError(`Cannot create server: ${why}`);
  if (acme !== undefined) {
    if (certFile !== undefined || keyFile !== undefined) {
      throw new RangeError("Cannot create server: tls must have acme, or certFile and keyFile: received both");
    }
    const resolved = resolveAcme(acme);
    return { ...others, acme: resolved, certFile: resolved.file, keyFile: resolved.file };
  }
  if (certFile !== undefined && keyFile !== undefined) return { ...others, certFile, keyFile };
  throw new RangeError(`Cannot create server: tls needs ${certFile === undefined ? "certFile" : "keyFile"}, or acme`);
}

/** Throws a `RangeError` if the fingerprints of `maxForgotten` would leave too little of `maxBytes` for entries. */
function checkForgotten(maxForgotten: number, maxBytes: number): void {
  const bytes = fingerprintBytes(maxForgotten);
  if (bytes <= MOST_FINGERPRINTS_SHARE * maxBytes) return;
  throw new RangeError(
    `Cannot create server: the fingerprints of maxForgotten (${maxForgotten}) must take ` +
      `${100 * MOST_FINGERPRINTS_SHARE} % of maxBytes (${maxBytes}) at most: they would take ${bytes} bytes`,
  );
}
