/** Attacks by connections that say nothing, or nothing that means anything, or leave. */

import { writeAll } from "../../../lib/platform/socket.ts";
import { generator } from "../../../lib/simulation/seeded_random.ts";
import { greetingAnd } from "../../support/native_socket.ts";
import { until } from "../../support/waiting.ts";
import { largeValue } from "./load.ts";
import { type Attacks, inParallel, type Scene } from "./scene.ts";

const text = new TextEncoder();
const GARBAGE_BYTES = 4096;
/** Milliseconds in which an honest client has to get in, whoever else is there. */
const MOST_WAIT_MS = 10_000;

/** Random bytes, the same for each seed. */
function garbage(seed: number): Uint8Array {
  const random = generator(seed);
  return Uint8Array.from({ length: GARBAGE_BYTES }, () => 256 * random());
}

/** Takes all places of a server, says something on each, and lets an honest client in. */
export async function crowd(scene: Scene, says: (i: number) => Uint8Array = () => new Uint8Array(0)): Promise<void> {
  await inParallel(1000, 20, async (i) => void await scene.connections(1, says(i)).catch(() => {})); // others make room
  if (scene.victim.kind === "memcached") return;
  await using client = scene.client(1000);
  for (const endMs = performance.now() + MOST_WAIT_MS; performance.now() < endMs;) {
    if (await client.store("in", 1)) return;
    await scene.lasts(0.1, 0.1);
  }
  throw new Error(`an honest client does not get in within ${MOST_WAIT_MS / 1000} s`);
}

export const STRANGERS: Attacks = {
  "silent strangers": {
    isForMemcached: true,
    run: (scene) => crowd(scene),
  },
  "half greetings": {
    run: async (scene) => {
      const sockets = await scene.connections(scene.of(50, 990));
      for (const socket of sockets) await writeAll(socket, greetingAnd().subarray(0, 12));
      let gone = 0;
      for (const socket of sockets) scene.read(socket).then(() => gone++);
      await until("all are cut off", () => gone === sockets.length);
    },
  },
  "slow senders": {
    isForMemcached: true,
    run: async (scene) => {
      const says = [
        text.encode(`set slow 0 0 1000\r\n${"v".repeat(1000)}\r\n`),
        greetingAnd(),
        text.encode("get a b c"),
      ];
      const sockets = await scene.connections(scene.of(30, 300));
      for (let i = 0; i < scene.of(4, 60); i++) {
        await Promise.all(sockets.map((socket, n) => {
          const bytes = says[n % says.length];
          return writeAll(socket, bytes.subarray(i, i + 1)).catch(() => {}); // it may have been cut off
        }));
        await scene.lasts(0.5, 1);
      }
    },
  },
  "resets in the middle": {
    isForMemcached: true,
    run: async (scene) => {
      const get = await largeValue(scene);
      await scene.many(scene.of(100, Infinity), 10, async () => {
        const [socket] = await scene.connections(1, get);
        await socket.read(new Uint8Array(10));
        scene.close(socket); // with bytes unread, which is a reset
      });
    },
  },
  "resets of half a request": {
    isForMemcached: true,
    run: async (scene) => {
      const get = await largeValue(scene);
      const half = text.encode("set half 0 0 100\r\nvvvv");
      await scene.many(scene.of(100, Infinity), 10, async () => {
        const socket = await scene.connect();
        await writeAll(socket, get);
        await writeAll(socket, half);
        await socket.read(new Uint8Array(10));
        scene.close(socket);
      });
    },
  },
  "connection flood": {
    isForMemcached: true,
    run: async (scene) => {
      await scene.many(scene.of(2000, Infinity), 50, async () => scene.close(await scene.connect()));
    },
  },
  "garbage in a loop": {
    isForMemcached: true,
    run: async (scene) => {
      const all = Array.from({ length: 64 }, (_, i) => garbage(i));
      await scene.many(scene.of(500, Infinity), 4, (i) => scene.pour(all[i % all.length]));
    },
  },
  "garbage of greeted clients": {
    run: async (scene) => {
      await scene.many(
        scene.of(500, Infinity),
        4,
        (i) => scene.pour(greetingAnd((output) => output.bytes(garbage(i % 64)))),
      );
    },
  },
};
