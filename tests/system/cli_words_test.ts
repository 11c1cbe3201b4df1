/** Words that people try on the command line: other names of commands, ports, help, and what is nearly right. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../lib/cli/command_table.ts";
import { CONFIG, run, runDeno, serve } from "../support/processes.ts";
import { freePort } from "../support/ports.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

const cli = (...args: string[]) => run("cli.ts", args, { cwd: ROOT });

Deno.test("cli set, get and delete store, retrieve and remove, at the port that -p names", async () => {
  const port = String(freePort());
  await using server = await serve(["-p", port]);
  assertEquals(server.address, `127.0.0.1:${port}`);
  assertEquals(await cli("set", "k", "v", "-p", port), { status: 0, out: "Stored\n", err: "" });
  assertEquals(await cli("get", "k", `-p${port}`), { status: 0, out: "v", err: "" });
  assertEquals(await cli("delete", "k", "--port", port), { status: 0, out: "Removed\n", err: "" });
  assertEquals((await cli("get", "k", "--server", "127.0.0.1", "-p", port)).status, 1);
});

Deno.test("cli help, with a command and without, is what --help prints", async () => {
  assertEquals(await cli("help"), await cli("--help"));
  for (const { name, also } of COMMANDS) {
    const help = await cli(name, "--help");
    assertStringIncludes(help.out, `Usage: cli.ts ${name}`);
    assertEquals(await cli("help", name), help);
    if (also !== undefined) assertEquals(await cli("help", also), help);
  }
});

Deno.test("cli version is what --version prints", async () => {
  assertEquals(await cli("version"), await cli("--version"));
});

Deno.test("cli names the nearest command or option when there is none of that name", async () => {
  const near: [string[], string][] = [
    [["serv"], 'Cannot run "serv": unknown command: did you mean serve?'],
    [["sotre", "a", "b"], "did you mean store?"],
    [["del", "a"], "did you mean delete?"],
    [["hlep"], "did you mean help?"],
    [["help", "stat"], "did you mean stats?"],
    [["serve", "--max-byte", "5"], "unknown option --max-byte: did you mean --max-bytes?"],
  ];
  for (const [args, words] of near) {
    const { status, out, err } = await cli(...args);
    assertEquals([status, out], [2, ""]);
    assertStringIncludes(err, words);
  }
});

Deno.test("cli is called by the software's name where it does not stand in the folder", async () => {
  const { out } = await run("cli.ts", ["--help"], { cwd: "/" });
  assert(out.includes("Usage: ormuco-cache COMMAND [OPTIONS]"), out);
});

/** A module of a program, as `deno info` shows it. */
interface Module {
  specifier: string;
  dependencies?: { isDynamic?: boolean; code?: { specifier: string } }[];
}

Deno.test("cli loads a server, a client, and the code of each command for no other command", async () => {
  const { out } = await runDeno(["info", "--json", "-c", `${ROOT}${CONFIG}`, `${ROOT}cli.ts`]);
  const { roots: [root], modules } = JSON.parse(out) as { roots: string[]; modules: Module[] };
  const known = new Map(modules.map((module) => [module.specifier, module]));
  const loaded = new Set([root]); // what is imported otherwise than when it is needed; a set grows while it is walked
  for (const specifier of loaded) {
    for (const { isDynamic, code } of known.get(specifier)?.dependencies ?? []) {
      if (!isDynamic && code) loaded.add(code.specifier);
    }
  }
  const late =
    /\/(server|client)\.ts$|\/lib\/cli\/(\w+_commands|serve|explain|help|bench|load_generator|token|top|screen|watched)\b/;
  assert(modules.some(({ specifier }) => late.test(specifier)) && loaded.size > 10);
  assertEquals([...loaded].filter((specifier) => late.test(specifier)), []);
});
