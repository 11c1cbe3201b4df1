/**
 * Turns settings from text into checked options, by one table of names, units and bounds. It does not know where the
 * text comes from: environment.ts and lib/cli read it.
 */

import { DEFAULT_PORT, formatAddress, isReachable, isUnspecified, parseAddress } from "./address.ts";
import type { LogLevel } from "./log.ts";
import {
  MAX_ENTRIES,
  MAX_FORGOTTEN,
  MAX_ITEM_BYTES,
  MAX_PORT,
  MAX_STORE_BYTES,
  MIN_BUFFERS,
  MIN_ITEM_BYTES,
  MIN_STORE_BYTES,
} from "./limits.ts";
import {
  BOOLEAN_WORDS,
  readBoolean,
  readBytes,
  readSeconds,
  readWhole,
  sizeText,
  TIME_EXAMPLES,
} from "./text_values.ts";
import { isName, NAME_RULE, parseToken, SECRET_RULE } from "./token.ts";
import {
  challengeAddress,
  type ClientTlsFiles,
  isDirectory,
  isHostName,
  type ServerAcmeOptions,
  type ServerTlsOptions,
} from "./tls_options.ts";

/** A setting's text, and for messages the place where it was found. */
export interface SettingText {
  readonly text: string;
  readonly from: string;
  /** Whether it was found under the setting's own name, with the prefix that no other program's has. */
  readonly isPrefixed?: boolean;
}

/** `ORMUCO_X` is the setting X, and wins over it. */
export const PREFIX = "ORMUCO_";

/** Settings by name; a setting that is absent or blank takes its default. */
export type Settings = ReadonlyMap<string, SettingText>;

/** A setting that cannot be used. Its message names the setting, the value, where it was found and what is allowed. */
export class ConfigError extends RangeError {
  /** The class's name. */
  override name = "ConfigError";
}

interface Setting<T> {
  /** The name of its environment variable. */
  readonly name: string;
  /** The allowed values, for messages. */
  readonly allowed: string;
  /** Whether messages must not show the text. */
  readonly isSecret?: true;
  /** Returns the value, or `undefined` if the text is not allowed. */
  readonly parse: (text: string) => T | undefined;
}

/** Seconds of an interval at most: a timer takes 2³¹ − 1 ms, and some of ours wait for twice the setting. */
const MAX_INTERVAL_SECONDS = 1_000_000;
const MAX_CONNECTIONS = 1_000_000;
const MAX_EXPIRATION_SECONDS = 1_000_000_000;

/** A size in bytes, of a whole number of KiB, MiB or GiB at least and at most. */
function sizeSetting(name: string, least: number, most: number): Setting<number> {
  const example = 2 * least;
  return {
    name,
    allowed: `a number of bytes from ${sizeText(least)} to ${sizeText(most)}, such as "${example}" or "${
      sizeText(example)
    }"`,
    parse: (text) => readBytes(text, least, most),
  };
}

