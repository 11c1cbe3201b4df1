/** What a server says of entries that leave to make room. */

import { assertEquals } from "@std/assert";
import { Maintenance } from "../../lib/server/maintenance.ts";
import { localStore, NOW_MS } from "../support/stores.ts";
import { set } from "../support/store_entries.ts";
import { until } from "../support/waiting.ts";

const NO_INSIGHT = { look: () => {} };

for (
  const [limit, options, bytes] of [
    ["5 entries (CACHE_MAX_SIZE, --max-size, option maxSize)", { maxSize: 5, maxBytes: 2 ** 20 }, 10],
    [
      "65,536 bytes of memory (CACHE_MAX_BYTES, --max-bytes, option maxBytes)",
      { maxSize: 1000, maxBytes: 2 ** 16 },
      5000,
    ],
    ["65,536 bytes of memory (CACHE_MAX_BYTES, --max-bytes, option maxBytes)", { maxBytes: 2 ** 16 }, 5000],
  ] as const
) {
  Deno.test(`Maintenance says once after each start that the limit is ${limit}`, async () => {
    const store = localStore({ nowMs: NOW_MS }, options);
    const lines: string[] = [];
    const maintenance = new Maintenance(store, NO_INSIGHT, (line) => lines.push(line));
    for (let start = 1; start <= 2; start++) {
      maintenance.start();
      try {
        for (let i = 0; i < 5; i++) set(store, `${start}:${i}`, 10);
        for (let round = 1; round <= 2; round++) {
          for (let i = 0; i < 20; i++) set(store, `${start}:${round}:${i}`, bytes);
          await until("it is said", () => lines.length >= start);
        }
      } finally {
        maintenance.stop();
      }
    }
    const line = `Entries leave to make room for others from now on: the limit is ${limit}`;
    assertEquals(lines, [line, line]);
  });
}

Deno.test("Maintenance names the limit at which entries left, also where the others are gone by then", async () => {
  const store = localStore({ nowMs: NOW_MS }, { maxSize: 5, maxBytes: 2 ** 20 });
  const lines: string[] = [];
  const maintenance = new Maintenance(store, NO_INSIGHT, (line) => lines.push(line));
  maintenance.start();
  try {
    for (let i = 0; i < 6; i++) set(store, `${i}`, 10);
    store.clear();
    await until("it is said", () => lines.length > 0);
  } finally {
    maintenance.stop();
  }
  assertEquals(lines, [
    "Entries leave to make room for others from now on: the limit is 5 entries (CACHE_MAX_SIZE, --max-size, option maxSize)",
  ]);
});
