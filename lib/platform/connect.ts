/** Connects to addresses. It does not know what the bytes mean. */

import { type Address, formatAddress } from "../base/address.ts";
import type { ClientTlsOptions } from "../base/tls_options.ts";
import { closeQuietly, setUp, type Socket } from "./socket.ts";

/** Whether an error, or one that has caused it, is that Deno does not permit this process something. */
export function isDenied(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    if (cause instanceof Deno.errors.NotCapable) return true;
  }
  return false;
}

/** Whether Deno permits this process to connect to an address without asking anybody. */
export function permits(address: Address): boolean {
  if (address.transport === "unix") return true; // told when it is tried
  return Deno.permissions.querySync({ name: "net", host: formatAddress(address) }).state === "granted";
}

/**
 * Connects to an address, and sets the socket up; `signal` ends the attempt. With `tls` the connection is encrypted, unless it
 * is a unix socket.
 */
export async function connect(address: Address, signal: AbortSignal, tls?: ClientTlsOptions): Promise<Socket> {
  if (address.transport === "unix") return await Deno.connect({ transport: "unix", path: address.path });
  const socket = await Deno.connect({ ...address, signal });
  const end = () => closeQuietly(socket);
  try {
    setUp(socket);
    if (tls === undefined) return socket;
    signal.addEventListener("abort", end);
    const { encrypted } = await import("./tls_connector.ts"); // dynamic: node:tls takes 30 ms to load
    return await encrypted(socket, address.hostname, tls, signal);
  } catch (error) {
    end(); // macOS: the other side has ended the connection already
    throw error;
  } finally {
    signal.removeEventListener("abort", end);
  }
}
