import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { OrmucoCacheClient } from "../../mod.ts";
import { SETTING_NAMES } from "../../lib/base/settings.ts";
import { DEFAULT_MAX_BUFFERS } from "../../lib/server/options.ts";
import { blocks, saidLines, text } from "../support/examples.ts";
import { freePort } from "../support/ports.ts";
import { CONFIG, denoArguments, type Ended, environment, run, runDeno, serve } from "../support/processes.ts";
import { startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const ROOT = new URL("../../", import.meta.url);
const README = text("README.md");
const DOCUMENTS = [
  ...["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "bench/results.md"],
  ...[...Deno.readDirSync(new URL("docs", ROOT))].map(({ name }) => `docs/${name}`),
];

/** A service in a folder of its own, whose deno.json has the lines that README shows; its configuration is no other. */
async function inService(
  use: (run: (args: string[]) => Promise<Ended>, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const copy = `${"../".repeat(folder.split("/").length - 1)}${ROOT.pathname.slice(1, -1)}`;
  const config = JSON.parse(blocks("json", README)[0].replaceAll("../ormuco-cache", copy));
  assertEquals(config.links.length, 3);
  if (CONFIG === "deno.json") config.links.length = 1; // as README says where JSR is in reach
  try {
    await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(config));
    await use((args) => runDeno(args, { cwd: folder }), folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const EXAMPLES = [
  ...blocks("ts", README).map((block, i) => ({ name: `README's TypeScript example ${i + 1}`, block })),
  { name: "docs/embedded.md's example of peers", block: blocks("ts", text("docs/embedded.md")).at(-1)! },
  { name: "docs/embedded.md's example of near copies", block: blocks("ts", text("docs/embedded.md")).at(-3)! },
  { name: "docs/embedded.md's example without a promise", block: blocks("ts", text("docs/embedded.md")).at(-2)! },
  { name: "docs/near.md's example", block: blocks("ts", text("docs/near.md"))[0] },
  { name: "docs/values.md's example of compression", block: blocks("ts", text("docs/values.md"))[0] },
  { name: "docs/values.md's example of a codec", block: blocks("ts", text("docs/values.md"))[1] },
];

for (const { name, block } of EXAMPLES) {
  Deno.test(`${name}, in a service with a deno.json of its own, prints what it says`, async () => {
    await using server = await startedServer();
    await inService(async (run, folder) => {
      await Deno.writeTextFile(`${folder}/app.ts`, block.replaceAll("127.0.0.1:11142", server.address!));
      const { status, out, err } = await run(["run", "--quiet", "-A", "app.ts"]);
      assertEquals([status, err], [0, ""]);
      const said = saidLines(block);
      if (said.length > 0) assertEquals(out.trimEnd().split("\n"), said);
      else assertStringIncludes(out, "Server listens on port");
    });
  });
}

Deno.test("README's first example passes the type check of a service", async () => {
  await inService(async (run, folder) => {
    await Deno.writeTextFile(`${folder}/app.ts`, blocks("ts", README)[0]);
    const { status, err } = await run(["check", "app.ts"]);
    assertEquals(status, 0, err);
    await Deno.writeTextFile(`${folder}/app.ts`, blocks("ts", README)[0].replace("ttlMs: 60_000", "ttlMs: true"));
    assertEquals((await run(["check", "app.ts"])).status, 1, "it has the types");
  });
});

Deno.test("README says how many modules an import loads, to within a tenth", async () => {
  const { exports } = JSON.parse(text("deno.json"));
  const rows = [...README.matchAll(/^\| `@ormuco\/cache(\S*)` \|.*?\| (\d+) \|/gm)];
  assertEquals(rows.map(([, path]) => `.${path}`).sort(), Object.keys(exports).sort());
  for (const [, path, said] of rows) {
    const { out } = await runDeno(["info", "--json", "-c", CONFIG, exports[`.${path}`]], { cwd: ROOT.pathname });
    const files: { specifier: string }[] = JSON.parse(out).modules;
    const own = files.filter(({ specifier }) => /^(?!npm\/)/.test(specifier.split(ROOT.href)[1] ?? "npm/")).length;
    assert(Math.abs(own - Number(said)) <= own / 10, `${path}: ${own} for ${said}`);
  }
});

Deno.test("README's command installs ormuco-cache out of a copy", async () => {
  const [now, later] = blocks("sh", README).find((block) => block.includes("deno install"))!.trim().split("\n");
  assertEquals(later, "deno install -g -A -n ormuco-cache jsr:@ormuco/cache/cli");
  const folder = await Deno.makeTempDir();
  try {
    const [, ...args] = now.split(" ");
    const { status, err } = await runDeno([...args.slice(0, 1), "--root", folder, ...args.slice(1)], {
      cwd: ROOT.pathname,
    });
    assertEquals(status, 0, err);
    const path = `${Deno.execPath().replace(/\/[^/]+$/, "")}:${Deno.env.get("PATH")}`;
    const installed = new Deno.Command(`${folder}/bin/ormuco-cache`, {
      args: ["--version"],
      ...environment({ PATH: path }),
      cwd: folder,
    });
    assertEquals(new TextDecoder().decode((await installed.output()).stdout), `ormuco-cache ${version()}\n`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function version(): string {
  return JSON.parse(text("deno.json")).version;
}

Deno.test("README's second terminal shows what it says", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const [session] = blocks("console", README); // the first of them
  const steps = [...session.matchAll(/^\$ npx -y deno@2 run -A -c deno\.npm\.json cli\.ts (.*)\n((?:[^$].*\n)*)/gm)];
  assert(steps.length >= 2);
  for (const [, command, shown] of steps) {
    const args = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain);
    const { status, out } = await run("cli.ts", args, { env: { SERVER_HOST: server.address } });
    assertEquals([status, out.trimEnd()], [0, shown.trimEnd()]);
  }
});

Deno.test("README's first two commands serve, and run the tests", () => {
  const [serveCommand, testCommand] = blocks("sh", README).map((block) => block.trim());
  assertEquals(serveCommand, "npx -y deno@2 run -A -c deno.npm.json cli.ts serve");
  assertEquals(testCommand, "npx -y deno@2 task -c deno.npm.json test");
  assertMatch(JSON.parse(text("deno.npm.json")).tasks.test, /^CONFIG='-c deno\.npm\.json' deno task .* test$/);
  assertMatch(JSON.parse(text("deno.json")).tasks.test, /(^| )deno test \$CONFIG -A tests$/);
});

Deno.test("README's commands for several servers make peers of two, with a token", async () => {
  const block = blocks("sh", README).find((block) => block.includes("--peers"))!;
  const folder = await Deno.makeTempDir();
  const [first, second] = [0, 0].map(freePort).map((port) => `127.0.0.1:${port}`);
  const local = block.replaceAll("10.0.0.1:11142", first).replaceAll("10.0.0.2:11142", second)
    .replaceAll("10.0.0.1", first).replaceAll("10.0.0.2", second).replaceAll("cache-token", `${folder}/cache-token`);
  const commands = [...local.matchAll(/^ormuco-cache (\w+) (.*)$/gm)].map((
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

Deno.test("docs/settings.md and .env.example name every setting, and .env.example leaves all at their defaults", () => {
  const names = SETTING_NAMES;
  assertEquals(
    [...text("docs/settings.md").matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name).sort(),
    [...names].sort(),
  );
  const example = text(".env.example").split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  assertEquals(example.sort(), names.map((name) => `${name}=`).sort());
});

/** What a heading is called in a link. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

Deno.test("links in documents lead to files that are there, and to headings that they have", async () => {
  for (const document of DOCUMENTS) {
    for (const [link, path, anchor] of text(document).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
      const file = path === "" ? new URL(document, ROOT) : new URL(path, new URL(document, ROOT));
      await Deno.stat(file);
      if (anchor === undefined) continue;
      const headings = [...Deno.readTextFileSync(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading));
      assert(headings.includes(anchor), `${document}: ${link}`);
    }
  }
});

Deno.test("README leads to every document, stays under 200 lines", () => {
  for (const document of DOCUMENTS.filter((name) => name !== "README.md")) {
    assertStringIncludes(README, `](${document})`);
  }
  assert(README.split("\n").length < 200);
});

Deno.test("docs/sizing.md's columns are what its formula gives, and no figure beside them is above", () => {
  const document = text("docs/sizing.md");
  const [, process, share, connection] =
    / ([\d.]+) MB for the process\n.* ([\d.]+) × .*\n.*BUFFERS\n.* ([\d.]+) kB a connection/
      .exec(document)!.map(Number);
  const [loaded, attacked] = document.split(/^\| limit \| by the formula \|.*$/m).slice(1);
  for (const [table, connections] of [[loaded, 32], [attacked, 1000]] as const) {
    const rows = [...table.split("\n\n")[0].matchAll(/^\| (\d+) ([MG])iB \| (.*) \|$/gm)];
    assert(rows.length >= 2);
    for (const [, limit, unit, cells] of rows) {
      const mib = Number(limit) * (unit === "G" ? 1024 : 1);
      const [said, ...measured] = cells.split(" | ").map((cell) => Number(cell.replace(",", "")));
      const bytes = process * 1e6 + share * mib * 1024 ** 2 + DEFAULT_MAX_BUFFERS + connections * connection * 1000;
      assertEquals(said, Math.round(bytes / 1024 ** 2));
      assert(Math.max(...measured) <= said, `${limit} ${unit}iB`);
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
    const ended = await Promise.all(copies.map(({ status }) => status));
    assertEquals(ended.map(({ code }) => code), [0, 0], "they shut down");
  }
});

Deno.test("the configuration of these tests is one that the project has", () => {
  assert(["deno.json", "deno.npm.json"].includes(CONFIG));
});
