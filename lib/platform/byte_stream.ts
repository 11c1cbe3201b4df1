/** A connection as bytes both ways: what servers, clients and peers use of a socket. It knows no protocol. */

/** What is used of `Deno.Conn`; a connection with encryption has the same. */
export type ByteStream = Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close" | "remoteAddr">;
