/** The command line on a terminal, as the command `script` makes one: what it asks there, and how wide its tables are. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { denoArguments, environment, run, serve } from "../support/processes.ts";
import { clientOf } from "../support/servers.ts";

/** A terminal of util-linux's `script`, whose options others' do not have. */
const hasTerminal = Deno.build.os === "linux" && canRun("script", "--version");

function canRun(command: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(command, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** Runs a command on a terminal where somebody types. Returns the exit status and what the terminal shows. */
async function onTerminal(args: string[], typed: string, columns = 80): Promise<{ status: number; shown: string }> {
  const words = [Deno.execPath(), ...denoArguments("cli.ts"), ...args].map((word) => `'${word}'`).join(" ");
  const child = new Deno.Command("script", {
    args: ["--quiet", "--return", "--command", `stty cols ${columns}; ${words}`, "/dev/null"],
    ...environment(),
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(typed));
  const { code, stdout } = await child.output();
  await writer.close().catch(() => {}); // it has gone
  return { status: code, shown: new TextDecoder().decode(stdout).replaceAll("\r\n", "\n") };
}

function terminalTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !hasTerminal, fn });
}

terminalTest("cli clear asks on a terminal, and removes nothing unless the answer is yes", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  await using client = clientOf(server);
  await client.store("a", 1);
  await client.store("b", 2);
  const at = ["clear", "--server", server.address];
  for (const answer of ["n\n", "\n", "maybe\n"]) {
    const { status, shown } = await onTerminal(at, answer);
    assertEquals(status, 1);
    assertStringIncludes(shown, `Remove every entry of ${server.address} (2 entries), and of all its peers? [y/N]`);
    assertStringIncludes(shown, "Nothing was done\n");
    assertEquals(await client.has("a"), true);
  }
  const ofPrefix = await onTerminal([...at, "--prefix", "a"], "n\n");
  assertStringIncludes(
    ofPrefix.shown,
    `${server.address} (2 entries) whose key begins with "a", and of all its peers?`,
  );
  const yes = await onTerminal(at, "y\n");
  assertEquals(yes.status, 0);
  assertStringIncludes(yes.shown, "Cleared\n");
  assertEquals(await client.has("a"), false);
  const unasked = await onTerminal([...at, "--yes"], "");
  assertEquals(unasked, { status: 0, shown: "Cleared\n" });
});

Deno.test("cli clear asks nothing where there is no terminal", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  await using client = clientOf(server);
  await client.store("a", 1);
  const { status, out, err } = await run("cli.ts", ["clear", "--server", server.address]);
  assertEquals([status, out, err, await client.has("a")], [0, "Cleared\n", "", false]);
});

terminalTest("cli bench asks on a terminal before it puts load on a server", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  await using client = clientOf(server);
  await client.store("a", 1);
  const bench = ["bench", "--duration", "0.2", "--server", server.address];
  const no = await onTerminal(bench, "no\n");
  assertEquals(no.status, 1);
  assertStringIncludes(no.shown, `Put load on ${server.address}? It holds 1 entry, which the load may push out. [y/N]`);
  assertEquals((await client.stats()).server?.stores, 1);
  const yes = await onTerminal(bench, "Yes\n");
  assertEquals(yes.status, 0);
  assertMatch(yes.shown, /calls\/s {4}[\d,]+$/m);
});

terminalTest("cli peers shows tables that fit a terminal of 80 and of 40 columns", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0", "--peers", "127.0.0.1:1,127.0.0.1:2"]);
  for (const columns of [80, 40]) {
    const { status, shown } = await onTerminal(["peers", "--server", server.address], "", columns);
    assertEquals(status, 0);
    const table = shown.split("\n").filter((line) =>
      !line.startsWith("127.0.0.1:1: ") && !line.startsWith("127.0.0.1:2: ")
    );
    assertMatch(table[1], /^127\.0\.0\.1:1 +(waiting|connecting) +-/);
    for (const line of table) assert(line.length <= columns, line);
    assert(table.filter((line) => line.startsWith("peer ")).length > 1, shown);
  }
});
