/** Which clear of a prefix is the newest of a key, beside a list that is searched from end to end. */

import { assertEquals } from "@std/assert";
import { beginsWith, type ByteSpan } from "../../lib/base/byte_span.ts";
import { PrefixClears } from "../../lib/store/prefix_clears.ts";
import { compareVersions, type Version } from "../../lib/store/version.ts";
import { belowOf, span } from "../support/store_entries.ts";

interface Listed {
  readonly prefix: ByteSpan;
  readonly version: Version;
  readonly erasedWith: number;
  position: number;
}

/** A list of clears, without any order. */
class Model {
  clears: Listed[] = [];

  newestOf(key: ByteSpan): Version | undefined {
    const versions = this.clears.filter(({ prefix }) => beginsWith(key, prefix)).map(({ version }) => version);
    return versions.sort(compareVersions).at(-1);
  }

  add(clear: Listed): number[] {
    const isOver = ({ prefix, version }: Listed) =>
      beginsWith(prefix, clear.prefix) && compareVersions(version, clear.version) <= 0;
    const gone = this.clears.filter(isOver).map(({ position }) => position).filter((position) => position !== 0);
    this.clears = [...this.clears.filter((other) => !isOver(other)), clear];
    return gone.sort();
  }
}

/** Up to five letters, of which there are two, so that many are prefixes of each other. */
function word(below: (n: number) => number): ByteSpan {
  return span(Array.from({ length: below(6) }, () => "ab"[below(2)]).join(""));
}

Deno.test("PrefixClears finds the newest clear of a key, however they come, move and leave", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const below = belowOf(seed);
    const [clears, model] = [new PrefixClears(), new Model()];
    for (let round = 1, position = 1; round <= 60; round++) {
      const version = { h: 1 + below(40), origin: 1 + below(3) };
      const prefix = word(below);
      const isCovered = clears.covers(prefix, version) ||
        model.clears.some((other) => compareVersions(other.version, version) === 0);
      if (!isCovered) {
        const clear = { prefix, version, erasedWith: round + 1 + below(5), position: ++position };
        assertEquals(clears.add(prefix, version, position, 8, clear.erasedWith).sort(), model.add(clear));
      }
      const held = model.clears.filter(({ position }) => position !== 0);
      const one = held[below(held.length)];
      const what = below(5);
      if (one !== undefined && what < 2) {
        clears.moved(one.prefix, one.position, ++position);
        one.position = position;
      } else if (one !== undefined && what === 2) {
        clears.left(one.prefix, one.position);
        one.position = 0;
      }
      clears.erased(round);
      model.clears = model.clears.filter(({ position, erasedWith }) => position !== 0 || erasedWith > round);
      for (let i = 0; i < 20; i++) {
        const key = word(below);
        assertEquals(clears.newestOf(key), model.newestOf(key), `seed ${seed}, round ${round}`);
        const newest = model.newestOf(key);
        const other = { h: below(41), origin: 1 + below(3) };
        assertEquals(clears.covers(key, other), newest !== undefined && compareVersions(newest, other) > 0);
      }
      const left = model.clears.filter(({ position }) => position !== 0);
      assertEquals([clears.size, clears.held, clears.bytes], [model.clears.length, left.length, 8 * left.length]);
      assertEquals(clears.positions.sort(), left.map(({ position }) => position).sort());
      const [oldest] = left.sort((a, b) => compareVersions(a.version, b.version));
      assertEquals(clears.oldest, oldest?.position ?? 0);
    }
  }
});

Deno.test("PrefixClears finds the newest clear of a key among many of prefixes of each other, and when some of them have left", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const below = belowOf(seed);
    const [clears, model] = [new PrefixClears(), new Model()];
    const long = (most: number) => span("a".repeat(below(most)) + "b".repeat(below(3)));
    for (let h = 1; h <= 200; h++) { // each a newer one of a longer prefix
      const prefix = span("a".repeat(h) + "b".repeat(below(2)));
      const clear = { prefix, version: { h, origin: 1 }, erasedWith: 1 + below(3), position: h };
      clears.add(prefix, clear.version, h, 8, clear.erasedWith);
      model.add(clear);
    }
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 300; i++) {
        const key = long(220);
        assertEquals(clears.newestOf(key), model.newestOf(key), `seed ${seed}, round ${round}`);
      }
      for (const clear of model.clears) {
        if (clear.position === 0 || below(3) > 0) continue;
        clears.left(clear.prefix, clear.position);
        clear.position = 0;
      }
      clears.erased(round + 1);
      model.clears = model.clears.filter(({ position, erasedWith }) => position !== 0 || erasedWith > round + 1);
      assertEquals(clears.size, model.clears.length);
    }
  }
});
