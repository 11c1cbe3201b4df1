/** Attacks that make a server keep bytes: half-sent requests, replies that nobody reads, connections that leave. */

import { closeQuietly } from "../../../lib/platform/socket.ts";
import { REQUEST } from "../../../lib/wire/frame.ts";
import { MAX_VALUE_BYTES } from "../../../lib/base/limits.ts";
import type { DoorSocket } from "../../support/door.ts";
import { frameOf, greetingAnd } from "../../support/native_socket.ts";
import { joined } from "../../support/mutate.ts";
import { LARGE_BYTES, largeValue } from "./load.ts";
import { type Attacks, inParallel, type Scene } from "./scene.ts";

const text = new TextEncoder();

/** Connects so many times and says the same on each, as far as the server takes it. */
async function sayOnEach(scene: Scene, count: number, bytes: Uint8Array): Promise<DoorSocket[]> {
  const sockets = await scene.connections(count);
  const ended = scene.lasts(1, 10).then(() => sockets.forEach(closeQuietly));
  await Promise.all(sockets.map((socket) => scene.begin(socket, bytes).catch(() => {})));
  await ended;
  return sockets;
}

export const MEMORY: Attacks = {
  "half-sent native sets": {
    run: async (scene) => {
      const whole = frameOf(REQUEST.set, new Uint8Array(MAX_VALUE_BYTES));
      await sayOnEach(scene, scene.of(10, 120), joined(greetingAnd(), whole.subarray(0, whole.length - 1)));
    },
  },
  "half-sent memcached sets": {
    isForMemcached: true,
    run: async (scene) => {
      const half = text.encode(`set half 0 0 ${LARGE_BYTES}\r\n${"v".repeat(LARGE_BYTES / 2)}`);
      await sayOnEach(scene, scene.of(100, 990), half);
    },
  },
  "readers who do not read": {
    isForMemcached: true,
    run: async (scene) => {
      const get = await largeValue(scene);
      const gets = joined(...Array.from({ length: 100 }, () => get));
      await sayOnEach(scene, scene.of(20, 100), gets);
    },
  },
  "connections that have left": {
    isForMemcached: true,
    run: async (scene) => {
      const get = await largeValue(scene);
      const sockets = await scene.connections(scene.of(200, 990), get);
      await inParallel(sockets.length, 50, async (i) => {
        for (let bytes = 0; bytes < LARGE_BYTES;) {
          const count = await sockets[i].read(new Uint8Array(256 * 1024)).catch(() => null); // a stranger is cut off
          bytes += count ?? LARGE_BYTES;
        }
      });
      for (const socket of sockets) scene.close(socket);
      await scene.lasts(0.1, 60);
    },
  },
};
