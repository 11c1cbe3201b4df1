/** This build in place of each of two peers of a former one, whose conversation lies in golden/conversation.txt. */

import { assert, assertEquals } from "@std/assert";
import { MESSAGE, type Message, MessageWriter } from "../../lib/replication/message.ts";
import { readMessage } from "../../lib/replication/message_reader.ts";
import { BEFORE, heldBy, recorded, SETTINGS, type Step, STEPS } from "../support/conversation.ts";
import { bytesOfHex } from "../support/golden.ts";
import { gossipNode, NOW_MS } from "../support/stores.ts";

const LINES = recorded();

/** One peer of this build; the other is what was recorded. */
class Player {
  readonly #node: 0 | 1;
  readonly #clock = { nowMs: NOW_MS };
  /** What this build has said that the recorded peer has not waited for yet. */
  readonly #said: Message[] = [];
  /** Numbers of this build's questions, by those of the recorded ones. */
  readonly #questions = new Map<number, number>();
  readonly store;
  readonly gossip;

  constructor(node: 0 | 1) {
    this.#node = node;
    const of = (setting: unknown) => Array.isArray(setting) ? setting[node] : setting;
    const { maxSize, maxForgotten, maxListed, eager, maxWrites } = SETTINGS;
    const { store, gossip } = gossipNode(this.#clock, 100 + node, {
      store: { maxSize: of(maxSize), maxForgotten: of(maxForgotten), maxListed },
      gossip: { eager, maxWrites, send: (_, bytes) => this.#said.push(readMessage(bytes.slice())) },
    });
    this.store = store;
    this.gossip = gossip;
  }

  /** Does what a step says, if it is this node that does something. */
  does({ node, act, afterMs }: Step): void {
    this.#clock.nowMs += afterMs;
    if (node !== this.#node) return;
    act(this);
    this.gossip.flush();
  }

  /** Hears what the recorded peer said, or has to have said what that one heard. */
  hears(from: string, bytes: Uint8Array): void {
    const message = readMessage(bytes);
    if (from !== String(this.#node)) {
      assert(this.gossip.receive(1 - this.#node, this.#answer(message, bytes)), "it is believed");
      return this.gossip.flush();
    }
    const at = this.#said.findIndex(({ type }) => type === message.type);
    assert(at >= 0, `it says no ${nameOf(message)}, only ${this.#said.map(nameOf)}`);
    const [said] = this.#said.splice(at, 1);
    if ("question" in said && "question" in message) this.#questions.set(message.question, said.question);
  }

  /** Ends a step. Returns what was said beside what was recorded; the recorded peer answers no questions of this build's own. */
  rest(): Message[] {
    return this.#said.splice(0).filter(({ type }) => type !== MESSAGE.list);
  }

  /** A recorded message; what answers a question bears the number that this build has given that. */
  #answer(message: Message, bytes: Uint8Array): Uint8Array {
    if (!("to" in message && "question" in message)) return bytes;
    const question = this.#questions.get(message.question);
    if (question === undefined || question === message.question) return bytes;
    return new MessageWriter().write({ ...message, question }).slice();
  }
}

function nameOf({ type }: Message): string {
  return Object.entries(MESSAGE).find(([, other]) => other === type)![0];
}

for (const node of [0, 1] as const) {
  Deno.test(`Gossip talks to a peer of a former build, and holds what that one's peer held, in place of node ${node}`, () => {
    const player = new Player(node);
    for (const before of BEFORE) player.does(before);
    player.gossip.connect(1 - node);
    player.gossip.measure(); // as servers do, of their own accord
    const steps = [...STEPS];
    for (const [what, ofWhom, more] of LINES) {
      if (what === "step") {
        assertEquals(`${ofWhom} ${more}`, steps[0].name);
        player.does(steps.shift()!);
      } else if (what === "said") {
        player.hears(ofWhom, bytesOfHex(more));
      } else if (what === "held" && ofWhom === String(node)) {
        assertEquals(heldBy(player.store), more);
        assertEquals(player.rest(), []);
      }
    }
    assertEquals(steps.length, 0);
  });
}

Deno.test("golden/conversation.txt has a message of every type of its time but those of a node that joins", () => {
  const said = new Set(LINES.flatMap(([what, , hex]) => what === "said" ? [readMessage(bytesOfHex(hex)).type] : []));
  const missing = Object.entries(MESSAGE).filter(([, type]) => !said.has(type)).map(([name]) => name);
  assertEquals(missing, ["list", "listed", "want", "window"]); // the last came later, as a feature
});
