/** The codec with values by chance, whole and damaged. */

import { assert } from "@std/assert";
import { ProtocolError } from "../../lib/base/errors.ts";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { FLAGS } from "../../lib/wire/values.ts";
import { RandomValues } from "../support/random_values.ts";
import { assertSame } from "../support/same_value.ts";
import { decodedAt, decodedOrRefused, encoded } from "../support/value_bytes.ts";

const SEEDS = 400;
const VALUES_PER_SEED = 60;

/** Runs once a seed, and says which seed failed. */
function withSeeds(run: (values: RandomValues) => void): void {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      run(new RandomValues(generator(seed)));
    } catch (cause) {
      throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause });
    }
  }
}

Deno.test("decodeValue() gives every value back when values are random", () => {
  const counts = new Map<number, number>();
  withSeeds((values) => {
    for (let i = 0; i < VALUES_PER_SEED; i++) {
      const value = values.value(3);
      const made = encoded(value);
      assertSame(decodedAt(made), value, `value ${i}:`);
      counts.set(made.flags, (counts.get(made.flags) ?? 0) + 1);
    }
  });
  const { codec: _, ...plain } = FLAGS;
  for (const flags of Object.values(plain)) assert((counts.get(flags) ?? 0) > 50, `too few with flags ${flags}`);
});

Deno.test("decodeValue() gives a value or ProtocolError when random encodings are damaged", () => {
  let refused = 0;
  let decoded = 0;
  withSeeds((values) => {
    let other = encoded([undefined]);
    for (let i = 0; i < VALUES_PER_SEED; i++) {
      const made = encoded(values.value(3));
      const flags = values.flagsNear(made.flags);
      const result = decodedOrRefused(flags, values.mutated(made.bytes, other.bytes));
      if (result instanceof ProtocolError) refused++;
      else decoded++;
      other = made;
    }
  });
  assert(refused > 1000 && decoded > 1000, `${refused} refused and ${decoded} decoded`);
});
