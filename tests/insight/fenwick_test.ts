/** The tree of ones and zeros, beside a plain row of them. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { Fenwick } from "../../lib/insight/fenwick.ts";
import { generator } from "../../lib/simulation/seeded_random.ts";

Deno.test("a Fenwick tree counts and finds ones as a plain row of them does", () => {
  const length = 64;
  const tree = new Fenwick(length);
  const row = new Array<number>(length).fill(0);
  const random = generator(11);
  for (let step = 0; step < 2000; step++) {
    const at = Math.floor(random() * length);
    if (row[at] === 0) tree.set(at);
    else tree.unset(at);
    row[at] ^= 1;
    const ones = [...row.keys()].filter((place) => row[place] === 1);
    assertStrictEquals(tree.total, ones.length);
    const before = Math.floor(random() * (length + 1));
    assertStrictEquals(tree.before(before), ones.filter((place) => place < before).length);
    assertEquals(Array.from(ones, (_, nth) => tree.find(nth)), ones);
    assertStrictEquals(tree.find(ones.length), length);
  }
  tree.clear();
  assertEquals([tree.total, tree.before(length), tree.find(0)], [0, 0, length]);
});
