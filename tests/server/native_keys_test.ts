/** Requests for keys: each comes once, whatever changes meanwhile, a bounded number at a time. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { KeysPage } from "../../lib/server/keys_page.ts";
import type { Session } from "../../lib/server/session.ts";
import { age, type EntryInput } from "../../lib/store/entry.ts";
import type { Store } from "../../lib/store/store.ts";
import { KEYS_END, readKeys, writeKeys } from "../../lib/wire/entry_calls.ts";
import type { FrameReader } from "../../lib/wire/frame.ts";
import { writeHello } from "../../lib/wire/hello.ts";
import { type Allowance, NO_LIMIT } from "../../lib/wire/protocol_handler.ts";
import { sessionOf } from "../support/access.ts";
import { frameOf, framesOf, written } from "../support/frames.ts";
import { sessionHost } from "../support/session_host.ts";
import { set, span } from "../support/store_entries.ts";
import { NOW_MS } from "../support/stores.ts";

const MIB = 1024 * 1024;

/** Answers the requests of one client. */
function talkTo(store: Store): (prefix: string, from: number) => FrameReader {
  const session: Session = sessionOf({ ...sessionHost(), store });
  const ask = (bytes: Uint8Array) => {
    session.input.push(bytes);
    session.run();
    const frames = framesOf(session.output.taken().slice());
    session.output.reset();
    assertEquals(frames.length, 1);
    return frames[0];
  };
  ask(written((output) => writeHello(output, "test/1")));
  return (prefix, from) => ask(written((output) => writeKeys(output, prefix, from)));
}

/** All keys with a prefix; `meanwhile` is called after each reply. */
function allOf(store: Store, prefix = "", meanwhile: (reply: number) => void = () => {}): string[] {
  const ask = talkTo(store);
  const keys: string[] = [];
  for (let from = 0, reply = 0; from < KEYS_END; reply++) {
    const read = readKeys(ask(prefix, from), from);
    keys.push(...read.keys);
    from = read.next;
    meanwhile(reply);
  }
  return keys;
}

function storeOf(count: number, nameOf = (i: number) => `key ${i}`): Store {
  const { store } = sessionHost({ maxSize: Infinity, clock: { now: () => NOW_MS } });
  for (let i = 0; i < count; i++) set(store, nameOf(i));
  return store;
}

/** Keys of a page as it is written, by whatever store. */
function page(store: Store, from: number, prefix = "", allowance: Allowance = NO_LIMIT) {
  const frame = frameOf(written((output) => new KeysPage(store, { output, allowance }, span(prefix)).write(from)));
  return readKeys(frame, from);
}

for (const count of [0, 1, 3, 1000, 5000]) {
  Deno.test(`KEYS gives each of ${count} keys once, by as many requests as it takes`, () => {
    const store = storeOf(count);
    const keys = allOf(store);
    assertEquals(keys.sort(), Array.from({ length: count }, (_, i) => `key ${i}`).sort());
  });
}

Deno.test("KEYS gives the keys that begin with a prefix, and no others", () => {
  const store = storeOf(4000, (i) => `${["users:", "user", "é", "users"][i % 4]}${i}`);
  assertEquals(allOf(store, "users:").length, 1000);
  assert(allOf(store, "users:").every((key) => key.startsWith("users:")));
  assertEquals([allOf(store, "users").length, allOf(store, "user").length, allOf(store, "é").length], [
    2000,
    3000,
    1000,
  ]);
  assertEquals([allOf(store, "users:0"), allOf(store, "users:00"), allOf(store, "è")], [["users:0"], [], []]);
});

Deno.test("KEYS gives once what is there all the time, while others come and go", () => {
  const store = storeOf(3000);
  const keys = allOf(store, "", (reply) => {
    for (let i = 0; i < 300; i++) set(store, `come ${reply} ${i}`);
    for (let i = 0; i < 300; i++) store.delete(span(reply % 2 === 0 ? `come ${reply} ${i}` : `come ${reply - 1} ${i}`));
  });
  const stay = keys.filter((key) => key.startsWith("key "));
  assertEquals([stay.length, new Set(stay).size, new Set(keys).size], [3000, 3000, keys.length]);
});

