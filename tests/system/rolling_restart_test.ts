/**
 * Three servers are restarted one after another, by the signal that each is ready, while clients use them: no call fails, and what was
 * there is there, with snapshots and without.
 */

import { assert, assertEquals } from "@std/assert";
import type { OrmucoCacheClient, ServerStats } from "../../mod.ts";
import { freeAddress } from "../support/ports.ts";
import { serve, type ServeProcess } from "../support/processes.ts";
import { reportingClient } from "../support/servers.ts";
import { turn, until } from "../support/waiting.ts";

const KEYS = 2000;
/** Retrievals of which the hit ratio is taken together. */
const WINDOW = 500;
const LEAST_RATIO = 0.95;
/** Calls of a client that are under way at a time. */
const AT_ONCE = 16;

/** Uses three servers, each by a client that lists it first, until told to end. */
function load(addresses: readonly string[]) {
  const clients = addresses.map((_, i) => reportingClient([...addresses.slice(i), ...addresses.slice(0, i)]));
  const ratios: number[] = [];
  let [hits, retrievals, isOver] = [0, 0, false];
  const retrieve = async (client: OrmucoCacheClient, key: string) => {
    const value = await client.retrieve(key);
    hits += Number(value !== undefined);
    if (++retrievals < WINDOW) return;
    ratios.push(hits / WINDOW);
    [hits, retrievals] = [0, 0];
  };
  const use = async (client: OrmucoCacheClient, seed: number) => {
    for (let i = seed; !isOver; i = (i * 1_103_515_245 + 12_345) % 2 ** 31) {
      const keys = Array.from({ length: AT_ONCE }, (_, more) => `key:${(i + 37 * more) % KEYS}`);
      await Promise.all([client.store(keys[0], i), ...keys.slice(1).map((key) => retrieve(client, key))]);
      await turn();
    }
  };
  const using = clients.map(({ client }, i) => use(client, i + 1));
  const end = async () => {
    isOver = true;
    await Promise.all(using);
    for (const { client } of clients) await client.close();
    return { ratios, errors: clients.flatMap(({ errors }) => errors.map(({ message }) => message)) };
  };
  return { windows: () => ratios.length, end };
}

for (const hasSnapshots of [false, true]) {
  Deno.test(`three servers restarted in turn ${hasSnapshots ? "with" : "without"} snapshots fail no call, and miss nothing`, async () => {
    const folder = await Deno.makeTempDir();
    const addresses = [freeAddress(), freeAddress(), freeAddress()];
    const started = (i: number) => {
      const peers = addresses.filter((_, other) => other !== i).join();
      const snapshot = hasSnapshots ? ["--snapshot", `${folder}/${i}`] : [];
      const args = ["--listen", addresses[i], "--peers", peers, "--max-bytes", "64MiB", "--gossip-interval", "0.1"];
      return serve([...args, ...snapshot]);
    };
    const says = (i: number, isSo: (stats: Partial<ServerStats>) => boolean) =>
      until("a server says so", async () => {
        const { client } = reportingClient([addresses[i]]);
        const { server } = await client.stats();
        await client.close();
        return server !== undefined && isSo(server);
      });
    const servers: ServeProcess[] = [];
    try {
      for (const i of addresses.keys()) servers.push(await started(i));
      for (const i of addresses.keys()) await says(i, ({ ready }) => ready === true);
      const { client } = reportingClient([addresses[0]]);
      await client.storeMany(Array.from({ length: KEYS }, (_, i) => [`key:${i}`, i]));
      await client.close();
      for (const i of addresses.keys()) await says(i, ({ entries }) => entries === KEYS);
      const loading = load(addresses);
      await until("it is under load", () => loading.windows() >= 5);
      for (const i of addresses.keys()) {
        const { status } = await servers[i].stop();
        assertEquals(status, 0);
        servers[i] = await started(i);
        await says(i, ({ ready }) => ready === true);
        const before = loading.windows();
        await until("the load goes on", () => loading.windows() >= before + 5);
      }
      const { ratios, errors } = await loading.end();
      assertEquals(errors, []);
      assertEquals(ratios.slice(0, 5), [1, 1, 1, 1, 1]);
      assert(Math.min(...ratios) >= LEAST_RATIO, `${Math.min(...ratios)} of ${WINDOW} retrievals were hits`);
    } finally {
      for (const server of servers) await server.stop("SIGKILL");
      await Deno.remove(folder, { recursive: true });
    }
  });
}
