/** Peers that have to show each other a credential, and lose it. */

import { assert, assertEquals } from "@std/assert";
import { connected, names, type Node, startedNode } from "../support/cluster.ts";
import { portOf } from "../support/ports.ts";
import { TcpProxy } from "../support/proxy.ts";
import { until } from "../support/waiting.ts";

const WEB = "web:client:secret-of-web";
const MESH = "mesh:peer:secret-of-mesh";

/** Uses a file in a folder of its own. */
async function withFile(text: string, use: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/file`;
  await Deno.writeTextFile(path, text, { mode: 0o600 });
  try {
    await use(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function stateOf({ server }: Node): string {
  return server.stats().peers.map(({ state }) => state).join();
}

Deno.test("servers with one token are peers, and share what is stored", async () => {
  for (
    const token of [{ authToken: "secret-of-all" }, { authToken: "secret-of-web", peerToken: "mesh:secret-of-mesh" }]
  ) {
    await using one = await startedNode(token);
    await using other = await startedNode({ ...token, peers: [one.address] });
    await until("they are connected", () => connected(one.server).length === 1 && connected(other.server).length === 1);
    await one.cache.store("k", 1);
    await until("the other has it", () => other.cache.has("k"));
    assertEquals([one.server.stats().logins, one.server.stats().loginsFailed], [1, 0]);
  }
});

Deno.test("who has no token, another one, or one without the role is no peer", () =>
  withFile(`${WEB}\n${MESH}`, async (authFile) => {
    await using one = await startedNode({ authFile });
    for (const peerToken of [undefined, "mesh:secret-of-xxxx", "secret-of-mesh", "web:secret-of-web"]) {
      await using other = await startedNode({ peerToken, peers: [one.address] });
      await until("it is refused", () => stateOf(other) === "refused");
      assertEquals(connected(one.server), [], peerToken);
    }
  }));

Deno.test("a peer whose credential leaves the file is gone, in the middle of a catch-up too", () =>
  withFile(`${WEB}\n${MESH}`, async (authFile) => {
    await using one = await startedNode({ authFile });
    const long = "long".repeat(1000);
    for (const key of names(20_000)) await one.cache.store(key, long);
    await using proxy = new TcpProxy(portOf(one.address));
    await using other = await startedNode({ peerToken: "mesh:secret-of-mesh", peers: [proxy.address] });
    await until("it catches up", () => connected(other.server).some(({ catchingUp }) => catchingUp));
    proxy.hold();
    assertEquals(connected(one.server).length, 1);
    await Deno.writeTextFile(authFile, WEB);
    await until("the peer is gone", () => connected(one.server).length === 0);
    assertEquals(one.server.stats().connectionsWithdrawn, 1);
    assert(other.server.stats().entries < 20_000, "it was in the middle of the catch-up");
    proxy.heal();
    await until("it is refused", () => stateOf(other) === "refused");
    assertEquals(connected(one.server), []);
    await Deno.writeTextFile(authFile, `${WEB}\n${MESH}`);
    await one.server.reload();
    await until("it is let in again", () => connected(one.server).length === 1);
  }));

Deno.test("a server whose token for peers has changed greets them anew", () =>
  withFile("mesh:secret-of-mesh", async (peerTokenFile) => {
    const authToken = "secret-of-web";
    await using one = await startedNode({ authToken, peerTokenFile });
    await using other = await startedNode({ authToken, peerTokenFile, peers: [one.address] });
    await until("they are connected", () => connected(one.server).length === 1);
    await Deno.writeTextFile(peerTokenFile, "mesh:secret-of-next");
    await Promise.all([one, other].map(({ server }) => server.reload()));
    await until(
      "they are connected by the new one",
      () => one.server.stats().logins === 2 && connected(one.server).length === 1,
    );
    // Where only the server that connects has another one, the connection ends just so.
    await Deno.writeTextFile(peerTokenFile, "mesh:secret-of-mesh");
    await other.server.reload();
    await until("the old connection is gone", () => stateOf(other) === "refused");
  }));
