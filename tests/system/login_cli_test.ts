/** Tokens on the command line and in the environment, from process to process. */

import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { parseVerifier } from "../../lib/wire/scram.ts";
import { type ProcessOptions, run, serve } from "../support/processes.ts";
import { until } from "../support/waiting.ts";

const TOKEN = "correct-horse-battery";
const WRONG = "wrong-horse-battery";

function cli(args: string[], options: ProcessOptions = {}): ReturnType<typeof run> {
  return run("cli.ts", args, options);
}

/** Does something with a folder of its own. */
async function inFolder(what: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await what(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a server with AUTH_TOKEN answers those who have it, from the environment, a file, .env or standard input", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"], { env: { AUTH_TOKEN: TOKEN } });
  const store = (args: string[] = [], options?: ProcessOptions) =>
    cli(["store", "k", "v", "--server", server.address, ...args], options);
  const stored = { status: 0, out: "Stored\n", err: "" };
  assertEquals(await store([], { env: { AUTH_TOKEN: TOKEN } }), stored);
  await inFolder(async (folder) => {
    const file = `${folder}/token`;
    await Deno.writeTextFile(file, `${TOKEN}\n`, { mode: 0o600 });
    assertEquals(await store(["--token-file", file]), stored);
    assertEquals(await store(["--token-file", file], { env: { AUTH_TOKEN: WRONG } }), stored, "a flag ranks above");
    assertEquals(await store([], { env: { AUTH_TOKEN_FILE: file } }), stored);
    await Deno.writeTextFile(`${folder}/.env`, `AUTH_TOKEN=${TOKEN}\n`);
    assertEquals(await store([], { cwd: folder }), stored);
  });
  assertEquals(await store(["--token-file", "-"], { input: `${TOKEN}\n` }), stored);
  assertEquals(
    (await cli(["bench", "--yes", "--duration", "0.1", "--server", server.address], { env: { AUTH_TOKEN: TOKEN } }))
      .status,
    0,
  );
  const piped = ["bench", "--yes", "--duration", "0.1", "--server", server.address, "--token-file", "-"];
  assertEquals((await cli(piped, { input: `${TOKEN}\n` })).status, 0);
});

Deno.test("who has no token, or a wrong one, is told so, and the exit status says it", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"], { env: { AUTH_TOKEN: TOKEN } });
  const at = ["--server", server.address];
  const none = await cli(["retrieve", "k", ...at]);
  assertEquals([none.status, none.out], [4, ""]);
  assertStrictEquals(
    none.err,
    `Cannot use server ${server.address}: the server wants to know who connects, and no token is given (AUTH_TOKEN)\n`,
  );
  const wrong = await cli(["retrieve", "k", ...at], { env: { AUTH_TOKEN: WRONG } });
  assertEquals([wrong.status, wrong.out], [4, ""]);
  assertMatch(wrong.err, /\(auth-failed\): this server does not know the token, or its name\n$/);
  assertStrictEquals(wrong.err.includes(WRONG), false);
  const bad = await cli(["retrieve", "k", ...at], { env: { AUTH_TOKEN: "two words" } });
  assertEquals([bad.status, bad.out], [2, ""]);
  assert(!bad.err.includes("two words"), bad.err);
  const { out, err } = await server.stop();
  assertMatch(err, /not let in: the token is not that of "default"/);
  for (const said of [out, err]) assertStrictEquals(said.includes(WRONG) || said.includes(TOKEN), false);
});

Deno.test("cli token makes another token each time, which a server takes", async () => {
  const [one, other] = await Promise.all([cli(["token"]), cli(["token"])]);
  assertEquals([one.status, one.err], [0, ""]);
  assertMatch(one.out, /^[A-Za-z0-9_-]{43}\n$/);
  assert(one.out !== other.out);
  await using server = await serve(["--listen", "127.0.0.1:0"], { env: { AUTH_TOKEN: one.out.trim() } });
  const { status } = await cli(["store", "k", "v", "--server", server.address], {
    env: { AUTH_TOKEN: one.out.trim() },
  });
  assertStrictEquals(status, 0);
});

Deno.test("cli token --name makes the line of AUTH_FILE too, with the secret or its verifier", async () => {
  await inFolder(async (folder) => {
    const lines: string[] = [];
    const tokens: string[] = [];
    for (const [name, ...flags] of [["app", "--role", "client,admin"], ["web", "--verifier"]]) {
      const { status, out } = await cli(["token", "--name", name, ...flags]);
      assertStrictEquals(status, 0);
      const [, token, line] = /^AUTH_TOKEN of \w+: (\S+)\nline of AUTH_FILE: (\S+)\n$/.exec(out) ?? [];
      tokens.push(token);
      lines.push(line);
    }
    assertStrictEquals(lines[0], tokens[0].replace("app:", "app:client,admin:"));
    const verifier = lines[1].replace("web:client:", "");
    assert(parseVerifier(verifier) !== undefined && !verifier.includes(tokens[1].slice(4)), verifier);
    const { line, token } = JSON.parse((await cli(["token", "--name", "one", "--json"])).out);
    await Deno.writeTextFile(`${folder}/auth`, [...lines, line].join("\n"), { mode: 0o600 });
    await using server = await serve(["--listen", "127.0.0.1:0", "--auth-file", `${folder}/auth`]);
    for (const AUTH_TOKEN of [...tokens, token]) {
      assertStrictEquals(
        (await cli(["store", "k", "v", "--server", server.address], { env: { AUTH_TOKEN } })).status,
        0,
      );
    }
  });
});

for (
  const [args, why] of [
    [["--role", "client"], "--role and --verifier need --name"],
    [["--verifier"], "--role and --verifier need --name"],
    [["--name", "a:b"], "--name must be one: a name has 1 to 64 letters"],
    [["--name", "app", "--role", "root"], "--role must be reader, client, peer, admin"],
  ] as [string[], string][]
) {
  Deno.test(`cli token ${args.join(" ")} says what is wrong`, async () => {
    const { status, out, err } = await cli(["token", ...args]);
    assertEquals([status, out], [2, ""]);
    assert(err.includes(why), err);
  });
}

Deno.test("two servers with PEER_TOKEN share entries, and one without is no peer of theirs", async () => {
  const env = { AUTH_TOKEN: TOKEN, PEER_TOKEN: "node:token-of-the-peers" };
  await using one = await serve(["--listen", "127.0.0.1:0"], { env });
  const peers = ["--peers", one.address, "--gossip-interval", "0.05"];
  await using two = await serve(["--listen", "127.0.0.1:0", ...peers], { env });
  await using three = await serve(["--listen", "127.0.0.1:0", ...peers], { env: { AUTH_TOKEN: "another-secret" } });
  const at = (server: { address: string }) => ["--server", server.address];
  const as = { env: { AUTH_TOKEN: TOKEN } };
  await until("it is refused", () => three.lines.some((line) => line.includes("cannot be used")));
  assertStrictEquals((await cli(["store", "k", "v", ...at(one)], as)).status, 0);
  await until("it is there", async () => (await cli(["retrieve", "k", ...at(two)], as)).out === "v");
  const { out } = await cli(["peers", ...at(one)], as);
  assertMatch(out, /connected/);
  assertMatch(out, /refused/);
  const { status } = await cli(["retrieve", "k", ...at(three)], { env: { AUTH_TOKEN: "another-secret" } });
  assertStrictEquals(status, 1, "it has nothing");
});
