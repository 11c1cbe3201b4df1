/** Sockets: listen, write all, close. It does not know what travels. */

import { type Address, formatAddress } from "../base/address.ts";

/** Listens; a unix socket is for its own user only, and takes the place of one that a killed server left. */
export async function listen(address: Address): Promise<Deno.Listener> {
  try {
    return address.transport === "tcp" ? Deno.listen(address) : await listenOnFile(address);
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

/** The file should not be open to others even for a moment; but that takes a permission that few will give. */
function narrowUmask(): number | undefined {
  try {
    return Deno.umask(0o177);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

/** A server that was killed leaves its file behind; nobody answers there. */
async function removeStaleSocketFile(path: string): Promise<void> {
  const isSocket = await Deno.stat(path).then((info) => info.isSocket, () => false);
  if (!isSocket) return;
  const answers = await Deno.connect({ transport: "unix", path }).then(closeQuietly, (error) => error);
  if (answers instanceof Deno.errors.ConnectionRefused) removeSocketFile(path);
}

/** Removes a unix socket's file, if it can be. */
export function removeSocketFile(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Gone already, or not ours to remove: binding will tell.
  }
}

/** Where a listener listens: port 0 has become a port. */
export function boundAddress(asked: Address, listener: Deno.Listener): Address {
  return asked.transport === "tcp" ? { ...asked, port: (listener.addr as Deno.NetAddr).port } : asked;
}

/** A connection of our own making. */
export type Socket = Deno.TcpConn | Deno.UnixConn;

/** Connects; small writes are not held back. */
export async function connect(address: Address, signal: AbortSignal): Promise<Socket> {
  if (address.transport === "unix") return await Deno.connect({ transport: "unix", path: address.path });
  const socket = await Deno.connect({ ...address, signal });
  socket.setNoDelay(true);
  return socket;
}

/** Whether an error says that the client, or the network, has ended a connection. */
export function isDisconnection(error: unknown): boolean {
  const { BadResource, BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, NotConnected, TimedOut } =
    Deno.errors;
  return [BadResource, BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, NotConnected, TimedOut]
    .some((type) => error instanceof type);
}

/** Writes every byte: one write may take part. */
export async function writeAll(socket: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}

/** Closes a socket that may be closed already. */
export function closeQuietly(socket: { close(): void }): void {
  try {
    socket.close();
  } catch {
    // Closed before: that is what was wanted.
  }
}

/** Where the other side of a connection is, as text. */
export function remoteAddress({ remoteAddr }: Pick<Deno.Conn, "remoteAddr">): string {
  return "hostname" in remoteAddr ? `${remoteAddr.hostname}:${remoteAddr.port}` : "unix";
}

/** Waits so many milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
