/** Attacks by requests that are damaged, in each protocol: seeded, so that the same bytes are sent each time. */

import { FrameWriter, GOSSIP, REQUEST as FRAME } from "../../../lib/wire/frame.ts";
import { MessageWriter } from "../../../lib/replication/message.ts";
import { generator } from "../../../lib/simulation/seeded_random.ts";
import { writeKeyed, writeKeyList, writeSet } from "../../../lib/wire/calls.ts";
import {
  type ListedEntry,
  writeIncrement,
  writeKeys,
  writeSetIf,
  writeSetMany,
} from "../../../lib/wire/entry_calls.ts";
import { writeHello } from "../../../lib/wire/hello.ts";
import { CLASSIC_DIALOGUES, META_DIALOGUES, TEXT_DIALOGUES } from "../../support/memcached_dialogues.ts";
import { CasNumbers } from "../../support/memcached_oracle.ts";
import { bytesOfRequest, Requests } from "../../support/memcached_requests.ts";
import { joined, mutate } from "../../support/mutate.ts";
import { frameOf, greetingAnd } from "../../support/native_socket.ts";
import { PEER_MESSAGES } from "../../support/peer_messages.ts";
import { type Attack, type Attacks, inParallel, type Scene } from "./scene.ts";

const text = new TextEncoder();
const NOTHING = new Uint8Array(0);
/** Damaged requests on one connection, at most. */
const MOST_ON_ONE = 16;
const MOST_BYTES = 10_000;

/** A number for the tests; where each connection begins with a login or a handshake, a smaller one. */
function atDoor({ victim: { door } }: Scene, count: number): number {
  return door.token === undefined ? count : count / 10;
}

/** Sends damaged requests, some on each connection, behind a greeting that is none. */
function mutations(
  parts: () => Uint8Array[],
  greeting: (i: number) => Uint8Array = () => NOTHING,
): Omit<Attack, "mayClear"> {
  return {
    run: async (scene) => {
      const all = parts();
      const random = generator(20261126);
      const below = (n: number) => Math.floor(n * random());
      const [goal, perConnection] = [scene.of(atDoor(scene, 20_000), 300_000), MOST_ON_ONE];
      await inParallel(goal / perConnection, 8, async (i) => {
        const some = Array.from({ length: perConnection }, () => mutate(all[below(all.length)], below));
        await scene.pour(joined(greeting(i), ...some));
      });
      return `${goal} requests, three in four damaged`;
    },
  };
}

function written(write: (output: FrameWriter) => void): Uint8Array {
  const output = new FrameWriter();
  write(output);
  return output.taken().slice();
}

function withDigits(key: string): ListedEntry {
  return { key, value: { flags: 0, payload: "41" } };
}

function nativeRequests(): Uint8Array[] {
  const keyed = Object.values(FRAME).filter((code) => code !== FRAME.hello && code !== FRAME.clear);
  return [
    ...keyed.map((code) => written((output) => writeKeyed(output, code, "key"))),
    written((output) => writeSet(output, "key", { flags: 1, payload: "value" }, 1000)),
    written((output) => writeSet(output, "other key", { flags: 0, payload: new Uint8Array(300) }, undefined)),
    written((output) => writeKeyList(output, FRAME.getMany, ["key", "other key", "none"])),
    written((output) => writeKeyList(output, FRAME.deleteMany, ["key", "other key", "none"])),
    written((output) => writeIncrement(output, "counter", 5n, 7n, 1000)),
    written((output) => writeSetIf(output, "key", "present", { flags: 1, payload: "value" }, 1000, true)),
    written((output) => writeSetMany(output, ["key", "counter"].map(withDigits), undefined, false)),
    written((output) => writeKeys(output, "k", 0)),
    greetingAnd(),
  ];
}

function dialogues(all: typeof TEXT_DIALOGUES): Uint8Array[] {
  return all.filter(([, asked]) => asked.length < MOST_BYTES).map(([, asked]) => text.encode(asked));
}

/** Some thousand requests of random making, right ones and wrong ones. */
function packets(): Uint8Array[] {
  const requests = new Requests(generator(7), "m");
  const cas = new CasNumbers();
  const all: Uint8Array[] = [];
  while (all.length < 3000) {
    for (const request of requests.batch(8).requests) all.push(bytesOfRequest(request, cas, false));
  }
  return all.filter(({ length }) => length < MOST_BYTES);
}

function peerFrames(): Uint8Array[] {
  const writer = new MessageWriter();
  return Object.values(PEER_MESSAGES).map((message) => frameOf(GOSSIP, writer.write(message)));
}

const helloOf = (i: number) =>
  written((output) => writeHello(output, "mutant", { id: 10_000 + i, port: 1 + i % 60_000 }));
const mayClear = true as const;

export const MUTATIONS: Attacks = {
  "damaged text": {
    ...mutations(() => dialogues([...TEXT_DIALOGUES, ...CLASSIC_DIALOGUES])),
    mayClear,
    isForMemcached: true,
  },
  "damaged meta commands": { ...mutations(() => dialogues(META_DIALOGUES)), mayClear, isForMemcached: true },
  "damaged binary packets": { ...mutations(packets), mayClear, isForMemcached: true },
  "damaged native frames": { ...mutations(nativeRequests, () => greetingAnd()), mayClear },
  "damaged messages of peers": { ...mutations(peerFrames, helloOf), mayClear },
};
