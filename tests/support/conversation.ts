/**
 * A conversation of two peers, which one build has and later ones are played: what the two do, step by step, and how it is
 * recorded. Run as a program, it prints what the build says whose checkout it lies in.
 */

import type { Gossip } from "../../lib/replication/gossip.ts";
import type { Store } from "../../lib/store/store.ts";
import { applyFrom, hit, join, type JoinSettings, key, PAIR, set, settle } from "./gossip_nodes.ts";

/** One of the two. */
export interface Speaker {
  readonly store: Store;
  readonly gossip: Gossip;
}

/** What one of the two does, after some time; the messages that follow from it are taken before the next step. */
export interface Step {
  readonly name: string;
  readonly afterMs: number;
  readonly node: 0 | 1;
  readonly act: (speaker: Speaker) => void;
}

/** The first evicts, and forgets much of that; the second has room for all. Pages and lists of origins are small. */
export const SETTINGS: JoinSettings = {
  eager: true,
  maxSize: [40, 1000],
  maxForgotten: [30, 1000],
  maxWrites: 20,
  maxListed: 4,
};

/** Numbers of keys are below that. */
const MOST_KEYS = 5000;
/** A value that is not pushed. */
const LARGE = "x".repeat(17 * 1024);

/** What the two do before they meet. */
export const BEFORE: readonly Step[] = [
  step("1 stores before it has peers", 1, ({ store }) => {
    for (let i = 1000; i < 1030; i++) set(store, i);
  }),
  step("0 stores, so that much leaves", 0, ({ store }) => {
    for (let i = 0; i < 200; i++) set(store, i);
    store.delete(key(190));
  }, 1000),
  step("0 hears of others", 0, ({ store }) => {
    for (let origin = 200; origin < 210; origin++) applyFrom(store, origin, 4000 + origin);
  }),
];

/** What they do once they have met. */
export const STEPS: readonly Step[] = [
  step("1 asks", 1, ({ gossip }) => gossip.ask(0)),
  step("0 asks", 0, ({ gossip }) => gossip.ask(1)),
  step("0 does a round", 0, ({ gossip }) => gossip.round(() => 0), 1000),
  step("1 stores", 1, ({ store }) => set(store, 2000)),
  step("0 stores for a second", 0, ({ store }) => set(store, 3000, "short", 1000)),
  step("0 uses that", 0, ({ store }) => void hit(store, 3000), 600),
  step("1 deletes", 1, ({ store }) => void store.delete(key(199))),
  step("1 stores much", 1, ({ store }) => set(store, 2001, LARGE)),
  step("1 does a round", 1, ({ gossip }) => gossip.round(() => 0), 1000),
  step("0 clears", 0, ({ store }) => store.clear()),
  step("1 stores after that", 1, ({ store }) => set(store, 2002), 10),
  step("0 stores after that", 0, ({ store }) => set(store, 3002)),
  step("both know the same", 0, ({ gossip }) => gossip.round(() => 0), 1000),
];

function step(name: string, node: 0 | 1, act: Step["act"], afterMs = 1): Step {
  return { name, node, act, afterMs };
}

/** The lines of the conversation that is recorded in a golden file: what a line tells, of whom, and the rest. */
export function recorded(): [what: string, ofWhom: string, more: string][] {
  const file = new URL("../replication/golden/conversation.txt", import.meta.url);
  const lines = Deno.readTextFileSync(file).trimEnd().split("\n").filter((line) => !line.startsWith("#"));
  return lines.map((line) => /^(greeted|step|said|held) (\S+) ?(.*)$/.exec(line)!.slice(1) as [string, string, string]);
}

/** The keys that a node holds, of those that appear in a conversation. */
export function heldBy(store: Store): string {
  const keys = Array.from({ length: MOST_KEYS }, (_, i) => i);
  return keys.filter((i) => store.peek(key(i)) !== 0).join(" ");
}

/** What is recorded: the name of each step, each message as its sender and its bytes, and then what each node holds. */
function record(): string[] {
  const all = join(PAIR, SETTINGS);
  const lines: string[] = [];
  const run = ({ node, act, afterMs }: Step) => {
    all.clock.nowMs += afterMs;
    act({ store: all.stores[node], gossip: all.gossips[node] });
    settle(all);
  };
  for (const [node, gossip] of all.gossips.entries()) gossip.disconnect(1 - node);
  for (const before of BEFORE) run(before);
  for (const [node, gossip] of all.gossips.entries()) gossip.connect(1 - node);
  for (const step of STEPS) {
    run(step);
    lines.push(`step ${step.name}`);
    for (const { from, bytes } of all.sent.splice(0)) {
      lines.push(`said ${from} ${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`);
    }
    for (const [node, store] of all.stores.entries()) lines.push(`held ${node} ${heldBy(store)}`.trimEnd());
  }
  return lines;
}

if (import.meta.main) console.log(record().join("\n"));