const SETTINGS = {
  maxSize: {
    name: "CACHE_MAX_SIZE",
    allowed: `a whole number of entries from 1 to ${MAX_ENTRIES} (CACHE_MAX_BYTES limits their memory)`,
    parse: (text) => readWhole(text, 1, MAX_ENTRIES),
  } as Setting<number>,
  maxBytes: sizeSetting("CACHE_MAX_BYTES", MIN_STORE_BYTES, MAX_STORE_BYTES),
  maxItemBytes: sizeSetting("CACHE_MAX_ITEM_BYTES", MIN_ITEM_BYTES, MAX_ITEM_BYTES),
  maxBuffers: sizeSetting("CACHE_MAX_BUFFERS", MIN_BUFFERS, MAX_STORE_BYTES),
  maxConnections: {
    name: "CACHE_MAX_CONNECTIONS",
    allowed: `a whole number of connections from 1 to ${MAX_CONNECTIONS}`,
    parse: (text) => readWhole(text, 1, MAX_CONNECTIONS),
  } as Setting<number>,
  maxConnectionsPerAddress: {
    name: "CACHE_MAX_CONNECTIONS_PER_ADDRESS",
    allowed: `a whole number of connections from 0 (no limit) to ${MAX_CONNECTIONS}`,
    parse: (text) => readWhole(text, 0, MAX_CONNECTIONS),
  } as Setting<number>,
  idleTimeoutMs: {
    name: "CACHE_IDLE_TIMEOUT",
    allowed: `0 (never), or seconds from 1 to ${MAX_INTERVAL_SECONDS}, ${TIME_EXAMPLES}`,
    parse: (text) => seconds(text, 0, 0) ?? seconds(text, 1, MAX_INTERVAL_SECONDS),
  } as Setting<number>,
  maxForgotten: {
    name: "CACHE_MAX_FORGOTTEN",
    allowed: `a whole number of writes from 0 to ${MAX_FORGOTTEN}`,
    parse: (text) => readWhole(text, 0, MAX_FORGOTTEN),
  } as Setting<number>,
  ttlMs: {
    name: "CACHE_EXPIRATION",
    allowed: `seconds from 0 (never) to ${MAX_EXPIRATION_SECONDS}, ${TIME_EXAMPLES}`,
    parse: (text) => seconds(text, 0, MAX_EXPIRATION_SECONDS),
  } as Setting<number>,
  renewOnHit: {
    name: "CACHE_RENEW_ON_HIT",
    allowed: BOOLEAN_WORDS,
    parse: readBoolean,
  } as Setting<boolean>,
  timeoutMs: {
    name: "NETWORK_TIMEOUT",
    allowed: `seconds from 0.001 to ${MAX_INTERVAL_SECONDS}, ${TIME_EXAMPLES}`,
    parse: (text) => seconds(text, 0.001, MAX_INTERVAL_SECONDS),
  } as Setting<number>,
  serverPort: {
    name: "SERVER_PORT",
    allowed: `a port from 1 to ${MAX_PORT}`,
    parse: (text) => readWhole(text, 1, MAX_PORT),
  } as Setting<number>,
  serverHost: {
    name: "SERVER_HOST",
    allowed: 'hosts as "host", "host:port", "[ipv6]:port" or "unix:/path", separated by commas',
    parse: (text) => addressList(text, ["tcp", "unix"]),
  } as Setting<string[]>,
  listen: listenSetting("LISTEN_ON"),
  http: listenSetting("HTTP_ON", /^(on|off|true|false|yes|no)$/i), // who means a switch means no host of that name
  peers: {
    name: "PEERS",
    allowed: 'peers as "host", "host:port" or "[ipv6]:port", separated by commas',
    parse: (text) => addressList(text, ["tcp"]),
  } as Setting<string[]>,
  cluster: {
    name: "CLUSTER",
    allowed: `the name of a cluster (${NAME_RULE})`,
    parse: (text) => isName(text) ? text : undefined,
  } as Setting<string>,
  advertise: {
    name: "ADVERTISE",
    allowed: 'where others reach it, as "host", "host:port" or "[ipv6]:port"',
    parse: (text) => {
      const address = parseAddress(text.trim());
      const isOne = !text.includes(",") && address !== undefined && !isUnspecified(address);
      return isOne ? addressList(text, ["tcp"])?.[0] : undefined;
    },
  } as Setting<string>,
  peerLookupIntervalMs: {
    name: "PEER_LOOKUP_INTERVAL",
    allowed: `seconds from 1 to ${MAX_INTERVAL_SECONDS}, ${TIME_EXAMPLES}`,
    parse: (text) => seconds(text, 1, MAX_INTERVAL_SECONDS),
  } as Setting<number>,
  gossipIntervalMs: {
    name: "GOSSIP_INTERVAL",
    allowed: `seconds from 0.01 to ${MAX_INTERVAL_SECONDS}, ${TIME_EXAMPLES}`,
    parse: (text) => seconds(text, 0.01, MAX_INTERVAL_SECONDS),
  } as Setting<number>,
  readyAfterMs: {
    name: "READY_AFTER",
    allowed: `seconds from 0 to ${MAX_INTERVAL_SECONDS}`,
    parse: (text) => seconds(text, 0, MAX_INTERVAL_SECONDS),
  } as Setting<number>,
  snapshotFile: fileSetting("SNAPSHOT_FILE"),
  snapshotIntervalMs: {
    name: "SNAPSHOT_INTERVAL",
    allowed: `0 (at a stop only), or seconds from 1 to ${MAX_INTERVAL_SECONDS}, ${TIME_EXAMPLES}`,
    parse: (text) => seconds(text, 0, 0) ?? seconds(text, 1, MAX_INTERVAL_SECONDS),
  } as Setting<number>,
  snapshotMaxAgeMs: {
    name: "SNAPSHOT_MAX_AGE",
    allowed: `0 (any age), or seconds from 1 to ${MAX_EXPIRATION_SECONDS}, ${TIME_EXAMPLES}`,
    parse: (text) => seconds(text, 0, 0) ?? seconds(text, 1, MAX_EXPIRATION_SECONDS),
  } as Setting<number>,
  authToken: tokenSetting("AUTH_TOKEN"),
  authTokenFile: fileSetting("AUTH_TOKEN_FILE"),
  authFile: fileSetting("AUTH_FILE"),
  peerToken: tokenSetting("PEER_TOKEN"),
  peerTokenFile: fileSetting("PEER_TOKEN_FILE"),
  tls: {
    name: "TLS",
    allowed: BOOLEAN_WORDS,
    parse: readBoolean,
  } as Setting<boolean>,
  certFile: fileSetting("TLS_CERT"),
  keyFile: fileSetting("TLS_KEY"),
  caFile: fileSetting("TLS_CA"),
  clientCaFile: fileSetting("TLS_CLIENT_CA"),
  acmeHost: {
    name: "ACME_HOST",
    allowed: 'the name of a host, such as "cache.example.com"',
    parse: (text) => isHostName(text) ? text : undefined,
  } as Setting<string>,
  acmeEmail: {
    name: "ACME_EMAIL",
    allowed: "an address of mail",
    parse: (text) => /^[^\s@]+@[^\s@]+$/.test(text) ? text : undefined,
  } as Setting<string>,
  acmeDirectory: {
    name: "ACME_DIRECTORY",
    allowed: "a URL with https:",
    parse: (text) => isDirectory(text) ? text : undefined,
  } as Setting<string>,
  acmeFolder: { name: "ACME_FOLDER", allowed: "the name of a folder", parse: (text) => text } as Setting<string>,
  acmeListen: {
    name: "ACME_LISTEN_ON",
    allowed: `"port" (0 to ${MAX_PORT}), "host:port" or "[ipv6]:port"`,
    parse: (text) => challengeAddress(text) && text,
  } as Setting<string>,
  logFormat: wordSetting("LOG_FORMAT", ["text", "json"]),
  logLevel: wordSetting("LOG_LEVEL", ["info", "warn", "error"]),
};

