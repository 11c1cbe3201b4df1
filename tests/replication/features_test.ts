/** Features that two peers have agreed on, and what each changes. */

import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/base/errors.ts";
import { MESSAGE, type Message, MessageWriter } from "../../lib/replication/message.ts";
import type { PeerFeature } from "../../lib/wire/hello.ts";
import { bareWrite, entryWrite } from "../support/peer_messages.ts";
import { gossipNode, NOW_MS } from "../support/stores.ts";
import { versionAt } from "../../lib/store/version.ts";

const H = versionAt(NOW_MS);

/** A node with one peer, and what it makes of the peer's bytes. */
function nodeWith(features?: readonly PeerFeature[]) {
  const { store, gossip } = gossipNode({ nowMs: NOW_MS }, 100);
  gossip.connect(1, features);
  const hear = (message: Message, ...more: number[]) => {
    return gossip.receive(1, Uint8Array.of(...new MessageWriter().write(message), ...more));
  };
  return { store, gossip, hear };
}

const HEAD = { from: 7, clock: H, cleared: 0 };
const PUSH: Message = {
  ...HEAD,
  type: MESSAGE.push,
  origin: 7,
  before: 0,
  last: H + 1,
  sentTo: [],
  writes: [entryWrite("key", { h: H, origin: 7 }), bareWrite("other", { h: H + 1, origin: 7 }, 3)],
};
/** What a later build might send. */
const UNKNOWN = Uint8Array.of(77, ...new MessageWriter().write(PUSH).subarray(1));

Deno.test("Gossip takes what it knows of longer messages, and passes over unknown ones, where skip-unknown is agreed", () => {
  const { store, gossip, hear } = nodeWith(["skip-unknown"]);
  assertEquals(gossip.receive(1, UNKNOWN), true);
  assertEquals([store.stats().entries, store.history.knownOf(7)], [0, 0]);
  assertEquals(hear(PUSH, 1, 2, 3), true);
  assertEquals([store.stats().entries, store.history.knownOf(7)], [1, H + 1]);
});

Deno.test("Gossip refuses longer and unknown messages where skip-unknown is not agreed", () => {
  for (const features of [undefined, []]) {
    const { store, gossip, hear } = nodeWith(features);
    assertThrows(() => gossip.receive(1, UNKNOWN), ProtocolError, "unknown type 77");
    assertThrows(() => hear(PUSH, 1), ProtocolError, "bytes after a peer's message");
    assertEquals(store.stats().entries, 0);
  }
});
