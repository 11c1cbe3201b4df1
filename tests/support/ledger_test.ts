import { assertEquals } from "@std/assert";
import { OrmucoCacheClient } from "../../mod.ts";
import { names } from "./cluster.ts";
import { Ledger } from "./ledger.ts";

Deno.test("audit() counts newest values, older ones, and those that were removed and are there", async () => {
  const [ledger, cache, behind] = [
    new Ledger(),
    new OrmucoCacheClient({ maxSize: 3000 }),
    new OrmucoCacheClient({ maxSize: 3000 }),
  ];
  const all = [...names(2500), "untold"];
  await ledger.store(cache, names(2500), "first");
  for (const key of all) await behind.store(key, "first");
  await ledger.store(cache, ["key:1", "key:2"], "second");
  await ledger.remove(cache, ["key:3"]);
  assertEquals(await ledger.audit(cache), { newest: 2499, stale: 0 });
  assertEquals(await ledger.audit(behind), { newest: 2497, stale: 3 });
  assertEquals(await ledger.audit(behind, ["key:0", "key:1", "untold"]), { newest: 1, stale: 2 });
  assertEquals([ledger.keys.length, ledger.failures], [2500, 0]);
});
