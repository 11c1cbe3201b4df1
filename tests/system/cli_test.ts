import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { SETTING_NAMES } from "../../lib/base/settings.ts";
import { VERSION } from "../../lib/base/software.ts";
import { COMMANDS } from "../../lib/cli/command_table.ts";
import { denoArguments, type Ended, type ProcessOptions, run, serve } from "../support/processes.ts";
import { clientOf } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

function cli(args: string[], options?: ProcessOptions): Promise<Ended> {
  return run("cli.ts", args, options);
}

const NOWHERE = ["--server", "127.0.0.1:1"];

Deno.test("cli store, retrieve, remove and clear do what they say, from process to process", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const at = ["--server", server.address];
  assertEquals(await cli(["retrieve", "my-key", ...at]), { status: 1, out: "", err: "" });
  assertEquals(await cli(["store", "my-key", "hello", ...at]), { status: 0, out: "Stored\n", err: "" });
  assertEquals(await cli(["retrieve", "my-key", ...at]), { status: 0, out: "hello", err: "" });
  assertEquals(await cli(["retrieve", "my-key", "--json", ...at]), { status: 0, out: '"hello"\n', err: "" });
  assertEquals(await cli(["remove", "my-key", ...at]), { status: 0, out: "Removed\n", err: "" });
  assertEquals(await cli(["remove", "my-key", ...at]), { status: 1, out: "", err: "" });
  assertEquals((await cli(["store", "other", "1", ...at])).status, 0);
  assertEquals(await cli(["clear", ...at]), { status: 0, out: "Cleared\n", err: "" });
  assertEquals((await cli(["retrieve", "other", ...at])).status, 1);
});

Deno.test("cli store takes JSON, standard input and values that look like options", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const at = ["--server", server.address];
  const stored = async (args: string[], options?: ProcessOptions) => {
    const { status, err } = await cli(["store", ...at, ...args], options);
    assertEquals([status, err], [0, ""]);
    return (await cli(["retrieve", "k", ...at])).out;
  };
  assertEquals(await stored(["k", "[1, 2, 3]"]), "[1, 2, 3]");
  assertEquals(await stored(["k", "[1, 2, 3]", "--json"]), "[1,2,3]\n");
  assertEquals(await stored(["k", "-", "--json"], { input: '{"a": null}' }), '{"a":null}\n');
  assertEquals(await stored(["k", "-"], { input: "two\nlines\n" }), "two\nlines\n");
  assertEquals(await stored(["k", "-"], { input: "" }), "");
  assertEquals(await stored(["--", "k", "--json"]), "--json");
  assertEquals(await stored(["--", "k", "--help"]), "--help");
  assertEquals(await stored(["k", "007"]), "007");
  await stored(["k", "-"], { input: new Uint8Array([0xff, 0xfe]) });
  assertEquals((await cli(["retrieve", "k", "--json", ...at])).out, '"//4="\n');
});

Deno.test("cli store leaves no older value where standard input has more than 16 MiB", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const at = ["--server", server.address, "--timeout", "30"];
  for (const json of [[], ["--json"]]) {
    assertEquals((await cli(["store", "k", "old", ...at])).status, 0);
    const { status, out, err } = await cli(["store", "k", "-", ...json, ...at], {
      input: new Uint8Array(MAX_VALUE_BYTES + 1),
    });
    assertEquals([status, out], [4, ""]);
    assertMatch(err, /^Cannot store "k": .*16777216 bytes/);
    assertEquals((await cli(["retrieve", "k", ...at])).status, 1);
  }
});

Deno.test("cli store --ttl lets the entry expire", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0", "--no-renew-on-hit"]);
  const at = ["--server", server.address];
  await cli(["store", "k", "v", "--ttl", "0.001", ...at]);
  await cli(["store", "kept", "v", "--ttl", "0", ...at]);
  assertEquals((await cli(["retrieve", "k", ...at])).status, 1);
  assertEquals((await cli(["retrieve", "kept", ...at])).status, 0);
});

Deno.test("cli touch gives an entry another time to live, or its own again", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const at = ["--server", server.address];
  await using client = clientOf(server);
  await client.store("k", "v", { ttlMs: 60_000 });
  const remainingMs = async () => (await client.retrieveEntry("k"))?.remainingMs;
  assertEquals(await cli(["touch", "k", "--ttl", "1h", ...at]), { status: 0, out: "Touched\n", err: "" });
  assert(Number(await remainingMs()) > 60_000);
  assertEquals((await cli(["touch", "k", "--ttl", "0", ...at])).status, 0);
  assertEquals(await remainingMs(), Infinity);
  assertEquals((await cli(["touch", "k", ...at])).status, 0);
  assertEquals(await cli(["touch", "other", ...at]), { status: 1, out: "", err: "" });
});

