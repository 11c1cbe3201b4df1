/** Who may connect to a server, by where it listens and what it asks for: as docs/security.md has it in a table. */

import { type Address, formatAddress, isLoopback } from "../base/address.ts";
import { ConfigError } from "../base/settings.ts";

/** What decides who may connect. */
export interface Openness {
  /** The address that the server listens on. */
  readonly address: Address;
  /** Whether it asks who connects. */
  readonly asks: boolean;
  /** Whether it has been said that it may be less careful. */
  readonly isInsecure: boolean;
  /** Whether connections may be encrypted, whether those by TCP have to be, and have to show a certificate then. */
  readonly isEncrypted: boolean;
  readonly isTlsRequired: boolean;
  readonly wantsCertificate: boolean;
  /** Whether anybody has a role that may read, and the role peer. */
  readonly hasClients: boolean;
  readonly hasPeers: boolean;
}

/**
 * Refuses to start where everybody who reaches the server could use it, and nobody has said that this is meant.
 *
 * @throws {ConfigError} If so; the message names the ways out.
 */
export function checkOpenness(
  { address, asks, isInsecure, wantsCertificate }: Pick<
    Openness,
    "address" | "asks" | "isInsecure" | "wantsCertificate"
  >,
): void {
  if (asks || wantsCertificate || isInsecure || isLoopback(address)) return;
  throw new ConfigError(
    `Cannot start server: whoever reaches ${formatAddress(address)} could read, change and clear this cache. ` +
      "Set AUTH_TOKEN, AUTH_TOKEN_FILE or AUTH_FILE, or listen on 127.0.0.1 or a unix socket, " +
      "or say --insecure (option insecure) where nobody else reaches the port",
  );
}

/**
 * Refuses to start where whoever reaches the port of HTTP could see what is not for everybody, or the tokens of those who may, and
 * nobody has said that this is meant.
 *
 * @throws {ConfigError} If so; the message names the ways out.
 */
export function checkHttpOpenness(
  { address, asks, isInsecure, isEncrypted, wantsCertificate }: Omit<
    Openness,
    "isTlsRequired" | "hasClients" | "hasPeers"
  >,
): void {
  if (isInsecure || isLoopback(address)) return;
  const at = formatAddress(address);
  const orElse = "have HTTP_ON listen on 127.0.0.1 or a unix socket, or say --insecure (option insecure) " +
    "where nobody else reaches the port";
  if (!asks && !wantsCertificate) {
    throw new ConfigError(
      `Cannot start server: whoever reaches ${at} (HTTP_ON) could read this cache's metrics. ` +
        `Set AUTH_TOKEN, AUTH_TOKEN_FILE or AUTH_FILE, or ${orElse}`,
    );
  }
  if (isEncrypted) return;
  throw new ConfigError(
    `Cannot start server: tokens and metrics could be read on their way to and from ${at} (HTTP_ON). ` +
      `Set TLS_CERT and TLS_KEY, or ACME_HOST, or ${orElse}`,
  );
}

/** Says who may see the metrics; lines after the first are warnings. Health is for everybody. */
export function whoMayLook(openness: Openness & { readonly hasLookers: boolean }): string[] {
  const { address, asks, isInsecure, isEncrypted, wantsCertificate, hasLookers } = openness;
  const isLocal = isLoopback(address);
  const at = formatAddress(address);
  if (!asks) {
    if (address.transport === "unix") return ["this user's processes only (file mode 600)"];
    if (wantsCertificate) return ["whoever shows a certificate of an authority in TLS_CLIENT_CA"];
    if (isLocal) return ["any user of this machine, without a token"];
    return [
      "anyone who reaches this address, without a token",
      `Warning: --insecure: whoever reaches ${at} may read this cache's metrics.`,
    ];
  }
  if (!hasLookers) return ["nobody: no credential has the role reader, client or admin"];
  const how = isEncrypted && !isLocal && !isInsecure ? ", over TLS" : "";
  const lines = [`whoever shows a token with the role reader, client or admin${how}`];
  if (isLocal || !isInsecure) return lines;
  return [...lines, `Warning: --insecure: tokens that are shown at ${at} can be read on their way.`];
}

/** Says who may connect, and how; the first line belongs behind `clients`, and those after it are warnings. */
export function whoMayConnect(openness: Openness): string[] {
  const { address, asks, isInsecure, isEncrypted, isTlsRequired, hasClients, hasPeers } = openness;
  const at = formatAddress(address);
  const isLocal = isLoopback(address);
  if (!asks) {
    if (address.transport === "unix") return ["this user's processes only (file mode 600)"];
    if (openness.wantsCertificate) return ["whoever shows a certificate of an authority in TLS_CLIENT_CA"];
    if (isLocal) return ["any user of this machine, without a token"];
    return [
      "anyone who reaches this address, without a token",
      `Warning: --insecure: whoever reaches ${at} may read, change and clear this cache.`,
    ];
  }
  if (!hasClients) {
    const hint = hasPeers
      ? ", only peers may connect"
      : openness.wantsCertificate
      ? ""
      : " (lines cert:… count with TLS_CLIENT_CA only)";
    return [`none: no credential has the role reader or client${hint}`];
  }
  if (isLocal) return ["whoever shows a token, in any protocol"];
  if (isTlsRequired) return ["whoever shows a token, in any protocol over TLS"];
  if (isEncrypted && !isInsecure) {
    return ["whoever shows a token, in any protocol over TLS, and in the native one without"];
  }
  if (!isInsecure) {
    return [
      "whoever proves to have a token, in the native protocol; memcached's protocols on this machine only",
      `Warning: there is no TLS: what clients of ${at} store and retrieve can be read and changed on its way.`,
    ];
  }
  return [
    "whoever shows a token, in any protocol",
    `Warning: --insecure: tokens and what clients of ${at} store and retrieve can be read on their way.`,
  ];
}
