/** The table of least permissions in docs/security.md: each row is run as it stands there, and needs what it names. */

import { assert, assertEquals } from "@std/assert";
import { PREFIX, SETTING_NAMES } from "../../lib/base/settings.ts";
import { Authority, hasOpenssl } from "../support/certificates.ts";
import { freePort } from "../support/ports.ts";
import { CONFIG, run, runDeno, serve } from "../support/processes.ts";
import { reportingClient, startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const TOKEN = "correct-horse-battery";
const ROOT = new URL("../../", import.meta.url);
const text = (file: string) => Deno.readTextFileSync(new URL(`docs/${file}`, ROOT));
const [, TABLE] = /^## Least permissions\n([\s\S]*?)^## /m.exec(text("security.md"))!;
const [, NAMES] = /^NAMES='(.*)'$/m.exec(TABLE)!;
const ROWS = [...TABLE.matchAll(/^\| (.*) \| `(deno run .*)` \|$/gm)].map(([, name, command]) => ({ name, command }));

/** A command of the table, taken apart. */
interface Row {
  permissions: string[];
  program: string;
  args: string[];
}

/** @param addresses By those that stand in the table. */
function taken(command: string, addresses: Record<string, string>): Row {
  let local = command.replace("$NAMES", NAMES);
  for (const [documented, address] of Object.entries(addresses)) {
    local = local.replaceAll(documented, address).replaceAll(
      new RegExp(` ${documented.split(":")[0]}(?= |$)`, "g"),
      ` ${address}`,
    );
  }
  const [, permissions, program, args] = /^deno run ((?:--\S+ )+)(\w+\.ts) ?(.*)$/.exec(local)!;
  return { permissions: permissions.trim().split(" "), program, args: args.split(" ") };
}

/** Without one of the values that a row allows; without the flag, if that was its only one. */
function without(permissions: string[], flag: string, value: string): string[] {
  return permissions.flatMap((each) => {
    if (!each.startsWith(`${flag}=`)) return [each];
    const left = each.slice(flag.length + 1).split(",").filter((one) => one !== value);
    return left.length === 0 || flag === "--allow-env" ? [] : [`${flag}=${left.join(",")}`];
  });
}

/** A folder with the files that the table names. */
async function folderOf(authority: Authority): Promise<string> {
  const { folder } = authority;
  await authority.issue("web", { file: "cert" });
  await Deno.rename(`${folder}/cert.key`, `${folder}/key.pem`);
  await Deno.writeTextFile(`${folder}/token`, `${TOKEN}\n`, { mode: 0o600 });
  await Deno.writeTextFile(`${folder}/credentials`, `web:client:${TOKEN}\n`, { mode: 0o600 });
  await Deno.writeTextFile(`${folder}/.env`, "NETWORK_TIMEOUT=10\n");
  return folder;
}

/** Permissions of a row that no row before it has: by their flags. */
const known = new Set<string>();
function newIn(permissions: string[]): [flag: string, value: string][] {
  const all = permissions.flatMap((each): [string, string][] => {
    const [flag, values] = each.split("=");
    if (values === undefined) return [];
    return flag === "--allow-env" ? [[flag, "all"]] : values.split(",").map((value) => [flag, value]);
  });
  const fresh = all.filter(([flag, value]) => !known.has(`${flag} ${value}`));
  for (const [flag, value] of fresh) known.add(`${flag} ${value}`);
  return fresh;
}

Deno.test("the names that the table of least permissions allows are those of the settings", () => {
  const [prefixed, ...patterns] = NAMES.split(",");
  assertEquals(prefixed, `${PREFIX}*`);
  const covers = (pattern: string, name: string) =>
    pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  assertEquals(SETTING_NAMES.filter((name) => !patterns.some((pattern) => covers(pattern, name))), []);
  assertEquals(patterns.filter((pattern) => !SETTING_NAMES.some((name) => covers(pattern, name))), []);
});

Deno.test("the row for Let's Encrypt is the command of docs/tls.md, which is run where there is an authority", () => {
  const row = ROWS.find(({ command }) => command.includes("--acme"))!;
  assert(text("tls.md").split("\n").includes(row.command));
});

const SERVING = "a program with a server, and options";

Deno.test(`a server runs with the least permissions of docs/security.md: ${SERVING}`, async () => {
  const own = `127.0.0.1:${freePort()}`;
  const { command } = ROWS.find(({ name }) => name === SERVING)!;
  const { permissions, program } = taken(command, { "127.0.0.1:11142": own });
  const cwd = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      `${cwd}/${program}`,
      `import { OrmucoCacheServer } from "${new URL("mod.ts", ROOT)}";
      await using server = new OrmucoCacheServer({ listen: "${own}" });
      await server.startServer();
      if (!await server.cache.store("k", 1)) Deno.exit(3);`,
    );
    const config = new URL(CONFIG, ROOT).pathname;
    const status = async (allowed: string[]) =>
      (await runDeno(["run", "--quiet", "-c", config, ...allowed, program], { cwd })).status;
    assertEquals(await status(permissions), 0);
    assert(await status(without(permissions, "--allow-net", own)) !== 0);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

const ofClients = ({ name, command }: typeof ROWS[number]) =>
  name !== SERVING && / (app\.ts|cli\.ts (stats|token))/.test(command);
for (const { name, command } of ROWS.filter(ofClients)) {
  Deno.test({
    name: `a client runs with the least permissions of docs/security.md: ${name}: ${command.slice(-60)}`,
    ignore: !hasOpenssl || Deno.build.os === "windows",
    fn: async () => {
      await using authority = await Authority.make();
      const cwd = await folderOf(authority);
      const tls = { certFile: `${cwd}/cert.pem`, keyFile: `${cwd}/key.pem`, caFile: `${cwd}/ca.pem`, required: true };
      const clientCaFile = command.includes("--tls-cert") ? authority.caFile : undefined;
      await using server = await startedServer({
        authToken: command.includes("--token-file") ? TOKEN : undefined,
        tls: command.includes("--tls-ca") ? { ...tls, clientCaFile } : undefined,
      });
      const { permissions, program, args } = taken(command, { "10.0.0.1:11142": server.address! });
      const servers = command.includes("--allow-net") ? { servers: [server.address!], timeoutMs: 10_000 } : {};
      await Deno.writeTextFile(
        `${cwd}/app.ts`,
        `import { OrmucoCacheClient } from "${new URL("mod.ts", ROOT)}";
        await using cache = new OrmucoCacheClient(${JSON.stringify(servers)});
        if (!await cache.store("k", 1)) Deno.exit(3);`,
      );
      const status = async (allowed: string[]): Promise<number> => {
        if (program === "cli.ts") return (await run(program, args, { cwd, permissions: allowed })).status;
        const config = new URL(CONFIG, ROOT).pathname;
        return (await runDeno(["run", "--quiet", "-c", config, ...allowed, program], { cwd })).status;
      };
      assertEquals(await status(permissions), 0);
      for (const [flag, value] of newIn(permissions)) {
        assert(await status(without(permissions, flag, value)) !== 0, `without ${flag}=${value}`);
      }
    },
  });
}

for (const { name, command } of ROWS.filter(({ command }) => / serve/.test(command) && !command.includes("--acme"))) {
  Deno.test({
    name: `a server runs with the least permissions of docs/security.md: ${name}`,
    ignore: !hasOpenssl || Deno.build.os === "windows",
    fn: async () => {
      await using authority = await Authority.make();
      const cwd = await folderOf(authority);
      const tls = { certFile: `${cwd}/cert.pem`, keyFile: `${cwd}/key.pem`, caFile: `${cwd}/ca.pem`, required: true };
      await using peer = await startedServer({ authToken: TOKEN, tls: command.includes("--tls") ? tls : undefined });
      const own = `127.0.0.1:${freePort()}`;
      const addresses = {
        "10.0.0.1:11142": own,
        "127.0.0.1:11142": own,
        "127.0.0.1:9100": `127.0.0.1:${freePort()}`,
        "10.0.0.2:11142": peer.address!,
      };
      const { permissions, args } = taken(command, addresses);
      args.shift(); // the command's name
      if (!args.includes("--listen")) args.push("--listen", own); // the table leaves it at its default
      {
        await using server = await serve(args, { cwd, permissions });
        const { cert, key } = {
          cert: await Deno.readTextFile(`${cwd}/cert.pem`),
          key: await Deno.readTextFile(`${cwd}/key.pem`),
        };
        const asksToken = /token|auth/.test(command);
        const encrypted = { caCerts: [authority.ca], ...command.includes("--tls-client-ca") ? { cert, key } : {} };
        const { client, errors } = reportingClient([server.address], {
          authToken: asksToken ? (command.includes("auth-file") ? `web:${TOKEN}` : TOKEN) : undefined,
          tls: command.includes("--tls") ? encrypted : undefined,
        });
        await using one = client;
        assertEquals([await one.store("k", 1), errors], [true, []]);
        if (command.includes("--peers")) await until("the peer has it", () => peer.cache.has("k"));
        assertEquals((await server.stop()).err, "");
      }
      for (const [flag, value] of newIn(permissions)) {
        if (value === peer.address) continue; // without it, it serves, and says that it cannot connect
        const { status } = await run("cli.ts", ["serve", ...args], {
          cwd,
          permissions: without(permissions, flag, value),
        });
        assert(status !== 0, `without ${flag}=${value}`);
      }
    },
  });
}
