/** Misses by reason as clients of each protocol make them: all that counts as a miss has one reason, and nothing else has. */

import { assertEquals } from "@std/assert";
import { OPCODE } from "../../lib/memcached/binary_packet.ts";
import type { MissCounts } from "../../lib/base/stats.ts";
import { REQUEST } from "../../lib/wire/frame.ts";
import { sessionOf } from "../support/access.ts";
import { ask as askText, say } from "../support/memcached_talk.ts";
import { packetOf, REQUEST as PACKET } from "../support/memcached_packets.ts";
import { sessionHost, type TestHost } from "../support/session_host.ts";
import { frame, getMany, greeted } from "../support/session_talk.ts";
import { assertMisses, set, span } from "../support/store_entries.ts";
import { NOW_MS } from "../support/stores.ts";

/** A key for each reason; the store holds `held` alone. */
const KEYS: readonly (keyof MissCounts)[] = ["absent", "expired", "evicted", "deleted", "cleared", "superseded"];
const ALL = [...KEYS, "held"];

/** A host that holds one of the keys, and knows of the others why it does not. */
function hostOf(): TestHost {
  const clock = { nowMs: NOW_MS };
  const host = sessionHost({ maxSize: 5, clock: { now: () => clock.nowMs } });
  const { store } = host;
  set(store, "evicted");
  for (const key of ["deleted", "cleared", "superseded", "held"]) set(store, key);
  set(store, "expired", 0, 10);
  clock.nowMs += 10;
  store.delete(span("deleted"));
  store.clearPrefix(span("clear"));
  store.distrust(store.peek(span("superseded")));
  return host;
}

/** Each way of a protocol to ask for a key that may be missed. */
const WAYS: Readonly<Record<string, (host: TestHost, key: string) => void>> = {
  "GET": (host, key) => void greeted(host).ask(frame(REQUEST.get, key)),
  "GET_MANY": (host, key) => void greeted(host).ask(getMany(key)),
  "ENTRY": (host, key) => void greeted(host).ask(frame(REQUEST.entry, key)),
  "TAKE": (host, key) => void greeted(host).ask(frame(REQUEST.take, key)),
  "get": (host, key) => void askText(`get ${key}\r\n`, host),
  "gets": (host, key) => void askText(`gets ${key}\r\n`, host),
  "mg": (host, key) => void askText(`mg ${key} v\r\n`, host),
  "GET, in a packet": (host, key) => void say(sessionOf(host), packetOf(PACKET, OPCODE.get, { key })),
  "GETK, in a packet": (host, key) => void say(sessionOf(host), packetOf(PACKET, OPCODE.getk, { key })),
};

for (const [name, way] of Object.entries(WAYS)) {
  Deno.test(`${name} counts one miss, for the reason for which the key is not here, and none if it is`, () => {
    const host = hostOf();
    const counted: Partial<MissCounts> = {};
    for (const key of ALL) {
      way(host, key);
      if (key !== "held") counted[key as keyof MissCounts] = 1;
      assertMisses(host.store, counted);
    }
    const { misses, missesByReason, hits } = host.stats();
    assertEquals([misses, hits], [KEYS.length, 1]);
    assertEquals(missesByReason, { absent: 1, expired: 1, evicted: 1, deleted: 1, cleared: 1, superseded: 1 });
  });
}

Deno.test("many keys of one request are counted each", () => {
  const host = hostOf();
  greeted(host).ask(getMany(...ALL));
  askText(`get ${ALL.join(" ")}\r\n`, host);
  assertMisses(host.store, { absent: 2, expired: 2, evicted: 2, deleted: 2, cleared: 2, superseded: 2 });
});

Deno.test("what is no retrieval counts no miss", () => {
  const host = hostOf();
  for (const key of KEYS) {
    greeted(host).ask(frame(REQUEST.has, key), frame(REQUEST.keys, key, new Uint8Array(8)));
    greeted(host).ask(frame(REQUEST.touch, key, new Uint8Array(8)), frame(REQUEST.delete, key));
    askText(`touch ${key} 1\r\nincr ${key} 1\r\ndelete ${key}\r\nmd ${key}\r\nme ${key}\r\n`, host);
    say(sessionOf(host), packetOf(PACKET, OPCODE.delete, { key }));
  }
  assertMisses(host.store, {});
});
