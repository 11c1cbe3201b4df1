/** Entries that age, as memcached's commands see them: a miss once they are no longer fresh, and until then what remains. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { age, type EntryInput } from "../../lib/store/entry.ts";
import { bytesOf } from "../support/memcached_oracle.ts";
import { ask } from "../support/memcached_talk.ts";
import { sessionHost, type TestHost } from "../support/session_host.ts";
import { NOW_MS } from "../support/stores.ts";

const KEY = spanOf(bytesOf("k"));

/** A host on a clock of its own, with the entry "k" that is fresh for 10 s and kept for 20 s more. */
function aging(): { host: TestHost; clock: { nowMs: number } } {
  const clock = { nowMs: NOW_MS };
  const host = sessionHost({ clock: { now: () => clock.nowMs } });
  const entry: EntryInput = { flags: 0, value: spanOf(bytesOf("5")), ttlMs: undefined };
  age(entry, 10_000, 20_000, clock.nowMs);
  host.store.set(KEY, entry);
  return { host, clock };
}

Deno.test("an aging entry shows until when it is fresh, and is a miss from then on", () => {
  const { host, clock } = aging();
  const exp = (NOW_MS + 10_000) / 1000;
  assertEquals(ask("mg k t\r\n", host), "HD t10\r\n");
  assert(ask("me k\r\n", host).includes("exp=-10 "));
  assert(ask("lru_crawler metadump all\r\n", host).includes(`exp=${exp} `));
  assert(ask("stats cachedump 1 0\r\n", host).includes(`[1 b; ${exp} s]`));
  clock.nowMs += 10_000;
  const misses = ["get k", "mg k v", "me k", "touch k 9", "incr k 1", "delete k", "lru_crawler metadump all"];
  const answers = misses.map((command) => ask(`${command}\r\n`, host));
  assertEquals(answers, ["END", "EN", "EN", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "END"].map((line) => `${line}\r\n`));
});

for (const command of ["append k 0 0 1\r\n0", "incr k 5", "ms k 1 I C1\r\nx", "md k I"]) {
  Deno.test(`${JSON.stringify(command)} leaves an aging entry its times`, () => {
    const { host, clock } = aging();
    ask(`${command}\r\n`, host);
    assertEquals(ask("mg k t\r\n", host).slice(0, 6), "HD t10");
    clock.nowMs += 10_000;
    assertEquals([host.store.has(KEY), host.store.kept(KEY) !== 0], [false, true]);
    clock.nowMs += 20_000;
    assertEquals(host.store.kept(KEY), 0);
  });
}

for (const command of ["touch k 15", "gat 15 k", "mg k T15", "md k I T15", "md k I T15 E77", "set k 0 15 1\r\nx"]) {
  Deno.test(`${JSON.stringify(command)} makes an ordinary entry of an aging one`, () => {
    const { host, clock } = aging();
    for (let times = 0; times < 2; times++) { // with and without the stamp that the first one has left
      clock.nowMs += 5000;
      ask(`${command}\r\n`, host);
      assertEquals(ask("mg k t\r\n", host).slice(0, 6), "HD t15");
    }
    clock.nowMs += 15_000;
    assertEquals(host.store.kept(KEY), 0);
  });
}
