/** `deno task try`: what it starts, and that nothing of it is left. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { CONFIG, environment } from "../support/processes.ts";
import { clientOf } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const ROOT = new URL("../../", import.meta.url);
const ignore = Deno.build.os === "windows"; // it has no signals that a process can be asked to stop with

/** Takes a port, so that nobody else can have it; somebody else may have it already. */
function taken(port: number): Disposable {
  try {
    const listener = Deno.listen({ hostname: "127.0.0.1", port });
    return { [Symbol.dispose]: () => listener.close() };
  } catch {
    return { [Symbol.dispose]: () => {} };
  }
}

/** What runs, what it has said, and how it is ended; whether it succeeded comes of that. */
interface Running {
  readonly said: string;
  end(signal: Deno.Signal): Promise<boolean>;
}

/** Runs Deno, and reads what it prints until all has started. */
async function started(args: string[]): Promise<Running> {
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    ...environment(),
    stdout: "piped",
    stderr: "null",
  })
    .spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    said += part.value;
    if (said.includes("Ctrl-C stops all.\n")) break;
  }
  const end = async (signal: Deno.Signal) => {
    child.kill(signal);
    const { success } = await child.status;
    await reader.cancel();
    return success;
  };
  return { said, end };
}

async function isListening(address: string): Promise<boolean> {
  const [hostname, port] = address.split(":");
  try {
    (await Deno.connect({ hostname, port: Number(port) })).close();
    return true;
  } catch {
    return false;
  }
}

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test({
    name: `try serves on free ports, as three peers that are in use, and nothing is left of it after ${signal}`,
    ignore,
    fn: async () => {
      using _port = taken(11142);
      using _http = taken(9100);
      const { said, end } = await started(["run", "-c", CONFIG, "-A", "tools/try.ts"]);
      const rows = [...said.matchAll(/^ {2}(127\.0\.0\.1:\d+) {3}http:\/\/(127\.0\.0\.1:\d+)$/gm)];
      const addresses = rows.flatMap(([, server, http]) => [server, http]);
      try {
        assertEquals(new Set(addresses).size, 6, said);
        assert(!addresses.includes("127.0.0.1:11142") && !addresses.includes("127.0.0.1:9100"), said);
        assertMatch(said, / cli\.ts peers --server 127\.0\.0\.1:\d+\n/);
        for (const [, server, http] of rows) {
          await using client = clientOf(server);
          await until("it has two peers, and hits", async () => {
            const { peers = [], hits = 0 } = (await client.stats()).server ?? {};
            return hits > 0 && peers.filter(({ state }) => state === "connected").length === 2;
          });
          await until("it is ready", async () => (await fetch(`http://${http}/readyz`).then(read)) === 200);
        }
      } finally {
        assertEquals(await end(signal), signal === "SIGTERM");
      }
      for (const address of addresses) assert(!await isListening(address), address);
    },
  });
}

async function read(response: Response): Promise<number> {
  await response.body?.cancel();
  return response.status;
}

Deno.test({
  name: "the task try stops all when it is asked to stop",
  ignore,
  fn: async () => {
    const { said, end } = await started(["task", "-c", CONFIG, "try"]);
    const [, address] = /^ {2}(\S+) {3}http/m.exec(said)!;
    assertEquals(await end("SIGTERM"), true);
    assert(!await isListening(address), address);
  },
});
