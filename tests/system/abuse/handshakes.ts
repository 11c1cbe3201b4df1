/** Attacks on the encryption, below it: handshakes that stop, and records that are damaged, cut off, sent again, or sent back. */

import type { ByteStream } from "../../../lib/platform/byte_stream.ts";
import { closeQuietly, writeAll } from "../../../lib/platform/socket.ts";
import { secured } from "../../../lib/platform/tls_connector.ts";
import { generator } from "../../../lib/simulation/seeded_random.ts";
import { connectTo, textLogin } from "../../support/door.ts";
import { joined, mutate } from "../../support/mutate.ts";
import { exchange } from "../../support/text_socket.ts";
import { until } from "../../support/waiting.ts";
import { type Attacks, inParallel, type Scene } from "./scene.ts";

const text = new TextEncoder();
/** Writes of a client in one connection, at most: hello, end of the handshake, and what it asks. */
const WRITES = 4;

/** A connection below the encryption, on which each write is changed before it is sent. */
class Tapped implements ByteStream {
  readonly remoteAddr: Deno.Addr;
  /** All that was to be sent, and all that has come. */
  readonly said: Uint8Array[] = [];
  readonly heard: Uint8Array[] = [];
  readonly #socket: Deno.TcpConn;
  readonly #change: (bytes: Uint8Array, i: number) => Uint8Array;

  constructor(socket: Deno.TcpConn, change: (bytes: Uint8Array, i: number) => Uint8Array = (bytes) => bytes) {
    [this.#socket, this.#change, this.remoteAddr] = [socket, change, socket.remoteAddr];
  }

  async read(space: Uint8Array): Promise<number | null> {
    const count = await this.#socket.read(space);
    if (count !== null) this.heard.push(space.slice(0, count));
    return count;
  }

  /** After what has been changed nothing more is sent: both sides would wait for each other. */
  async write(bytes: Uint8Array): Promise<number> {
    this.said.push(bytes.slice());
    const changed = this.#change(bytes, this.said.length - 1);
    await writeAll(this.#socket, changed);
    if (changed !== bytes) await this.#socket.closeWrite();
    return bytes.length;
  }

  closeWrite(): Promise<void> {
    return this.#socket.closeWrite();
  }

  close(): void {
    closeQuietly(this.#socket);
  }
}

function connect(scene: Scene): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port: scene.victim.port });
}

/** Logs in and says something, on a connection whose bytes are changed on the way. Returns what was said and heard. */
async function session(scene: Scene, asked: string, change?: (bytes: Uint8Array, i: number) => Uint8Array) {
  const { token, ca } = scene.victim.door;
  const tapped = new Tapped(await connect(scene), change);
  try {
    const stream = await secured(tapped, "localhost", { caCerts: [ca!] });
    const space = new Uint8Array(4096);
    for (const words of [textLogin(token!), asked]) {
      await writeAll(stream, text.encode(words));
      if (await stream.read(space) === null) break;
    }
    stream.close();
  } catch {
    tapped.close(); // the server does not go on with it, as it should
  }
  return tapped;
}

export const HANDSHAKES: Attacks = {
  "half handshakes": {
    run: async (scene) => {
      const [hello] = (await session(scene, "mn\r\n")).said;
      const sockets: Deno.TcpConn[] = [];
      let gone = 0;
      try {
        for (let i = 0; i < scene.of(50, 990); i++) {
          const socket = await connect(scene);
          sockets.push(socket);
          await writeAll(socket, hello.subarray(0, 1 + i % (hello.length - 1)));
          scene.read(socket).then(() => gone++);
        }
        await until("all are cut off", () => gone === sockets.length);
      } finally {
        for (const socket of sockets) socket.close();
      }
    },
  },
  "handshakes in a loop": {
    run: async (scene) => {
      await scene.many(scene.of(200, Infinity), 20, async () => (await connectTo(scene.victim.door)).close());
    },
  },
  "damaged records": {
    run: async (scene) => {
      const random = generator(20261128);
      const below = (n: number) => Math.floor(n * random());
      const count = scene.of(60, 10_000);
      await inParallel(count, 8, async () => {
        const which = below(WRITES);
        await session(scene, "get other:1\r\n", (bytes, i) => i === which ? mutate(bytes, below) : bytes);
      });
      return `${count} connections`;
    },
  },
  "connections of others, said again and sent back": {
    run: async (scene) => {
      const random = generator(20261129);
      const below = (n: number) => Math.floor(n * random());
      const { door } = scene.victim;
      const { said, heard } = await session(scene, "set replayed 0 0 1\r\n1\r\n");
      const isLine = (reply: string) => reply.endsWith("\r\n");
      if (await exchange(door, "delete replayed\r\n", isLine) !== "DELETED\r\n") {
        throw new Error("the attack has not worked: nothing was stored");
      }
      const count = scene.of(60, 10_000);
      await inParallel(count, 8, async (i) => {
        const pieces = i % 3 === 0 ? heard : said;
        const bytes = i < 8 ? joined(...pieces) : joined(...pieces.map((piece) => mutate(piece, below)));
        const socket = await connect(scene);
        const reading = scene.read(socket);
        await writeAll(socket, bytes).then(() => socket.closeWrite()).catch(() => {}); // it may have hung up
        await reading;
        socket.close();
      });
      const found = await exchange(door, "get replayed\r\n", isLine);
      if (found !== "END\r\n") throw new Error(`what somebody else had said was done again: ${found}`);
      return `${count} connections`;
    },
  },
};
