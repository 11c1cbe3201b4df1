/** What the protocols of a server have in common: bytes in, bytes out, and what is to happen next. */

import type { FrameReader, FrameWriter } from "./frame.ts";

/**
 * What a handler wants next: more input, its output written first (there is more to answer), its output written and the
 * connection closed, or its output written and the rest of the connection left to a peer.
 */
export type HandlerState = "needs-input" | "output-full" | "closing" | "peer";

/** Answers one client in one protocol. */
export interface ProtocolHandler {
  /** Answers what has arrived. Never throws for what a client sent. */
  run(): HandlerState;
  /** Says why the connection is about to end, if the protocol has a way to. */
  close(code: string, message: string): void;
}

/** One connection, as the protocols that are spoken over it see it. */
export interface ConnectionContext {
  /** Bytes from the client. */
  readonly input: FrameReader;
  /** Replies. */
  readonly output: FrameWriter;
  /** Address of the client, for people. */
  readonly remoteAddress: string;
  /**
   * Says something that no request asked for: `write` puts it into the output, and it leaves at the end of this turn.
   *
   * @returns Whether it was said; `false` where too much waits to be written already, or the connection ends.
   */
  push(write: (output: FrameWriter) => void): boolean;
}

/** Output beyond this is written before more is produced: it bounds what a client that does not read can cost. */
export const OUTPUT_BYTES: number = 64 * 1024;
