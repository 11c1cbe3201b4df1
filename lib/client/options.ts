/** A client's options: their defaults and their checks. */

import { type Address, isReachable, parseAddress } from "../base/address.ts";
import type { CacheEvent } from "../base/cache_event.ts";
import type { CacheError } from "../base/errors.ts";
import { MAX_ENTRIES, MAX_PORT } from "../base/limits.ts";
import {
  BOOLEAN_OPTION,
  checkOptions,
  FILE_OPTION,
  FUNCTION_OPTION,
  listOption,
  numberOption,
  type OptionRules,
  textOption,
  TIMEOUT_OPTION,
  TTL_OPTION,
} from "../base/options.ts";
import { COPY_DEFAULTS, COPY_RULES, nearOption } from "../base/near_options.ts";
import { CODEC_OPTION, COMPRESS_OPTION, type ValueCodec } from "../base/value_options.ts";
import type { NearLimits } from "../near/near_tier.ts";
import { CLIENT_TLS_OPTION, type ClientTlsOptions, whyNoTls } from "../base/tls_options.ts";
import { type TokenSource, tokenSource } from "./token_source.ts";
import { warnOnce } from "./warnings.ts";

/** Options of near copies, in {@linkcode ClientOptions.near}. */
export interface NearOptions {
  /**
   * Copies held at most: a whole number from 1 to 16,777,215, or `Infinity`.
   *
   * @default {1000}
   */
  maxSize?: number;
  /**
   * Bytes held at most, more than 0: values as they come from the server (unpacked), keys, and 128 for each copy. What is made of a value
   * may take more memory than that: objects take several times as much as their JSON.
   *
   * @default {67108864}
   */
  maxTotalSize?: number;
  /**
   * Milliseconds for which this client may still see an entry that another has replaced, removed, or let expire: 20 to 60,000, or 0 to
   * keep no copies. That long is only what a failure takes, such as a server that hangs: by itself a change is told at once.
   *
   * @default {1000}
   */
  maxStaleMs?: number;
  /**
   * Whether each call returns a value of its own. Without it **a value handed out twice is the same object**: code that changes it
   * changes it for all in this process that retrieve it, until the entry changes.
   *
   * @default {false}
   */
  copies?: boolean;
}

/** Options of {@linkcode OrmucoCacheClient}. */
export interface ClientOptions {
  /**
   * Servers as `host`, `host:port`, `[ipv6]:port` or `unix:/path`; the port is 11142 unless given, and not 0. When a server fails,
   * the client goes on with the next one and its entries. Without servers the client is stand-alone: it keeps the values
   * themselves in this process's memory, or copies (see `copies`).
   *
   * @default {[]}
   */
  servers?: string[];
  /**
   * Milliseconds after which a call to a server counts as failed, from the end of the turn of the event loop in which it is
   * made; more than 0 and below 2³⁰.
   *
   * @default {1000}
   */
  timeoutMs?: number;
  /**
   * Called with the reason of each failure; one that several calls share, such as a lost connection, is passed once. An
   * error that `onError` throws is ignored. Without this option, the first failure of each kind is said once by `console.warn`,
   * and all are counted in `stats()`.
   */
  onError?: (error: CacheError) => void;
  /**
   * Called with each {@linkcode CacheEvent}: what this client's calls find, store and remove, failures, and when it has a server again
   * after it had lost one; without servers also what leaves by itself. It may call the client, and what it does takes part in the
   * call's time; an error that it throws is ignored. docs/events.md has more, and the channels of `node:diagnostics_channel` on
   * which the events of all caches are heard.
   *
   * @default {none}
   */
  onEvent?: (event: CacheEvent) => void;
  /**
   * Milliseconds until an entry that this client stores expires; 0 or `Infinity` means never.
   *
   * @default {the server's own setting; 3600000 stand-alone}
   */
  ttlMs?: number;
  /**
   * Entries held at most by a stand-alone client: a whole number from 1 to 16,777,215, or `Infinity`. With servers this
   * option has no effect, which a warning says.
   *
   * @default {128}
   */
  maxSize?: number;
  /**
   * Whether a hit restarts the entry's time to live, in a stand-alone client. A server follows its own setting: with
   * servers this option has no effect, which a warning says.
   *
   * @default {true}
   */
  renewOnHit?: boolean;
  /**
   * Whether a stand-alone client checks and copies values as a client with servers does, so that code which works with the one
   * works with the other: it then refuses what a server cannot keep (class instances, functions, what has more than 16 MiB), and
   * gives a copy to whoever retrieves. Without it, values themselves are kept, of any kind, and all who retrieve one share it.
   * A client with servers always copies, but for what its option `near` keeps.
   *
   * @default {false}
   */
  copies?: boolean;
  /**
   * The token with which the client proves itself to servers, and servers prove themselves to it: a secret of 8 to 256 characters,
   * or a name, a colon and a secret. It is not sent. With a token, a server that asks for none is not used.
   *
   * @default {none}
   */
  authToken?: string;
  /**
   * A file that holds that token alone; it is read for each connection anew.
   *
   * @default {none}
   */
  authTokenFile?: string;
  /**
   * How connections to servers are encrypted, but those to unix sockets: `true` believes the system's authorities. Needs
   * Deno 2.8.1 or later.
   *
   * @default {undefined}
   */
  tls?: true | ClientTlsOptions;
  /**
   * Whether the client keeps copies of values that it has retrieved, which answer `retrieve` and `retrieveMany` without a question to the
   * server; `true` is all defaults. The server tells of each change, and a copy is used only while it is shown that it has; another
   * client's change may be seen up to `maxStaleMs` late. **A value handed out twice is the same object**, unless `near.copies` is true. A server
   * that does not know of this is used without copies, which `stats()` shows.
   *
   * @default {undefined}
   */
  near?: true | NearOptions;
  /**
   * Bytes of an encoded value over which it is compressed, where that makes it smaller: a whole number from 0 to 16,777,216. That takes
   * 5 to 30 ms for each MiB, in which this process does nothing else. In a stand-alone client it needs `copies`.
   *
   * @default {undefined, which compresses nothing}
   */
  compressOverBytes?: number;
  /**
   * A serializer of your own: it encodes all values that this client stores, and only clients with such a codec read them; what
   * others have stored is read as ever. `store` rejects with what `encode` throws; what `decode` throws makes a miss, of which
   * `onError` is told. In a stand-alone client it needs `copies`.
   *
   * @default {undefined}
   */
  codec?: ValueCodec;
}

