/** Near copies while the network fails and others write: no read may be further behind than `maxStaleMs`. */

import { assert, assertEquals } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { OrmucoCacheClient } from "../../mod.ts";
import { portOf } from "../support/ports.ts";
import { TcpProxy } from "../support/proxy.ts";
import { clientOf, startedServer } from "../support/servers.ts";
import { turn, until } from "../support/waiting.ts";

const KEYS = Array.from({ length: 5 }, (_, i) => `key:${i}`);
const MAX_STALE_MS = 60;
const ROUNDS = 500;

/** The versions of the entries that a writer has completed, and when. */
class Truth {
  readonly #completed = new Map<string, { version: number; atMs: number }[]>();

  completed(key: string, version: number): void {
    const all = this.#completed.get(key) ?? [];
    all.push({ version, atMs: performance.now() });
    this.#completed.set(key, all);
  }

  /** The newest version of a key that was completed by a time; 0 if there is none. */
  newestAt(key: string, atMs: number): number {
    return this.#completed.get(key)?.findLast((write) => write.atMs <= atMs)?.version ?? 0;
  }
}

for (const seed of [1, 2]) {
  Deno.test(`no read is further behind than maxStaleMs, whatever becomes of the connection: seed ${seed}`, async () => {
    const random = seeded(seed);
    const keyOf = () => KEYS[Math.floor(random() * KEYS.length)];
    await using server = await startedServer();
    await using writer = clientOf(server);
    await using proxy = new TcpProxy(portOf(server.address!));
    const servers = [proxy.address];
    const near = { maxStaleMs: MAX_STALE_MS };
    await using reader = new OrmucoCacheClient({ servers, near, timeoutMs: 200, onError: () => {} });
    const truth = new Truth();
    const reads: Promise<unknown>[] = [];
    let [version, found, heldRounds] = [0, 0, 0];
    const write = async (key: string) => {
      const own = ++version;
      if (await writer.store(key, own)) truth.completed(key, own);
    };
    const read = async (key: string) => {
      const least = truth.newestAt(key, performance.now() - MAX_STALE_MS);
      const value = await reader.retrieve<number>(key);
      if (value === undefined) return; // a call that has failed is a miss
      found++;
      assert(value >= least, `${key}: ${value} was read, ${least} completed ${MAX_STALE_MS} ms before`);
    };
    for (const key of KEYS) await write(key);
    let writing: Promise<void> | undefined;
    const disturb = async () => {
      for (let i = 0; i < 5; i++) reads.push(read(keyOf()).catch((error: unknown) => error));
      if (random() < 0.2) {
        await writing; // one at a time: which of two is the newer is not left to chance
        writing = write(keyOf());
      }
      if (heldRounds > 0 && --heldRounds === 0) proxy.heal();
      else if (heldRounds === 0 && random() < 0.02) {
        if (random() < 0.3) proxy.cut();
        else proxy.hold();
        heldRounds = 1 + Math.floor(random() * 100);
      }
      await turn();
    };
    await until("each rule has been at work", async () => {
      for (let round = 0; round < ROUNDS; round++) await disturb();
      proxy.heal();
      heldRounds = 0;
      const { hits, fenced, invalidations } = (await reader.stats()).near!;
      return hits > 100 && fenced > 0 && invalidations > 0;
    });
    await writing;
    assertEquals((await Promise.all(reads)).filter((error) => error !== undefined), []);
    assert(found >= (await reader.stats()).near!.hits);
  });
}
