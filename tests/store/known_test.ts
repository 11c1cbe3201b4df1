/** What nodes tell each other of what they know, where there are many origins: a base stands for most of them. */

import { assert, assertEquals } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { type Base, BasedKnown, type Known, type KnownList } from "../../lib/store/known.ts";
import { Origins } from "../../lib/store/origins.ts";
import { mapOf } from "../support/peer_messages.ts";

const ME = 1;
const PEER = 2;

/** What a node knows that has met origins, each known up to its number. */
function knowing(ownId: number, ids: Iterable<number>, maxListed = 8): Origins {
  const origins = new Origins(ownId, 20261126, { maxListed });
  for (const id of ids) origins.know(id, id);
  return origins;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** As it is received: what the base stands for is not known. */
function received(known: Known): Known {
  return known.base === undefined ? new Map(known) : Object.assign(new Map(known), { base: { ...known.base } });
}

Deno.test("Origins.knownFor() lists all while they are few, and else the newest, itself, and peers", () => {
  const few = knowing(ME, range(101, 108));
  assertEquals(few.knownFor([]), new Map(range(101, 108).map((id) => [id, id])));
  const many = knowing(ME, range(101, 109));
  many.know(many.own.id, 5);
  const known = many.knownFor([103, 777]);
  assertEquals([...known.keys()].sort((a, b) => a - b), [1, 103, 108, 109]);
  assertEquals(known.base?.upTo, 107);
  assertEquals(range(101, 109).map((id) => known.get(id)), range(101, 109), "what is in the base is known too");
});

Deno.test("Origins.resolve() tells what a base of a peer stands for where the same is known here, and else nothing", () => {
  const ids = range(101, 130);
  const theirs = knowing(PEER, ids);
  theirs.know(500, 200);
  const known = received(theirs.knownFor([ME]));
  const resolved = knowing(ME, ids).resolve(known);
  assertEquals(ids.map((id) => resolved?.get(id)), ids);
  assertEquals([resolved?.get(500), resolved?.get(ME), resolved?.get(777)], [200, undefined, undefined]);
  assertEquals(knowing(ME, range(102, 130)).resolve(known), undefined, "one less");
  assertEquals(knowing(ME, range(100, 130)).resolve(known), undefined, "one more");
  const other = knowing(ME, ids);
  other.know(105, 106);
  assertEquals(other.resolve(known), undefined, "one more write");
  assertEquals(knowing(ME, ids).resolve(new Map([[5, 6]])), new Map([[5, 6]]), "without a base nothing is to be told");
});

Deno.test("Origins.resolve() tells it too where the peer's own writes, or those of this node, are old", () => {
  const ids = range(101, 130);
  const [here, there] = [knowing(103, ids), knowing(104, ids)];
  here.know(here.own.id, 300);
  const known = received(there.knownFor([103]));
  assertEquals(known.get(103), 103);
  const resolved = here.resolve(known);
  assertEquals([resolved?.get(103), resolved?.get(104), resolved?.get(105)], [103, 104, 105]);
});

Deno.test("Origins.explain() tells what a base stands for, and of one that has changed the present one", () => {
  const ids = range(101, 130);
  const origins = knowing(PEER, ids);
  const { base } = origins.knownFor([ME, 102]);
  const told = new Map(range(101, base!.upTo).map((id) => [id, id]));
  told.delete(102); // it is listed
  const first = origins.explain(base!, [ME, 102])!;
  assertEquals([first.base, sorted(mapOf(first.told))], [base, sorted(told)]);
  origins.know(105, 200);
  told.delete(105);
  const explained = origins.explain(base!, [ME, 102])!;
  assertEquals([explained.base.upTo, sorted(mapOf(explained.told))], [base!.upTo, sorted(told)]);
  assertEquals(knowing(ME, range(101, 103)).explain(base!, []), undefined, "it has none");
});

Deno.test("Origins.resolve(), isBeyond() and beyond() are never wrong, whatever two nodes know", () => {
  const random = seeded(20261201);
  const below = (n: number) => Math.floor(random() * n);
  let [resolved, unresolved] = [0, 0];
  for (let round = 0; round < 2000; round++) {
    const nodes = [ME, PEER].map((id) => knowing(id, [], 1 + below(6)));
    const facts = Array.from({ length: below(20) }, () => [1 + below(24), 1 + below(60)] as const);
    for (const [id, h] of facts) {
      const most = below(12); // nearly all is known to both
      for (const [i, node] of nodes.entries()) if (most !== i) node.know(id, h);
      if (below(4) === 0) nodes[below(2)].knownFor([ME, PEER]);
    }
    const [here, there] = nodes;
    assertEquals(here.digest === there.digest, sorted(here.known).join() === sorted(there.known).join());
    const present = below(2) === 0 ? [ME] : [];
    const known = received(there.knownFor(present));
    const same = here.resolve(known);
    if (same === undefined) unresolved++;
    else resolved++;
    const theirs = same ?? toldOf(here, known, there.explain(known.base!, present)!);
    assertEquals(here.lacks(theirs), [...there.known].some(([id, h]) => h > here.knownOf(id)));
    for (const [id] of facts) assertEquals(theirs.get(id) ?? 0, there.knownOf(id), `origin ${id}`);
    const beyond = [...here.listed()].filter(({ id, known }) => known > there.knownOf(id)).map(({ id }) => id);
    assertEquals(here.isBeyond(theirs), beyond.length > 0);
    // Of those that have writes here, each is told.
    for (const { id } of [...here.listed()]) if (id % 2 === 1) here.get(id).size = 1;
    assertEquals(here.beyond(theirs).map(({ id }) => id).sort(), beyond.filter((id) => id % 2 === 1).sort());
  }
  assert(resolved > 500 && unresolved > 100, `${resolved} resolved, ${unresolved} not`);
});

function toldOf(here: Origins, list: Known, { base, told }: { base: Base; told: KnownList }): Known {
  const table = here.told(base, told)!;
  return new BasedKnown(list, { ...base, told: table }, (id) => table.known(id) || undefined);
}

function sorted(known: Known): [number, number][] {
  return [...known].sort(([a], [b]) => a - b);
}
