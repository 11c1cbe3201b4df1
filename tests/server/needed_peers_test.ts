import { assertEquals } from "@std/assert";
import { NeededPeers } from "../../lib/server/needed_peers.ts";

/** Peers that note what is done with them, and how often they are loaded. */
function noted() {
  const done: string[] = [];
  const part = { start: () => void done.push("start"), stop: () => void done.push("stop") };
  const load = Promise.withResolvers<typeof part>();
  const peers = new NeededPeers(() => {
    done.push("load");
    return load.promise;
  });
  return { done, peers, finish: () => load.resolve(part) };
}

Deno.test("NeededPeers loads nothing for a server that needs no peers", async () => {
  const { done, peers } = noted();
  await peers.start();
  await peers.stop(0);
  assertEquals([done, peers.loaded], [[], undefined]);
});

Deno.test("NeededPeers loads peers once for all who need them, and starts them once", async () => {
  const { done, peers, finish } = noted();
  await peers.start();
  const needed = [peers.need(), peers.need()];
  finish();
  const [first, second] = await Promise.all(needed);
  assertEquals([first === second, peers.loaded === await peers.need()], [true, true]);
  assertEquals(done, ["load", "start"]);
});

Deno.test("NeededPeers starts peers that were loaded before it with its own start", async () => {
  const { done, peers, finish } = noted();
  finish();
  await peers.need();
  assertEquals(done, ["load"]);
  await peers.start();
  await peers.stop(0);
  assertEquals(done, ["load", "start", "stop"]);
});

Deno.test("NeededPeers does not start peers whose server has stopped while they were loaded", async () => {
  const { done, peers, finish } = noted();
  await peers.start();
  const needed = peers.need();
  await peers.stop(0);
  finish();
  await needed;
  assertEquals(done, ["load"]);
});
