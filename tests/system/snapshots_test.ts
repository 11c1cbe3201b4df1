/** Whole servers that keep their entries over a restart: alone, beside peers, and killed at any moment. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { ServerOptions } from "../../server.ts";
import { killAndLoad } from "../support/killed_writer.ts";
import { freePort } from "../support/ports.ts";
import { run, serve } from "../support/processes.ts";
import { clientOf, startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const KILLS = 10;
const GOSSIP_MS = 50;

async function withPath(test: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(`${folder}/snapshot`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function started(snapshotFile: string, options: ServerOptions = {}) {
  return startedServer({ snapshotFile, gossipIntervalMs: GOSSIP_MS, maxBytes: 2 ** 24, ...options });
}

Deno.test("a server has after a restart what it had before, with versions, times and what was removed", () =>
  withPath(async (path) => {
    const before = await started(path);
    await before.cache.storeMany(Array.from({ length: 500 }, (_, i) => [`key:${i}`, { number: i }]));
    await before.cache.store("short", "value", { ttlMs: 600_000 });
    await before.cache.remove("key:7");
    const was = await before.cache.retrieveEntry("short");
    await before.stop();
    await using after = await started(path);
    await until("it is ready", () => after.stats().ready);
    assertEquals([after.stats().entries, after.stats().snapshotEntries], [500, 500]);
    await using client = clientOf(after);
    assertEquals([await client.retrieve("key:8"), await client.retrieve("key:7")], [{ number: 8 }, undefined]);
    const is = await after.cache.retrieveEntry("short");
    assertEquals(is?.version, was?.version);
    assert(is!.remainingMs! <= was!.remainingMs! && is!.remainingMs! > 500_000);
  }));

Deno.test("cli.ts serve keeps entries by --snapshot over SIGTERM, and tells of it", () =>
  withPath(async (path) => {
    const args = [
      "--listen",
      "127.0.0.1:0",
      "--snapshot",
      path,
      "--snapshot-interval",
      "0",
      "--snapshot-max-age",
      "1d",
    ];
    const at = (address: string) => ["--server", address, "--timeout", "30"];
    {
      await using server = await serve(args);
      await run("cli.ts", ["store", "k", "v", ...at(server.address)]);
      assertMatch(
        server.lines.join("\n"),
        new RegExp(`snapshots {3}${path}, at a stop; loaded up to an age of 24 hours`),
      );
      const { status } = await server.stop();
      assertEquals(status, 0);
    }
    await using server = await serve(args);
    await run("cli.ts", ["peers", "--wait", "30", ...at(server.address)]);
    assertEquals((await run("cli.ts", ["retrieve", "k", ...at(server.address)])).out, "v");
    const { out } = await run("cli.ts", ["stats", ...at(server.address)]);
    assertMatch(out, /\nSnapshot\n {2}last {13}1 entries of \d{4}-\S+Z; 0 failed\n/);
    assertMatch(server.lines.join("\n"), new RegExp(`Snapshot ${path} is loaded: 1 entry in `));
  }));

Deno.test("a server that is killed has what its last snapshot had", () =>
  withPath(async (path) => {
    const args = ["--listen", "127.0.0.1:0", "--snapshot", path, "--snapshot-interval", "1"];
    {
      await using server = await serve(args);
      await using client = clientOf(server.address);
      await client.store("k", "v");
      await until("it is in a snapshot", async () => (await client.stats()).server?.snapshotEntries === 1);
      await server.stop("SIGKILL");
    }
    await using server = await serve(args);
    await using client = clientOf(server.address);
    await until("it is loaded", async () => await client.retrieve("k") === "v");
  }));

Deno.test("what peers have removed, overwritten and cleared while a server was down is never served", () =>
  withPath(async (path) => {
    await using other = await startedServer({ maxBytes: 2 ** 24, gossipIntervalMs: GOSSIP_MS });
    const peers = [other.address!];
    const before = await started(path, { peers });
    for (let i = 0; i < 5000; i++) await before.cache.store(`key:${i}`, "old");
    await before.cache.store("space:1", "old");
    await until("the peer has all", () => other.stats().entries === 5001);
    await before.stop();
    await other.cache.remove("key:1");
    await other.cache.store("key:2", "new");
    await other.cache.namespace("space:").clear();
    const after = await started(path, { peers });
    const seen = new Set<unknown>();
    const look = () => ["key:1", "key:2", "space:1"].forEach((key) => seen.add(after.cache.retrieveSync(key)));
    while (!after.stats().ready) {
      look();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    look();
    assertEquals([...seen].filter((value) => value === "old"), []);
    assertEquals(["key:1", "key:2", "space:1", "key:3", "key:4999"].map((key) => after.cache.retrieveSync(key)), [
      undefined,
      "new",
      undefined,
      "old",
      "old",
    ]);
    assert(after.stats().gossip.applied < 10, `${after.stats().gossip.applied} writes came from the peer`);
    await after.stop();
  }));

Deno.test("a server whose peers cannot be reached serves what it had", () =>
  withPath(async (path) => {
    const peers = ["127.0.0.1:1"];
    const before = await started(path, { peers });
    await before.cache.store("k", "v");
    await before.stop();
    await using after = await started(path, { peers });
    await until("it is ready", () => after.stats().ready);
    assertEquals(after.cache.retrieveSync("k"), "v");
  }));

Deno.test("a peer that connects while a server loads its snapshot waits, and hears of what it has then", () =>
  withPath(async (path) => {
    const before = await started(path);
    for (let i = 0; i < 20_000; i++) before.cache.store(`key:${i}`, "value");
    await before.stop();
    const port = await freePort();
    await using other = await startedServer({
      maxBytes: 2 ** 24,
      gossipIntervalMs: GOSSIP_MS,
      peers: [`127.0.0.1:${port}`],
    });
    await using after = await started(path, { listen: port });
    await until("the peer has all", () => other.stats().entries === 20_000);
    assertEquals(after.stats().entries, 20_000);
  }));

Deno.test("a server that cannot start leaves the snapshot of the one that runs", () =>
  withPath(async (path) => {
    await using runs = await started(path, { snapshotIntervalMs: 1000 });
    await runs.cache.store("k", "v");
    await until("a snapshot is written", () => runs.stats().snapshotEntries === 1);
    const before = await Deno.readFile(path);
    const second = await started(path, { listen: runs.address }).catch((error) => error);
    assert(second instanceof Deno.errors.AddrInUse);
    assertEquals((await Deno.readFile(path)).length, before.length);
  }));

Deno.test(`a writer that is killed ${KILLS} times leaves the last snapshot or the next, as a whole`, () =>
  withPath(async (path) => {
    for (let kill = 0; kill < KILLS; kill++) await killAndLoad(path, Math.random);
  }));
