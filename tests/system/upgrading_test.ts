/** The steps of docs/upgrading.md, with its commands, on servers that run: nobody is left without a server, and what is said of each step is so. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { whyNoTls } from "../../lib/base/tls_options.ts";
import { Authority, hasOpenssl } from "../support/certificates.ts";
import { freePort } from "../support/ports.ts";
import { run, serve, type ServeProcess } from "../support/processes.ts";
import { reportingClient } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const PAGE = await Deno.readTextFile(new URL("../../docs/upgrading.md", import.meta.url));
const [STEPS, TLS_STEPS] = PAGE.split("## Then TLS");

/** Two servers, and the commands of the page, for them. */
class Cluster implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync();
  readonly addresses: readonly string[] = [0, 0].map(freePort).map((port) => `127.0.0.1:${port}`);
  readonly tokenFile = `${this.folder}/cache-token`;
  readonly #servers = new Map<string, ServeProcess>();

  /** Runs the commands of the page between two of its words, one after another; each has to do what it is for. */
  async follow(page: string, from: string, to: string, files: Readonly<Record<string, string>> = {}): Promise<void> {
    const part = page.slice(page.indexOf(from), to === "" ? undefined : page.indexOf(to));
    const commands = [...part.matchAll(/^deno run -A cli\.ts (.*)$/gm)].map(([, command]) => command);
    assert(commands.length > 0, from);
    for (const command of commands) await this.#do(this.#local(command, files));
  }

  /** A command's arguments, with this machine's addresses and files. */
  #local(command: string, files: Readonly<Record<string, string>>): string[] {
    const own = { ...files, "cache-token": this.tokenFile };
    return command.split(" ").map((word) =>
      own[word as keyof typeof own] ??
        word.replaceAll(/10\.0\.0\.([12])(:11142)?/g, (_, number) => this.addresses[Number(number) - 1])
    );
  }

  async #do([name, ...args]: string[]): Promise<void> {
    if (name === "serve") return await this.#restart(args);
    if (name === "token") {
      assertMatch(args.join(" "), /^> (\S+) && chmod 600 /);
      return await Deno.writeTextFile(this.tokenFile, (await run("cli.ts", [name])).out, { mode: 0o600 });
    }
    let looks = 0;
    await until(`${name} says what it should`, async () => {
      const { status, out, err } = await run("cli.ts", [name, ...args]);
      assert(looks++ < 60, `${status} ${out}${err}`); // each is a process
      assertEquals(err, "");
      if (name === "peers") return / connected +\d/.test(out);
      if (name === "retrieve") return out === "hello"; // a server takes over entries for a moment after it is connected
      assertEquals(status, 0);
      return true;
    });
  }

  /** Starts both servers, in the stead of an older version's: without credentials. */
  async start(): Promise<void> {
    const [first, second] = this.addresses;
    await this.#restart(["--listen", first]);
    await this.#restart(["--listen", second, "--peers", first]);
  }

  async #restart(args: string[]): Promise<void> {
    const address = args[args.indexOf("--listen") + 1];
    await this.#servers.get(address)?.stop();
    this.#servers.set(address, await serve(args));
  }

  /** Waits until a line is said by the server of a number. */
  said(number: 1 | 2, words: string): Promise<void> {
    const server = this.#servers.get(this.addresses[number - 1])!;
    return until(`server ${number} says: ${words}`, () => server.lines.some((line) => line.includes(words)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers.values()) await server.stop();
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("docs/upgrading.md: tokens come to a running cluster in four steps, and who follows them always has a server", async () => {
  await using cluster = new Cluster();
  const [first, second] = cluster.addresses;
  await cluster.start();
  await cluster.follow(STEPS, "**1. ", "**2. ");
  await using old = reportingClient([first, second]).client;
  assertEquals(await old.retrieve("my-key"), "hello");
  await cluster.follow(STEPS, "**2. ", "**3. ");
  await cluster.said(
    2,
    `Peer ${first} cannot be used: the server wants to know who connects, and no token is given (AUTH_TOKEN)`,
  );
  await until("who has no token is with the other server", async () => await old.retrieve("my-key") === "hello");
  await using fresh = reportingClient([second, first], { authTokenFile: cluster.tokenFile }).client;
  assertEquals(
    [await fresh.retrieve("my-key"), await fresh.store("new", 1)],
    [undefined, true],
    "it has started empty",
  );
  await cluster.follow(STEPS, "**3. ", "**4. ");
  assertEquals([await old.has("new"), await fresh.retrieve("my-key")], [false, "hello"]);
  await cluster.follow(STEPS, "**4. ", "");
  await using last = reportingClient([second], { authTokenFile: cluster.tokenFile }).client;
  await until("the second has the entries of the first", async () => await last.retrieve("new") === 1);
  assertEquals(await old.store("late", 1), false);
});

Deno.test({
  name:
    "docs/upgrading.md: certificates come to a cluster with tokens, its listed servers first, and then nobody goes without TLS",
  ignore: !hasOpenssl || whyNoTls(Deno.version.deno) !== undefined,
  fn: async () => {
    await using authority = await Authority.make();
    await using cluster = new Cluster();
    const files: Record<string, string> = { "ca.pem": authority.caFile };
    for (const number of [1, 2]) {
      const { certFile, keyFile } = await authority.issue();
      Object.assign(files, { [`cert-${number}.pem`]: certFile, [`key-${number}.pem`]: keyFile });
    }
    await cluster.follow(STEPS, "**2. ", "deno run -A cli.ts retrieve");
    await cluster.follow(STEPS, "**3. ", "");
    await cluster.follow(TLS_STEPS, "", "", files);
    const plain = reportingClient([...cluster.addresses], { authTokenFile: cluster.tokenFile });
    await using client = plain.client;
    assertEquals(await client.retrieve("my-key"), undefined);
    assertMatch(plain.errors[0].message, /this server takes connections with TLS only/);
  },
});
