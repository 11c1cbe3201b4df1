/**
 * A connection of a server with itself: what it writes there arrives when the event loop has looked at all sockets. It does not know
 * who waits for that.
 */

import { type Address, formatAddress } from "../base/address.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { lookAtSockets } from "../platform/event_loop.ts";
import { closeQuietly } from "../platform/socket.ts";
import { within } from "./part.ts";

/** Milliseconds in which the connection has to be made: a firewall may be in its way. */
const LIMIT_MS = 1000;
const BYTE = Uint8Array.of(0);

/** Both sides of it. */
export class OwnConnection {
  readonly #near: Deno.TcpConn;
  readonly #space = new Uint8Array(1);
  #far: ByteStream | undefined;

  private constructor(near: Deno.TcpConn) {
    this.#near = near;
  }

  /** Connects to an address of this process. Returns `undefined` where that is not possible, or would need a permission. */
  static async to(address: Address): Promise<OwnConnection | undefined> {
    if (address.transport !== "tcp") return undefined;
    if (Deno.permissions.querySync({ name: "net", host: formatAddress(address) }).state !== "granted") return undefined;
    let isLate = false;
    let own: OwnConnection | undefined;
    const connecting = Deno.connect(address).then((near) => {
      if (isLate) near.close();
      else own = new OwnConnection(near);
    });
    await within(LIMIT_MS, connecting.catch(() => {}));
    isLate = true;
    return own;
  }

  /** Whether a connection that has been accepted is the other side of this one, which takes it then. */
  meets(accepted: ByteStream): boolean {
    const [{ localAddr }, { remoteAddr }] = [this.#near, accepted];
    if (this.#far !== undefined || remoteAddr.transport !== "tcp") return false;
    if (localAddr.port !== remoteAddr.port || localAddr.hostname !== remoteAddr.hostname) return false;
    this.#far = accepted;
    return true;
  }

  /** Resolves when the event loop has looked at all sockets, some 50 µs later, and not before what had arrived is read. */
  async look(): Promise<void> {
    try {
      // It is read before it is sent, or it might be read without a look.
      await Promise.all([this.#far!.read(this.#space), this.#near.write(BYTE)]);
    } catch {
      await lookAtSockets(); // it has been closed
    }
  }

  /** Closes both sides. */
  close(): void {
    closeQuietly(this.#near);
    if (this.#far !== undefined) closeQuietly(this.#far);
  }
}
