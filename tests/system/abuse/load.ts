/** Attacks by requests that are right, and too many. */

import { FrameWriter, REQUEST as FRAME } from "../../../lib/wire/frame.ts";
import { writeKeyList } from "../../../lib/wire/calls.ts";
import { greetingAnd } from "../../support/native_socket.ts";
import { packetOf, REQUEST, u32 } from "../../support/memcached_packets.ts";
import { joined } from "../../support/mutate.ts";
import { type Attacks, inParallel, type Scene } from "./scene.ts";

const text = new TextEncoder();
const [GETQ, NOOP, SETQ] = [0x09, 0x0a, 0x11];
const MIB = 1024 * 1024;
/** Bytes of a large value: memcached takes 1 MiB with its key and head. */
export const LARGE_BYTES = 1_000_000;

/** Stores a large value, and returns the line that asks for it. */
export async function largeValue(scene: Scene): Promise<Uint8Array> {
  await scene.pour(text.encode(`set large 0 0 ${LARGE_BYTES} noreply\r\n${"v".repeat(LARGE_BYTES)}\r\n`));
  return text.encode("get large\r\n");
}

function same(bytes: Uint8Array, times: number): Uint8Array {
  return joined(...Array.from({ length: times }, () => bytes));
}

/** Says the same on several connections at once; each has to be answered. */
async function poured(scene: Scene, connections: number, bytes: Uint8Array, times: number): Promise<void> {
  await inParallel(connections, connections, async () => {
    if (await scene.pour(bytes, times) === 0) throw new Error("requests that are right were not answered");
  });
}

export const LOAD: Attacks = {
  "long get lines": {
    isForMemcached: true,
    run: async (scene) => {
      let line = "get";
      for (let i = 0; line.length < MIB - 20; i++) line += ` other:${i % 300}`;
      await poured(scene, 4, text.encode(`${line}\r\n`), scene.of(3, Infinity));
    },
  },
  "long get lines of misses": {
    isForMemcached: true,
    run: async (scene) => {
      let line = "get";
      for (let i = 0; line.length < MIB - 20; i++) line += ` m${i}`;
      await poured(scene, 4, text.encode(`${line}\r\n`), scene.of(3, Infinity));
    },
  },
  "largest get-many": {
    run: async (scene) => {
      const output = new FrameWriter();
      writeKeyList(output, FRAME.getMany, Array.from({ length: 1024 }, (_, i) => `${i}:`.padEnd(4096, "k")));
      const request = output.taken().slice();
      await inParallel(4, 4, async () => {
        await scene.pour(request, scene.of(5, Infinity), greetingAnd());
      });
    },
  },
  "quiet binary gets": {
    isForMemcached: true,
    run: async (scene) => {
      const hits = same(packetOf(REQUEST, GETQ, { key: "other:1" }), 2000);
      await poured(scene, 4, joined(hits, packetOf(REQUEST, NOOP)), scene.of(30, Infinity));
    },
  },
  "bulk sets": {
    isForMemcached: true,
    run: async (scene) => {
      await inParallel(8, 8, async (i) => {
        const sets = Array.from(
          { length: 2000 },
          (_, k) => `set bulk:${i}:${k} 0 0 100 noreply\r\n${"v".repeat(100)}\r\n`,
        );
        await scene.pour(text.encode(sets.join("")), scene.of(10, Infinity));
      });
    },
  },
  "bulk binary sets": {
    isForMemcached: true,
    run: async (scene) => {
      await inParallel(8, 8, async (i) => {
        const sets = Array.from(
          { length: 2000 },
          (_, k) => packetOf(REQUEST, SETQ, { extras: u32(0, 0), key: `bulk:${i}:${k}`, value: "v".repeat(100) }),
        );
        await scene.pour(joined(...sets), scene.of(10, Infinity));
      });
    },
  },
};