Deno.test("cli increment prints the number, and makes one only where it is told to", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const at = ["--server", server.address];
  const increment = async (...args: string[]) => await cli(["increment", ...at, ...args]);
  assertEquals(await increment("n"), { status: 1, out: "", err: "" });
  assertEquals(await increment("n", "5", "--initial", "9007199254740991"), {
    status: 0,
    out: "9007199254740991\n",
    err: "",
  });
  assertEquals((await increment("n")).out, "9007199254740992\n");
  assertEquals((await increment("n", "18446744073709551615")).out, "9007199254740991\n"); // around, and one less
  assertEquals((await increment("--", "n", "-18446744073709551615")).out, "0\n");
  await cli(["store", "text", "hello", ...at]);
  const refused = await increment("text");
  assertEquals([refused.status, refused.out], [4, ""]);
  assertMatch(refused.err, /^Cannot increment "text": the server refused \(not-a-number\)/);
});

Deno.test("cli keys prints keys a line each, all or those with a prefix, and as JSON", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0", "--max-size", "10000"]);
  const at = ["--server", server.address];
  await using client = clientOf(server);
  assertEquals(await cli(["keys", ...at]), { status: 0, out: "", err: "" });
  await client.storeMany(Array.from({ length: 5000 }, (_, i) => [`many:${i}`, i]));
  await client.storeMany([["odd:\n\u001b[2J", 1], ["odd:é", 2]]);
  assertEquals((await cli(["keys", ...at])).out.split("\n").length, 5003);
  const odd = await cli(["keys", "--prefix", "odd:", ...at]);
  assertEquals(odd.out.trimEnd().split("\n").sort(), ["odd:\\u000a\\u001b[2J", "odd:é"]);
  const json = (await cli(["keys", "--prefix", "odd:", "--json", ...at])).out.trimEnd().split("\n");
  assertEquals(json.map((line) => JSON.parse(line)).sort(), ["odd:\n\u001b[2J", "odd:é"]);
});

Deno.test("cli keys ends where the reader of its output does", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0", "--max-size", "100000"]);
  await using client = clientOf(server);
  await client.storeMany(Array.from({ length: 50_000 }, (_, i) => [`many:${i}`.padEnd(100, "."), i]));
  const child = new Deno.Command(Deno.execPath(), {
    args: [...denoArguments("cli.ts"), "keys", "--server", server.address],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  assertStringIncludes(new TextDecoder().decode((await reader.read()).value), "many:");
  await reader.cancel();
  const errors = await new Response(child.stderr).text();
  assertEquals([(await child.status).code, errors], [0, ""]);
});

Deno.test("cli clear --prefix removes only entries whose keys begin with it", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const at = ["--server", server.address];
  await using client = clientOf(server);
  await client.storeMany([["users:1", 1], ["users:2", 2], ["other", 3]]);
  assertEquals(await cli(["clear", "--prefix", "users:", ...at]), { status: 0, out: "Cleared\n", err: "" });
  assertEquals([await client.has("users:1"), await client.has("users:2"), await client.has("other")], [
    false,
    false,
    true,
  ]);
});

Deno.test("cli stats prints every statistic, in words and as JSON", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0", "--max-size", "5000", "--max-bytes", "1MiB"]);
  const at = ["--server", server.address];
  await cli(["store", "k", "v", ...at]);
  const { out } = await cli(["stats", "--json", ...at]);
  const stats = JSON.parse(out);
  assertEquals([stats.entries, stats.stores, stats.maxSize, stats.maxBytes], [1, 1, 5000, 1048576]);
  const text = (await cli(["stats", ...at])).out;
  assertEquals(text.split("\n").filter((line) => /^[A-Z]/.test(line)), [
    ...["Entries held now", "Snapshot", "Since the start", "Connections", "TLS", "Peers"], // and no others: each statistic has its words
  ]);
  assertMatch(text, /^ormuco-cache\/\S+, started \d+ s ago$/m);
  assertMatch(text, /^ {2}entries +1 of 5,000 at most: 0\.0 %$/m);
  assertMatch(text, /^ {2}memory for them +[\d.]+ KiB of 1\.0 MiB at most: [\d.]+ %$/m);
  for (const line of text.split("\n")) assert(line.length <= 80, line);
});

