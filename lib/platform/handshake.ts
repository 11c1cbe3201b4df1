/** The greeting of a server by a client or a peer that connects to it. It knows nothing of what follows. */

import { ProtocolError } from "../base/errors.ts";
import type { BufferAccount } from "../wire/buffer_pool.ts";
import { FrameReader, FrameWriter } from "../wire/frame.ts";
import { IncompatiblePeerError, readGreeting, type ServerHello, writeHello } from "../wire/hello.ts";
import { type Socket, writeAll } from "./socket.ts";

/** The result of a greeting. */
export interface Greeted {
  /** The reader that has read the answer; what follows is read with it. */
  readonly input: FrameReader;
  /** What the server says of itself. */
  readonly server: ServerHello;
}

/**
 * Greets a server; `peer` is this server's own number and port, if a peer greets, and `account` is told of the memory that
 * the reader takes.
 *
 * @throws {ProtocolError} If what answers is no Ormuco Cache server.
 */
export async function greet(
  socket: Socket,
  software: string,
  peer?: { id: number; port: number | undefined },
  account?: BufferAccount,
): Promise<Greeted> {
  const [output, input] = [new FrameWriter(), new FrameReader(account)];
  writeHello(output, software, peer);
  try {
    await writeAll(socket, output.taken());
  } finally {
    output.reset();
  }
  try {
    await readInto(socket, input, () => input.next());
    return { input, server: readGreeting(input) };
  } catch (error) {
    if (!(error instanceof ProtocolError) || error instanceof IncompatiblePeerError) throw error;
    throw new ProtocolError(`what answers there is no Ormuco Cache server: ${error.message}`, { cause: error });
  }
}

/** Reads into `input` until `onBytes`, called after each read and awaited, returns true. */
export async function readInto(
  socket: Socket,
  input: FrameReader,
  onBytes: () => boolean | Promise<boolean>,
): Promise<void> {
  while (true) {
    const count = await socket.read(input.space());
    if (count === null) throw new Error("the server closed the connection");
    input.received(count);
    const isDone = onBytes();
    if (isDone === true || (isDone !== false && await isDone)) return;
  }
}
