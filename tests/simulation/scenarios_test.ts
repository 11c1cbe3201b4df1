/** Who is a peer of whom in the clusters that are simulated. */

import { assert, assertEquals } from "@std/assert";
import { ALL_RULES } from "../../lib/store/rules.ts";
import {
  diameterOf,
  linksOf,
  peersOf,
  RULE_NAMES,
  type Scenario,
  SCENARIOS,
  type Topology,
} from "../../lib/simulation/scenarios.ts";

function scenario(topology: Topology, nodes: number, hasAliases = false): Scenario {
  return { ...SCENARIOS[0], topology, nodes, hasAliases };
}

Deno.test("peersOf() is who is next in a line and a ring, the middle in a star, and all in a mesh", () => {
  const all = (topology: Topology) => [0, 1, 2, 3].map((node) => peersOf(node, scenario(topology, 4)));
  assertEquals(all("mesh"), [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]);
  assertEquals(all("line"), [[1], [0, 2], [1, 3], [2]]);
  assertEquals(all("ring"), [[1, 3], [0, 2], [1, 3], [0, 2]]);
  assertEquals(all("star"), [[1, 2, 3], [0], [0], [0]]);
});

Deno.test("linksOf() counts each peer twice and the node itself where it has aliases", () => {
  assertEquals([0, 1].map((node) => linksOf(node, scenario("line", 3))), [1, 2]);
  assertEquals([0, 1].map((node) => linksOf(node, scenario("line", 3, true))), [3, 5]);
});

Deno.test("diameterOf() is the length of the longest of all shortest ways", () => {
  for (const topology of ["mesh", "line", "ring", "star"] as const) {
    for (let nodes = 3; nodes <= 7; nodes++) {
      const cluster = scenario(topology, nodes);
      const longest = Math.max(...Array.from({ length: nodes }, (_, from) => farthest(from, cluster)));
      assertEquals(diameterOf(cluster), longest, `${topology} of ${nodes}`);
    }
  }
});

/** Links to the node that is farthest from one. */
function farthest(from: number, cluster: Scenario): number {
  const seen = new Set([from]);
  let [edge, links] = [[from], -1];
  for (; edge.length > 0; links++) {
    const next = edge.flatMap((node) => peersOf(node, cluster)).filter((node) => !seen.has(node));
    for (const node of next) seen.add(node);
    edge = [...new Set(next)];
  }
  assertEquals(seen.size, cluster.nodes);
  return links;
}

Deno.test("SCENARIOS have names of their own, and each rule has a name", () => {
  assertEquals(new Set(SCENARIOS.map(({ name }) => name)).size, SCENARIOS.length);
  assertEquals([...RULE_NAMES], Object.keys(ALL_RULES));
  assert(SCENARIOS.every(({ without }) => without === undefined));
});

Deno.test("SCENARIOS name only nodes that they have, and those that keep all have an overflow of graves to survive", () => {
  for (const { name, nodes, lonely, joins, readers, keeps, maxGraves, keys } of SCENARIOS) {
    assert([...lonely, ...joins, ...readers].every((node) => node < nodes), name);
    assert(!keeps || maxGraves < keys / 4, name);
  }
});
