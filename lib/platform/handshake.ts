/** The greeting of a server by a client or a peer that connects to it. It knows nothing of what follows. */

import { CacheError, ProtocolError } from "../base/errors.ts";
import type { Token } from "../base/token.ts";
import type { BufferAccount } from "../base/lent.ts";
import { FrameReader, FrameWriter, REQUEST } from "../wire/frame.ts";
import {
  DisagreementError,
  type OwnHello,
  readChallenge,
  readGreeting,
  type ServerHello,
  writeHello,
  writeScram,
} from "../wire/hello.ts";
import { ScramClient } from "./scram.ts";
import { type Socket, writeAll } from "./socket.ts";
import { withAlerts } from "./tls_error.ts";

/** The result of a greeting. */
export interface Greeted {
  /** The reader that has read the answer; what follows is read with it. */
  readonly input: FrameReader;
  /** What the server says of itself. */
  readonly server: ServerHello;
}

const WANTS_TOKEN = "the server wants to know who connects, and no token is given (AUTH_TOKEN)";
const HAS_NO_TOKEN = "a token is given, and the server asks for none: it cannot show that it is the right one";
const IS_FALSE = "the server does not know the token: it is not the right one";

/** What the side that connects says of itself. */
export interface Greeting {
  /** Name and version of its software. */
  readonly software: string;
  /** What this server says of itself, if a peer greets. */
  readonly peer?: OwnHello;
  /** Features that a client names beyond `FEATURES`; none by default. Those of the server stand in what it says of itself. */
  readonly features?: readonly string[];
  /** With which it proves itself, and the server too; without one, only a server that asks for none is taken. */
  readonly token?: Token;
  /** The nonce for that; a new one by default. */
  readonly nonce?: string;
  /** Told of the memory that the reader takes. */
  readonly account?: BufferAccount;
}

/**
 * Greets a server. With a token both sides prove that they know it.
 *
 * @throws {ProtocolError} If what answers is no Ormuco Cache server.
 * @throws {CacheError} If the server refuses the connection, or only one of the two sides has a token.
 */
export async function greet(
  socket: Socket,
  { software, peer, features, token, nonce, account }: Greeting,
): Promise<Greeted> {
  const [output, input] = [new FrameWriter(), new FrameReader(account, peer === undefined)];
  const scram = token && new ScramClient(token, nonce);
  writeHello(output, software, peer, scram !== undefined, features);
  if (scram !== undefined) writeScram(output, REQUEST.auth, scram.first()); // at once: its answer comes with the greeting's
  try {
    await send(socket, output);
    const server = await next(socket, input, readGreeting);
    if (server.wantsToken !== (scram !== undefined)) {
      throw new CacheError("refused", server.wantsToken ? WANTS_TOKEN : HAS_NO_TOKEN);
    }
    return { input, server: scram === undefined ? server : await prove(socket, input, scram) };
  } catch (error) {
    if (!(error instanceof ProtocolError) || error instanceof DisagreementError) throw withAlerts(error);
    throw new ProtocolError(`what answers there is no Ormuco Cache server: ${error.message}`, { cause: error });
  }
}

/** The rest of SCRAM. Returns what the server says of itself once both are known. */
async function prove(socket: Socket, input: FrameReader, scram: ScramClient): Promise<ServerHello> {
  const output = new FrameWriter();
  writeScram(output, REQUEST.auth, await scram.final(await next(socket, input, readChallenge)));
  await send(socket, output);
  const server = await next(socket, input, readGreeting);
  if (server.proof === undefined || !scram.believes(server.proof)) throw new CacheError("refused", IS_FALSE);
  return server;
}

async function send(socket: Socket, output: FrameWriter): Promise<void> {
  try {
    await writeAll(socket, output.taken());
  } finally {
    output.reset();
  }
}

/** Reads the next frame. */
async function next<T>(socket: Socket, input: FrameReader, read: (frame: FrameReader) => T): Promise<T> {
  if (!input.next()) await readInto(socket, input, () => input.next());
  return read(input);
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
