/** How far many origins are known and forgotten, as a map of objects would have it. */

import { assert, assertEquals } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { KnownTable } from "../../lib/store/known_table.ts";
import { Origins } from "../../lib/store/origins.ts";
import { NOW_MS, replicatingStore } from "../support/stores.ts";

Deno.test("KnownTable is a map, whatever comes and goes", () => {
  const random = seeded(20261127);
  const below = (n: number) => Math.floor(random() * n);
  const [table, model] = [new KnownTable(0x9e3779b1), new Map<number, { known: number; forgotten: number }>()];
  let most = 0;
  for (let step = 0; step < 60_000; step++) {
    const id = 1 + below(step < 20_000 ? 300 : 3000) * 1_431_655; // of 32 bits
    const found = model.get(id);
    switch (below(step % 20_000 < 10_000 ? 3 : 4)) {
      case 0:
      case 1:
        table.know(id, step + 1);
        model.set(id, { known: step + 1, forgotten: found?.forgotten ?? 0 });
        break;
      case 2:
        if (found === undefined) break;
        table.forget(id, found.known - below(3));
        found.forgotten = Math.max(found.forgotten, table.forgotten(id));
        break;
      case 3:
        table.remove(id);
        model.delete(id);
    }
    most = Math.max(most, table.size);
    assertEquals([table.known(id), table.forgotten(id)], [
      model.get(id)?.known ?? 0,
      model.get(id)?.forgotten ?? 0,
    ]);
  }
  assert(most > 1000 && table.size < most);
  const all = new Map<number, { known: number; forgotten: number }>();
  table.forEach((id, known, forgotten) => all.set(id, { known, forgotten }));
  assertEquals([table.size, all], [model.size, model]);
  const h = 50_000;
  const highest = Math.max(...[...model.values()].map(({ known }) => Math.min(h, known)));
  assertEquals(table.forgetUpTo(h), highest);
  for (const [id, { known, forgotten }] of model) {
    assertEquals(table.forgotten(id), Math.max(forgotten, Math.min(h, known)));
  }
});

Deno.test("Origins keeps no object of one of which it is only told how far it is known", () => {
  const origins = new Origins(1, 7, { maxOrigins: 1000 });
  for (let id = 2; id <= 1000; id++) origins.know(id, id);
  assertEquals([origins.all.length, origins.size, origins.knownOf(500), origins.has(1001)], [1, 1000, 500, false]);
  assertEquals(origins.forget(600, 601), false, "more than is known");
  assertEquals(origins.forget(600, 600), true);
  const { known, forgotten } = origins.get(600);
  assertEquals([origins.all.length, origins.size, known, forgotten], [2, 1000, 600, 600]);
});

Deno.test("History tells that an origin is forgotten, whether or not more is kept of it", () => {
  const { history } = replicatingStore({ nowMs: NOW_MS }, { origin: 100 });
  history.know({ h: 9, origin: 7 });
  const beyond = () => [[...history.forgottenBeyond(new Map())], history.mostForgottenBeyond(new Map([[8, 20]]))];
  assertEquals(beyond(), [[], 0]);
  history.forget({ h: 5, origin: 7 });
  assertEquals(beyond(), [[[7, 5]], 5]);
  history.forget({ h: 20, origin: 7 }); // more than is known: more is kept now
  assertEquals([beyond(), history.forgottenBeyondKnown], [[[[7, 20]], 20], [[7, 20]]]);
  const theirs = new Map([[7, 20]]);
  assertEquals(history.mostForgottenBeyond(theirs), 0);
  history.forgetUpTo(30);
  history.forget({ h: 30, origin: 7 });
  assertEquals(history.mostForgottenBeyond(theirs), 30, "what has been forgotten since counts");
});

Deno.test("Origins gives up those of one version evenly: no part of the table fills up", () => {
  const origins = new Origins(1, 7, { maxOrigins: 1024 });
  let id = 1;
  for (let round = 0; round < 200; round++) {
    while (origins.size <= 1024) origins.know(++id, 5);
    assertEquals(origins.retire()?.gone, []);
    assertEquals(origins.size, 1024 - 32);
  }
  const old = [...origins.listed()].filter(({ id }) => id > 1 && id <= 1024).length;
  assert(old < 200, `${old} of the first 1,023 are left after 200 times that 33 of 1,024 had to go`);
});
