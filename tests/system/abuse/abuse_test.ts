/** All attacks, as small as they may be; the task `abuse` makes them in full. */

import { assert, assertEquals } from "@std/assert";
import { ATTACKS } from "./attacks.ts";
import { judged } from "./judge.ts";
import type { Scene } from "./scene.ts";

const utf8 = new TextEncoder();

for (const [name, attack] of Object.entries(ATTACKS)) {
  Deno.test({
    name: `a server holds: ${name}`,
    ignore: Deno.build.os !== "linux", // which tells how much memory a process has
    fn: async () => assertEquals((await judged(attack, "ormuco", false)).faults, []),
  });
}

for (
  const [what, run, fault] of [
    ["that fails by itself", () => Promise.reject(new Error("the attack's own")), "the attack's own"],
    ["that ends the process", (scene) => scene.victim.stop(), "the process has ended"],
    [
      "that takes an entry of others",
      (scene) => scene.pour(utf8.encode("delete other:7\r\n")),
      "entries of others are lost",
    ],
  ] as [string, (scene: Scene) => Promise<unknown>, string][]
) {
  Deno.test({
    name: `an attack ${what} is found out`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      const { faults } = await judged({ run: async (scene) => void await run(scene) }, "ormuco", false);
      assert(faults.includes(fault), `${faults}`);
    },
  });
}
