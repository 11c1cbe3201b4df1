/** The private authority of docs/tls.md: its commands, run as they stand there, make what servers, clients and `cert:` lines need. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { hasOpenssl } from "../support/certificates.ts";
import { type Ended, run, serve } from "../support/processes.ts";
import { reportingClient } from "../support/servers.ts";

const docs = await Deno.readTextFile(new URL("../../docs/tls.md", import.meta.url));
const [, block] = /^## A private authority\n[\s\S]*?^```sh\n([\s\S]*?)^```$/m.exec(docs)!;
const COMMANDS = block.trimEnd().split("\n");

/** Runs commands of the document in a folder; what is an address of a server there is this machine's. */
async function shell(commands: string[], cwd: string): Promise<void> {
  const script = commands.join("\n").replaceAll("10.0.0.1", "127.0.0.1");
  const { code, stderr } = await new Deno.Command("sh", { args: ["-ec", script], cwd, stdin: "null" }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
}

/** Makes a folder with the authority's files, and in it one with a certificate for another name, by the last three commands. */
async function issued(name: string, folder: string): Promise<string> {
  const own = `${folder}/${name}`;
  await Deno.mkdir(own);
  for (const file of ["ca.pem", "ca.key"]) await Deno.copyFile(`${folder}/${file}`, `${own}/${file}`);
  await shell(COMMANDS.slice(1).map((command) => command.replaceAll("cache-1", name)), own);
  return own;
}

Deno.test({
  name: "the four commands of docs/tls.md make an authority, by which a server, clients and their roles are believed",
  ignore: !hasOpenssl || Deno.build.os === "windows",
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      assertEquals(COMMANDS.length, 4);
      await shell(COMMANDS, folder);
      const [web, other] = [await issued("web-1", folder), await issued("other-1", folder)];
      await Deno.writeTextFile(`${folder}/credentials`, "cert:web-1:reader,client\n", { mode: 0o600 });
      const tls = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
      const cli = (args: string[], cwd: string): Promise<Ended> =>
        run("cli.ts", args, { cwd, env: { NETWORK_TIMEOUT: "10" } });

      await using server = await serve(["--listen", "127.0.0.1:0", "--tls", ...tls], { cwd: folder });
      const at = ["--server", server.address, "--tls-ca", "ca.pem"];
      assertEquals(await cli(["store", "k", "v", ...at], folder), { status: 0, out: "Stored\n", err: "" });
      const named = { caCerts: [await Deno.readTextFile(`${folder}/ca.pem`)], serverName: "cache-1.example.com" };
      await using client = reportingClient([server.address], { tls: named }).client;
      assertEquals(await client.retrieve("k"), "v");

      const mutual = [...tls, "--tls-client-ca", "ca.pem", "--auth-file", "credentials"];
      await using strict = await serve(["--listen", "127.0.0.1:0", ...mutual], { cwd: folder });
      const strictly = ["--server", strict.address, "--tls-ca", "ca.pem"];
      const stored = await cli(["store", "k", "v", ...strictly, ...tls], web);
      assertEquals(stored, { status: 0, out: "Stored\n", err: "" });
      assertEquals((await cli(["retrieve", "k", ...strictly, ...tls], web)).out, "v");
      assertStringIncludes((await cli(["clear", ...strictly, ...tls], web)).err, "not allowed for role");
      assertStringIncludes(
        (await cli(["retrieve", "k", ...strictly, ...tls], other)).err,
        "wants to know who connects",
      );
      assertStringIncludes((await cli(["retrieve", "k", ...strictly], web)).err, "requires a certificate");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
