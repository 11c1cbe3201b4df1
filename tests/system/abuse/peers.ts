/** Attacks by peers that lie: strangers who greet as peers do, and then say what keeps a server busy. */

import { type FrameReader, FrameWriter, GOSSIP } from "../../../lib/wire/frame.ts";
import { closeQuietly } from "../../../lib/platform/socket.ts";
import { MESSAGE, type Message, type MessageBody, MORE, NAME, TURN } from "../../../lib/replication/message.ts";
import { readMessage } from "../../../lib/replication/message_reader.ts";
import { generator } from "../../../lib/simulation/seeded_random.ts";
import { TOMB } from "../../../lib/store/entry.ts";
import { versionAt } from "../../../lib/store/version.ts";
import { writeHello } from "../../../lib/wire/hello.ts";
import { NO_PAGE } from "../../support/gossip_nodes.ts";
import { frameOf, type PeerSocket } from "../../support/native_socket.ts";
import { bareWrite, listOf } from "../../support/peer_messages.ts";
import { type Attacks, inParallel, type Scene } from "./scene.ts";

/** Items that a message may list, origins of which it may say how far they are known, and writes. */
const [MOST_ITEMS, MOST_KNOWN, MOST_WRITES] = [8192, 2048, 1024];
const AN_HOUR_MS = 3_600_000;
/** Items by which a table of the engine is at least as large as its items: numbers whose hashes end alike share a chain. */
const SAME_BITS = 0x3fff;

function messageIn(frame: FrameReader): Message {
  return readMessage(frame.slice(frame.start, frame.end));
}

/** Takes part in the gossip and answers by `answer`, for some seconds or until the server hangs up; returns how many pages that were. */
async function lie(
  scene: Scene,
  peer: PeerSocket,
  answer: (message: Message) => MessageBody | undefined,
): Promise<string> {
  let pages = 0;
  const over = scene.lasts(1.5, 15).then(() => closeQuietly(peer.socket));
  try {
    for (let frame = await peer.next(); frame !== undefined; frame = await peer.next()) {
      const body = frame.code === GOSSIP ? answer(messageIn(frame)) : undefined;
      if (body === undefined) continue;
      await peer.say(body);
      if (body.type === MESSAGE.page) pages++;
    }
  } catch {
    // One of both has hung up, as they may.
  }
  await over;
  if (pages === 0) throw new Error("the attack has not worked: no page was asked for");
  return `${pages} pages`;
}

/** Says the same many times, but not for too long, and reads what comes back. */
async function insist(scene: Scene, id: number, body: MessageBody, most: number): Promise<void> {
  const peer = await scene.peer(id);
  const reading = peer.end();
  for (let i = 0; i < most && !scene.isOver; i++) await peer.say(body).catch(() => {}); // the server may hang up
  await peer.socket.closeWrite().catch(() => {});
  await reading;
}

/** Answers rounds of the server's with a claim, and its questions with pages that are never the last. */
function pages(known: () => Map<number, number>, page: (question: number, to: number) => MessageBody) {
  return (message: Message): MessageBody | undefined => {
    switch (message.type) {
      case MESSAGE.sync:
        return { type: MESSAGE.known, turn: TURN.answer, known: known() };
      case MESSAGE.known: // an offer of the server's own writes is answered by one of ours, to be taken first
        return message.turn === TURN.offer ? { type: MESSAGE.known, turn: TURN.take, known: known() } : undefined;
      case MESSAGE.list:
        return { type: MESSAGE.listed, to: message.from, question: message.question, more: false, places: [] };
      case MESSAGE.verify: {
        const confirmed = message.writes.map(() => true);
        return { type: MESSAGE.verified, to: message.from, question: message.question, confirmed };
      }
      case MESSAGE.pull:
        return page(message.question, message.from);
    }
  };
}

/** Numbers that an engine without a seed hashes alike in their lower bits (V8's hash of small integers). */
export function collidingNumbers(count: number): number[] {
  const numbers: number[] = [];
  for (let number = 1; numbers.length < count && number < 2 ** 31; number++) {
    let hash = ~number + (number << 15) | 0;
    hash ^= hash >>> 12;
    hash = hash + (hash << 2) | 0;
    hash = Math.imul(hash ^ hash >>> 4, 2057);
    if (((hash ^ hash >>> 16) & SAME_BITS) === 0) numbers.push(number);
  }
  return numbers;
}

function newOrigins(random: () => number, count: number, h: number): Map<number, number> {
  return new Map(Array.from({ length: count }, () => [1 + Math.floor((2 ** 32 - 2) * random()), h]));
}

