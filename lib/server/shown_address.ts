/** Addresses as memcached's `stats conns` writes them. */

/** The text of an address: `tcp:127.0.0.1:40000`, `tcp6:[::1]:40000`, or `unix:/path`; `unix` where the path is not known. */
export function shownAddress(address: Deno.Addr | { transport: "unix"; path?: string | null }): string {
  if ("hostname" in address) {
    const { hostname, port } = address;
    return hostname.includes(":") ? `tcp6:[${hostname}]:${port}` : `tcp:${hostname}:${port}`;
  }
  return "path" in address && typeof address.path === "string" ? `unix:${address.path}` : address.transport;
}
