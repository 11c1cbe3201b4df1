/** A connection as bytes in both directions, for servers, clients and peers. It knows no protocol. */

/** The part of `Deno.Conn` that is used; an encrypted connection has it too. */
export type ByteStream = Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close" | "remoteAddr">;
