/** Checks of a server's options. Each throws a `RangeError` that names the option, what is allowed and what came. */

import { type Address, parseAddress } from "../base/address.ts";
import { MAX_ITEM_BYTES, MIN_ITEM_BYTES } from "../base/limits.ts";

/** Where to listen. */
export function checkedListen(listen: string | number): Address {
  const isNone = typeof listen === "number" && !Number.isInteger(listen);
  const address = isNone ? undefined : parseAddress(String(listen), { hostname: "127.0.0.1" });
  if (address !== undefined) return address;
  throw new RangeError(
    'Cannot create server: listen must be a port (0 to 65535), "host:port", "[ipv6]:port" or "unix:/path": ' +
      `received "${listen}"`,
  );
}

/** Where a peer is. */
export function checkedPeer(peer: string): Address {
  const address = parseAddress(peer);
  if (address?.transport === "tcp" && address.port > 0) return address;
  throw new RangeError(`Cannot create server: peers must be "host", "host:port" or "[ipv6]:port": received "${peer}"`);
}

/** Checks a number. */
export function checkAtLeast(option: string, value: number, least: number, most = Infinity): void {
  if (value >= least && value <= most) return;
  const allowed = most === Infinity ? `${least} or more` : `${least} to ${most}`;
  throw new RangeError(`Cannot create server: ${option} must be ${allowed}: received ${value}`);
}

const DEFAULT_MAX_ITEM_BYTES = 1024 * 1024;

/** How large an item of a memcached client may be. */
export function checkedItemBytes(maxItemBytes = DEFAULT_MAX_ITEM_BYTES): number {
  checkAtLeast("maxItemBytes", maxItemBytes, MIN_ITEM_BYTES, MAX_ITEM_BYTES);
  return maxItemBytes;
}
