/** The bounds that both sides of a connection keep, in one place. docs/protocol.md lists them. */

/** Entries a cache can hold: V8 refuses to grow a `Map` past 2²⁴, and `set` holds one more for a moment. */
export const MAX_ENTRIES = 2 ** 24 - 1;
/** Bytes of a key, as UTF-8. */
export const MAX_KEY_BYTES = 4096;
/** Bytes of an encoded value. */
export const MAX_VALUE_BYTES = 16 * 1024 * 1024;
/** Bytes of a frame after its header: a value, its key, and the fields beside them. */
export const MAX_BODY_BYTES = MAX_VALUE_BYTES + MAX_KEY_BYTES + 64;
/** Bytes of a message between peers: a value, and what each knows of all origins. */
export const MAX_GOSSIP_BYTES = MAX_VALUE_BYTES + 1024 * 1024;
/** Bytes of a HELLO's body. */
export const MAX_HELLO_BYTES = 1024;
/** Bytes of a key in memcached's protocols. */
export const MAX_MEMCACHED_KEY_BYTES = 250;
/** Bytes of the longest value that memcached can be told of. */
export const MAX_MEMCACHED_ANNOUNCED_BYTES: number = 2 ** 31 - 3;
/** The largest port. */
export const MAX_PORT = 65_535;
/** The largest number of a server among its peers; the least is 1. */
export const MAX_ORIGIN_ID: number = 2 ** 32 - 1;
/** The longest that a timer waits, in milliseconds. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;
/** Entries that a cache or a server holds unless it is told otherwise. */
export const DEFAULT_MAX_SIZE = 128;
/** Milliseconds until an entry expires unless it is told otherwise: an hour. */
export const DEFAULT_TTL_MS = 3_600_000;
/** Bytes of an item that memcached's protocols store: the bounds of its limit. */
export const MIN_ITEM_BYTES = 1024;
export const MAX_ITEM_BYTES: number = MAX_VALUE_BYTES;
/** Keys in one GET_MANY. */
export const MAX_KEYS_PER_GET = 1024;
/** Time to live in milliseconds: the largest integer that a double holds exactly. */
export const MAX_TTL_MS = Number.MAX_SAFE_INTEGER;
/** Nesting of a value. */
export const MAX_DEPTH = 256;
/** Values within a value, leaves included: as JSON each takes two bytes at least, so more would not fit. */
export const MAX_PARTS = MAX_VALUE_BYTES / 2;
/** Of those that go as MessagePack, arrays, objects and the like. */
export const MAX_CONTAINERS = 1024 * 1024;
/** Bigints of over 64 bits among the keys of a `Map` or the items of a `Set`. */
export const MAX_LONG_BIGINT_KEYS = 1000;
/** Memory of a server's entries, at the least: a few segments … */
export const MIN_STORE_BYTES = 64 * 1024;
/** … and at most: what 2³¹ positions in units of 8 bytes reach. */
export const MAX_STORE_BYTES = 2 ** 31 * 8;

/** Throws a `RangeError` if a store's option is out of its limits. */
export function checkLimit(option: string, value: number, least: number, most = Infinity): void {
  if (value >= least && value <= most) return;
  const allowed = most === Infinity ? `${least} or more` : `${least} to ${most}`;
  throw new RangeError(`Cannot create store: ${option} must be ${allowed}: received ${value}`);
}
