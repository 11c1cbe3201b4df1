/** The protocols that a server speaks, by the first byte of a connection. It knows their names, not their messages. */

import { BinaryHandler, REQUEST_MAGIC } from "../memcached/binary_handler.ts";
import type { MemcachedHost } from "../memcached/statistics.ts";
import { TextHandler } from "../memcached/text_handler.ts";
import type { ProtocolHandler } from "../wire/protocol_handler.ts";
import { type NativeContext, NativeHandler, type NativeHost } from "./native_handler.ts";

/** The part of a server that all its sessions share. */
export interface SessionHost extends NativeHost, MemcachedHost {}

/** Begins to answer a client, or returns why it is not answered. */
export type StartProtocol = (host: SessionHost, context: NativeContext) => ProtocolHandler | ProtocolRefusal;

/** Why a protocol is not supported: code and message of the `CLOSING` that the client gets. */
export interface ProtocolRefusal {
  readonly code: string;
  readonly message: string;
}

const NATIVE = 0;
/** The first byte of TLS, under which any protocol is spoken. */
export const TLS = 0x16;

/** Protocols by first byte; all others are memcached's text protocol. */
const PROTOCOLS: ReadonlyMap<number, StartProtocol> = new Map<number, StartProtocol>([
  [NATIVE, (host, context) => new NativeHandler(host, context)],
  [REQUEST_MAGIC, (host, context) => new BinaryHandler(host, context)],
  [TLS, () => ({ code: "unsupported-protocol", message: "TLS is not spoken here" })],
]);

/** The protocol of a connection whose first byte is `firstByte`. */
export function protocolOf(firstByte: number): StartProtocol {
  return PROTOCOLS.get(firstByte) ?? ((host, context) => new TextHandler(host, context));
}
