/** Addresses of servers, as text and as parts. */

import { MAX_PORT } from "./limits.ts";

/** A TCP or unix socket address. */
export type Address =
  | { transport: "tcp"; hostname: string; port: number }
  | { transport: "unix"; path: string };

/** The default port of Ormuco Cache. */
export const DEFAULT_PORT = 11142;
/** The default port of HTTP. */
export const DEFAULT_HTTP_PORT = 9100;

/**
 * Reads `host`, `host:port`, `[ipv6]:port` or `unix:/path`, and a bare `port` if a default host is given.
 *
 * @param text The address.
 * @param defaults The host for a bare port, without which a bare port is no address, and the port for a bare host.
 * @returns The address, or `undefined` if the text is no address.
 */
export function parseAddress(text: string, defaults: { hostname?: string; port?: number } = {}): Address | undefined {
  if (text.startsWith("unix:")) return text === "unix:" ? undefined : { transport: "unix", path: text.slice(5) };
  const { hostname, port = DEFAULT_PORT } = defaults;
  if (/^\d+$/.test(text)) return hostname === undefined ? undefined : tcp(hostname, Number(text));
  const parts = /^(?:\[([0-9a-fA-F.]*:[0-9a-fA-F:.]*(?:%[A-Za-z0-9._-]+)?)\]|([A-Za-z0-9_][A-Za-z0-9._-]*))(?::(\d+))?$/
    .exec(text);
  return parts === null ? undefined : tcp(parts[1] ?? parts[2], parts[3] === undefined ? port : Number(parts[3]));
}

function tcp(hostname: string, port: number): Address | undefined {
  return port <= MAX_PORT ? { transport: "tcp", hostname, port } : undefined;
}

/** The text that {@linkcode parseAddress} reads back. */
export function formatAddress(address: Address): string {
  if (address.transport === "unix") return `unix:${address.path}`;
  return `${address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname}:${address.port}`;
}

/** Whether an address is one to which others can connect: port 0 is none. */
export function isReachable(address: Address | undefined): address is Address {
  return address !== undefined && (address.transport === "unix" || address.port > 0);
}

/** Whether an address has a name in it that may lead to many; `localhost` is this machine and no other. */
export function isName(address: Address): address is Address & { transport: "tcp" } {
  return address.transport === "tcp" && !/^([\d.]+|.*:.*|localhost)$/i.test(address.hostname);
}

/** Whether only this machine can reach the address. */
export function isLoopback(address: Address): boolean {
  return address.transport === "unix" || /^(localhost|(::ffff:)?127(\.\d+){3}|::1)$/i.test(address.hostname);
}

/** Whether an address, at which a server may listen, leads each machine that connects there to itself. */
export function isUnspecified(address: Address): boolean {
  return address.transport === "tcp" && /^(0+(\.0+){0,3}|[0:]*:[0:]*)$/.test(address.hostname);
}
