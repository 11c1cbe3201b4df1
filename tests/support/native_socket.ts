/** Connections that speak frames by hand: as a client, as a peer. */

import type { Token } from "../../lib/base/token.ts";
import { MAX_BODY_BYTES, MAX_GOSSIP_BYTES } from "../../lib/base/limits.ts";
import { writeAll } from "../../lib/platform/socket.ts";
import { type Head, type Message, type MessageBody, MessageWriter } from "../../lib/replication/message.ts";
import { versionAt } from "../../lib/store/version.ts";
import { FrameReader, FrameWriter, GOSSIP } from "../../lib/wire/frame.ts";
import { readGreeting, writeHello } from "../../lib/wire/hello.ts";
import { type DoorSocket, proveTo } from "./door.ts";
import { portOf } from "./ports.ts";

/** A greeting and what else a client says, as bytes. */
export function greetingAnd(write: (output: FrameWriter) => void = () => {}): Uint8Array {
  const output = new FrameWriter();
  writeHello(output, "test");
  write(output);
  return output.taken();
}

/** One frame with a body, as bytes. */
export function frameOf(code: number, body: Uint8Array): Uint8Array {
  const output = new FrameWriter();
  output.begin(code);
  output.bytes(body);
  output.end();
  return output.taken();
}

/** A connection. */
export class NativeSocket implements Disposable {
  readonly socket: DoorSocket;
  protected readonly input: FrameReader;

  protected constructor(socket: DoorSocket, input = new FrameReader()) {
    this.socket = socket;
    this.input = input;
    this.input.maxBodyBytes = MAX_BODY_BYTES;
  }

  static async to({ address }: { readonly address: string | undefined }): Promise<NativeSocket> {
    return new NativeSocket(await connect(address!));
  }

  async write(bytes: Uint8Array): Promise<void> {
    await writeAll(this.socket, bytes);
  }

  /** The next reply; `undefined` when the server has hung up. */
  async next(): Promise<FrameReader | undefined> {
    while (!this.input.next()) {
      const count = await this.socket.read(this.input.space());
      if (count === null) return undefined;
      this.input.received(count);
    }
    return this.input;
  }

  /** Codes of all replies until the server hangs up. */
  async codesUntilClosed(): Promise<number[]> {
    const codes: number[] = [];
    for (let reply = await this.next(); reply !== undefined; reply = await this.next()) codes.push(reply.code);
    return codes;
  }

  close(): void {
    this.socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Who a peer of a test's own says it is; without a port it is nobody that could be found again. */
export interface PeerName {
  id: number;
  port?: number;
}

/** A peer of the test's own, that says what it is told to. */
export class PeerSocket extends NativeSocket {
  readonly id: number;
  /** Who the server says it is, when it has been asked. */
  other = 0;

  private constructor(socket: DoorSocket, id: number, input?: FrameReader) {
    super(socket, input);
    this.id = id;
  }

  /** Connects and greets; what the server says to it is not read. */
  static async greeting(
    { address }: { readonly address: string | undefined },
    name: PeerName,
  ): Promise<PeerSocket> {
    const peer = new PeerSocket(await connect(address!), name.id);
    await peer.write(peerHello(name));
    return peer;
  }

  /** Connects, greets, and reads who the server is. */
  static async greeted(server: { readonly address: string | undefined }, name: PeerName): Promise<PeerSocket> {
    return await PeerSocket.#known(await PeerSocket.greeting(server, name));
  }

  /** Greets on a connection that has been made, and shows a token if there is one. */
  static async on(socket: DoorSocket, name: PeerName, token: Token | undefined): Promise<PeerSocket> {
    if (token !== undefined) {
      const input = await proveTo(socket, token, peerHello(name));
      return new PeerSocket(socket, name.id, input).#isKnownBy(input);
    }
    const peer = new PeerSocket(socket, name.id);
    await peer.write(peerHello(name));
    return await PeerSocket.#known(peer);
  }

  static async #known(peer: PeerSocket): Promise<PeerSocket> {
    try {
      const reply = await peer.next();
      if (reply === undefined) throw new Error("The server hung up");
      return peer.#isKnownBy(reply);
    } catch (error) {
      peer.close();
      throw error;
    }
  }

  #isKnownBy(reply: FrameReader): this {
    this.other = readGreeting(reply).peer!.id;
    this.input.maxBodyBytes = MAX_GOSSIP_BYTES;
    return this;
  }

  /** Sends a message so many times. */
  async say(body: MessageBody, head: Partial<Head> = {}, times = 1): Promise<void> {
    const message = { from: this.id, clock: versionAt(Date.now()), cleared: 0, ...body, ...head } as Message;
    const frame = frameOf(GOSSIP, new MessageWriter().write(message));
    const all = new Uint8Array(times * frame.length);
    for (let i = 0; i < times; i++) all.set(frame, i * frame.length);
    await this.write(all);
  }

  /** Reads until the server hangs up. */
  async end(): Promise<void> {
    for (let count: number | null = 0; count !== null;) {
      count = await this.socket.read(this.input.space()).catch(() => null);
    }
  }
}

function peerHello({ id, port }: PeerName): Uint8Array {
  const output = new FrameWriter();
  writeHello(output, "test", { id, port });
  return output.taken();
}

async function connect(address: string): Promise<Deno.TcpConn> {
  return await Deno.connect({ hostname: "127.0.0.1", port: portOf(address) });
}
