/** Ways to a server: in the open, or with a token that it asks for, encrypted or not. */

import type { Token } from "../../lib/base/token.ts";
import { ScramClient } from "../../lib/platform/scram.ts";
import { writeAll } from "../../lib/platform/socket.ts";
import { FrameReader, HEADER_BYTES, REQUEST } from "../../lib/wire/frame.ts";
import { readChallenge, readGreeting, writeScram } from "../../lib/wire/hello.ts";
import { written } from "./frames.ts";
import { packetOf, REQUEST as BINARY } from "./memcached_packets.ts";

/** The way to a server on this machine. Threads can be given it. */
export interface Door {
  port: number;
  /** What the server asks for. */
  token?: Token;
  /** The authority of its certificate: connections are encrypted then. */
  ca?: string;
}

/** A connection to a server. */
export type DoorSocket = Deno.TcpConn | Deno.TlsConn;

const SASL_AUTH = 0x21;
/** What a text client is told that is let in. */
export const WELCOME = "STORED\r\n";
const utf8 = new TextEncoder();

/** Connects, and encrypts where the door says so. Nobody is logged in. */
export async function connectTo({ port, ca }: Door): Promise<DoorSocket> {
  const socket = await Deno.connect({ hostname: "127.0.0.1", port });
  if (ca === undefined) return socket;
  socket.setNoDelay(true);
  const encrypted = await Deno.startTls(socket, { hostname: "localhost", caCerts: [ca] });
  try {
    await encrypted.handshake();
  } catch (error) {
    encrypted.close();
    throw error;
  }
  return encrypted;
}

/** What a client of memcached's text protocol says first to be let in. */
export function textLogin({ name, secret }: Token): string {
  const value = `${name} ${secret}`;
  return `set login 0 0 ${value.length}\r\n${value}\r\n`;
}

/** What one of its binary protocol says. */
export function binaryLogin({ name, secret }: Token): Uint8Array {
  return packetOf(BINARY, SASL_AUTH, { key: "PLAIN", value: `\0${name}\0${secret}` });
}

/**
 * Shows a token in the protocol in which some bytes are that are to be said. Returns those that are left to say: all but a greeting of the
 * native protocol, which has been said then.
 */
export async function logIn(
  socket: Pick<DoorSocket, "read" | "write">,
  token: Token,
  bytes: Uint8Array,
): Promise<Uint8Array> {
  switch (bytes[0]) {
    case 0: {
      const end = HEADER_BYTES + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      await proveTo(socket, token, bytes.subarray(0, end));
      return bytes.subarray(end);
    }
    case BINARY:
      await writeAll(socket, binaryLogin(token));
      return bytes;
    default:
      await writeAll(socket, utf8.encode(textLogin(token)));
      return bytes;
  }
}

/** Greets and proves to know a token. Returns the server's last word, which is a greeting. */
export async function proveTo(
  socket: Pick<DoorSocket, "read" | "write">,
  token: Token,
  hello: Uint8Array,
): Promise<FrameReader> {
  const [scram, input] = [new ScramClient(token), new FrameReader()];
  const next = async () => {
    while (!input.next()) {
      const count = await socket.read(input.space());
      if (count === null) throw new Error("The server hung up");
      input.received(count);
    }
    return input;
  };
  await writeAll(socket, hello);
  await writeAll(socket, written((output) => writeScram(output, REQUEST.auth, scram.first())));
  readGreeting(await next());
  const final = await scram.final(readChallenge(await next()));
  await writeAll(socket, written((output) => writeScram(output, REQUEST.auth, final)));
  return await next();
}