const DEFAULT_TIMEOUT_MS = 1000;
/** Limits of near copies where none are given. */
const NEAR_DEFAULTS: NearLimits = { ...COPY_DEFAULTS, maxStaleMs: 1000 };

const NEAR_RULES: OptionRules<NearOptions> = {
  ...COPY_RULES,
  maxStaleMs: {
    allowed: "20 to 60000, or 0",
    isType: (value) => typeof value === "number",
    accepts: (value: number) => value === 0 || (value >= 20 && value <= 60_000),
  },
};

const RULES: OptionRules<ClientOptions> = {
  servers: listOption(
    "an array of text",
    textOption(
      `"host", "host:port" (port 1 to ${MAX_PORT}), "[ipv6]:port" or "unix:/path"`,
      (text) => isReachable(parseAddress(text)),
    ),
  ),
  timeoutMs: TIMEOUT_OPTION,
  onError: FUNCTION_OPTION,
  onEvent: FUNCTION_OPTION,
  ttlMs: TTL_OPTION,
  maxSize: numberOption({ least: 1, most: MAX_ENTRIES, isWhole: true, orInfinity: true }),
  renewOnHit: BOOLEAN_OPTION,
  copies: BOOLEAN_OPTION,
  authToken: textOption("text", () => true, true), // what a token is, `tokenSource` checks
  authTokenFile: FILE_OPTION,
  tls: CLIENT_TLS_OPTION,
  near: nearOption(NEAR_RULES),
  compressOverBytes: COMPRESS_OPTION,
  codec: CODEC_OPTION,
};

/** Options that have an effect only in a client without servers, and those that have one only with servers. */
const ALONE = ["maxSize", "renewOnHit"] as const;
const WITH_SERVERS = ["authToken", "authTokenFile", "tls", "near"] as const;
/** Options that have none in a client without servers that does not copy values. */
const OF_COPIES = ["compressOverBytes", "codec"] as const;

/** Options of a client, complete and checked. */
export interface ResolvedClientOptions {
  readonly servers: readonly Address[];
  readonly timeoutMs: number;
  readonly onError: ((error: CacheError) => void) | undefined;
  readonly onEvent: ((event: CacheEvent) => void) | undefined;
  readonly ttlMs: number | undefined;
  readonly maxSize: number | undefined;
  readonly renewOnHit: boolean | undefined;
  readonly copies: boolean | undefined;
  readonly token: TokenSource | undefined;
  readonly tls: ClientTlsOptions | undefined;
  readonly near: NearLimits | undefined;
  readonly compressOverBytes: number | undefined;
  readonly codec: ValueCodec | undefined;
}

/**
 * Completes and checks a client's options; those that have no effect beside the others are warned of once.
 *
 * @throws {RangeError} If an option is not allowed.
 * @throws {TypeError} If there is no option of that name.
 */
export function resolveClientOptions(options: ClientOptions): ResolvedClientOptions {
  const checked = checkOptions("create client", options, RULES);
  const { timeoutMs = DEFAULT_TIMEOUT_MS, onError, onEvent, ttlMs, maxSize, renewOnHit, copies } = checked;
  const servers = (checked.servers ?? []).map((text) => parseAddress(text)!);
  const isAlone = servers.length === 0;
  const inVain: string[] = (isAlone ? WITH_SERVERS : ALONE).filter((name) => checked[name] !== undefined);
  if (!isAlone && copies === false) inVain.push("copies: false"); // true is what they do
  warnInVain(
    inVain,
    isAlone ? "in a client without servers" : "in a client with servers, which have settings of their own",
  );
  if (isAlone && copies !== true) {
    warnInVain(
      OF_COPIES.filter((name) => checked[name] !== undefined),
      "in a client without servers, unless copies is true",
    );
  }
  return {
    servers,
    timeoutMs,
    onError,
    onEvent,
    ttlMs,
    maxSize,
    renewOnHit,
    copies,
    token: tokenSource(checked),
    tls: tlsOf(checked.tls),
    near: checked.near && { ...NEAR_DEFAULTS, ...(checked.near === true ? {} : checked.near) },
    compressOverBytes: checked.compressOverBytes,
    codec: checked.codec,
  };
}

/** Warns of options that have no effect, if there are any. */
function warnInVain(names: readonly string[], where: string): void {
  if (names.length === 0) return;
  warnOnce(`OrmucoCacheClient: ${names.join(" and ")} ${names.length === 1 ? "has" : "have"} no effect ${where}`);
}

/** Returns options for TLS. */
function tlsOf(tls: ClientOptions["tls"]): ClientTlsOptions | undefined {
  if (tls === undefined) return undefined;
  const why = whyNoTls(Deno.version.deno);
  if (why !== undefined) throw new RangeError(`Cannot create client: ${why}`);
  if (tls === true) return {};
  if ((tls.cert === undefined) === (tls.key === undefined)) return tls;
  throw new RangeError("Cannot create client: tls.cert and tls.key must be given together");
}
