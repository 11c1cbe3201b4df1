/** A connection as bytes in both directions, for servers, clients and peers. It knows no protocol. */

/** The part of `Deno.Conn` that is used; an encrypted connection has it too. */
export interface ByteStream extends Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close" | "remoteAddr"> {
  /** The address of this side, where it is known. */
  readonly localAddr?: Deno.Addr;
  /** Whether it is encrypted; it is not unless it says so. */
  readonly isEncrypted?: boolean;
  /** Names in the certificate that the other side has shown; none unless it has shown one. */
  readonly peerNames?: readonly string[];
  /** Has small writes sent at once, where the transport could hold them back. */
  setNoDelay?(noDelay?: boolean): void;
  /** Has the system ask now and then whether the other side of a quiet connection is still there. */
  setKeepAlive?(keepAlive?: boolean): void;
  /** Has this process wait for the connection, or end without it. */
  ref?(): void;
  unref?(): void;
}
