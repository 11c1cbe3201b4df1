/** Signals to a server's process, and a log that cannot be written. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { writeKeyed } from "../../lib/wire/calls.ts";
import { REQUEST } from "../../lib/wire/frame.ts";
import { greetingAnd, NativeSocket } from "../support/native_socket.ts";
import { denoArguments, serve } from "../support/processes.ts";
import { clientOf } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const ignore = Deno.build.os === "windows"; // it has no such signals, and no /dev/full
const MIB = 1024 * 1024;

Deno.test({
  name: "SIGHUP rereads what can be reread and ends no server",
  ignore,
  fn: async () => {
    await using server = await serve(["--listen", "127.0.0.1:0"]);
    await using client = clientOf(server);
    assertEquals(await client.store("key", 1), true);
    const line = "SIGHUP: nothing to reread";
    for (let times = 1; times <= 2; times++) {
      Deno.kill(server.pid, "SIGHUP");
      await until("it says so", () => server.lines.filter((printed) => printed === line).length === times);
    }
    assertEquals(await client.retrieve("key"), 1);
    const { status, out, err } = await server.stop();
    assertEquals([status, err], [0, ""]);
    assertStringIncludes(out, "Server stopped\n");
  },
});

Deno.test({
  name: "SIGHUP ends no server that is stopping, and a second signal to stop ends it at once",
  ignore,
  fn: async () => {
    await using server = await serve(["--listen", "127.0.0.1:0"]);
    await using client = clientOf(server);
    assertEquals(await client.store("large", new Uint8Array(8 * MIB)), true);
    // Who does not read makes a stop take a second.
    using reader = await NativeSocket.to(server);
    await reader.write(greetingAnd((output) => writeKeyed(output, REQUEST.get, "large")));
    await until("the reply waits", async () => (await client.stats()).server?.bufferBytes as number > MIB / 8);
    const ended = await server.paused(() => {
      Deno.kill(server.pid, "SIGHUP");
      Deno.kill(server.pid, "SIGTERM");
      return Promise.resolve({ status: server.stop("SIGINT") });
    });
    const { status, out, err } = await ended.status;
    assertEquals([status, err], [130, ""]);
    assertEquals(out.includes("Server stopped"), false);
  },
});

Deno.test({
  name: "a server whose log cannot be written serves, and stops cleanly",
  ignore: ignore || Deno.build.os === "darwin", // it has no /dev/full
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/cache.sock`;
    const words = [...denoArguments("cli.ts"), "serve", "--listen", `unix:${path}`].map((word) => `'${word}'`);
    const command = `exec '${Deno.execPath()}' ${words.join(" ")} >/dev/full 2>/dev/full`;
    const child = new Deno.Command("sh", { args: ["-c", command], env: { NO_COLOR: "1" } }).spawn();
    try {
      await using client = clientOf(`unix:${path}`);
      await until("it serves", async () => await client.store("key", 1));
      child.kill("SIGHUP");
      assertEquals(await client.retrieve("key"), 1);
      child.kill("SIGTERM");
      assertEquals((await child.status).code, 0);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "a server whose log nobody reads serves, and stops cleanly",
  ignore: Deno.build.os !== "linux", // whose pipes are known to hold so many bytes
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/cache.sock`;
    const words = [...denoArguments("cli.ts"), "serve", "--listen", `unix:${path}`].map((word) => `'${word}'`);
    const command = `head -c 65536 /dev/zero; exec '${Deno.execPath()}' ${words.join(" ")}`;
    const options: Deno.CommandOptions = { args: ["-c", command], env: { NO_COLOR: "1" }, stdout: "piped" };
    const child = new Deno.Command("sh", options).spawn();
    let status: Deno.CommandStatus | undefined;
    try {
      await using client = clientOf(`unix:${path}`);
      await until("it serves", async () => await client.store("key", 1));
      for (let i = 0; i < 10; i++) child.kill("SIGHUP");
      assertEquals(await client.retrieve("key"), 1);
      child.kill("SIGTERM");
      status = await child.status;
      assertEquals(status.code, 0);
    } finally {
      if (status === undefined) child.kill("SIGKILL");
      await child.stdout.cancel();
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "a command whose errors cannot be written has the status of its failure",
  ignore: ignore || Deno.build.os === "darwin",
  fn: async () => {
    const words = [...denoArguments("cli.ts"), "retrieve", "key", "--server", "127.0.0.1:1"].map((word) => `'${word}'`);
    const args = ["-c", `exec '${Deno.execPath()}' ${words.join(" ")} 2>/dev/full`];
    assertEquals((await new Deno.Command("sh", { args }).output()).code, 3);
  },
});