/** What a peer says that breaks the protocol at once; it is another one for each number. */
export function badPeer(i: number): Uint8Array {
  const output = new FrameWriter();
  writeHello(output, "garbage", { id: 1000 + i, port: 1 + i });
  output.bytes(frameOf(GOSSIP, new Uint8Array(100).fill(99)));
  return output.taken().slice();
}

export const PEERS: Attacks = {
  "pages of tombstones": {
    run: async (scene) => {
      const [id, last] = [101, versionAt(Date.now())];
      let h = last - AN_HOUR_MS * 4096;
      let keys = 0;
      const known = new Map([[id, last]]);
      const page = (question: number, to: number): MessageBody => {
        const writes = Array.from({ length: MOST_WRITES }, () => bareWrite(`t${keys++}`, { h: h++, origin: id }, TOMB));
        return { type: MESSAGE.page, to, question, ...NO_PAGE, known, writes, more: MORE.writes };
      };
      return await lie(scene, await scene.peer(id), pages(() => known, page));
    },
  },
  "verifications of 1,024 names": {
    run: async (scene) => {
      const h = versionAt(Date.now()) - 4096 * AN_HOUR_MS;
      const writes = Array.from({ length: MOST_WRITES }, (_, i) => bareWrite(`n${i}`, { h: h + i, origin: 102 }, NAME));
      await insist(scene, 102, { type: MESSAGE.verify, question: 1, known: new Map(), writes }, scene.of(24, 8000));
    },
  },
  "8,190 new origins": {
    run: async (scene) => {
      const [random, h] = [generator(103), versionAt(Date.now())];
      const known = () => newOrigins(random, MOST_KNOWN - 2, h);
      const page = (question: number, to: number): MessageBody => {
        const all = known();
        return { type: MESSAGE.page, to, question, ...NO_PAGE, known: all };
      };
      return await lie(scene, await scene.peer(103), pages(known, page));
    },
  },
  "news of 8,190 new origins": {
    run: async (scene) => {
      const [random, last, peer] = [generator(104), versionAt(Date.now()), await scene.peer(104)];
      const reading = peer.end();
      for (const origin of newOrigins(random, scene.of(8190, 200_000), 0).keys()) {
        await peer.say({ type: MESSAGE.push, origin, before: 0, last, sentTo: [], writes: [] });
      }
      await peer.socket.closeWrite();
      await reading;
    },
  },
  "8,192 colliding origins": {
    run: async (scene) => {
      const known = new Map(collidingNumbers(MOST_ITEMS).map((id) => [id, 1]));
      // Each is refused, and ends its connection: there is none that could be asked for a page.
      const [base, told] = [{ upTo: 1, digest: 0 }, listOf(known)];
      await insist(scene, 105, { type: MESSAGE.explained, base, told }, scene.of(3, 1000));
      const lossy = known;
      await insist(scene, 106, { type: MESSAGE.page, to: 1, question: 2, ...NO_PAGE, lossy }, scene.of(3, 1000));
    },
  },
  "peers that do not read": {
    run: async (scene) => {
      await largeEntries(scene);
      const pull: MessageBody = {
        type: MESSAGE.pull,
        question: 1,
        known: new Map(),
        after: { h: 0, id: 0 },
      };
      const peers: PeerSocket[] = [];
      await inParallel(scene.of(5, 50), 5, async (i) => {
        const peer = await scene.peer(200 + i);
        peers.push(peer);
      });
      const saying = peers.map((peer) => peer.say(pull, { clock: 0 }, 1500).catch(() => {}));
      await scene.lasts(1, 15);
      for (const peer of peers) closeQuietly(peer.socket);
      await Promise.all(saying);
    },
  },
  "peers that send garbage": {
    run: async (scene) => {
      await scene.many(scene.of(500, Infinity), 4, (i) => scene.pour(badPeer(i)));
    },
  },
  "peers of another version": {
    run: async (scene) => {
      await scene.many(scene.of(500, Infinity), 4, async (i) => {
        const output = new FrameWriter();
        writeHello(output, "other", { id: 1000 + i, port: 1 + i });
        const hello = output.taken().slice();
        const at = hello.findIndex((_, i) => String.fromCharCode(...hello.subarray(i, i + 6)) === "gossip");
        hello[at + 6]++;
        await scene.pour(hello);
      });
    },
  },
};

/** Stores what a page is full of. */
async function largeEntries(scene: Scene): Promise<void> {
  const sets = Array.from({ length: 2000 }, (_, i) => `set page:${i} 0 0 500 noreply\r\n${"v".repeat(500)}\r\n`);
  await scene.pour(new TextEncoder().encode(sets.join("")));
}
