/** The port of a server, or its unix socket. It knows nothing of who connects. */

import { type Address, formatAddress } from "../base/address.ts";
import { boundAddress, closeQuietly, listen, removeSocketFile } from "../platform/socket.ts";
import type { Part } from "./part.ts";

/** Where a server listens. */
export class Listener implements Part {
  readonly #asked: Address;
  #listener: Deno.Listener | undefined;
  /** Whether there is a file to remove: only once, since later it could be that of a server started in our place. */
  #hasFile = false;

  /** @param asked Where to listen; port 0 is any that is free. */
  constructor(asked: Address) {
    this.#asked = asked;
  }

  /** Whether it listens. */
  get isOpen(): boolean {
    return this.#listener !== undefined;
  }

  /** Where it listens, a port of 0 having become a real one; where it is asked to, while it does not. */
  get address(): Address {
    return this.#listener === undefined ? this.#asked : boundAddress(this.#asked, this.#listener);
  }

  /** The port at which peers reach this server, if there is one. */
  get port(): number | undefined {
    const { address } = this;
    return address.transport === "tcp" && this.isOpen ? address.port : undefined;
  }

  /** Opens the port. */
  async start(): Promise<void> {
    this.#listener = await listen(this.#asked);
    this.#hasFile = this.#asked.transport === "unix";
  }

  /** Waits for the next connection. */
  accept(): Promise<Deno.Conn> {
    if (this.#listener === undefined) throw new Error(`Cannot accept on ${formatAddress(this.#asked)}: it is closed`);
    return this.#listener.accept();
  }

  /** Lets nobody in any more: an `accept` under way fails. */
  close(): void {
    if (this.#listener !== undefined) closeQuietly(this.#listener);
    this.#listener = undefined;
  }

  /** Closes the port and removes the file of a unix socket; a second time has no effect. No `accept` may be under way. */
  stop(): void {
    this.close();
    if (this.#hasFile) removeSocketFile((this.#asked as { path: string }).path);
    this.#hasFile = false;
  }
}
