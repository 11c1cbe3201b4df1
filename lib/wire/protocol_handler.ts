/** What a connection's protocols have in common: bytes in, bytes out, and what is to happen next. */

/**
 * What a conversation wants next: more input, its output written first (there is more to answer), its output written and the
 * connection closed, or its output written and the rest of the connection taken by a peer's link.
 */
export type HandlerState = "needs-input" | "output-full" | "closing" | "peer";

/** A client's conversation in one protocol, whose bytes lie in buffers that it has been given. */
export interface ProtocolHandler {
  /** Answers what has arrived. Never throws for what a client sent. */
  run(): HandlerState;
  /** Says why the connection is about to end, if the protocol has a way to. */
  close(code: string, message: string): void;
}

/** Output beyond this is written before more is produced: it bounds what a client that does not read can cost. */
export const OUTPUT_BYTES: number = 64 * 1024;
