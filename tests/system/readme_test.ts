import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { OrmucoCacheClient } from "../../mod.ts";
import { SETTING_NAMES } from "../../lib/base/settings.ts";
import { freePort } from "../support/ports.ts";
import { CONFIG, denoArguments, run, serve } from "../support/processes.ts";
import { startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const ROOT = new URL("../../", import.meta.url);
const README = text("README.md");
const NOT_YET = ["HTTP_ON"];
const DOCUMENTS = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "docs/protocol.md",
  "docs/replication.md",
  "docs/security.md",
  "docs/tls.md",
  "docs/upgrading.md",
  "SECURITY.md",
];

function text(file: string): string {
  return Deno.readTextFileSync(new URL(file, ROOT));
}

function blocks(language: string): string[] {
  return [...README.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, block]) => block);
}

for (const [i, block] of blocks("ts").entries()) {
  Deno.test(`README's TypeScript example ${i + 1} prints what it says`, async () => {
    await using server = await startedServer();
    const file = new URL(`tests/.readme_example_${i}_${Deno.pid}.ts`, ROOT);
    const program = block.replaceAll("jsr:@ormuco/cache", "../mod.ts").replaceAll("127.0.0.1:11142", server.address!);
    await Deno.writeTextFile(file, program);
    try {
      const { status, out, err } = await run(file.pathname.slice(ROOT.pathname.length), []);
      assertEquals([status, err], [0, ""]);
      const said = [...block.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, line]) => line);
      if (said.length > 0) assertEquals(out.trimEnd().split("\n"), said);
      else assertStringIncludes(out, "Server listens on port");
    } finally {
      await Deno.remove(file);
    }
  });
}

Deno.test("README's second terminal shows what it says", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const [session] = blocks("console"); // the first of them
  const steps = [...session.matchAll(/^\$ npx -y deno@2 run -A -c deno\.npm\.json cli\.ts (.*)\n((?:[^$].*\n)*)/gm)];
  assert(steps.length >= 2);
  for (const [, command, shown] of steps) {
    const args = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain);
    const { status, out } = await run("cli.ts", args, { env: { SERVER_HOST: server.address } });
    assertEquals([status, out.trimEnd()], [0, shown.trimEnd()]);
  }
});

Deno.test("README's first two commands serve, and run the tests", () => {
  const [serveCommand, testCommand] = blocks("sh").map((block) => block.trim());
  assertEquals(serveCommand, "npx -y deno@2 run -A -c deno.npm.json cli.ts serve");
  assertEquals(testCommand, "npx -y deno@2 task -c deno.npm.json test");
  assertMatch(JSON.parse(text("deno.npm.json")).tasks.test, /^CONFIG='-c deno\.npm\.json' deno task .* test$/);
  assertMatch(JSON.parse(text("deno.json")).tasks.test, /(^| )deno test \$CONFIG -A tests$/);
});

Deno.test("README's commands for several servers make peers of two, with a token", async () => {
  const block = blocks("sh").find((block) => block.includes("--peers"))!;
  const folder = await Deno.makeTempDir();
  const [first, second] = [0, 0].map(freePort).map((port) => `127.0.0.1:${port}`);
  const local = block.replaceAll("10.0.0.1:11142", first).replaceAll("10.0.0.2:11142", second)
    .replaceAll("10.0.0.1", first).replaceAll("10.0.0.2", second).replaceAll("cache-token", `${folder}/cache-token`);
  const commands = [...local.matchAll(/^deno run -A cli\.ts (\w+) (.*)$/gm)].map((
    [, name, args],
  ) => [name, ...args.split(" ")]);
  const [token, one, other, peers] = commands;
  assertEquals(commands.map(([name]) => name), ["token", "serve", "serve", "peers"]);
  assertMatch(token.slice(1).join(" "), /^> (.*cache-token) && chmod 600 \1$/);
  try {
    await Deno.writeTextFile(`${folder}/cache-token`, (await run("cli.ts", ["token"])).out, { mode: 0o600 });
    await using _one = await serve(one.slice(1));
    await using _other = await serve(other.slice(1));
    await until("they are peers", async () => /connected/.test((await run("cli.ts", peers)).out));
    const without = await run("cli.ts", ["peers", "--server", second]);
    assertEquals([without.status, without.out], [4, ""]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("README and .env.example name every setting, and .env.example leaves all at their defaults", () => {
  const names = SETTING_NAMES.filter((name) => !NOT_YET.includes(name));
  assertEquals([...README.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name).sort(), [...names].sort());
  const example = text(".env.example").split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  assertEquals(example.sort(), names.map((name) => `${name}=`).sort());
});

Deno.test("links in documents lead somewhere", async () => {
  for (const document of DOCUMENTS) {
    for (const [, path] of text(document).matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      await Deno.stat(new URL(path, new URL(document, ROOT)));
    }
  }
});

Deno.test("the example finds on the server, in its second run, what its first run computed", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/inner`);
    for (let i = 0; i < 20; i++) {
      await Deno.writeTextFile(`${folder}/${i % 2 ? "inner/" : ""}${i}.txt`, "line\n".repeat(i));
    }
    const job = () => run("examples/digest_folder.ts", [folder, server.address]);
    const [first, second] = [await job(), await job()];
    assertEquals([first.status, first.err, second.status, second.err], [0, "", 0, ""]);
    assertStringIncludes(first.out, "0 answers came from the server, 20 were computed");
    assertStringIncludes(second.out, "20 answers came from the server, 0 were computed");
    assertEquals(first.out.split("\n")[0], second.out.split("\n")[0]);
    assertStringIncludes(first.out, "20 files, 190 lines");
    assertEquals([first, second].map(({ out }) => /^saved \d+ ms of work, 8 files at a time$/m.test(out)), [
      false,
      true,
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the example of a shared service answers out of what another copy has computed", async () => {
  const ports = [0, 0, 0, 0].map(freePort);
  const start = (args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: [...denoArguments("examples/shared_service.ts"), ...args],
      stdout: "null",
      stderr: "null",
    })
      .spawn();
  const copies = [
    start([`${ports[0]}`, `${ports[1]}`]),
    start([`${ports[2]}`, `${ports[3]}`, `127.0.0.1:${ports[1]}`]),
  ];
  const ask = async (port: number): Promise<string> => {
    let answer: string | undefined;
    await until("it answers", async () => {
      answer = await fetch(`http://127.0.0.1:${port}/primes/1000`).then((found) => found.text(), () => undefined);
      return answer !== undefined;
    });
    return answer!;
  };
  try {
    assertStringIncludes(await ask(ports[0]), "168 primes below 1000, computed here");
    await using client = new OrmucoCacheClient({ servers: [`127.0.0.1:${ports[3]}`] });
    await until("the other has it", () => client.has("/primes/1000")); // by a catch-up, or a push
    assertStringIncludes(await ask(ports[2]), "168 primes below 1000, from the cache");
  } finally {
    for (const copy of copies) copy.kill();
    await Promise.all(copies.map(({ status }) => status));
  }
});

Deno.test("the configuration of these tests is one that the project has", () => {
  assert(["deno.json", "deno.npm.json"].includes(CONFIG));
});