Deno.test("cli bench reports calls a second", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0", "--max-size", "1000"]);
  const args = ["bench", "--server", server.address, "--duration", "0.2", "--keys", "100", "--connections", "2"];
  const { status, out, err } = await cli(args);
  assertEquals([status, err], [0, ""]);
  assertMatch(
    out,
    /^calls\/s +[\d,]+\nhits +([\d,]+) of \1 retrievals\nlatency +p50 .* ms, p99 .* ms, p99\.9 .* ms\n$/,
  );
  const refused = await cli(args);
  assertEquals([refused.status, refused.out], [2, ""]);
  assertMatch(refused.err, /^Cannot run bench: \S+ holds 100 entries, which the load may push out: --yes goes ahead\n/);
  const json = (await cli([...args, "--json", "--yes"])).out;
  const figures = JSON.parse(json);
  assert(figures.callsPerSecond > 0 && figures.failures === 0);
  assert(!/\.\d{4}/.test(json), json);
});

Deno.test("cli exits with 3 when no server can be reached, saying which and why", async () => {
  const keyed = ["retrieve", "remove", "touch", "increment"].map((name) => [name, "k"]);
  const others = [["store", "k", "v"], ["clear", "--prefix", "p"], ["keys"], ["clear"], ["stats"], ["bench"]];
  for (const args of [...keyed, ...others]) {
    const { status, out, err } = await cli([...args, ...NOWHERE]);
    assertEquals([status, out], [3, ""], args[0]);
    assertMatch(err, /^(Cannot list keys: )?Cannot use server 127\.0\.0\.1:1: .*refused.*\n$/);
  }
});

Deno.test("cli uses the next server when the first cannot be reached, and succeeds", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const at = ["--server", `127.0.0.1:1,${server.address}`];
  assertEquals(await cli(["store", "k", "v", ...at]), { status: 0, out: "Stored\n", err: "" });
  assertEquals(await cli(["retrieve", "k", ...at]), { status: 0, out: "v", err: "" });
  assertEquals(await cli(["retrieve", "other", ...at]), { status: 1, out: "", err: "" });
});

Deno.test("cli takes SERVER_PORT without SERVER_HOST", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const env = { SERVER_PORT: server.address.split(":")[1] };
  assertEquals((await cli(["store", "k", "v"], { env })).status, 0);
});

Deno.test("cli serve takes --renew-on-hit with a value, above the environment", async () => {
  for (
    const [flag, words] of [["=false", "(a hit does not renew it)"], ["=true", "without a hit"], ["", "without a hit"]]
  ) {
    const server = await serve(["--listen", "127.0.0.1:0", `--renew-on-hit${flag}`], {
      env: { CACHE_RENEW_ON_HIT: flag === "=false" ? "yes" : "no" },
    });
    assertStringIncludes((await server.stop()).out, words);
  }
});

Deno.test("cli bench ends with an error when the server goes away or refuses", async () => {
  const server = await serve(["--listen", "127.0.0.1:0", "--max-bytes", "64KiB"]);
  const refused = await cli(["bench", "--server", server.address, "--value-size", "70000"]);
  assertEquals([refused.status, refused.out], [4, ""]);
  const bench = cli(["bench", "--server", server.address, "--duration", "60"]);
  await using client = clientOf(server);
  await until("it has begun", async () => Number((await client.stats()).server?.hits) > 0);
  await server.stop("SIGKILL");
  const { status, out } = await bench;
  assertEquals([status, out], [3, ""]);
});

Deno.test("cli retrieve ends quietly when its output is not read", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const at = ["--server", server.address, "--timeout", "30"];
  await cli(["store", "k", "-", ...at], { input: "x".repeat(5_000_000) });
  const child = new Deno.Command(Deno.execPath(), {
    args: [...denoArguments("cli.ts"), "retrieve", "k", ...at],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await child.stdout.cancel();
  const [{ code }, err] = await Promise.all([child.status, new Response(child.stderr).text()]);
  assertEquals([code, err], [0, ""]);
});

Deno.test("cli without permission to read settings exits with 2 and names the permissions", async () => {
  const { status, err } = await cli(["stats"], { permissions: ["--no-prompt"] });
  assertEquals(status, 2);
  assertMatch(
    err,
    /^Cannot read settings from \.env: run with --allow-read=\.env --allow-env=\S+,HTTP_ON,\S+, [^\n]*\n$/,
  );
});

Deno.test("cli exits with 4 when the server refuses", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0", "--max-bytes", "64KiB"]);
  const { status, out, err } = await cli(["store", "k", "-", "--server", server.address], {
    input: "x".repeat(70_000),
  });
  assertEquals([status, out], [4, ""]);
  assertStringIncludes(err, "the server refused (too-large)");
});

