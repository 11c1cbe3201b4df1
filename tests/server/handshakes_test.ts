/** Handshakes that are damaged, replayed, reflected, cut off or played down; the task `handshakes` makes a million. */

import { assert, assertStrictEquals } from "@std/assert";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { Handshakes } from "../support/handshakes.ts";

Deno.test("no handshake that goes wrong lets a stranger in", async () => {
  const handshakes = new Handshakes(generator(1));
  for (let i = 0; i < 3000; i++) assertStrictEquals(await handshakes.againstServer(), undefined, `${i}`);
  assert(handshakes.letIn > 50 && handshakes.letIn < 1000, `${handshakes.letIn} were let in, by a right one`);
});

Deno.test("no client believes a server that does not know the secret", async () => {
  const handshakes = new Handshakes(generator(2));
  for (let i = 0; i < 2000; i++) assertStrictEquals(await handshakes.againstClient(), undefined, `${i}`);
  assert(handshakes.believed > 5 && handshakes.believed < 200, `${handshakes.believed} were believed, rightly`);
});
