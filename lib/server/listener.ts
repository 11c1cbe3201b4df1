/** The port of a server, or its unix socket. It knows nothing of the clients that connect. */

import { type Address, formatAddress } from "../base/address.ts";
import { boundAddress, closeQuietly, fileIdentity, keepingFile, listen, removeSocketFile } from "../platform/socket.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import type { Part } from "./part.ts";

/** Listens on one address. */
export class Listener implements Part {
  readonly #asked: Address;
  readonly #isUnref: boolean;
  #listener: Deno.Listener | undefined;
  /** The socket file that `stop` has to remove, and no other one: its path may have been taken by another server. */
  #file: string | undefined;

  /**
   * @param asked The address to listen on; port 0 takes a free one.
   * @param isUnref Whether this process may end though the port is open, or connections are.
   */
  constructor(asked: Address, isUnref = false) {
    this.#asked = asked;
    this.#isUnref = isUnref;
  }

  /** Whether the port is open. */
  get isOpen(): boolean {
    return this.#listener !== undefined;
  }

  /** The address that is listened on, with the real port in place of 0; before the start, the address asked for. */
  get address(): Address {
    return this.#listener === undefined ? this.#asked : boundAddress(this.#asked, this.#listener);
  }

  /** The port at which peers reach this server; `undefined` for a unix socket, or while it does not listen. */
  get port(): number | undefined {
    const { address } = this;
    return address.transport === "tcp" && this.isOpen ? address.port : undefined;
  }

  /** Opens the port. */
  async start(): Promise<void> {
    this.#listener = await listen(this.#asked);
    if (this.#isUnref) this.#listener.unref();
    if (this.#asked.transport === "unix") this.#file = fileIdentity(this.#asked.path);
  }

  /** Waits for the next connection. */
  async accept(): Promise<Deno.Conn> {
    if (this.#listener === undefined) throw new Error(`Cannot accept on ${formatAddress(this.#asked)}: it is closed`);
    const connection = await this.#listener.accept();
    if (this.#isUnref) (connection as ByteStream).unref?.();
    return connection;
  }

  /** Refuses new connections: an `accept` under way fails. */
  close(): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    this.#listener = undefined;
    if (this.#file === undefined || this.#isFileOwn) closeQuietly(listener);
    else keepingFile(this.#path, () => closeQuietly(listener));
  }

  /**
   * Closes the port and removes the file of its unix socket, if it is still there; a second time has no effect. No `accept` may be under way.
   */
  stop(): void {
    this.close();
    if (this.#isFileOwn) removeSocketFile(this.#path);
    this.#file = undefined;
  }

  get #path(): string {
    return (this.#asked as { path: string }).path;
  }

  /** Whether the file at the path is the one that this listener has made. */
  get #isFileOwn(): boolean {
    return this.#file !== undefined && fileIdentity(this.#path) === this.#file;
  }
}