const USAGE: [string[], string][] = [
  [["frobnicate"], 'Cannot run "frobnicate": unknown command: it must be serve, store'],
  [["store", "k"], "Cannot run store: it takes KEY VALUE: received k"],
  [["retrieve"], "Cannot run retrieve: it takes KEY: received none"],
  [["retrieve", "a", "b"], "it takes KEY: received a b"],
  [["serve", "now"], "it takes no operands: received now"],
  [["retrieve", "k", "--colour"], "Cannot run retrieve: unknown option --colour"],
  [["store", "k", "-5"], "unknown option -5; put -- before"],
  [["increment", "k", "-5"], "unknown option -5; put -- before"],
  [["increment", "k", "1.5"], 'BY must be a whole number: received "1.5"'],
  [["increment", "k", "18446744073709551616"], "by must be a whole number from"],
  [["increment", "k", "1", "--initial", "-1"], "initial must be a whole number from 0"],
  [["increment", "k", "1", "2"], "it takes KEY [BY]: received k 1 2"],
  [["touch", "k", "--ttl", "soon"], "--ttl must be seconds from 0"],
  [["clear", "--prefix", ""], "--prefix needs a value"],
  [["retrieve", "k", "--no-json"], "unknown option --no-json"],
  [["serve", "--listen"], "--listen needs a value"],
  [["serve", "--max-size", "many"], "Cannot use CACHE_MAX_SIZE (--max-size): it must be a whole number of entries"],
  [["serve", "--max-bytes", "5 potatoes"], 'received "5 potatoes"'],
  [["store", "k", "{", "--json"], "VALUE is not JSON"],
  [["store", "k", "v", "--ttl", "soon"], "--ttl must be seconds from 0"],
  [["store", "", "v"], "Cannot use key"],
  [["bench", "--pipeline", "0"], "--pipeline must be a whole number from 1"],
  [["bench", "--pipeline", "1000", "--connections", "1000"], "must be 100000 at most"],
  [["bench", "--pipeline", "1.5"], "--pipeline must be a whole number"],
];

for (const [args, words] of USAGE) {
  Deno.test(`cli ${args.join(" ")} exits with 2 and a clear error`, async () => {
    const { status, out, err } = await cli([...args], { env: { SERVER_HOST: "127.0.0.1:1" } });
    assertEquals([status, out], [2, ""]);
    assertStringIncludes(err, words);
    assert(!err.includes("    at "), "no stack");
  });
}

Deno.test("cli --help lists every command, and each command's --help every option and its variable", async () => {
  const general = await cli(["--help"]);
  assertEquals([general.status, general.err], [0, ""]);
  assertEquals((await cli([])).out, general.out);
  for (const command of COMMANDS) {
    assertStringIncludes(general.out, `  ${command.name}`);
    const { status, out } = await cli([command.name, "--help"]);
    assertEquals(status, 0);
    for (const { name, setting } of command.flags) {
      assertStringIncludes(out, `--${name}`);
      if (setting !== undefined) assert(out.includes(`[${setting}]`) && SETTING_NAMES.includes(setting), setting);
    }
    for (const line of out.split("\n")) assert(line.length <= 110, line);
  }
});

Deno.test("cli --version prints the version of deno.json", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  assertEquals(VERSION, version);
  assertEquals((await cli(["--version"])).out, `ormuco-cache ${version}\n`);
});

