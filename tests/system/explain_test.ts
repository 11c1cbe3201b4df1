/** A key is explained: by a client, by the command line, and by servers that are peers. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { OrmucoCacheClient } from "../../mod.ts";
import { writeControl, writeError } from "../../lib/wire/control.ts";
import { REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { cluster, startedNode } from "../support/cluster.ts";
import { FakeServer } from "../support/fake_server.ts";
import { type Ended, run } from "../support/processes.ts";
import { clientOf, reportingClient } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

function explain(key: string, servers: string[], ...more: string[]): Promise<Ended> {
  return run("cli.ts", ["explain", key, "--server", servers.join(), ...more]);
}

/** A server from before keys were explained. */
function olderServer(): FakeServer {
  return new FakeServer((code, output) => {
    if (code !== REQUEST.explain) return writeControl(output, REPLY.data, {});
    writeError(output, REPLY.refused, { code: "bad-request", message: `unknown request code ${code}` });
  });
}

Deno.test("a client is told what the server holds of a key, which is no retrieval", async () => {
  await using node = await startedNode();
  await using client = clientOf(node.server);
  assertEquals((await client.explain("k"))?.state, "absent");
  await client.store("k", "hello", { ttlMs: 60_000 });
  const held = await client.explain("k");
  assertEquals([held?.state, held?.valueBytes, held?.origin === held?.server], ["held", 5, true]);
  assertEquals(held?.version, (await client.retrieveEntry("k"))?.version);
  assert(held!.remainingMs! > 0 && held!.remainingMs! <= 60_000, `${held!.remainingMs} ms`);
  await client.remove("k");
  assertEquals((await client.explain("k"))?.state, "deleted");
  await client.store("part:1", 1);
  await client.namespace("part:").clear();
  const { state, prefix } = (await client.explain("part:1"))!;
  assertEquals([state, prefix], ["cleared", "part:"]);
  const { misses, missesByReason, hits } = node.server.stats();
  assertEquals([hits, misses, Object.values(missesByReason)], [1, 0, [0, 0, 0, 0, 0, 0]]);
  await assertRejects(() => client.explain(""), RangeError);
});

Deno.test("nobody explains where there is no server, or an older one", async () => {
  await using alone = new OrmucoCacheClient({});
  assertEquals(await alone.explain("k"), undefined);
  await using older = olderServer();
  const { client, errors } = reportingClient([older.address]);
  await using _ = client;
  assertEquals([await client.explain("k"), errors.length], [undefined, 1]);
  assertMatch(errors[0].message, /^Cannot explain "k": the server refused \(bad-request\)/);
});

Deno.test("cli explain asks a server and its peers, each what it holds of the key", async () => {
  await using nodes = await cluster([[], [0]]);
  const [one, other] = nodes.map(({ address }) => address);
  await nodes[0].cache.store("k", "hello", { ttlMs: 0 });
  await until("the peer has it", () => nodes[1].cache.has("k"));
  const { status, out, err } = await explain("k", [one]);
  assertEquals([status, err], [0, ""]);
  const version = (await nodes[0].cache.retrieveEntry("k"))!.version;
  assertEquals(out.replaceAll(/\d+ s ago/g, "now").replace(", fetched", "").split("\n"), [
    `${one} holds version ${version}`,
    "  written now here",
    "  never expires",
    "  value of 5 bytes, 72 bytes in all, flags 0x4f430001",
    `${other} holds version ${version}`,
    `  written now at ${one}`,
    "  never expires",
    "  value of 5 bytes, 72 bytes in all, flags 0x4f430001",
    "",
  ]);
  await nodes[1].cache.remove("k");
  await until("the other has heard of it", async () => !(await nodes[0].cache.has("k")));
  const told: { address: string; state: string; server: number; origin: number }[] = JSON.parse(
    (await explain("k", [one, other], "--json")).out,
  );
  assertEquals(told.map(({ address, state }) => [address, state]), [[one, "deleted"], [other, "deleted"]]);
  assertEquals(told.map(({ origin }) => origin), [told[1].server, told[1].server]);
});

Deno.test("cli explain says of each server that does not tell why it does not, and fails where none does", async () => {
  await using node = await startedNode();
  await using older = olderServer();
  const nowhere = "127.0.0.1:1";
  const { status, out } = await explain("k", [older.address, nowhere, node.address]);
  assertEquals(status, 0);
  const lines = out.split("\n");
  assertEquals(lines.slice(0, 3), [older.address, "  does not know: its version is older", nowhere]);
  assertMatch(lines[3], /^ {2}does not answer: Cannot use server /);
  assertEquals(lines.slice(4), [
    `${node.address} does not hold it`,
    "  was never here, or left longer ago than is remembered",
    "",
  ]);
  assertEquals(await explain("k", [older.address]), {
    status: 4,
    out: "",
    err: "Cannot explain: the server does not say what it holds of a key; its version is older\n",
  });
  assertEquals((await explain("k", [nowhere])).status, 3);
  assertEquals((await explain("", [nowhere])).status, 2);
  const [answer] = JSON.parse((await explain("k", [nowhere, node.address], "--json")).out);
  assertEquals([answer.address, typeof answer.error], [nowhere, "string"]);
});

Deno.test("cli explain asks no peers of which a reader is not told, nor those that it has no permission to reach", async () => {
  await using nodes = await cluster([[], [0]]);
  const [one, other] = nodes.map(({ address }) => address);
  const permissions = [`--allow-net=${one}`, "--allow-env", "--allow-read=.env"];
  const { status, out } = await run("cli.ts", ["explain", "k", "--server", one], { permissions });
  assertEquals(status, 0);
  assertEquals(out.split("\n").slice(0, 3), [
    `${one} does not hold it`,
    "  was never here, or left longer ago than is remembered",
    other,
  ]);
  const authFile = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(authFile, "reader:reader:secret-of-reader\npeer:peer:secret-of-peer");
    await Deno.chmod(authFile, 0o600);
    const secret = { authFile, peerToken: "peer:secret-of-peer" };
    await using locked = await startedNode({ ...secret, peers: [other] });
    const env = { AUTH_TOKEN: "reader:secret-of-reader" };
    const asked = await run("cli.ts", ["explain", "k", "--server", locked.address], { env });
    assertEquals([asked.status, asked.out.split("\n").length], [0, 3]);
  } finally {
    await Deno.remove(authFile);
  }
});
