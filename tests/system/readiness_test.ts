/** A server says when it is ready, and scripts wait for that: servers in processes of their own. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connected, names, startedNode, together } from "../support/cluster.ts";
import { freeAddress } from "../support/ports.ts";
import { type Ended, run, serve, type ServeProcess, serveWithWrongClock } from "../support/processes.ts";
import { clientOf } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const KEYS = 5000;

function cli(...args: string[]): Promise<Ended> {
  return run("cli.ts", args);
}

Deno.test("cli peers --wait ends when the server listens and is ready, and says so", async () => {
  const address = freeAddress();
  const waiting = cli("peers", "--wait", "60", "--server", address);
  await using other = await startedNode();
  await using _server = await serve(["--listen", address, "--peers", other.address]);
  const { status, out, err } = await waiting;
  assertEquals([status, err], [0, ""]);
  assertMatch(out, new RegExp(`^peer .*\n${other.address} +connected .*\nReady\n$`));
  assertEquals(JSON.parse((await cli("peers", "--json", "--server", address)).out)[0].ready, true);
  assertMatch((await cli("stats", "--server", address)).out, /^ +ready +yes$/m);
});

Deno.test("cli peers --wait has status 1 if the server is not ready in time, and shows which peer it lacks and why", async () => {
  await using strict = await startedNode({ authToken: "peer:secret-of-peers" });
  await using server = await startedNode({ peers: [strict.address], readyAfterMs: 600_000 });
  await until("it is refused", () => server.server.stats().peers[0].state === "refused");
  const { status, out } = await cli("peers", "--wait", "0.1", "--server", server.address);
  assertEquals(status, 1);
  assertMatch(out, new RegExp(`\nNot ready, not caught up with ${strict.address} \\(refused: .*\\)\n$`));
  assertEquals((await cli("peers", "--server", server.address)).status, 0, "without --wait it only shows");
});

Deno.test("cli peers --wait says that no server is there, and refuses to ask whichever of several answers", async () => {
  const address = freeAddress();
  const { status, err } = await cli("peers", "--wait", "0", "--server", address);
  assertEquals([status, err.startsWith(`Cannot use server ${address}: `)], [3, true], err);
  const several = await cli("peers", "--wait", "1", "--server", `${address},127.0.0.1:1`);
  assertEquals(several.status, 2);
  assertStringIncludes(several.err, `--wait takes one --server: received ${address}, 127.0.0.1:1`);
});

Deno.test("a server that lacks what peers hold is not ready until it has it", async () => {
  await using nodes = await together(startedNode(), startedNode());
  const [one, other] = nodes;
  for (const key of names(2000)) await one.cache.store(key, key);
  await other.cache.store("of the other", 1);
  const peers = nodes.map(({ address }) => address);
  await using cold = await startedNode({ peers });
  assertEquals(cold.server.stats().ready, false, "just started");
  await until("it is ready", () => cold.server.stats().ready);
  assertEquals(cold.server.stats().entries, 2001);
  assertEquals(connected(cold.server).map(({ ready }) => ready), [true, true]);
  await until(
    "it says so",
    () => cold.lines.some((line) => /^Ready after [0-9.]+ s: caught up with 2 peers$/.test(line)),
  );
  await cold.server.stop();
  assertEquals(cold.server.stats().ready, false);
});

Deno.test("a server whose peer is not believed is ready when READY_AFTER has passed, and says what it lacks", async () => {
  await using wrong = await serveWithWrongClock(90_000);
  await using server = await startedNode({ peers: [wrong.address], readyAfterMs: 5000 });
  await until("the peer is not believed", () => server.server.stats().peers[0].state === "clocks-differ");
  assertEquals(server.server.stats().peers[0].ready, false);
  await until("it is ready all the same", () => server.server.stats().ready);
  const line =
    `Ready after 5 s, not caught up with ${wrong.address} (clocks-differ: is not believed: its clock is 90 s ahead`;
  await until("one line says so", () => server.lines.filter((said) => said.startsWith(line)).length === 1);
});

Deno.test("three servers that are restarted one after another, each when the last one is ready, lose nothing", async () => {
  const addresses = [freeAddress(), freeAddress(), freeAddress()];
  const start = (i: number) => {
    const peers = addresses.filter((_, j) => j !== i).join();
    return serve(["--listen", addresses[i], "--peers", peers, "--max-size", "100000", "--gossip-interval", "0.2"]);
  };
  const running: ServeProcess[] = await Promise.all(addresses.map((_, i) => start(i)));
  try {
    const keys = names(KEYS);
    for (const [i, address] of addresses.entries()) {
      await using client = clientOf(address);
      await Promise.all(keys.filter((_, k) => k % 3 === i).map((key) => client.store(key, `${key} of ${i}`)));
    }
    for (const [i, address] of addresses.entries()) {
      assertEquals((await running[i].stop()).status, 0);
      running[i] = await start(i);
      const { status, out } = await cli("peers", "--wait", "30", "--server", address);
      assertEquals(status, 0, out);
    }
    for (const address of addresses) {
      await using client = clientOf(address);
      const found = await client.retrieveMany(keys);
      assertEquals(keys.filter((key, k) => found.get(key) !== `${key} of ${k % 3}`), [], address);
    }
  } finally {
    await Promise.all(running.map((server) => server.stop()));
  }
});
