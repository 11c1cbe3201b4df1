/** Sockets: listens, connects, writes, closes. It does not know what the bytes mean. */

import { type Address, formatAddress } from "../base/address.ts";
import type { ByteStream } from "./byte_stream.ts";

/** Connections that may wait to be accepted, as many as memcached has; the system may allow fewer. */
const BACKLOG = 1024;

/** Listens on an address. A unix socket is open to its own user only, and replaces the file of a killed server. */
export async function listen(address: Address): Promise<Deno.Listener> {
  try {
    return address.transport === "tcp" ? Deno.listen({ ...address, tcpBacklog: BACKLOG }) : await listenOnFile(address);
  } catch (error) {
    const { constructor: type, message } = error as Error;
    throw new (type as ErrorConstructor)(`Cannot listen on ${formatAddress(address)}: ${message}`, { cause: error });
  }
}

async function listenOnFile(address: Address & { transport: "unix" }): Promise<Deno.Listener> {
  await removeStaleSocketFile(address.path);
  const previous = narrowUmask();
  try {
    const listener = Deno.listen(address);
    await Deno.chmod(address.path, 0o600);
    return listener;
  } finally {
    if (previous !== undefined) Deno.umask(previous);
  }
}

/** Keeps a new socket file closed to others from its first moment, if Deno permits it; else it is closed just after. */
function narrowUmask(): number | undefined {
  try {
    return Deno.umask(0o177);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

/** Removes the file that a killed server left behind: a socket on which nobody answers. */
async function removeStaleSocketFile(path: string): Promise<void> {
  const isSocket = await Deno.stat(path).then((info) => info.isSocket, () => false);
  if (!isSocket) return;
  const answers = await Deno.connect({ transport: "unix", path }).then(closeQuietly, (error) => error);
  if (answers instanceof Deno.errors.ConnectionRefused) removeSocketFile(path);
}

/** What tells a file from another that has taken its path; `undefined` if there is none. */
export function fileIdentity(path: string): string | undefined {
  try {
    const { dev, ino, birthtime } = Deno.statSync(path);
    return `${dev} ${ino} ${birthtime?.getTime()}`; // a number alone may be given again
  } catch {
    return undefined;
  }
}

/**
 * Runs `close`, which makes Deno remove the file at a path, whose ever it is by now, and puts the file back. Where this
 * process may not write beside the path, the file is lost.
 */
export function keepingFile(path: string, close: () => void): void {
  const aside = `${path}.kept`;
  try {
    Deno.renameSync(path, aside);
  } catch {
    return close();
  }
  close();
  Deno.renameSync(aside, path);
}

/** Removes a unix socket's file, if possible. */
export function removeSocketFile(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Gone already, or not ours to remove: then listening fails with the reason.
  }
}

/** The address of a listener: that which was asked for, with the real port in place of 0. */
export function boundAddress(asked: Address, listener: Deno.Listener): Address {
  return asked.transport === "tcp" ? { ...asked, port: (listener.addr as Deno.NetAddr).port } : asked;
}

/** A connection that this process has made. */
export type Socket = ByteStream & Required<Pick<ByteStream, "ref" | "unref">>;

/**
 * Has small writes sent at once, and connections end whose other side has vanished without a word, after the system's times
 * for TCP keepalive.
 */
export function setUp(stream: ByteStream): void {
  stream.setNoDelay?.(true);
  stream.setKeepAlive?.(true);
}

/** Whether an error means that the other side, or the network, has ended the connection. */
export function isDisconnection(error: unknown): boolean {
  const { BadResource, BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, NotConnected, TimedOut } =
    Deno.errors;
  return [BadResource, BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, NotConnected, TimedOut]
    .some((type) => error instanceof type);
}

/** Writes every byte; one write of a socket may send only a part. */
export async function writeAll(socket: Pick<Deno.Conn, "write">, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}

/** Closes a socket that may be closed already. */
export function closeQuietly(socket: { close(): void }): void {
  try {
    socket.close();
  } catch {
    // Closed already.
  }
}

/** The address of the other side of a connection, as text. */
export function remoteAddress({ remoteAddr }: Pick<Deno.Conn, "remoteAddr">): string {
  return "hostname" in remoteAddr ? `${remoteAddr.hostname}:${remoteAddr.port}` : "unix";
}

/** Resolves after `ms` milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
