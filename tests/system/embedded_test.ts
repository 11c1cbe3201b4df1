/** Servers in programs: the programs of docs/embedded.md are run as they stand there, and end when they are told to. */

import { assertEquals } from "@std/assert";
import { OrmucoCacheClient } from "../../mod.ts";
import { isOldDeno } from "../support/deno_version.ts";
import { freePort } from "../support/ports.ts";
import { CONFIG, environment } from "../support/processes.ts";
import { clientOf, startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const ROOT = new URL("../../", import.meta.url);
const DOCUMENT = Deno.readTextFileSync(new URL("docs/embedded.md", ROOT));
const [SHUTDOWN, SERVE, CLIENTS, PEERS] = [...DOCUMENT.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block]) => block);

/** A program that runs. */
interface Program extends AsyncDisposable {
  /** Where its cache listens. */
  readonly cache: string;
  /** What a request to it is answered. */
  page(): Promise<string | undefined>;
  /** Asks it to end, and returns how it did. */
  stop(): Promise<{ code: number; err: string }>;
}

/** What a request on a connection of its own is answered, so that any worker may get it. */
async function pageOn(port: number): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"));
  const answer = await new Response(connection.readable).text();
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}

/** Starts a program of the document with ports of its own, and waits until it answers. */
async function started(block: string, words: string[], env: Record<string, string> = {}): Promise<Program> {
  const [port, cachePort] = [freePort(), freePort()];
  const file = new URL(`tests/.embedded_${port}.ts`, ROOT);
  const program = block.replaceAll("@ormuco/cache", "../mod.ts").replaceAll("11142", `${cachePort}`)
    .replaceAll("8000", `${port}`);
  await Deno.writeTextFile(file, program);
  const [command, ...flags] = words;
  const where = command === "serve" ? ["--host", "127.0.0.1", "--port", `${port}`] : [];
  const child = new Deno.Command(Deno.execPath(), {
    args: [command, "--quiet", "-A", "-c", new URL(CONFIG, ROOT).pathname, ...flags, ...where, file.pathname],
    ...environment(env),
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const err = new Response(child.stderr).text();
  const page = () => pageOn(port).catch(() => undefined);
  const stop = async () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    return { code: (await child.status).code, err: await err };
  };
  const running: Program = {
    cache: `127.0.0.1:${cachePort}`,
    page,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await Deno.remove(file);
    },
  };
  try {
    await until("it answers", async () => await page() !== undefined);
  } catch (error) {
    child.kill("SIGKILL");
    await Deno.remove(file);
    throw new Error(`${(error as Error).message}: ${(await running.stop()).err}`);
  }
  return running;
}

for (const [what, block, words] of [["Deno.serve", SHUTDOWN, ["run"]], ["deno serve", SERVE, ["serve"]]] as const) {
  Deno.test({
    name: `a program of ${what} with a server in it ends at SIGTERM, though clients are connected`,
    ignore: Deno.build.os === "windows" || (isOldDeno && words[0] === "serve"), // Windows has no SIGTERM
    fn: async () => {
      await using program = await started(block, [...words]);
      await using client = new OrmucoCacheClient({ servers: [program.cache], onError: () => {} });
      assertEquals(await program.page(), "none\n");
      await client.store("page", "stored");
      assertEquals(await program.page(), "stored");
      assertEquals(await program.stop(), { code: 0, err: "" });
    },
  });
}

for (
  const [what, block, count, connections] of [["clients", CLIENTS, 1, 3], ["peers", PEERS, 3, 3]] as const
) {
  Deno.test({
    name: `workers of deno serve --parallel share a cache as ${what}, and end at SIGTERM`,
    ignore: Deno.build.os === "windows" || isOldDeno, // Windows has no SIGTERM
    fn: async () => {
      await using program = await started(block, ["serve", "--parallel"], { DENO_JOBS: "3" });
      await using client = clientOf(program.cache);
      const pages = () => Promise.all(Array.from({ length: 30 }, program.page));
      await until("all workers are there", async () => { // one that starts after SIGTERM would not hear of it
        await pages();
        const { server } = await client.stats();
        return 1 + server!.peers!.length === count && server!.connections === connections;
      });
      await client.store("page", "stored");
      await until("every worker has it", async () => (await pages()).every((page) => page === "stored"));
      assertEquals((await program.stop()).code, 0);
    },
  });
}

Deno.test("a server with unref and peers lets its process end by itself", async () => {
  await using other = await startedServer();
  const program = `
    import { OrmucoCacheClient, OrmucoCacheServer } from "${new URL("mod.ts", ROOT)}";
    const server = new OrmucoCacheServer({ listen: 0, unref: true, log: () => {}, peers: ["${other.address}"] });
    await server.startServer();
    const client = new OrmucoCacheClient({ servers: [server.address] });
    await client.store("k", 1);
    while (server.stats().peers[0].state !== "connected") await new Promise((resolve) => setTimeout(resolve, 5));
    console.log(await client.retrieve("k"));
  `;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", "-c", new URL(CONFIG, ROOT).pathname, program],
    ...environment(),
  }).output();
  const text = new TextDecoder();
  assertEquals([code, text.decode(stdout), text.decode(stderr)], [0, "1\n", ""]);
});
