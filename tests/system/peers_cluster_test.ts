/** Servers of different clusters: they are not joined by mistake, and both sides say why. */

import { assert, assertEquals } from "@std/assert";
import { encode } from "@std/msgpack";
import type { ServerOptions } from "../../server.ts";
import { REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { GOSSIP_VERSION } from "../../lib/wire/hello.ts";
import { names, type Node, startedNode } from "../support/cluster.ts";
import { frameOf, NativeSocket } from "../support/native_socket.ts";
import { freePort } from "../support/ports.ts";
import { until } from "../support/waiting.ts";

const NAMES: [one: string | undefined, other: string | undefined, why: string][] = [
  ["blue", "green", 'one of the two has "blue", the other "green"'],
  ["blue", undefined, 'one of the two has no name, the other "blue"'],
  [undefined, "green", 'one of the two has no name, the other "green"'],
];

function statesOf({ server }: Node): string[] {
  return server.stats().peers.map(({ state }) => state);
}

function refusalsOf({ lines }: Node): string[] {
  return lines.filter((line) => line.includes("cannot be used"));
}

for (const [one, other, why] of NAMES) {
  Deno.test(`servers of the clusters ${one} and ${other} are no peers, and both say so in one line`, async () => {
    await using listened = await startedNode({ cluster: one });
    await listened.cache.store("k", 1);
    await using listing = await startedNode({ cluster: other, peers: [listened.address] });
    await listing.cache.store("other", 1);
    for (const node of [listened, listing]) {
      await until("it is shown", () => statesOf(node).includes("other-cluster"));
      assert(node.server.stats().peers[0].error.includes(`peers have one CLUSTER: ${why}`));
    }
    await until("it has been tried again", () => listened.server.stats().connectionsAccepted > 2);
    assertEquals([refusalsOf(listened).length, refusalsOf(listing).length], [1, 1]);
    assert(refusalsOf(listing)[0].includes(listened.address));
    assertEquals([listened.server.stats().entries, listing.server.stats().entries], [1, 1]);
    await until("it is shown between attempts, too", () => statesOf(listing).join() === "other-cluster");
    assertEquals(statesOf(listened), ["other-cluster"]);
  });
}

Deno.test("servers that list each other, and cannot be peers, say each reason once", async () => {
  const blueAt = `127.0.0.1:${freePort()}`;
  const reasons: [one: ServerOptions, other: ServerOptions, lines: number][] = [
    [{ cluster: "blue" }, { cluster: "green" }, 1],
    [{ authToken: "a-token-of-one-side" }, { authToken: "a-token-of-the-other" }, 2],
  ];
  for (const [one, other, lines] of reasons) {
    await using green = await startedNode({ ...other, peers: [blueAt] });
    await using blue = await startedNode({ ...one, listen: blueAt, peers: [green.address] });
    const tries = ({ server }: Node) => server.stats().connectionsAccepted;
    await until("each has tried several times", () => tries(green) > 3 && tries(blue) > 3);
    for (const node of [blue, green]) {
      const refusals = refusalsOf(node).filter((line) => !line.includes("refused (os error"));
      assert(refusals.length <= lines, refusals.join("\n"));
    }
  }
});

Deno.test("a stranger who says that he is a listed peer, each time for another reason, fills no log", async () => {
  const listed = freePort();
  await using node = await startedNode({ peers: [`127.0.0.1:${listed}`] });
  for (const cluster of names(30)) {
    const hello = { protocol: 1, client: "x", peer: 77, port: listed, gossip: GOSSIP_VERSION, features: [], cluster };
    using stranger = await NativeSocket.to(node);
    await stranger.write(frameOf(REQUEST.hello, encode(hello)));
    assertEquals(await stranger.codesUntilClosed(), [REPLY.closing]);
  }
  assertEquals(refusalsOf(node).filter((line) => line.includes("CLUSTER")).length, 1);
});

Deno.test("servers of one cluster are peers, and one that gets the right name becomes one at its next attempt", async () => {
  await using blue = await startedNode({ cluster: "blue" });
  await using listing = await startedNode({ cluster: "blue", peers: [blue.address] });
  await blue.cache.store("k", 1);
  await until("it is there", () => listing.cache.has("k"));
  const listen = listing.address;
  await listing.server.stop();
  const green = await startedNode({ cluster: "green", listen, peers: [blue.address] });
  await until("it is refused", () => statesOf(green).includes("other-cluster"));
  await green.server.stop();
  await using right = await startedNode({ cluster: "blue", listen, peers: [blue.address] });
  await until("it is there again", () => right.cache.has("k"));
  assertEquals([statesOf(blue), statesOf(right)], [["connected"], ["connected"]]);
});
