/** Peers by name, in processes of their own: names with many addresses, that move, that may not be looked up. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { OrmucoCacheClient, PeerStats, ServerOptions } from "../../mod.ts";
import { freePort } from "../support/ports.ts";
import { type NamedProcess, serve, serveWithNames } from "../support/processes.ts";
import { clientOf } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

/** Only Linux has all addresses of 127.0.0.0/8. */
const ignore = Deno.build.os !== "linux";

/** A file of names in a folder of its own, a port that is free at all addresses, and how to start servers there. */
class Names implements AsyncDisposable {
  readonly port = freePort();
  readonly name = `cache.test:${this.port}`;
  readonly #folder = Deno.makeTempDirSync();
  readonly #running: AsyncDisposable[] = [];

  /** The name leads to these from now on. */
  lead(...hosts: string[]): void {
    Deno.writeTextFileSync(`${this.#folder}/new`, JSON.stringify({ "cache.test": hosts }));
    Deno.renameSync(`${this.#folder}/new`, this.#file);
  }

  /** Starts a server at an address; unless told otherwise it has the name as its peer. */
  async start(host: string, options: ServerOptions = {}): Promise<{ server: NamedProcess; client: OrmucoCacheClient }> {
    const listen = `${host}:${this.port}`;
    const server = await serveWithNames(this.#file, { listen, peers: [this.name], ...options });
    const client = clientOf(server);
    this.#running.push(client, server);
    return { server, client };
  }

  get #file(): string {
    return `${this.#folder}/names`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#running.toReversed()) await each[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

async function peersOf(client: OrmucoCacheClient): Promise<PeerStats[]> {
  return (await client.stats()).server?.peers ?? [];
}

/** Addresses and states, in the order of addresses. */
async function statesOf(client: OrmucoCacheClient): Promise<string> {
  const rows = await peersOf(client);
  return rows.map(({ address, state }) => `${address.split(":")[0]} ${state}`).sort().join(", ");
}

Deno.test({
  name: "a name with many addresses is many peers: all are connected, and the own one is recognised",
  ignore,
  fn: async () => {
    await using names = new Names();
    const hosts = ["127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14"];
    names.lead(...hosts);
    const nodes = await Promise.all(hosts.map((host) => names.start(host)));
    for (const [i, { client }] of nodes.entries()) {
      const expected = hosts.map((host, j) => `${host} ${i === j ? "self" : "connected"}`).join(", ");
      await until("all are connected", async () => await statesOf(client) === expected);
      const rows = await peersOf(client);
      assertEquals(rows.map(({ name }) => name), hosts.map(() => names.name));
    }
    await nodes[0].client.store("key", 1);
    for (const { client } of nodes) await until("it is there", () => client.has("key"));
  },
});

Deno.test({
  name: "a name that moves is followed while the old address still answers",
  ignore,
  fn: async () => {
    await using names = new Names();
    names.lead("127.0.0.11");
    const { server, client: old } = await names.start("127.0.0.11", { peers: [] });
    const { client: moved } = await names.start("127.0.0.12", { peers: [] });
    const { client } = await names.start("127.0.0.13", { peerLookupIntervalMs: 1000 });
    await until("it is connected", async () => await statesOf(client) === "127.0.0.11 connected");
    await old.store("old", 1);
    names.lead("127.0.0.12");
    await until("it has followed", async () => (await statesOf(client)).includes("127.0.0.12 connected"));
    await until("the entry has come there", () => moved.has("old"));
    assertStringIncludes(await statesOf(client), "127.0.0.11 connected");
    await server[Symbol.asyncDispose]();
    await until("the old one is forgotten", async () => await statesOf(client) === "127.0.0.12 connected");
  },
});

Deno.test({
  name: "a name is looked up again when an address of it does not answer, and when it led nowhere",
  ignore,
  fn: async () => {
    await using names = new Names();
    names.lead();
    const { client } = await names.start("127.0.0.13", { peerLookupIntervalMs: 3_600_000 });
    await until("it leads nowhere", async () => (await peersOf(client))[0]?.error !== "");
    const [{ address, name, state, error }] = await peersOf(client);
    assertEquals([address, name, state], [names.name, names.name, "waiting"]);
    assertMatch(error, /ENOTFOUND/);
    names.lead("127.0.0.11");
    const { server } = await names.start("127.0.0.11", { peers: [] });
    await until("it is found", async () => await statesOf(client) === "127.0.0.11 connected");
    await names.start("127.0.0.12", { peers: [] });
    await server[Symbol.asyncDispose]();
    names.lead("127.0.0.12");
    await until("the other is found", async () => await statesOf(client) === "127.0.0.12 connected");
  },
});

Deno.test({
  name: "what a name led to is forgotten by its address, and the name itself by the name",
  ignore,
  fn: async () => {
    await using names = new Names();
    names.lead("127.0.0.11");
    const { server } = await names.start("127.0.0.11", { peers: [] });
    const { client } = await names.start("127.0.0.13", { peerLookupIntervalMs: 1000 });
    await until("it is connected", async () => await statesOf(client) === "127.0.0.11 connected");
    assertEquals(await client.forgetPeer(names.name), false, "one that is connected has not left");
    await server[Symbol.asyncDispose]();
    await until("it is gone", async () => (await peersOf(client))[0].error !== "");
    assertEquals(await client.forgetPeer(`127.0.0.11:${names.port}`), true);
    assertEquals(await peersOf(client), []);
    await names.start("127.0.0.12", { peers: [] });
    names.lead("127.0.0.11", "127.0.0.12");
    await until("the name is followed", async () => await statesOf(client) === "127.0.0.12 connected");
    const { client: other } = await names.start("127.0.0.14", { peers: ["gone.test:7"], peerLookupIntervalMs: 1000 });
    await until("it leads nowhere", async () => (await peersOf(other))[0].error !== "");
    assertEquals([await other.forgetPeer("gone.test:7"), await other.forgetPeer("gone.test:7")], [true, false]);
    assertEquals(await peersOf(other), []);
  },
});

Deno.test("a permission that is missing is a state in `peers` that names the flag", async () => {
  const port = freePort();
  const permissions = ["--no-prompt", `--allow-net=127.0.0.1:${port}`, "--allow-env", "--allow-read"];
  const args = ["--listen", `127.0.0.1:${port}`, "--peers", "cache.test:7,10.0.0.7:8"];
  await using server = await serve(args, { permissions });
  await using client = clientOf(server);
  await until("both are known", async () => (await peersOf(client)).every(({ state }) => state === "not-permitted"));
  const rows = await peersOf(client);
  assertEquals(rows.map(({ address }) => address).sort(), ["10.0.0.7:8", "cache.test:7"]);
  assertMatch(rows.find(({ address }) => address === "cache.test:7")!.error, /--allow-net=cache\.test$/);
  assertMatch(rows.find(({ address }) => address === "10.0.0.7:8")!.error, /--allow-net=10\.0\.0\.7:8$/);
});

Deno.test("a name that may be connected to, and not looked up, is one peer, and its row names the flag", async () => {
  const port = freePort();
  const name = Deno.hostname();
  await using other = await serve(["--listen", `0.0.0.0:${port}`, "--insecure"]);
  const own = freePort();
  const permissions = ["--no-prompt", `--allow-net=127.0.0.1:${own},${name}:${port}`, "--allow-env", "--allow-read"];
  await using server = await serve(["--listen", `127.0.0.1:${own}`, "--peers", `${name}:${port}`], { permissions });
  await using client = clientOf(server);
  await until("it is connected", async () => (await peersOf(client))[0]?.state === "connected");
  const [{ address, error }] = await peersOf(client);
  assertEquals(address, `${name}:${port}`);
  assertMatch(error, new RegExp(`--allow-net=${name}$`));
  await using there = clientOf(`127.0.0.1:${port}`);
  await there.store("key", 1);
  await until("the entry is here", () => client.has("key"));
  assertEquals(other.lines.some((line) => line.includes("Cannot")), false);
});
