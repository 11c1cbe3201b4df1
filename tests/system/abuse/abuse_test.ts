/** All attacks, as small as they may be, and those at a door that find other code behind it; the task `abuse` makes all in full. */

import { assert, assertEquals } from "@std/assert";
import { hasOpenssl } from "../../support/certificates.ts";
import { SIEGES } from "./attacks.ts";
import { judged } from "./judge.ts";
import type { Scene } from "./scene.ts";

const utf8 = new TextEncoder();
/** Attacks that are made at a door too. */
const AT_DOORS: Record<string, string[]> = {
  "stranger": ["strangers who never prove themselves", "logins of others, said again and damaged"],
  "member": ["damaged native frames"],
  "tls stranger": ["guesses in a loop", "damaged records", "connections of others, said again and sent back"],
  "tls member": ["damaged text", "damaged messages of peers"],
};

for (const [name, { entrance, attacks }] of Object.entries(SIEGES)) {
  for (const [attack, how] of Object.entries(attacks)) {
    if (name !== "open" && !AT_DOORS[name].includes(attack)) continue;
    Deno.test({
      name: `a server holds: ${attack}${name === "open" ? "" : ` (${name})`}`,
      ignore: Deno.build.os !== "linux" || // which tells how much memory a process has
        (entrance.isEncrypted === true && !hasOpenssl),
      fn: async () => assertEquals((await judged(how, { entrance })).faults, []),
    });
  }
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
      const { faults } = await judged({ run: async (scene) => void await run(scene) });
      assert(faults.includes(fault), `${faults}`);
    },
  });
}