/** Where to listen. */
function listenSetting(name: string, never?: RegExp): Setting<string> {
  const allowed = `"port" (0 to ${MAX_PORT}), "host:port", "[ipv6]:port" or "unix:/path"`;
  const isAllowed = (text: string) => parseAddress(text, { hostname: "localhost" }) !== undefined && !never?.test(text);
  return { name, allowed, parse: (text) => isAllowed(text) ? text : undefined };
}

function tokenSetting(name: string): Setting<string> {
  const allowed = `a secret, or a name, a colon and a secret (${SECRET_RULE}; ${NAME_RULE})`;
  return { name, allowed, isSecret: true, parse: (text) => parseToken(text) && text };
}

function wordSetting<Word extends string>(name: string, words: readonly Word[]): Setting<Word> {
  const allowed = `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
  return { name, allowed, parse: (text) => words.find((word) => word === text.toLowerCase()) };
}

function fileSetting(name: string): Setting<string> {
  return { name, allowed: "the path of a file", parse: (text) => text };
}

/** The settings of a client, those that it looks at only if it has servers, and those that no server looks at. */
const ALONE = ["serverHost", "ttlMs", "maxSize", "renewOnHit"] as const;
const WITH_SERVERS = [
  ...["serverHost", "serverPort", "timeoutMs", "ttlMs", "authToken", "authTokenFile"] as const,
  ...["tls", "caFile", "certFile", "keyFile"] as const,
];
const NOT_OF_SERVERS: readonly string[] = ["serverHost", "serverPort", "timeoutMs"];
/** The settings of the command line alone. */
const OF_COMMAND_LINE: readonly string[] = ["logFormat", "logLevel"];

/** The names of all settings' environment variables. */
export const SETTING_NAMES: readonly string[] = Object.values(SETTINGS).map(({ name }) => name);

/** The names of the settings that a client looks at. */
export const CLIENT_SETTING_NAMES: readonly string[] = [
  ...new Set([...ALONE, ...WITH_SERVERS].map((option) => SETTINGS[option].name)),
];

/** The names of the settings that `cli.ts serve` looks at. */
export const SERVER_SETTING_NAMES: readonly string[] = Object.entries(SETTINGS)
  .flatMap(([option, { name }]) => NOT_OF_SERVERS.includes(option) ? [] : [name]);

/** Options that settings give a client. */
export interface ClientSettings {
  servers: string[];
  timeoutMs?: number;
  ttlMs?: number;
  maxSize?: number;
  renewOnHit?: boolean;
  authToken?: string;
  authTokenFile?: string;
  /** Files of a connection that is encrypted; `undefined` for one that is not. */
  tlsFiles?: ClientTlsFiles;
}

/** Options that settings give a server. */
export interface ServerSettings {
  listen?: string;
  http?: string;
  peers?: string[];
  cluster?: string;
  advertise?: string;
  peerLookupIntervalMs?: number;
  gossipIntervalMs?: number;
  readyAfterMs?: number;
  snapshotFile?: string;
  snapshotIntervalMs?: number;
  snapshotMaxAgeMs?: number;
  maxSize?: number;
  maxBytes?: number;
  maxItemBytes?: number;
  maxForgotten?: number;
  maxBuffers?: number;
  maxConnections?: number;
  maxConnectionsPerAddress?: number;
  idleTimeoutMs?: number;
  ttlMs?: number;
  renewOnHit?: boolean;
  authToken?: string;
  authTokenFile?: string;
  authFile?: string;
  peerToken?: string;
  peerTokenFile?: string;
  tls?: ServerTlsOptions;
}

/**
 * Returns options for a client. It looks at those settings only that have an effect in it: others may be another program's.
 *
 * @throws {ConfigError} If one of them is bad.
 */
export function clientOptions(settings: Settings): ClientSettings {
  if (!isSet(settings, SETTINGS.serverHost.name)) {
    const { ttlMs, maxSize, renewOnHit } = readAll(settings, ALONE);
    return { servers: [], ttlMs, maxSize, renewOnHit };
  }
  const { serverHost = [], serverPort, timeoutMs, ttlMs, authToken, authTokenFile, ...files } = //
    readAll(settings, WITH_SERVERS);
  checkPair(settings);
  const port = serverPort ?? DEFAULT_PORT;
  const servers = serverHost.map((host) => formatAddress(parseAddress(host, { port })!));
  const { tls = files.caFile !== undefined, caFile, certFile, keyFile } = files;
  const tlsFiles = tls ? { caFile, certFile, keyFile } : undefined;
  return { servers, timeoutMs, ttlMs, authToken, authTokenFile, tlsFiles };
}

/**
 * The settings of a client within a program: where one has the prefix, those without it are the program's own.
 *
 * @returns The client's, and the names of those that are passed over.
 */
export function ownSettings(settings: Settings): { own: Settings; others: string[] } {
  const found = [...settings].filter(([name]) => CLIENT_SETTING_NAMES.includes(name));
  const own = found.filter(([, { isPrefixed }]) => isPrefixed);
  if (own.length === 0) return { own: settings, others: [] };
  return { own: new Map(own), others: found.filter((setting) => !own.includes(setting)).map(([name]) => name) };
}

/**
 * Returns options for a server. It does not look at settings that only clients have.
 *
 * @throws {ConfigError} If one of the others is bad.
 */
export function serverOptions(settings: Settings): ServerSettings {
  const others = [...NOT_OF_SERVERS, ...OF_COMMAND_LINE];
  const ofServers = Object.keys(SETTINGS).filter((option) => !others.includes(option));
  const { tls: required, certFile, keyFile, caFile, clientCaFile, ...rest } = readAll(
    settings,
    ofServers as (keyof typeof SETTINGS)[],
  ) as Omit<Values, "serverHost" | "serverPort" | "timeoutMs" | "logFormat" | "logLevel">;
  const { acmeHost, acmeEmail, acmeDirectory, acmeFolder, acmeListen, ...options } = rest;
  const acme = acmeHost === undefined
    ? undefined
    : { host: acmeHost, email: acmeEmail, directory: acmeDirectory, folder: acmeFolder, listen: acmeListen };
  const { maxConnectionsPerAddress, idleTimeoutMs, snapshotIntervalMs, snapshotMaxAgeMs } = options;
  for (const name of ["SNAPSHOT_INTERVAL", "SNAPSHOT_MAX_AGE"]) {
    if (options.snapshotFile !== undefined || !isSet(settings, name)) continue;
    throw new ConfigError(`Cannot use ${named(settings, name)}: it needs SNAPSHOT_FILE beside it`);
  }
  return {
    ...options,
    snapshotIntervalMs: snapshotIntervalMs === 0 ? Infinity : snapshotIntervalMs,
    snapshotMaxAgeMs: snapshotMaxAgeMs === 0 ? Infinity : snapshotMaxAgeMs,
    maxConnectionsPerAddress: maxConnectionsPerAddress === 0 ? undefined : maxConnectionsPerAddress,
    idleTimeoutMs: idleTimeoutMs === 0 ? undefined : idleTimeoutMs,
    tls: hasCertificate(settings, required, acme)
      ? { certFile, keyFile, acme, caFile, clientCaFile, required }
      : undefined,
  };
}

/**
 * Returns how the command line writes a server's log; a server within a program does not look at this.
 *
 * @throws {ConfigError} If a setting is bad.
 */
export function logOptions(settings: Settings): { format: "text" | "json"; level: LogLevel } {
  const { logFormat = "text", logLevel = "info" } = readAll(settings, ["logFormat", "logLevel"]);
  return { format: logFormat, level: logLevel };
}

/** Whether there are a certificate and its key. @throws {ConfigError} If there is one of them only. */
function checkPair(settings: Settings): boolean {
  const [hasCert, hasKey] = ["TLS_CERT", "TLS_KEY"].map((name) => isSet(settings, name));
  if (hasCert !== hasKey) {
    const [one, other] = hasCert ? ["TLS_CERT", "TLS_KEY"] : ["TLS_KEY", "TLS_CERT"];
    throw new ConfigError(`Cannot use ${named(settings, one)}: it needs ${other} beside it`);
  }
  return hasCert;
}

/** Whether a server has or gets a certificate. Without one it can do nothing with other settings for TLS. */
function hasCertificate(settings: Settings, required?: boolean, acme?: ServerAcmeOptions): boolean {
  const hasPair = checkPair(settings);
  if (hasPair && acme !== undefined) {
    const [one, other] = ["ACME_HOST", "TLS_CERT"].map((name) => named(settings, name));
    throw new ConfigError(`Cannot use ${one} beside ${other}: a server has one certificate`);
  }
  if (hasPair || acme !== undefined) return true;
  const ofAcme = ["ACME_EMAIL", "ACME_DIRECTORY", "ACME_FOLDER", "ACME_LISTEN_ON"].find((name) =>
    isSet(settings, name)
  );
  if (ofAcme !== undefined) {
    throw new ConfigError(`Cannot use ${named(settings, ofAcme)}: it needs ACME_HOST beside it`);
  }
  const inVain = ["TLS_CA", "TLS_CLIENT_CA", ...(required ? ["TLS"] : [])].find((name) => isSet(settings, name));
  if (inVain === undefined) return false;
  throw new ConfigError(
    `Cannot use ${named(settings, inVain)}: a server needs TLS_CERT and TLS_KEY, or ACME_HOST, beside it`,
  );
}

function isSet(settings: Settings, name: string): boolean {
  return (settings.get(name)?.text.trim() ?? "") !== "";
}

type Values = { [K in keyof typeof SETTINGS]?: typeof SETTINGS[K] extends Setting<infer T> ? T : never };

/** A setting as messages name it: what it is called where it was found, and the place. */
function named(settings: Settings, name: string): string {
  const { isPrefixed, from } = settings.get(name)!;
  return `${isPrefixed ? PREFIX : ""}${name} (${from})`;
}

function readAll<Option extends keyof typeof SETTINGS>(
  settings: Settings,
  options: readonly Option[],
): Pick<Values, Option> {
  const values: Record<string, unknown> = {};
  for (const option of options) values[option] = readOne(SETTINGS[option], settings);
  return values as Pick<Values, Option>;
}

function readOne(setting: Setting<unknown>, settings: Settings): unknown {
  const found = settings.get(setting.name);
  if (found === undefined || found.text.trim() === "") return undefined;
  const value = setting.parse(found.text.trim());
  if (value !== undefined) return value;
  const received = setting.isSecret ? "" : `: received "${found.text}"`;
  throw new ConfigError(`Cannot use ${named(settings, setting.name)}: it must be ${setting.allowed}${received}`);
}

function seconds(text: string, least: number, most: number): number | undefined {
  const value = readSeconds(text, least, most);
  return value === undefined ? undefined : value * 1000;
}

function addressList(text: string, transports: string[]): string[] | undefined {
  const addresses = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  const isAllowed = (text: string) => {
    const address = parseAddress(text);
    return isReachable(address) && transports.includes(address.transport);
  };
  return addresses.length > 0 && addresses.every(isAllowed) ? addresses : undefined; // a comma alone names nobody
}
