import { assertEquals, assertRejects } from "@std/assert";
import { readSecretFile } from "../../lib/platform/secret_file.ts";

const ignore = Deno.build.os === "windows"; // it has no modes

async function withFile(use: (path: string, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/secret`;
    await Deno.writeTextFile(path, "a secret\n", { mode: 0o600 });
    await use(path, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "readSecretFile() says whether everybody can read the file, as where Docker or Kubernetes has mounted it",
  ignore,
  fn: () =>
    withFile(async (path) => {
      for (const [mode, isReadableByAll] of [[0o600, false], [0o400, false], [0o440, false], [0o444, true]] as const) {
        await Deno.chmod(path, mode);
        assertEquals(await readSecretFile(path), { text: "a secret\n", isReadableByAll }, mode.toString(8));
      }
    }),
});

Deno.test({
  name: "readSecretFile() follows links, as Kubernetes has them",
  ignore,
  fn: () =>
    withFile(async (path, folder) => {
      await Deno.symlink(folder, `${folder}/..data`);
      await Deno.symlink("..data/secret", `${folder}/link`);
      assertEquals((await readSecretFile(`${folder}/link`)).text, "a secret\n");
      assertEquals(path, `${folder}/secret`);
    }),
});

Deno.test({
  name: "readSecretFile() refuses what others can write to, what is no file, and what is too long",
  ignore,
  fn: () =>
    withFile(async (path, folder) => {
      for (const mode of [0o620, 0o602, 0o666]) {
        await Deno.chmod(path, mode);
        const words = `others than its owner can write to it (mode ${mode.toString(8)}): chmod go-w it`;
        await assertRejects(() => readSecretFile(path), Error, words);
      }
      await assertRejects(() => readSecretFile(folder), Error, "it is no regular file");
      await assertRejects(() => readSecretFile(`${folder}/none`), Error, "there is no such file");
      await assertRejects(() => readSecretFile("/dev/zero"), Error, "it is no regular file");
      await Deno.chmod(path, 0o600);
      await Deno.truncate(path, 1024 * 1024);
      assertEquals((await readSecretFile(path)).text.length, 1024 * 1024);
      await Deno.truncate(path, 1024 * 1024 + 1);
      await assertRejects(() => readSecretFile(path), Error, "it has 1048577 bytes, and may have 1048576");
    }),
});
