/**
 * A connection of a server with itself: what it writes there arrives when the event loop has looked at all sockets. It does not know
 * who waits for that.
 */

import { type Address, formatAddress } from "../base/address.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { connect } from "../platform/connect.ts";
import { lookAtSockets } from "../platform/event_loop.ts";
import { closeQuietly, setUp } from "../platform/socket.ts";
import { within } from "./part.ts";

/** Milliseconds in which the connection has to be made: a firewall may be in its way. */
const LIMIT_MS = 300;
const BYTE = Uint8Array.of(0);

/** Both sides of it. */
export class OwnConnection {
  readonly #near: ByteStream;
  readonly #space = new Uint8Array(1);
  #far: ByteStream | undefined;
  #begun = 0;
  #ended = 0;
  /** Looks that had ended at the last call of `closeIfStuck`, while one was under way. */
  #endedBefore = -1;

  private constructor(near: ByteStream) {
    this.#near = near;
  }

  /** Connects to an address of this process. Returns `undefined` where that is not possible, or would need a permission. */
  static async to(address: Address): Promise<OwnConnection | undefined> {
    if (address.transport !== "tcp") return undefined;
    if (Deno.permissions.querySync({ name: "net", host: formatAddress(address) }).state !== "granted") return undefined;
    const attempt = new AbortController();
    let near: ByteStream | undefined;
    const connecting = connect(address, attempt.signal).then((socket) => {
      if (attempt.signal.aborted) closeQuietly(socket);
      else near = socket;
    });
    await within(LIMIT_MS, connecting.catch(() => {}));
    if (near !== undefined) return new OwnConnection(near);
    attempt.abort();
    return undefined;
  }

  /** Whether a connection that has been accepted is the other side of this one, which takes it then. */
  meets(accepted: ByteStream): boolean {
    const { localAddr } = this.#near;
    const { remoteAddr } = accepted;
    if (this.#far !== undefined || localAddr?.transport !== "tcp" || remoteAddr.transport !== "tcp") return false;
    if (localAddr.port !== remoteAddr.port || localAddr.hostname !== remoteAddr.hostname) return false;
    this.#far = accepted;
    setUp(accepted);
    return true;
  }

  /** Resolves when the event loop has looked at all sockets, some 50 µs later: what had arrived is read then, or about to be. */
  async look(): Promise<void> {
    this.#begun++;
    try {
      // It is read before it is sent, or it might be read without a look.
      await Promise.all([this.#far!.read(this.#space), this.#near.write(BYTE)]);
    } catch {
      await lookAtSockets(); // it has been closed
    }
    this.#ended++;
  }

  /** Closes the connection if one look has been under way since the last call: its address may be gone. Looks are made otherwise then. */
  closeIfStuck(): void {
    if (this.#begun > this.#ended && this.#ended === this.#endedBefore) this.close();
    this.#endedBefore = this.#begun > this.#ended ? this.#ended : -1;
  }

  /** Closes both sides. */
  close(): void {
    closeQuietly(this.#near);
    if (this.#far !== undefined) closeQuietly(this.#far);
  }
}
