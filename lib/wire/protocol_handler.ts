/** The interface of a server's protocols: bytes in, bytes out, and what has to happen next. It knows no protocol. */

import type { Access } from "./access.ts";
import type { FrameReader, FrameWriter } from "./frame.ts";

/**
 * What a handler needs next: more input (`needs-input`); its output written, and another run, because there is more to
 * answer (`output-full`, also where the allowance is used up); its output written, and another run when a credential has been
 * checked (`waiting`); its output written and the connection closed (`closing`); or its output written and the connection
 * handed over as one to a peer (`peer`).
 */
export type HandlerState = "needs-input" | "output-full" | "waiting" | "closing" | "peer";

/** Answers one client in one protocol. */
export interface ProtocolHandler {
  /** Answers the requests that have arrived. Never throws for what a client sent. */
  run(): HandlerState;
  /** Sends the reason why the connection is about to end, if the protocol has a message for it. */
  close(code: string, message: string): void;
  /** Takes note that the connection has ended, if the protocol has something to do then. It may be called more than once. */
  end?(): void;
}

/** The work that a connection may do before others have their turn. Handlers look at it between requests and keys. */
export interface Allowance {
  /** Whether it is used up: then a handler has its output written, and goes on in its next run. */
  readonly isOver: boolean;
  /** Takes units off it: one for each request or key that is looked up, one for each KiB of bytes that is copied. */
  spend(units: number): void;
}

/** No limit to the work. */
export const NO_LIMIT: Allowance = { isOver: false, spend: () => {} };

/** One connection, as the protocols that are spoken over it see it. */
export interface ConnectionContext {
  /** Bytes from the client. */
  readonly input: FrameReader;
  /** Replies. */
  readonly output: FrameWriter;
  /** What the client may do. A handler asks before it dispatches any command. */
  readonly access: Access;
  /** Address of the client, for log lines. */
  readonly remoteAddress: string;
  /** The work that the client may cause before others have their turn. */
  readonly allowance: Allowance;
  /**
   * Says something that no request asked for: `write` puts it into the output, and it leaves at the end of this turn.
   *
   * @returns Whether it was said; `false` where too much waits to be written already, or the connection ends.
   */
  push(write: (output: FrameWriter) => void): boolean;
}

/** Bytes that are moved for one unit of work. */
export const BYTES_A_UNIT = 1024;
/** Whole units of work for bytes that are moved. */
export function unitsOf(bytes: number): number {
  return Math.floor(bytes / BYTES_A_UNIT);
}

/** Bytes that are taken of a client before it has said who it is, where it has to. */
export const STRANGER_BYTES = 1024;

/** Units of work that statistics cost, or a clear. */
export const STATS_UNITS = 128;

/** Bytes of output after which it is written before more is produced: a bound for a client that does not read. */
export const OUTPUT_BYTES: number = 64 * 1024;