Deno.test("KEYS leaves out what is deleted, has expired or is not fresh any more, and uses nothing", () => {
  const clock = { nowMs: NOW_MS };
  const { store } = sessionHost({ clock: { now: () => clock.nowMs } });
  set(store, "here");
  set(store, "expired", 0, 10);
  set(store, "deleted");
  store.delete(span("deleted"));
  const entry: EntryInput = { flags: 0, value: span("v"), ttlMs: 0 };
  age(entry, 10, 100, clock.nowMs);
  store.set(span("aging"), entry);
  assertEquals(allOf(store).sort(), ["aging", "expired", "here"]);
  clock.nowMs += 10;
  const { newest } = store.order;
  assertEquals([allOf(store), store.order.newest, store.stats().hits], [["here"], newest, 0]);
});

Deno.test("KEYS gives keys as they are, whatever bytes they have", () => {
  const { store } = sessionHost();
  const bytes = Uint8Array.of(0, 255, 13, 10);
  store.set(spanOf(bytes), { flags: 0, value: span(""), ttlMs: 0 });
  const { buffer, start, end } = talkTo(store)("", 0);
  assertEquals([...buffer.subarray(start, end)], [0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 4, ...bytes]);
});

Deno.test("KEYS gives some 1,024 keys, or 1 MiB of them, at most, and goes on with the next request", () => {
  const store = storeOf(20_000);
  for (let from = 0; from < KEYS_END;) {
    const { keys, next } = page(store, from);
    assert(keys.length <= 1024, `${keys.length} keys`);
    from = next;
  }
  const long = storeOf(2000, (i) => `${i} `.padEnd(4096, "x"));
  let most = 0;
  for (let from = 0, seen = 0; from < KEYS_END; seen++) {
    const { keys, next } = page(long, from);
    most = Math.max(most, 4096 * keys.length);
    from = next;
    assert(seen < 100);
  }
  assert(most <= MIB + 4096, `${most} bytes`);
});

Deno.test("KEYS looks at a bounded number of entries, also where none has the prefix", () => {
  const store = storeOf(20_000);
  let replies = 0;
  assertEquals(allOf(store, "none", () => replies++), []);
  assert(replies >= 20_000 / 2048, `${replies} replies`);
});

Deno.test("KEYS comes to the end also where the time of its connection is over", () => {
  const store = storeOf(3000);
  const isOver: Allowance = { isOver: true, spend: () => {} };
  const keys: string[] = [];
  for (let from = 0; from < KEYS_END;) {
    const read = page(store, from, "", isOver);
    keys.push(...read.keys);
    from = read.next;
  }
  assertEquals(new Set(keys).size, 3000);
});

Deno.test("KEYS ends its list between two hashes: what has one hash comes together, and neither twice nor never", () => {
  const found = Array.from({ length: 3000 }, (_, position) => ({ hash: 7 + Math.floor(position / 700), position }));
  const reader = {
    keyBytes: () => 2,
    copyKey: (position: number, target: Uint8Array, at: number) => {
      target.set([0x30 + position % 50, 0x30 + Math.floor(position / 50)], at);
      return at + 2;
    },
  };
  const store = {
    reader,
    walk: (from: number) => ({ found: found.filter(({ hash }) => hash >= from), next: KEYS_END }),
  } as unknown as Store;
  assertEquals([page(store, 0).next, page(store, 0).keys.length], [9, 1400]);
  assertEquals([page(store, 9).next, page(store, 9).keys.length], [11, 1400]);
  assertEquals([page(store, 11).next, page(store, 11).keys.length], [KEYS_END, 200]);
});

Deno.test("KEYS at the end has nothing more", () => {
  const { buffer, start, end } = talkTo(storeOf(3))("", KEYS_END);
  assertEquals([...buffer.subarray(start, end)], [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
});
