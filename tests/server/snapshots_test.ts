/** A server's snapshot: what is written is loaded, what cannot be used is told in one line, and no disk stops anything. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { FRAME_HEAD_BYTES, HEADER_BYTES } from "../../lib/replication/snapshot_format.ts";
import { replaceFile, type ReplacingFile } from "../../lib/platform/replaced_file.ts";
import { get, key, set } from "../support/gossip_nodes.ts";
import { snapshotNode } from "../support/snapshot_writer.ts";
import { NOW_MS } from "../support/stores.ts";
import { until } from "../support/waiting.ts";

type Node = ReturnType<typeof snapshotNode>;

/** Runs a test with the path of a file in a folder of its own. */
async function withPath(test: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(`${folder}/snapshot`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A node at a time of the tests. */
function node(path: string, id: number, options: Parameters<typeof snapshotNode>[2] = {}, nowMs = NOW_MS): Node {
  return snapshotNode(path, id, options, { nowMs });
}

/** Writes a snapshot of so many entries. */
async function written(path: string, entries: number, options: Parameters<typeof snapshotNode>[2] = {}): Promise<Node> {
  const made = node(path, 1, options);
  for (let i = 0; i < entries; i++) set(made.store, i);
  await made.snapshots.save();
  assertEquals(made.lines, []);
  return made;
}

/** Starts a node, and waits until it has loaded what it can. */
async function loaded(
  path: string,
  options: Parameters<typeof snapshotNode>[2] = {},
  nowMs = NOW_MS + 1000,
): Promise<Node> {
  const made = node(path, 2, options, nowMs);
  await made.snapshots.start();
  await made.snapshots.loaded;
  await made.snapshots.stop();
  return made;
}

Deno.test("Snapshots writes what a store holds, and another start loads it", () =>
  withPath(async (path) => {
    const before = await written(path, 3000);
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    const told: number[] = [];
    const after = await loaded(path, { gossip: { loaded: (origin) => told.push(origin) } });
    assertEquals(after.store.stats().entries, 3000);
    assertEquals([0, 1500, 2999].map((i) => get(after.store, i)), ["value 0", "value 1500", "value 2999"]);
    assertMatch(after.lines.join(), /^Snapshot \S+snapshot is loaded: 3,000 entries in \d+\.\d s$/);
    const stats = { snapshotMs: NOW_MS, snapshotEntries: 3000, snapshotFailures: 0, snapshotError: "" };
    assertEquals([before.snapshots.stats, after.snapshots.stats], [stats, stats]);
    assertEquals(told, [1]);
  }));

Deno.test("Snapshots of a store without entries are loaded, too, and where there is none nothing is said", () =>
  withPath(async (path) => {
    assertEquals((await loaded(path)).lines, []);
    await written(path, 0);
    const { lines, store } = await loaded(path);
    assertMatch(lines.join(), /is loaded: 0 entries/);
    assertEquals(store.stats().entries, 0);
  }));

Deno.test("Snapshots loads what is whole of a damaged file: what was written last", () =>
  withPath(async (path) => {
    await written(path, 3000);
    const bytes = await Deno.readFile(path);
    bytes[Math.floor(bytes.length / 2)] ^= 1;
    await Deno.writeFile(path, bytes);
    const { store, lines, snapshots } = await loaded(path);
    const { entries } = store.stats();
    assert(entries > 1000 && entries < 2000, `${entries} are loaded`);
    assertEquals([get(store, 2999), get(store, 0)], ["value 2999", undefined]);
    const line = `Cannot load all of snapshot ${path}: a page of it is damaged: ${
      entries.toLocaleString("en")
    } entries are`;
    assertEquals(lines, [line]);
    assertEquals([snapshots.stats.snapshotFailures, snapshots.stats.snapshotError], [1, "a page of it is damaged"]);
  }));

Deno.test("Snapshots loads nothing older of a damaged file, whichever byte of it is another one", () =>
  withPath(async (path) => {
    await written(path, 500);
    const good = await Deno.readFile(path);
    for (let at = 0; at < good.length; at += 97) {
      const bytes = good.slice();
      bytes[at] ^= 0x10;
      await Deno.writeFile(path, bytes);
      const { store, lines } = await loaded(path);
      assertEquals(lines.length, 1);
      assertMatch(lines[0], /^Cannot load (all of )?snapshot \S+: (it|a page of it) /);
      const { entries } = store.stats();
      for (let i = 0; i < 500; i++) assertEquals(get(store, i) !== undefined, i >= 500 - entries, `byte ${at}`);
    }
  }));

function exists(path: string): Promise<boolean> {
  return Deno.lstat(path).then(() => true, () => false);
}

/** What refuses a whole file: how it is made so, how it is loaded, and what is said. */
const REFUSED: [string, (path: string) => Promise<unknown>, Parameters<typeof snapshotNode>[2], number, string][] = [
  ["is cut", (path) => Deno.truncate(path, 5000), {}, 0, "it has 5000 bytes, and was written with "],
  ["is longer", (path) => Deno.writeTextFile(path, "x", { append: true }), {}, 0, "it has "],
  [
    "is another's",
    (path) => Deno.writeTextFile(path, "x".repeat(1000)),
    {},
    0,
    "it is no snapshot, or one that was never finished",
  ],
  ["is empty", (path) => Deno.truncate(path, 0), {}, 0, "it is no snapshot, or one that was never finished"],
  ["is of a later format", (path) => change(path, 19, 2), {}, 0, "its format is 2, and this version reads 1"],
  ["has a damaged header", (path) => change(path, 40, 1), {}, 0, "it is damaged"],
  [
    "can be written to by all",
    (path) => Deno.chmod(path, 0o666),
    {},
    0,
    "others than its owner can write to it (mode 666)",
  ],
  [
    "is of no cluster",
    () => Promise.resolve(),
    { cluster: "blue" },
    0,
    "it is of no cluster, and this server of the cluster blue",
  ],
  ["is old", () => Promise.resolve(), {}, 7_200_001, "it is 2 hours old, and may be 60 minutes (SNAPSHOT_MAX_AGE, "],
  [
    "is of the future",
    () => Promise.resolve(),
    {},
    -90_000,
    "it holds writes from 90 s in the future: this machine's clock is ",
  ],
  ["is a folder", (path) => Deno.remove(path).then(() => Deno.mkdir(path)), {}, 0, "it is no regular file"],
];

async function change(path: string, at: number, to: number): Promise<void> {
  const bytes = await Deno.readFile(path);
  bytes[at] = to;
  await Deno.writeFile(path, bytes);
}

for (const [what, spoil, options, laterMs, why] of REFUSED) {
  Deno.test(`Snapshots refuses a file in one line that ${what}`, () =>
    withPath(async (path) => {
      await written(path, 500);
      await spoil(path);
      const { store, lines, snapshots } = await loaded(path, options, NOW_MS + laterMs);
      assertEquals([store.stats().entries, lines.length], [0, 1]);
      assert(lines[0].startsWith(`Cannot load snapshot ${path}: ${why}`), lines[0]);
      assertEquals(snapshots.stats.snapshotFailures, 1);
      assert(snapshots.stats.snapshotError.startsWith(why));
    }));
}

Deno.test("Snapshots puts a refused file aside, where the next snapshot does not take its place", () =>
  withPath(async (path) => {
    await written(path, 500);
    const before = await Deno.readFile(path);
    for (const [cluster, end] of [["blue", "kept as "], ["green", "not kept, as there is "]]) {
      const { lines, snapshots } = await loaded(path, { cluster });
      assert(lines[0].endsWith(`: ${end}${path}.refused`), lines[0]);
      await snapshots.save();
      assertEquals(await Deno.readFile(`${path}.refused`), before);
    }
    await Deno.rename(`${path}.refused`, path);
    assertEquals((await loaded(path)).store.stats().entries, 500);
  }));

Deno.test("Snapshots puts no file aside that is only too old, and the next one takes its place", () =>
  withPath(async (path) => {
    await written(path, 5);
    const { lines, snapshots } = await loaded(path, {}, NOW_MS + 7_200_001);
    assertEquals([lines.length, await exists(`${path}.refused`)], [1, false]);
    await snapshots.save();
    assertEquals((await loaded(path)).store.stats().entries, 0);
  }));

Deno.test("Snapshots takes the place of nothing but a file", () =>
  withPath(async (path) => {
    await Deno.symlink("/dev/null", path);
    const { lines, snapshots } = await loaded(path);
    await snapshots.save();
    const why = "it is no regular file";
    assertEquals(lines, [
      `Cannot load snapshot ${path}: ${why}`,
      `Cannot write snapshot ${path}: ${why}: the one before stays, if there is one`,
    ]);
    assertEquals([(await Deno.lstat(path)).isSymlink, await exists(`${path}.new`)], [true, false]);
  }));

Deno.test("Snapshots loads a file of any age, and of its own cluster, where it is told to", () =>
  withPath(async (path) => {
    await written(path, 5, { cluster: "blue" });
    const options = { cluster: "blue", maxAgeMs: Infinity };
    assertEquals((await loaded(path, options, NOW_MS + 1e10)).store.stats().entries, 5);
  }));

Deno.test("Snapshots loads nothing where entries have been stored before, and nothing at a second start", () =>
  withPath(async (path) => {
    await written(path, 5);
    const made = node(path, 2);
    set(made.store, 7);
    await made.snapshots.start();
    await made.snapshots.stop();
    const why = "entries have been stored before the start";
    assertEquals(made.lines, [`Cannot load snapshot ${path}: ${why}: kept as ${path}.refused`]);
    await Deno.rename(`${path}.refused`, path);
    const twice = await loaded(path);
    twice.store.delete(key(1));
    await twice.snapshots.start();
    assertEquals([twice.snapshots.isLoading, twice.lines.length], [false, 1]);
    await twice.snapshots.stop();
  }));

Deno.test("Snapshots writes again and again, and goes on with that after a stop", () =>
  withPath(async (path) => {
    const made = node(path, 1, { intervalMs: 1 });
    for (let start = 1; start <= 2; start++) {
      await made.snapshots.start();
      made.clock.nowMs += 1000;
      set(made.store, start);
      await until("a snapshot is written", () => made.snapshots.stats.snapshotMs === made.clock.nowMs);
      await until("it has all entries", () => made.snapshots.stats.snapshotEntries === start);
      await made.snapshots.stop();
    }
    assertEquals((await loaded(path)).store.stats().entries, 2);
  }));

/** A file whose writes a test lets through, or lets fail. */
function gate(onWrite: (count: number) => Promise<void>): (path: string) => Promise<ReplacingFile> {
  return async (path) => {
    const file = await replaceFile(path);
    let count = 0;
    const write = file.write.bind(file);
    file.write = (bytes) => onWrite(++count).then(() => write(bytes));
    return file;
  };
}

Deno.test("Snapshots leaves the old file where the disk is full, says so in one line, and tries again", () =>
  withPath(async (path) => {
    const made = await written(path, 5);
    let isFull = true;
    const full = node(path, 3, {
      replace: gate((count) =>
        isFull && count > 3 ? Promise.reject(new Error("No space left on device")) : Promise.resolve()
      ),
    });
    for (let i = 0; i < 3000; i++) set(full.store, i);
    await full.snapshots.save();
    const words = "No space left on device";
    assertEquals(full.lines, [`Cannot write snapshot ${path}: ${words}: the one before stays, if there is one`]);
    const { snapshotMs, snapshotFailures, snapshotError } = full.snapshots.stats;
    assertEquals([snapshotMs, snapshotFailures, snapshotError], [0, 1, words]);
    assertEquals((await loaded(path)).store.stats().entries, made.store.stats().entries);
    assertEquals([...Deno.readDirSync(path.slice(0, path.lastIndexOf("/")))].map(({ name }) => name), ["snapshot"]);
    isFull = false;
    await full.snapshots.save();
    assertEquals([full.snapshots.stats.snapshotFailures, full.snapshots.stats.snapshotError], [1, ""]);
    assertEquals((await loaded(path)).store.stats().entries, 3000);
  }));

Deno.test("Snapshots says in one line where there is no folder, at the start already and at each write", () =>
  withPath(async (path) => {
    const { lines, snapshots } = await loaded(`${path}/none`);
    const line = `Cannot write snapshot ${path}/none: there is no such folder: the one before stays, if there is one`;
    assertEquals([lines, snapshots.stats.snapshotFailures], [[line], 1]);
    await snapshots.save();
    assertEquals(lines, [line, line]);
  }));

Deno.test("Snapshots leaves what another process writes beside the file as it is when it starts", () =>
  withPath(async (path) => {
    const file = await replaceFile(path);
    assertEquals((await loaded(path)).lines, []);
    await file.write(new Uint8Array(5));
    await file.finish(new Uint8Array(5));
    assertEquals((await Deno.stat(path)).size, 5);
  }));

Deno.test("Snapshots makes no page before the last is on a slow disk, and the store goes on meanwhile", () =>
  withPath(async (path) => {
    const waiting: (() => void)[] = [];
    const slow = node(path, 1, { replace: gate(() => new Promise((goOn) => waiting.push(goOn))) });
    for (let i = 0; i < 1000; i++) set(slow.store, i);
    const saving = slow.snapshots.save();
    for (let page = 0; page < 2; page++) { // the room for the header, and the first page
      await until("something is to be written", () => waiting.length > 0);
      waiting.shift()!();
    }
    await until("the second page is to be written", () => waiting.length > 0);
    for (let i = 900; i < 1100; i++) set(slow.store, i, "later");
    assertEquals([waiting.length, get(slow.store, 1050)], [1, "later"]);
    let isOver = false;
    saving.then(() => isOver = true);
    await until("all is written", () => {
      waiting.shift()?.();
      return isOver;
    });
    const { store } = await loaded(path);
    assertEquals([get(store, 950), get(store, 1050), get(store, 0)], ["later", "later", "value 0"]);
  }));

Deno.test("Snapshots ends what it writes when the server stops, and writes all that there is then", () =>
  withPath(async (path) => {
    const waiting: (() => void)[] = [];
    let isSlow = true;
    const made = node(path, 1, {
      intervalMs: 1,
      replace: gate((count) => isSlow && count > 2 ? new Promise((goOn) => waiting.push(goOn)) : Promise.resolve()),
    });
    for (let i = 0; i < 3000; i++) set(made.store, i);
    await made.snapshots.start();
    await until("it is written", () => waiting.length > 0);
    isSlow = false;
    const stopped = made.snapshots.stop();
    waiting.shift()!();
    await stopped;
    assertEquals([made.snapshots.stats.snapshotMs, made.lines], [0, []]);
    await made.snapshots.save();
    assertEquals((await loaded(path)).store.stats().entries, 3000);
  }));

Deno.test("Snapshots leaves the file as it is where a stop has ended its load", () =>
  withPath(async (path) => {
    await written(path, 5000);
    const before = await Deno.readFile(path);
    const made = node(path, 2, {}, NOW_MS + 1000);
    await made.snapshots.start();
    assertEquals(made.snapshots.isLoading, true);
    await made.snapshots.stop();
    await made.snapshots.save();
    assert(made.store.stats().entries < 5000);
    assertEquals([await Deno.readFile(path), made.lines], [before, []]);
  }));

Deno.test("Snapshots loads at the next start what a stop has ended the load of, and writes nothing less in its place", () =>
  withPath(async (path) => {
    await written(path, 5000);
    const made = node(path, 2, {}, NOW_MS + 1000);
    await made.snapshots.start();
    await made.snapshots.stop(); // as where the port is taken
    set(made.store, 1, "later");
    await made.snapshots.start();
    await made.snapshots.loaded;
    await made.snapshots.stop();
    await made.snapshots.save();
    const { store } = await loaded(path);
    assertEquals([made.store.stats().entries, store.stats().entries], [5000, 5000]);
    assertEquals([get(store, 1), get(store, 0), made.snapshots.stats.snapshotFailures], ["later", "value 0", 0]);
  }));

Deno.test("Snapshots loads no other file in place of one of which a stop has ended the load", () =>
  withPath(async (path) => {
    await written(path, 5000);
    const made = node(path, 2, {}, NOW_MS + 1000);
    await made.snapshots.start();
    await made.snapshots.stop();
    const { entries } = made.store.stats();
    await written(path, 6000);
    await made.snapshots.start();
    await made.snapshots.stop();
    const why = "entries have been stored before the start";
    assertEquals(made.lines, [`Cannot load snapshot ${path}: ${why}: kept as ${path}.refused`]);
    assertEquals(made.store.stats().entries, entries);
  }));

Deno.test("Snapshots keeps what it loads from clients until it is released, where there are peers to hear from", () =>
  withPath(async (path) => {
    await written(path, 300);
    const made = await loaded(path, { hasPeers: true });
    assertEquals([get(made.store, 1), made.store.stats().entries], [undefined, 300]);
    made.snapshots.release();
    assertEquals(get(made.store, 1), "value 1");
  }));

Deno.test("a snapshot's file has no gaps: header, frames, and nothing else", () =>
  withPath(async (path) => {
    await written(path, 600);
    const bytes = await Deno.readFile(path);
    const view = new DataView(bytes.buffer);
    let [at, before, frames] = [HEADER_BYTES, 0, 0];
    for (; at < bytes.length; frames++) {
      assertEquals(view.getUint32(at + 8), before);
      before = FRAME_HEAD_BYTES + view.getUint32(at + 4);
      at += before;
    }
    assertEquals([at, frames], [bytes.length, 3]);
  }));
