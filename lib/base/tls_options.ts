/** How connections are encrypted, as options: whom a side believes, and who it is. It encrypts nothing. */

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

/** How a server encrypts its connections. The files are read again when their content changes. */
export interface ServerTlsOptions {
  /** File with the server's certificate, and those between it and its authority, as PEM. */
  certFile: string;
  /** File with the certificate's key as PEM. */
  keyFile: string;
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

/** The first version of Deno on which a server lets nobody in without a certificate that it requires, and no handshake hangs. */
const LEAST_DENO = [2, 8, 1] as const;

/** Returns why TLS cannot be used on a version of Deno; `undefined` where it can. */
export function whyNoTls(version: string): string | undefined {
  const parts = version.split(/[.+-]/, 3).map(Number);
  const at = LEAST_DENO.findIndex((least, i) => parts[i] !== least);
  if (at < 0 || parts[at] > LEAST_DENO[at]) return undefined;
  return `TLS needs Deno ${LEAST_DENO.join(".")} or later: this is ${version}`;
}
