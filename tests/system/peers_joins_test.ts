/** Servers that meet after a time in which one of them has forgotten much: nothing that nobody deleted may leave them. */

import { assert, assertEquals } from "@std/assert";
import type { OrmucoCache } from "../../mod.ts";
import { connected, names, type Node, settled, startedNode } from "../support/cluster.ts";
import { Ledger } from "../support/ledger.ts";
import { portOf } from "../support/ports.ts";
import { serve } from "../support/processes.ts";
import { TcpProxy } from "../support/proxy.ts";
import { clientOf } from "../support/servers.ts";
import { nextMoment, until } from "../support/waiting.ts";

/** Of what nobody overwrote or deleted, so much stays. */
const LEAST = 0.99;
const OLD = "old".padEnd(100, ".");
const NEW = "new".padEnd(100, ".");
/** So long that a connection's buffers do not hold what is pushed during a pause. */
const LONG = "long".padEnd(1000, ".");

/** Whether a node holds what nobody overwrote or deleted, of each kind. */
async function assertHolds(ledger: Ledger, cache: OrmucoCache, kinds: Record<string, string[]>): Promise<void> {
  const held: string[] = [];
  let isKept = true;
  for (const [kind, keys] of Object.entries(kinds)) {
    const { newest } = await ledger.audit(cache, keys);
    held.push(`${newest} of ${keys.length} ${kind}`);
    isKept &&= newest >= LEAST * keys.length;
  }
  assert(isKept, `It holds ${held.join(", ")}`);
}

/** Every 41st, from the beginning again past the end: a choice that is spread over all. */
function spread(keys: string[], count: number, first = 0): string[] {
  return Array.from({ length: count }, (_, i) => keys[(first + 41 * i) % keys.length]);
}

Deno.test("a large server that pauses while a small peer takes 48,000 writes keeps what nobody wrote meanwhile", async () => {
  const options = ["--listen", "127.0.0.1:0", "--expiration", "0", "--gossip-interval", "0.05"];
  await using large = await serve([...options, "--max-size", "1000000"]);
  await using small = await serve([...options, "--max-bytes", "4MiB", "--peers", large.address]);
  await using first = clientOf(large.address);
  await using second = clientOf(small.address);
  const ledger = new Ledger();
  const old = names(100_000, "old");
  await ledger.store(first, old, OLD);
  await until("the small one has heard of all", () => second.has(old.at(-1)!));
  const [removed, overwritten] = [spread(old, 500), spread(old, 2000, 41 * 500)];
  const fresh = names(45_500, "new");
  await large.paused(async () => {
    await ledger.remove(second, removed);
    for (let i = 0; i < 100; i++) {
      await ledger.store(second, overwritten.slice(20 * i, 20 * (i + 1)), LONG);
      await ledger.store(second, fresh.slice(455 * i, 455 * (i + 1)), LONG);
    }
    const [row] = (await second.stats()).server!.peers!;
    assert(row.state === "connected" && row.droppedFull > 0, "it has taken more than can wait for its peer");
  });
  await until("the large one has heard of all", () => first.has(fresh.at(-1)!));
  await settled(first, second);
  assertEquals(ledger.failures, 0);
  for (const cache of [first, second]) assertEquals((await ledger.audit(cache)).stale, 0);
  const changed = new Set([...removed, ...overwritten]);
  await assertHolds(ledger, first, { untouched: old.filter((key) => !changed.has(key)) });
});

/** A large node, and a small one that has evicted most of what the large one holds. */
async function unequal(ledger: Ledger, keys: string[]): Promise<Node[]> {
  const large = await startedNode();
  const small = await startedNode({ maxSize: keys.length / 20, peers: [large.address] });
  await ledger.store(large.cache, keys, OLD);
  await until("the small one has heard of all", () => small.cache.has(keys.at(-1)!));
  await settled(large.cache, small.cache);
  return [large, small];
}

const ORDERS = ["the large one first", "the small one first"];

function inOrder<Peer>(order: string, large: Peer, small: Peer): Peer[] {
  return order === ORDERS[0] ? [large, small] : [small, large];
}

for (const order of ORDERS) {
  for (const delayMs of [0, 50]) {
    Deno.test(`a cold server takes all from a large and a small peer, listing ${order}, the large one ${delayMs} ms away`, async () => {
      const ledger = new Ledger();
      const keys = names(50_000);
      const [large, small] = await unequal(ledger, keys);
      await using _large = large;
      await using _small = small;
      await using proxy = new TcpProxy(portOf(large.address), { delayMs });
      // A peer that says nothing for 15 rounds is given up: over a slow line on a busy machine these must not be short.
      const peers = inOrder(order, proxy.address, small.address);
      await using cold = await startedNode({ peers, ...(delayMs > 0 && { gossipIntervalMs: 200 }) });
      await until("it is connected", () => connected(cold.server).length === 2);
      await until("it has begun", () => cold.cache.has(keys.at(-1)!));
      await settled(large.cache, small.cache, cold.cache);
      for (const { cache } of [cold, large]) await assertHolds(ledger, cache, { entries: keys });
    });
  }
}