Deno.test("cli ranks options above the environment, and that above .env", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      `${folder}/.env`,
      "LISTEN_ON=127.0.0.1:0\nCACHE_MAX_SIZE=11\nCACHE_EXPIRATION=22\nCACHE_RENEW_ON_HIT=no\n",
    );
    const env = { CACHE_MAX_SIZE: "33", CACHE_EXPIRATION: "" };
    await using fromEnvironment = await serve([], { env, cwd: folder });
    const lines = fromEnvironment.lines.join("\n");
    assertStringIncludes(lines, "33 entries");
    assertStringIncludes(lines, "after 22 s (a hit does not renew it)");
    await using fromFlags = await serve(["--max-size", "44", "--expiration", "0"], { env, cwd: folder });
    assertStringIncludes(fromFlags.lines.join("\n"), "44 entries");
    assertStringIncludes(fromFlags.lines.join("\n"), "expiration  never");
    await Deno.writeTextFile(`${folder}/.env`, "CACHE_RENEW_ON_HIT=perhaps\n");
    const { status, err } = await cli(["serve"], { cwd: folder });
    assertEquals(status, 2);
    assertStringIncludes(
      err,
      'Cannot use CACHE_RENEW_ON_HIT (.env): it must be true, false, 1, 0, yes or no: received "perhaps"',
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("cli serve and stats take another file in place of .env, or none, and need no more permissions", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/.env`, "LISTEN_ON=nowhere\nSERVER_HOST=,\n");
    await Deno.writeTextFile(`${folder}/prod.env`, "LISTEN_ON=127.0.0.1:0\nCACHE_MAX_SIZE=55\n");
    const permissions = (...more: string[]) => ["--no-prompt", "--allow-net", "--allow-env", ...more];
    await using server = await serve(["--env-file", "prod.env"], {
      cwd: folder,
      permissions: permissions("--allow-read=prod.env"),
    });
    assertStringIncludes(server.lines.join("\n"), "55 entries");
    const at = ["--server", server.address, "--no-env-file"];
    assertEquals((await cli(["stats", ...at], { cwd: folder, permissions: permissions() })).status, 0);
    const { status, err } = await cli(["stats", "--env-file", "prod.env"], {
      cwd: folder,
      permissions: permissions(),
    });
    assertEquals(status, 2);
    assertMatch(err, /^Cannot read settings from prod\.env: run with --allow-read=prod\.env --allow-env=/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`cli serve stops cleanly on ${signal}`, async () => {
    const server = await serve(["--listen", "127.0.0.1:0"]);
    assertEquals(server.lines[0], `Server listens on port ${server.address.split(":")[1]}`);
    const { status, out, err } = await server.stop(signal);
    assertEquals([status, err], [0, ""]);
    assert(out.endsWith("Server stopped\n"));
  });
}

Deno.test("cli peers shows peers that are there and that are not", async () => {
  await using other = await serve(["--listen", "127.0.0.1:0"]);
  await using server = await serve(["--listen", "127.0.0.1:0", "--peers", `${other.address}, 127.0.0.1:1`]);
  const states = async (address: string): Promise<string[]> => {
    const { out } = await cli(["peers", "--json", "--server", address]);
    return JSON.parse(out).map(({ state }: { state: string }) => state);
  };
  await until("they are connected", async () => (await states(server.address))[0] === "connected");
  assertEquals(await states(other.address), ["connected"]);
  assertEquals((await states(server.address)).length, 2);
  const { status, out } = await cli(["peers", "--server", server.address]);
  assertEquals(status, 0);
  assertMatch(out, new RegExp(`^peer .*\n${other.address} +connected .*\n127.0.0.1:1 +(waiting|connecting) `));
  assertStringIncludes(out, "127.0.0.1:1: ");
});

Deno.test("cli serve exits with an error when the port is taken", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const { status, out, err } = await cli(["serve", "--listen", server.address]);
  assertEquals([status, out], [5, ""]);
  assertMatch(err, /^\S+Z ERROR Cannot listen on 127\.0\.0\.1:\d+: .*in use.*\n$/);
});

Deno.test({
  name: "cli serve and a client run on a unix socket with the least permissions that docs/security.md names",
  ignore: Deno.build.os === "windows", // it has no unix sockets
  fn: async () => {
    const document = await Deno.readTextFile(new URL("../../docs/security.md", import.meta.url));
    const [, flags] = /`(--allow-net=unix:PATH[^`]*)`/.exec(document.replaceAll("\n", " "))!;
    const folder = await Deno.makeTempDir();
    try {
      const path = `${folder}/cache.sock`;
      const all = ["--no-prompt", "--allow-env", ...flags.replaceAll("PATH", path).split(" ")];
      const { err } = await cli(["--version"], { permissions: all });
      const isRefused = err.includes("invalid port"); // early versions of Deno 2: as it says
      const permissions = isRefused ? all.filter((flag) => !flag.startsWith("--allow-net")) : all;
      await using server = await serve(["--listen", `unix:${path}`], { permissions });
      assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
      const at = ["--server", server.address];
      assertEquals(await cli(["store", "k", "v", ...at], { permissions }), { status: 0, out: "Stored\n", err: "" });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
