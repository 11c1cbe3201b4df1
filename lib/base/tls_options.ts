/** How connections are encrypted, as options: whom a side believes, and who it is. It encrypts nothing. */

import { parseAddress } from "./address.ts";
import {
  BOOLEAN_OPTION,
  FILE_OPTION,
  isObject,
  listOption,
  objectOption,
  type OptionRule,
  type OptionRules,
  portOption,
  textOption,
} from "./options.ts";

/** How a client encrypts its connections. */
export interface ClientTlsOptions {
  /**
   * Authorities that the client believes beside those of the system, as PEM.
   *
   * @default {[]}
   */
  caCerts?: string[];
  /** The client's own certificate as PEM, for servers that require one; with `key`. */
  cert?: string;
  /** The key of `cert` as PEM. */
  key?: string;
  /**
   * The name that the server's certificate must be for.
   *
   * @default {the server's host}
   */
  serverName?: string;
}

/** Files that a client's settings name. */
export interface ClientTlsFiles {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/**
 * How a server has an authority such as Let's Encrypt issue and renew its certificate (ACME, by http-01). Whoever uses it
 * agrees to the authority's terms of service.
 *
 * @example
 * ```ts
 * import { OrmucoCacheServer } from "@ormuco/cache/server";
 *
 * const acme = { host: "cache.example.com", email: "who@example.com", folder: "/var/lib/cache" };
 * new OrmucoCacheServer({ listen: "0.0.0.0:11142", tls: { acme }, authTokenFile: "cache-token" });
 * ```
 */
export interface ServerAcmeOptions {
  /** The name that the certificate is for. Its port 80 has to lead to `listen`. */
  host: string;
  /**
   * Where the authority may write to.
   *
   * @default {undefined}
   */
  email?: string;
  /**
   * The URL of the authority's directory.
   *
   * @default {"https://acme-v02.api.letsencrypt.org/directory"}
   */
  directory?: string;
  /**
   * The folder in which account and certificates are kept. Without it each start would order anew, and authorities allow few.
   *
   * @default {"acme"}
   */
  folder?: string;
  /**
   * Where the authority's question is answered while there is one: a port, `host:port` or `[ipv6]:port`.
   *
   * @default {"0.0.0.0:80"}
   */
  listen?: string | number;
}

/**
 * How a server encrypts its connections: with the certificate of `certFile` and `keyFile`, or one that it orders (`acme`).
 *
 * @example
 * ```ts
 * import { OrmucoCacheServer, type ServerTlsOptions } from "@ormuco/cache/server";
 *
 * const tls: ServerTlsOptions = { certFile: "cert.pem", keyFile: "key.pem", required: true };
 * new OrmucoCacheServer({ listen: "10.0.0.1:11142", tls, authTokenFile: "cache-token" });
 * ```
 */
export interface ServerTlsOptions {
  /** File with the server's certificate, and those between it and its authority, as PEM. It is read again when it changes. */
  certFile?: string;
  /** File with the certificate's key as PEM; it may be the same file. */
  keyFile?: string;
  /** How the server orders its certificate, in place of `certFile` and `keyFile`. */
  acme?: ServerAcmeOptions;
  /**
   * File with the authorities, as PEM, that the server believes beside those of the system when it connects to a peer.
   *
   * @default {those of the system only}
   */
  caFile?: string;
  /**
   * File with authorities as PEM: who connects by TCP has to encrypt and to show a certificate of one of them. Without
   * it no certificate is asked for.
   */
  clientCaFile?: string;
  /**
   * Whether connections by TCP that are not encrypted are refused; with `clientCaFile` they always are.
   *
   * @default {false}
   */
  required?: boolean;
}

/** Options of {@linkcode ServerAcmeOptions}, complete. */
export interface ResolvedAcme {
  readonly host: string;
  readonly email: string | undefined;
  readonly directory: string;
  /** The folder of this authority's account and certificates, and the file of this host's key and certificate. */
  readonly folder: string;
  readonly file: string;
  readonly listen: { readonly hostname: string; readonly port: number };
}

/** How a server encrypts its connections, complete. */
export interface ResolvedTls {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile?: string;
  readonly clientCaFile?: string;
  readonly required?: boolean;
  readonly acme?: ResolvedAcme;
}

const PEM = textOption("text of a PEM file", (text) => text !== "", true);

const CLIENT_FIELDS: OptionRules<ClientTlsOptions> = {
  caCerts: listOption("an array of PEM texts", PEM),
  cert: PEM,
  key: PEM,
  serverName: textOption("the name of a host", (text) => text !== ""),
};

/** The rule for a client's option `tls`. */
export const CLIENT_TLS_OPTION: OptionRule = {
  ...objectOption(CLIENT_FIELDS),
  allowed: "true or an object",
  isType: (value) => value === true || isObject(value),
};

const DEFAULT_DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory";
const DEFAULT_FOLDER = "acme";
const DEFAULT_CHALLENGE_ADDRESS = "0.0.0.0:80";

/** Where the authority's question is answered; `undefined` if the text is no such place. */
export function challengeAddress(text: string): { hostname: string; port: number } | undefined {
  const address = parseAddress(text, { hostname: "0.0.0.0" });
  return address?.transport === "tcp" ? address : undefined;
}

/** Whether a text is a name for which an authority may issue a certificate by http-01. */
export function isHostName(text: string): boolean {
  return text.length <= 253 && /[a-z]/i.test(text) && /^(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$/i.test(text);
}

/** Whether a text is the URL of an authority's directory. */
export function isDirectory(text: string): boolean {
  return URL.parse(text)?.protocol === "https:";
}

const TEXT = textOption("text", () => true);

const ACME_FIELDS: OptionRules<ServerAcmeOptions> = {
  host: textOption("the name of a host", isHostName),
  email: TEXT,
  directory: textOption("a URL with https:", isDirectory),
  folder: textOption("the name of a folder", (text) => text !== ""),
  listen: portOption('a port, "host:port" or "[ipv6]:port"', (text) => challengeAddress(text) !== undefined),
};

/** The rule for a server's option `tls`. */
export const SERVER_TLS_OPTION: OptionRule = objectOption<ServerTlsOptions>({
  certFile: FILE_OPTION,
  keyFile: FILE_OPTION,
  acme: objectOption(ACME_FIELDS),
  caFile: FILE_OPTION,
  clientCaFile: FILE_OPTION,
  required: BOOLEAN_OPTION,
});

/**
 * Completes options that have been checked.
 *
 * @throws {RangeError} If there is no host.
 */
export function resolveAcme(options: ServerAcmeOptions): ResolvedAcme {
  const { host, email, directory = DEFAULT_DIRECTORY, folder = DEFAULT_FOLDER, listen = DEFAULT_CHALLENGE_ADDRESS } =
    options;
  if (host === undefined) throw new RangeError("Cannot create server: tls.acme needs host");
  const address = challengeAddress(String(listen))!;
  const name = host.toLowerCase();
  // By authority: who has tried Let's Encrypt's staging directory gets a new certificate from the real one.
  const own = `${folder}/${new URL(directory).host.replaceAll(/[^a-z0-9.-]/gi, "_")}`;
  return { host: name, email, directory, folder: own, file: `${own}/${name}.pem`, listen: address };
}

/** The first version of Deno on which a server lets nobody in without a certificate that it requires, and no handshake hangs. */
const LEAST_DENO = [2, 8, 1] as const;

/** Returns why TLS cannot be used on a version of Deno; `undefined` where it can. */
export function whyNoTls(version: string): string | undefined {
  const parts = version.split(/[.+-]/, 3).map(Number);
  const at = LEAST_DENO.findIndex((least, i) => parts[i] !== least);
  if (at < 0 || parts[at] > LEAST_DENO[at]) return undefined;
  return `TLS needs Deno ${LEAST_DENO.join(".")} or later: this is ${version}`;
}