Deno.test("of 100,000 deletions on one side of a partition none is undone, and nothing else is lost", async () => {
  await using one = await startedNode();
  await using proxy = new TcpProxy(portOf(one.address));
  await using other = await startedNode({ peers: [proxy.address] });
  const ledger = new Ledger();
  const keys = names(120_000);
  await ledger.store(one.cache, keys, OLD);
  await until("both have all", () => other.server.stats().entries === keys.length);
  await settled(one.cache, other.cache);
  proxy.cut();
  await until("it is noticed", () => connected(other.server).length + connected(one.server).length === 0);
  const [removed, staying] = [keys.slice(0, 100_000), keys.slice(100_000)];
  await ledger.store(other.cache, names(5000, "early"), NEW);
  await ledger.store(other.cache, removed.slice(0, 2000), "older than its deletion");
  await nextMoment();
  await ledger.remove(one.cache, removed);
  await nextMoment();
  const again = removed.slice(1000, 3000);
  await ledger.store(other.cache, again, "newer than its deletion");
  await ledger.store(other.cache, names(5000, "late"), NEW);
  await ledger.store(one.cache, names(5000, "here"), NEW);
  proxy.heal();
  await until("they have heard of all", async () => {
    return await one.cache.has("late:4999") && await other.cache.has("here:4999");
  });
  await settled(one.cache, other.cache);
  for (const { cache } of [one, other]) assertEquals((await ledger.audit(cache)).stale, 0);
  const [early, late, here] = ["early", "late", "here"].map((prefix) => names(5000, prefix));
  for (const { cache } of [one, other]) await assertHolds(ledger, cache, { staying, again, early, late, here });
});

for (const order of ORDERS) {
  Deno.test(`a cold server that lists two who missed each other's writes, ${order}, brings nothing back and loses nothing`, async () => {
    await using large = await startedNode();
    await using proxy = new TcpProxy(portOf(large.address));
    await using small = await startedNode({ maxBytes: 4 * 1024 * 1024, peers: [proxy.address] });
    const ledger = new Ledger();
    const old = names(50_000, "old");
    await ledger.store(large.cache, old, OLD);
    await until("the small one has heard of all", () => small.cache.has(old.at(-1)!));
    await settled(large.cache, small.cache);
    proxy.cut();
    await until("it is noticed", () => connected(large.server).length + connected(small.server).length === 0);
    const changed = spread(old, 1000);
    const staying = old.filter((key) => !changed.includes(key));
    const [here, fresh] = [names(2000, "here"), names(40_000, "new")];
    await ledger.store(large.cache, here, NEW);
    await ledger.remove(small.cache, changed.slice(0, 500));
    await ledger.store(small.cache, changed.slice(500), NEW);
    await ledger.store(small.cache, fresh, NEW);
    const peers = inOrder(order, large, small);
    await using cold = await startedNode({ peers: peers.map(({ address }) => address) });
    await until("all have heard of all", async () => {
      return await large.cache.has(fresh.at(-1)!) && await cold.cache.has(fresh.at(-1)!);
    });
    await settled(large.cache, small.cache, cold.cache);
    for (const { cache } of [large, small, cold]) assertEquals((await ledger.audit(cache)).stale, 0);
    for (const { cache } of [large, cold]) await assertHolds(ledger, cache, { staying, here });
  });
}

Deno.test("two full servers that wrote at the same time, apart, then hold the newest half of what each wrote", async () => {
  const places = 5000;
  await using one = await startedNode({ maxSize: places });
  await using proxy = new TcpProxy(portOf(one.address));
  proxy.cut();
  await using other = await startedNode({ maxSize: places, peers: [proxy.address] });
  const ledger = new Ledger();
  const [ones, others] = [names(places, "one"), names(places, "other")];
  for (let i = 0; i < places; i += 50) {
    await ledger.store(one.cache, ones.slice(i, i + 50), NEW);
    await ledger.store(other.cache, others.slice(i, i + 50), NEW);
  }
  proxy.heal();
  await until("they have heard of each other", async () => {
    return await one.cache.has(others.at(-1)!) || await other.cache.has(ones.at(-1)!);
  });
  await settled(one.cache, other.cache);
  const newest = [ones, others].map((keys) => keys.slice(places / 2));
  const held: number[] = [];
  for (const { cache } of [one, other]) for (const keys of newest) held.push((await ledger.audit(cache, keys)).newest);
  assert(held.every((count) => count >= 0.75 * places / 2), `of ${places / 2} each, they hold ${held.join(", ")}`);
});
