/**
 * The task `handshakes`: handshakes that go wrong, against servers and clients in turn. Arguments: how many (1,000,000), and the
 * seed (1).
 */

import { generator } from "../../lib/simulation/seeded_random.ts";
import { Handshakes } from "../support/handshakes.ts";

const [count, seed] = [Number(Deno.args[0] ?? 1_000_000), Number(Deno.args[1] ?? 1)];
const handshakes = new Handshakes(generator(seed));
const beganMs = performance.now();
for (let i = 0; i < count; i++) {
  const fault = i % 4 === 3 ? await handshakes.againstClient() : await handshakes.againstServer();
  if (fault !== undefined) {
    console.error(`Handshake ${i} of seed ${seed}: ${fault}`);
    Deno.exit(1);
  }
}
const seconds = Math.round((performance.now() - beganMs) / 1000);
console.log(
  `${count.toLocaleString("en")} handshakes in ${seconds} s: ${
    handshakes.letIn.toLocaleString("en")
  } clients were let in, ` +
    `and ${handshakes.believed.toLocaleString("en")} servers believed, all of them rightly`,
);
