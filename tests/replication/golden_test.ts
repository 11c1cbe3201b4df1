/**
 * The bytes of messages between peers, as they are: golden/messages.txt holds them, so that a change of one is seen in a
 * review, beside the raised version that has to go with it, if it is no feature that peers agree on.
 */

import { assert, assertEquals } from "@std/assert";
import { FLAG_CODES, MESSAGE, MessageWriter, MORE, NAME, TOUCH, TURN } from "../../lib/replication/message.ts";
import { readMessage } from "../../lib/replication/message_reader.ts";
import { ENTRY, GHOST, MARK, PREFIX, TOMB, TRAVELS } from "../../lib/store/entry.ts";
import { GOSSIP_VERSION } from "../../lib/wire/hello.ts";
import { comparable, PEER_MESSAGES } from "../support/peer_messages.ts";

const GOLDEN = Deno.readTextFileSync(new URL("golden/messages.txt", import.meta.url)).trimEnd().split("\n");
const VERSION_LINE = "# GOSSIP_VERSION: ";

/** Bytes in hexadecimal, by the message's name. */
const golden = new Map(
  GOLDEN.filter((line) => !line.startsWith("#")).map((line): [string, string] => {
    const at = line.lastIndexOf(": ");
    return [line.slice(0, at), line.slice(at + 2)];
  }),
);

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytesOf(hex: string): Uint8Array {
  assert(/^([0-9a-f]{2})+$/.test(hex), `no bytes in hexadecimal: ${hex}`);
  return Uint8Array.from(hex.match(/../g)!, (digits) => parseInt(digits, 16));
}

Deno.test("golden messages are of the version of gossip that is spoken", () => {
  const lines = GOLDEN.filter((line) => line.startsWith(VERSION_LINE));
  assertEquals(lines, [`${VERSION_LINE}${GOSSIP_VERSION}`]);
});

Deno.test("golden messages have one line for each example, and an example for each line", () => {
  assertEquals([...golden.keys()], Object.keys(PEER_MESSAGES));
  assertEquals(GOLDEN.filter((line) => !line.startsWith("#")).length, golden.size);
});

Deno.test("golden messages are of every kind, and carry everything that a message can", () => {
  const messages = Object.values(PEER_MESSAGES);
  for (const [name, type] of Object.entries(MESSAGE)) {
    assert(messages.some((message) => message.type === type), `no message of the kind ${name}`);
  }
  const turns = messages.flatMap((message) => message.type === MESSAGE.known ? [message.turn] : []);
  assertEquals(new Set(turns), new Set(Object.values(TURN)));
  const pages = messages.flatMap((message) => message.type === MESSAGE.page ? [message] : []);
  assertEquals(new Set(pages.map(({ more }) => more)), new Set(Object.values(MORE)));
  assert(pages.some(({ departures }) => new Set(departures.map(({ id }) => id)).size > 1), "no fingerprints");
  assert(
    pages.some(({ departures }) => departures.some(({ id, writer }) => id !== writer)),
    "no adopted write has left",
  );
  const lists = messages.flatMap((message) => message.type === MESSAGE.listed ? [message] : []);
  assertEquals(new Set(lists.map(({ more }) => more)), new Set([true, false]));
  assert(lists.some(({ places }) => new Set(places.map(({ id }) => id)).size > 1), "no list of several origins");
  const pulls = messages.flatMap((message) => message.type === MESSAGE.pull ? [message] : []);
  assertEquals(new Set(pulls.map(({ cursor }) => cursor === undefined)), new Set([true, false]));
  assert(messages.some((message) => "known" in message && message.known.base !== undefined), "no base");
  const writes = messages.flatMap((message) => "writes" in message ? message.writes : []);
  assertEquals(new Set(writes.map(({ kind }) => kind)), new Set([ENTRY, TOMB, GHOST, PREFIX, NAME, TOUCH]));
  assert(writes.some(({ version }) => version.by !== undefined), "no adopted write");
  const entries = writes.flatMap(({ entry }) => entry === undefined ? [] : [entry]);
  for (const flags of FLAG_CODES) assert(entries.some((entry) => entry.flags === flags), `no flags ${flags}`);
  assert(entries.some(({ flags }) => !FLAG_CODES.includes(flags)), "no other flags");
  for (const [name, mark] of Object.entries(MARK)) {
    if ((mark & TRAVELS) === 0) continue;
    assert(entries.some(({ marks }) => ((marks ?? 0) & mark) !== 0), `no entry with the mark ${name}`);
  }
  assert(entries.some(({ ttlMs }) => ttlMs !== Infinity), "no time to live");
});

for (const [name, message] of Object.entries(PEER_MESSAGES)) {
  Deno.test(`MessageWriter.write() gives the golden bytes of "${name}"`, () => {
    const hex = hexOf(new MessageWriter().write(message));
    assertEquals(
      hex,
      golden.get(name),
      `The wire has changed; if it has to, and cannot be agreed on as a feature, raise GOSSIP_VERSION: ${name}: ${hex}`,
    );
  });

  Deno.test(`readMessage() reads "${name}" from its golden bytes`, () => {
    assertEquals(comparable(readMessage(bytesOf(golden.get(name)!))), comparable(message));
  });
}
