/** Bounds and defaults that several rooms share. docs/protocol.md lists those of the protocol. */

/** Entries of a cache at most: V8 refuses to grow a `Map` past 2²⁴, and `set` holds one more for a moment. */
export const MAX_ENTRIES = 2 ** 24 - 1;
/** Bytes of a key at most, as UTF-8. */
export const MAX_KEY_BYTES = 4096;
/** Bytes of an encoded value at most. */
export const MAX_VALUE_BYTES = 16 * 1024 * 1024;
/** Bytes of a frame after its header at most: a value, its key, and the fields beside them. */
export const MAX_BODY_BYTES = MAX_VALUE_BYTES + MAX_KEY_BYTES + 64;
/** Bytes of a message between peers at most: a value, and 12 bytes for each of 131,072 origins. */
export const MAX_GOSSIP_BYTES = MAX_VALUE_BYTES + 2 * 1024 * 1024;
/** Bytes of a HELLO's body at most. */
export const MAX_HELLO_BYTES = 1024;
/** Bytes of a key in memcached's protocols at most. */
export const MAX_MEMCACHED_KEY_BYTES = 250;
/** Bytes of a value at most that a memcached client can announce. */
export const MAX_MEMCACHED_ANNOUNCED_BYTES: number = 2 ** 31 - 3;
/** The largest port. */
export const MAX_PORT = 65_535;
/** The largest number by which peers know a server; the least is 1. */
export const MAX_ORIGIN_ID: number = 2 ** 32 - 1;
/** Milliseconds that a timer waits at most. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;
/** Entries that a cache or a server holds by default. */
export const DEFAULT_MAX_SIZE = 128;
/** Milliseconds until an entry expires by default: an hour. */
export const DEFAULT_TTL_MS = 3_600_000;
/** The least and the largest limit, in bytes, on an item that memcached's protocols store. */
export const MIN_ITEM_BYTES = 1024;
export const MAX_ITEM_BYTES: number = MAX_VALUE_BYTES;
/** Keys or entries in one request at most. */
export const MAX_KEYS_PER_GET = 1024;
/** The longest time to live, in milliseconds: the largest integer that a double holds exactly. */
export const MAX_TTL_MS = Number.MAX_SAFE_INTEGER;
/** Levels of nesting in a value at most. */
export const MAX_DEPTH = 256;
/** Values within a value at most, leaves included: as JSON each takes two bytes at least, so more would not fit. */
export const MAX_PARTS = MAX_VALUE_BYTES / 2;
/** Arrays, objects and other containers at most within a value that is sent as MessagePack. */
export const MAX_CONTAINERS = 1024 * 1024;
/** Bigints of over 64 bits at most among the keys of a `Map` or the items of a `Set`. */
export const MAX_LONG_BIGINT_KEYS = 1000;
/** The least limit, in bytes, on the memory of a server's entries: a few segments. */
export const MIN_STORE_BYTES = 64 * 1024;
/** The least limit, in bytes, on the memory for requests and replies under way: the largest value, and some for others. */
export const MIN_BUFFERS: number = 18 * 1024 * 1024;
/** The largest limit, in bytes, on the memory of a server's entries: 2³¹ positions in units of 8 bytes. */
export const MAX_STORE_BYTES = 2 ** 31 * 8;
/** The largest `maxForgotten`: fingerprints that the largest table has room for. */
export const MAX_FORGOTTEN = 1_469_644;

/** Throws a `RangeError` if a store's option is out of its limits. */
export function checkLimit(option: string, value: number, least: number, most = Infinity): void {
  if (value >= least && value <= most) return;
  const allowed = most === Infinity ? `${least} or more` : `${least} to ${most}`;
  throw new RangeError(`Cannot create store: ${option} must be ${allowed}: received ${value}`);
}
