/** Files that are replaced as a whole, and read from any place. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { openToRead, replaceFile } from "../../lib/platform/replaced_file.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Runs a test with the path of a file in a folder of its own, in which nothing else is left. */
async function withPath(test: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(`${folder}/file`);
    for await (const { name } of Deno.readDir(folder)) assertEquals(name, "file");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("replaceFile() leaves the old content in place until all is written, and only its owner may read the new", () =>
  withPath(async (path) => {
    await Deno.writeTextFile(path, "old", { mode: 0o644 });
    const file = await replaceFile(path);
    await file.write(bytes("----"));
    await file.write(bytes("new"));
    assertEquals(await Deno.readTextFile(path), "old");
    await file.finish(bytes("head"));
    assertEquals(await Deno.readTextFile(path), "headnew");
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  }));

Deno.test("ReplacingFile.drop() leaves the old content in place, and nothing beside it", () =>
  withPath(async (path) => {
    await Deno.writeTextFile(path, "old");
    const file = await replaceFile(path);
    await file.write(bytes("new"));
    await file.drop();
    assertEquals(await Deno.readTextFile(path), "old");
  }));

Deno.test("replaceFile() takes the place of what a process has left that was ended in the middle", () =>
  withPath(async (path) => {
    await Deno.writeTextFile(`${path}.new`, "a part, longer than all of the new", { mode: 0o644 });
    const file = await replaceFile(path);
    await file.write(bytes("new"));
    await file.finish(bytes("N"));
    assertEquals(await Deno.readTextFile(path), "New");
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  }));

Deno.test("replaceFile() writes through no link that somebody has put there", () =>
  withPath(async (path) => {
    await Deno.writeTextFile(path, "another's");
    await Deno.symlink(path, `${path}.new`);
    const file = await replaceFile(path);
    await file.write(bytes("new"));
    assertEquals(await Deno.readTextFile(path), "another's");
    await file.drop();
  }));

Deno.test("of two processes that replace one file, the one whose content is gone puts nothing in place", () =>
  withPath(async (path) => {
    const [one, other] = [await replaceFile(path), await replaceFile(path)];
    await one.write(bytes("one"));
    await assertRejects(() => one.finish(bytes("o")), Error, "another process writes to the same file");
    await one.drop();
    await other.write(bytes("other"));
    await other.finish(bytes("o"));
    assertEquals(await Deno.readTextFile(path), "other");
  }));

Deno.test("openToRead() reads from any place, and less at the end", () =>
  withPath(async (path) => {
    await Deno.writeTextFile(path, "0123456789", { mode: 0o600 });
    using file = await openToRead(path);
    assert(file !== undefined);
    const text = async (at: number, length: number) => new TextDecoder().decode(await file.read(at, length));
    assertEquals([file.size, await text(7, 2), await text(0, 10), await text(8, 5)], [10, "78", "0123456789", "89"]);
  }));

Deno.test("openToRead() finds no file where there is none, and refuses what is none or what others can write to", async () => {
  const folder = await Deno.makeTempDir();
  try {
    assertEquals(await openToRead(`${folder}/none`), undefined);
    await assertRejects(() => openToRead(folder), Error, "it is no regular file");
    await Deno.writeTextFile(`${folder}/open`, "text");
    await Deno.chmod(`${folder}/open`, 0o666);
    await assertRejects(() => openToRead(`${folder}/open`), Error, "others than its owner can write to it (mode 666)");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
