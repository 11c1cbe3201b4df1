/** What `cli.ts serve` writes to its log, and what `serve --check` says without serving. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { isOldDeno } from "../support/deno_version.ts";
import { type Ended, type ProcessOptions, run, serve } from "../support/processes.ts";
import { until } from "../support/waiting.ts";

const check = (args: string[], options?: ProcessOptions): Promise<Ended> =>
  run("cli.ts", ["serve", "--check", ...args], options);

const INSECURE = ["--listen", "0.0.0.0:0", "--insecure"];

Deno.test("cli serve writes time and level before each line, and warnings to standard error", async () => {
  await using server = await serve(INSECURE);
  const { out, err } = await server.stop();
  for (const line of out.trimEnd().split("\n")) {
    assertMatch(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO {2}( {2})?\S/);
  }
  assertMatch(out, /INFO {2}Server listens on port \d+\n.*INFO {4}address {5}0\.0\.0\.0:\d+\n/);
  assertMatch(err, /^\S+Z WARN {2}Warning: --insecure: .*\n$/);
});

Deno.test("cli serve writes an object a line with LOG_FORMAT=json, a failing start included", async () => {
  await using server = await serve([...INSECURE, "--peers", "127.0.0.1:1"], { env: { LOG_FORMAT: "json" } });
  await until("a peer is told of", () => server.lines.some((line) => line.includes("cannot be used")));
  const taken = await run("cli.ts", ["serve", ...INSECURE.with(1, server.address), "--log-format", "json"]);
  const { out, err } = await server.stop();
  const read = (text: string) => text.trimEnd().split("\n").map((line) => JSON.parse(line));
  const [first, ...others] = read(out);
  assertMatch(first.message, /^Server listens on port \d+$/);
  assert(Math.abs(Date.parse(first.time) - Date.now()) < 3_600_000, first.time);
  assertEquals(new Set([first, ...others].map(({ level }) => level)), new Set(["info"]));
  const warned = read(err).map(({ level, message }) => `${level} ${message}`);
  assert(warned.every((line) => line.startsWith("warn ")), warned.join("\n"));
  assert(warned.some((line) => line.startsWith("warn Peer 127.0.0.1:1 cannot be used: ")), warned.join("\n"));
  assertEquals([taken.status, taken.out, read(taken.err)[0].level], [5, "", "error"]);
});

Deno.test("cli serve writes what LOG_LEVEL asks for, and refuses what is no level or format", async () => {
  const env = { LOG_LEVEL: "error" };
  const { status, out, err } = await run("cli.ts", ["serve", "--listen", "127.0.0.1:0", "--auth-file", "/none"], {
    env,
  });
  assertEquals([status, out], [2, ""]);
  assertMatch(err, /^\S+Z ERROR Cannot use AUTH_FILE \/none: .*\n$/);
  for (
    const [flag, name, allowed] of [["log-level", "LOG_LEVEL", "info, warn or error"], [
      "log-format",
      "LOG_FORMAT",
      "text or json",
    ]]
  ) {
    for (const args of [[], ["--check"]]) {
      const { status, err } = await run("cli.ts", ["serve", ...args, `--${flag}`, "loud"]);
      assertEquals(status, 2);
      assertStringIncludes(err, `Cannot use ${name} (--${flag}): it must be ${allowed}: received "loud"`);
    }
  }
});

Deno.test("cli serve --check says what would run and with which settings, though the port is taken, and stops", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const env = { ORMUCO_CACHE_MAX_SIZE: "77", SERVER_HOST: "elsewhere", AUTH_TOKEN: "secret-of-all" };
  const { status, out, err } = await check(["--listen", server.address, "--peers", "a,b:7"], { env });
  assertEquals([status, err], [0, ""]);
  const [, port] = server.address.split(":");
  assertMatch(out, new RegExp(`^Server would listen on port ${port}\n  address     ${server.address}\n`));
  assertMatch(out, /^ {2}limits {6}77 entries, and /m);
  assertMatch(out, /^ {2}peers {7}a:11142, b:7$/m);
  assertMatch(
    out,
    /^ {2}settings {4}ORMUCO_CACHE_MAX_SIZE \(environment\), AUTH_TOKEN \(environment\), LISTEN_ON \(--listen\), PEERS \(--peers\)$/m,
  );
  assert(!out.includes("secret-of-all") && !out.includes("elsewhere"), out);
  const plain = await check([]);
  assertMatch(plain.out, /^ {2}settings {4}all at their defaults$/m);
});

Deno.test("cli serve --check refuses what serve refuses before it opens its port, and warns of what it warns of", async () => {
  const refused: [string[], string][] = [
    [["--listen", "0.0.0.0:0"], "Cannot start server: whoever reaches 0.0.0.0:0 could"],
    [["--auth-file", "/none"], "Cannot use AUTH_FILE /none: "],
    [["--tls-cert", "/none", "--tls-key", "/none"], isOldDeno ? "TLS needs Deno" : "Cannot start server: "],
    [["--max-size", "0"], "Cannot use CACHE_MAX_SIZE (--max-size)"],
  ];
  for (const [args, words] of refused) {
    const { status, out, err } = await check(args);
    assertEquals([status, out], [2, ""], args.join(" "));
    assertStringIncludes(err, words);
    assert(!err.includes("    at "), err);
  }
  const { status, err } = await check(INSECURE);
  assertEquals(status, 0);
  assertMatch(err, /^Warning: --insecure: /);
});
