/** Peers that prove themselves to each other, and those that cannot. */

import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import type { ServerOptions } from "../../server.ts";
import { type Node, startedNode } from "../support/cluster.ts";
import { freeAddress } from "../support/ports.ts";
import { until } from "../support/waiting.ts";

const TOKEN = "correct-horse-battery";
const PEERS = "token-of-the-peers";
const OTHER = "another-secret-token";

/** A pair of which the second lists the first. */
async function pair(first: ServerOptions, second: ServerOptions): Promise<AsyncDisposable & { one: Node; two: Node }> {
  const one = await startedNode(first);
  const two = await startedNode({ peers: [one.address], ...second });
  const stop = async () => void await Promise.all([one, two].map(({ server }) => server.stop()));
  return { one, two, [Symbol.asyncDispose]: stop };
}

const statesOf = ({ server }: Node) => server.stats().peers.map(({ state }) => state);

const AGREE: Record<string, [ServerOptions, ServerOptions]> = {
  "AUTH_TOKEN alone": [{ authToken: TOKEN }, { authToken: TOKEN }],
  "PEER_TOKEN beside different AUTH_TOKENs": [
    { authToken: TOKEN, peerToken: `node:${PEERS}` },
    { authToken: OTHER, peerToken: `node:${PEERS}` },
  ],
  "PEER_TOKEN of one that is the AUTH_TOKEN of the other": [{ authToken: TOKEN }, { peerToken: TOKEN }],
};

for (const [name, options] of Object.entries(AGREE)) {
  Deno.test(`peers with ${name} know each other, and share entries both ways`, async () => {
    await using nodes = await pair(...options);
    const { one, two } = nodes;
    await until("both are connected", () => [one, two].every((node) => statesOf(node).includes("connected")));
    await one.cache.store("one", 1);
    await two.cache.store("two", 2);
    await until("each has both", async () => await one.cache.has("two") && await two.cache.has("one"));
    const { logins, loginsFailed } = one.server.stats();
    assert(logins >= 1 && loginsFailed === 0, `${logins} logins, ${loginsFailed} failed`);
  });
}

Deno.test("peers find each other by their tokens where each lists the other", async () => {
  const addresses = [freeAddress(), freeAddress()];
  await using one = await startedNode({ listen: addresses[0], peers: [addresses[1]], authToken: TOKEN });
  await using two = await startedNode({ listen: addresses[1], peers: [addresses[0]], authToken: TOKEN });
  await until("both are connected", () => [one, two].every((node) => statesOf(node).join() === "connected"));
});

const DIFFER: Record<string, [ServerOptions, ServerOptions, why: RegExp]> = {
  "another token": [{ authToken: TOKEN }, { authToken: OTHER }, /\(auth-failed\): this server does not know the token/],
  "no token": [{ authToken: TOKEN }, {}, /the server wants to know who connects, and no token is given/],
  "a token, where the other has none": [{}, { authToken: TOKEN }, /a token is given, and the server asks for none/],
};

for (const [name, [first, second, why]] of Object.entries(DIFFER)) {
  Deno.test(`a peer with ${name} is refused, says so once, and gets nothing`, async () => {
    await using nodes = await pair(first, second);
    const { one, two } = nodes;
    await one.cache.store("one", 1);
    await two.cache.store("two", 2);
    await until("it is refused", () => statesOf(two).join() === "refused");
    const { connectionsAccepted } = one.server.stats();
    await until("it has tried again", () => one.server.stats().connectionsAccepted >= connectionsAccepted + 2);
    const [row] = two.server.stats().peers;
    assertMatch(row.error, why);
    assertEquals(two.lines.filter((line) => line.includes("cannot be used")), [
      `Peer ${one.address} cannot be used: ${row.error}`,
    ]);
    assertEquals([await two.cache.has("one"), await one.cache.has("two")], [false, false]);
    for (const line of [...one.lines, ...two.lines]) {
      assert(![TOKEN, OTHER].some((secret) => line.includes(secret)), line);
    }
  });
}

Deno.test("a server shows in `peers` who has not proven that it is one, and who may not be one", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const authFile = `${folder}/auth`;
    await Deno.writeTextFile(authFile, `app:client:${TOKEN}\nnode:peer:${PEERS}\n`, { mode: 0o600 });
    for (
      const [token, error] of [
        [`node:${OTHER}`, /^it does not know a token of this server$/],
        [`app:${TOKEN}`, /^not allowed for role client: to be a peer$/],
      ] as const
    ) {
      await using one = await startedNode({ authFile });
      await using two = await startedNode({ peers: [one.address], peerToken: token });
      await until("it is shown", () => one.server.stats().peers.some(({ address }) => address === two.address));
      const { state, error: shown } = one.server.stats().peers.find(({ address }) => address === two.address)!;
      assertStrictEquals(state, "refused");
      assertMatch(shown, error);
      assertEquals(one.lines.filter((line) => line.includes(`Peer ${two.address} cannot be used: `)).length, 1);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a server with a token that lists itself finds out that it does", async () => {
  const listen = freeAddress();
  await using node = await startedNode({ listen, peers: [listen], authToken: TOKEN });
  await until("it is itself", () => statesOf(node).join() === "self");
  assertStrictEquals(node.server.stats().loginsFailed, 0);
});
