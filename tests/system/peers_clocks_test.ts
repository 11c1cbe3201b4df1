/** Servers whose clocks are wrong, and are corrected while they run. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { PeerStats, ServerStats } from "../../mod.ts";
import { startedNode } from "../support/cluster.ts";
import { serveWithWrongClock, type WrongClockProcess } from "../support/processes.ts";
import { clientOf } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

/** Statistics of the peers of a server in a process of its own. */
async function peersOf(client: ReturnType<typeof clientOf>): Promise<PeerStats[]> {
  return ((await client.stats()).server as ServerStats).peers;
}

/** What both sides say of each other: the server with the wrong clock, and one with the right clock. */
async function wrongAndRight(wrongByMs: number) {
  const stack = new AsyncDisposableStack();
  const wrong: WrongClockProcess = stack.use(await serveWithWrongClock(wrongByMs));
  const right = stack.use(await startedNode({ peers: [wrong.address] }));
  const client = stack.use(clientOf(wrong));
  return { wrong, right, client, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

for (
  const [how, wrongByMs, ofWrong, ofRight] of [
    ["90 s behind", -90_000, /does not believe this server: its clock is 9\d s behind/, /its clock is [89]\d s ahead/],
    ["59.9 s ahead", 59_900, /is not believed: its clock is [56]\d s ahead/, /its clock is 6\d s behind/],
  ] as const
) {
  Deno.test(`a server whose clock is ${how} is shown on both sides, and replicates once the clock is corrected`, async () => {
    await using both = await wrongAndRight(wrongByMs);
    const { wrong, right, client } = both;
    await right.cache.store("of right", 1);
    await client.store("of wrong", 2);
    const row = () => right.server.stats().peers[0];
    await until("the right one shows it", () => row().state === "clocks-differ");
    await until("the wrong one shows it", async () => (await peersOf(client))[0].state === "clocks-differ");
    assertMatch(row().error, ofWrong);
    const [{ error }] = await peersOf(client);
    assertMatch(error, ofRight);
    assert(right.lines.some((line) => ofWrong.test(line)));
    assertEquals(right.lines.filter((line) => line.includes("believe")).length, 1);
    await wrong.setWrongBy(0);
    await until("both have both", async () => await client.has("of right") && await right.cache.has("of wrong"));
    await until("nothing is shown any more", () => row().state === "connected");
    await until("that is said", () => right.lines.some((line) => line.includes("believe each other again")));
  });
}

Deno.test("a server whose machine slept for two hours replicates again, and keeps no entry for longer", async () => {
  await using both = await wrongAndRight(-7_200_000);
  const { wrong, right, client } = both;
  await until("they are connected", () => right.server.stats().peers[0].id > 0);
  await client.store("short", 1, { ttlMs: 3_600_000 });
  await client.store("long", 1, { ttlMs: 10_000_000 });
  await wrong.setWrongBy(0); // what a machine sees that wakes up
  await until("it has expired", async () => !await client.has("short"));
  assertEquals(await client.has("long"), true);
  await right.cache.store("after", 1);
  await until("it hears again", () => client.has("after"));
});

Deno.test("two servers without a clock, which start in 1970, replicate, and go on when they are corrected", async () => {
  const in1970Ms = -Date.now();
  await using one = await serveWithWrongClock(in1970Ms);
  await using other = await serveWithWrongClock(in1970Ms + 5000, [one.address]);
  await using client = clientOf(one);
  await using otherClient = clientOf(other);
  await client.store("k", 1);
  await until("it is there", async () => await otherClient.retrieve("k") === 1);
  for (const server of [one, other]) await server.setWrongBy(0);
  await until("what is stored then is there, too", async () => {
    await otherClient.store("k", 2); // what is stored before the correction is noticed has expired by it
    return await client.retrieve("k") === 2;
  });
});

Deno.test("a server that has written with a clock that was ahead, which is put back, is shown so on both sides", async () => {
  await using both = await wrongAndRight(-5000);
  const { wrong, right, client } = both;
  await until("they are connected", () => right.server.stats().peers[0].lastRoundMs >= 0);
  await wrong.setWrongBy(600_000);
  await until("it believes that clock", async () => {
    await client.store("k", 1);
    return right.server.stats().peers[0].state === "clocks-differ";
  });
  await wrong.setWrongBy(0);
  await until(
    "the right one shows why",
    () => right.server.stats().peers[0].error.includes("writes from more than a minute"),
  );
  await until("the wrong one shows it", async () => {
    const [{ state, error }] = await peersOf(client);
    return state === "clocks-differ" && error.startsWith("does not believe this server, which has writes from ");
  });
});
