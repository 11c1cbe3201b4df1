/** A peer that has left for good is forgotten by command. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { connected, startedNode } from "../support/cluster.ts";
import { freeAddress } from "../support/ports.ts";
import { type Ended, run } from "../support/processes.ts";
import { reportingClient } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

function forget(address: string, server: string): Promise<Ended> {
  return run("cli.ts", ["peers", "--forget", address, "--server", server]);
}

Deno.test("cli peers --forget has a server call a peer no more, but one that is connected is no peer that has left", async () => {
  const left = freeAddress();
  await using other = await startedNode();
  await using node = await startedNode({ peers: [left, other.address] });
  const { server, address, lines } = node;
  await until("one is connected, the other is not", () => {
    return connected(server).length === 1 && server.stats().peers[0].error !== "";
  });
  assertEquals((await forget(left, address)).out, "Forgotten\n");
  assertEquals(server.stats().peers.map((peer) => peer.address), [other.address]);
  assertEquals(lines.filter((line) => line === `Peer ${left} is forgotten`).length, 1);
  assertEquals((await forget(left, address)).status, 1);
  const { status, err } = await forget(other.address, address);
  assertEquals(status, 4);
  assertStringIncludes(err, `the peer ${other.address} is connected: stop it first`);
  await using back = await startedNode({ listen: left });
  await back.server.cache.store("k", 1);
  await server.stop();
  await server.startServer();
  await until("the other is connected again", () => connected(server).length === 1);
  assertEquals([connected(server)[0].address, await server.cache.has("k")], [other.address, false]);
});

Deno.test("only an admin has a server forget a peer", async () => {
  const left = freeAddress();
  const credentials = ["client:client:secret-of-client", "admin:admin:secret-of-admin", "peer:peer:secret-of-peer"];
  const authFile = await Deno.makeTempFile();
  await Deno.writeTextFile(authFile, credentials.join("\n"));
  await Deno.chmod(authFile, 0o600);
  try {
    await using node = await startedNode({ peers: [left], authFile, peerToken: "peer:secret-of-peer" });
    const [client, admin] = credentials.map((line) => {
      const [name, , secret] = line.split(":");
      return reportingClient([node.address], { authToken: `${name}:${secret}` });
    });
    assertEquals(await client.client.forgetPeer(left), false);
    assertStringIncludes(client.errors[0].message, "not allowed for role client");
    assertEquals([node.server.stats().peers.length, await admin.client.forgetPeer(left)], [1, true]);
    assertEquals(node.server.stats().peers, []);
    await Promise.all([client.client.close(), admin.client.close()]);
  } finally {
    await Deno.remove(authFile);
  }
});
