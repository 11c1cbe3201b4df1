/** A store against a naive model of it: all operations, by chance. */

import { type Below, KIB, MIB } from "../support/store_entries.ts";
import { assertLikeModel, type Course } from "../support/store_model.ts";

const tiny = () => 16;
const small = (below: Below) => below(64);
const mixed = (below: Below) => below(below(30) === 0 ? 100_000 : below(4) === 0 ? 3000 : 80);
const upTo = (length: number) => (below: Below) => below(length);

for (
  const [name, course] of Object.entries<Partial<Course>>({
    "maxSize holds": { settings: { maxSize: 300, ttlMs: 0 } },
    "one entry is held": { settings: { maxSize: 1, ttlMs: 0 }, keys: 5, operations: 20_000 },
    "maxSize holds and time passes": { settings: { maxSize: 300, ttlMs: 50 }, isTimed: true },
    "hits do not renew": { settings: { maxSize: Infinity, ttlMs: 100, renewOnHit: false }, isTimed: true },
  })
) {
  Deno.test(`Store is a map in order of use when ${name}`, () => {
    const defaults = { operations: 110_000, keys: 500, lengths: [small, mixed], isTimed: false, clearEvery: 5_000 };
    assertLikeModel({ settings: {}, ...defaults, ...course });
  });
}

for (const [maxBytes, operations] of [[64 * KIB, 40_000], [300_001, 40_000], [MIB, 50_000], [8 * MIB, 150_000]]) {
  for (const isTimed of [false, true]) {
    const name = `${maxBytes} bytes are the limit${isTimed ? " and time passes" : ""}`;
    Deno.test(`Store is a map in order of use when ${name}`, () => {
      const large = upTo(Math.min(maxBytes / 16, 50_000));
      assertLikeModel({
        settings: { maxSize: Infinity, maxBytes, ttlMs: isTimed ? 1000 : 0 },
        operations,
        keys: Math.floor(maxBytes / 60),
        lengths: [
          tiny,
          tiny,
          large,
          small,
          upTo(300),
          (below) => below(5) === 0 ? below(Math.min(maxBytes, MIB)) : tiny(),
          (below) => below(20) === 0 ? large(below) : small(below),
          tiny,
        ],
        isTimed,
        clearEvery: operations / 4,
      });
    });
  }
}
