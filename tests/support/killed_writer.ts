/** Kills a process that writes snapshots at any moment, and looks at what it has left. */

import { assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { denoArguments, environment } from "./processes.ts";
import { snapshotNode } from "./snapshot_writer.ts";

const ENTRIES = 20_000;

/** Lets a process write snapshots and kills it, some milliseconds after it has said that one is in place. */
async function killed(path: string, afterMs: number): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...denoArguments("tests/support/snapshot_writer.ts"), path, String(ENTRIES)],
    ...environment(),
    stdout: "piped",
  }).spawn();
  let out = "";
  const reading = (async () => {
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      if (out === "") setTimeout(() => child.kill("SIGKILL"), afterMs);
      out += part;
    }
  })();
  await child.status;
  await reading;
  return Number(out.trimEnd().split("\n").at(-1));
}

/**
 * Kills a writer at a random moment, and checks that a server would load the last snapshot that was in place, or the one after it.
 *
 * @returns Whether it was killed in the middle of one.
 */
export async function killAndLoad(path: string, random: () => number): Promise<boolean> {
  const inPlace = await killed(path, 300 * random());
  const isInMiddle = await Deno.stat(`${path}.new`).then(() => true, () => false);
  const { store, snapshots, lines } = snapshotNode(path, 2, {}, { nowMs: Date.now() });
  await snapshots.start();
  await snapshots.loaded;
  const rounds = new Set<number>();
  for (let i = 0; i < ENTRIES; i++) {
    const value = new Uint8Array(40);
    store.reader.copyValue(store.peek(spanOf(new TextEncoder().encode(`key:${i}`))), value, 0);
    rounds.add(Number(new TextDecoder().decode(value)));
  }
  await snapshots.stop();
  const [round] = rounds;
  assertEquals([store.stats().entries, rounds.size], [ENTRIES, 1], lines.join());
  assertEquals(round === inPlace || round === inPlace + 1, true, `${inPlace} was in place, and ${round} is`);
  return isInMiddle;
}
