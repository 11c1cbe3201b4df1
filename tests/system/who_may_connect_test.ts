/** Who may connect to whole servers: at the start, over sockets, and no more. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { writeAll } from "../../lib/platform/socket.ts";
import { OrmucoCacheServer, type ServerOptions } from "../../server.ts";
import { portOf } from "../support/ports.ts";
import { run, serve } from "../support/processes.ts";
import { madeServer } from "../support/servers.ts";
import { exchange } from "../support/text_socket.ts";
import { until } from "../support/waiting.ts";

const LINES = "web:client:secret-of-web\nread:reader:secret-of-read\nops:admin:secret-of-ops\n";

/** Uses a file of credentials. */
async function withFile(text: string, use: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/credentials`;
  await Deno.writeTextFile(path, text, { mode: 0o600 });
  try {
    await use(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A memcached client by hand that has said who it is. */
class TextClient implements Disposable {
  readonly #socket: Deno.Conn;

  private constructor(socket: Deno.Conn) {
    this.#socket = socket;
  }

  static async of({ address }: { address: string | undefined }, name: string, secret: string): Promise<TextClient> {
    const client = new TextClient(await Deno.connect({ hostname: "127.0.0.1", port: portOf(address!) }));
    const login = `${name} ${secret}`;
    assertEquals(await client.ask(`set login 0 0 ${login.length}\r\n${login}\r\n`), "STORED\r\n");
    return client;
  }

  /** Asks something that is answered in one piece; "" once the server has hung up. */
  async ask(text: string): Promise<string> {
    try {
      await writeAll(this.#socket, new TextEncoder().encode(text));
      const space = new Uint8Array(1024);
      return new TextDecoder().decode(space.subarray(0, await this.#socket.read(space) ?? 0));
    } catch {
      return "";
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

Deno.test("a server that others can reach does not start without credentials, and names the ways out", async () => {
  for (const listen of ["0.0.0.0:0", "[::]:0"]) {
    await using server = madeServer({ listen });
    const words =
      "Set AUTH_TOKEN, AUTH_TOKEN_FILE or AUTH_FILE, or listen on 127.0.0.1 or a unix socket, or say --insecure";
    await assertRejects(() => server.startServer(), RangeError, words);
    assertEquals(server.address, undefined);
  }
  const { status, out, err } = await run("cli.ts", ["serve", "--listen", "0.0.0.0:0"]);
  assertEquals([status, out], [2, ""]);
  assertStringIncludes(err, "Cannot start server: whoever reaches 0.0.0.0:0 could read, change and clear this cache.");
});

Deno.test("the start-up lines say who may connect, by what the server asks for", async () => {
  const said: [ServerOptions, string, boolean][] = [
    [{}, "any user of this machine, without a token", false],
    [{ authToken: "secret-of-all" }, "whoever shows a token, in any protocol", false],
    [{ listen: "0.0.0.0:0", insecure: true }, "anyone who reaches this address, without a token", true],
    [
      { listen: "0.0.0.0:0", authToken: "secret-of-all" },
      "whoever proves to have a token, in the native protocol; memcached's protocols on this machine only",
      true,
    ],
    [
      { peerToken: "secret-of-peers" },
      "none: no credential has the role reader or client, only peers may connect",
      false,
    ],
  ];
  for (const [options, clients, warns] of said) {
    const lines: string[] = [];
    await using server = madeServer({ ...options, log: (line) => lines.push(line) });
    await server.startServer();
    assert(lines.includes(`  clients     ${clients}`), lines.join("\n"));
    assertEquals(lines.some((line) => line.startsWith("Warning: ")), warns);
    assertEquals(`${lines}${Deno.inspect(server, { depth: 9 })}`.includes("secret-of"), false);
  }
});

Deno.test("a server that cannot use its credentials does not start, and says why", () =>
  withFile("web:root:secret-of-web\n", async (path) => {
    const { status, out, err } = await run("cli.ts", ["serve", "--listen", "0", "--auth-file", path]);
    assertEquals([status, out], [2, ""]);
    assertStringIncludes(err, `Cannot use AUTH_FILE ${path}: line 1: the role must be`);
    const both = await run("cli.ts", ["serve", "--listen", "0"], {
      env: { AUTH_TOKEN: "secret-of-all", AUTH_TOKEN_FILE: path },
    });
    assertEquals(both.status, 2);
    assertStringIncludes(both.err, "AUTH_TOKEN and AUTH_TOKEN_FILE exclude each other");
    await using server = madeServer({ authFile: path, peers: [] });
    await assertRejects(() => server.startServer(), RangeError, "line 1");
    await Deno.writeTextFile(path, LINES);
    await server.startServer();
  }));

Deno.test("roles hold over sockets, and all that fails is counted", () =>
  withFile(LINES, async (authFile) => {
    await using server = madeServer({ authFile });
    await server.startServer();
    assertEquals(
      await exchange(portOf(server.address!), "stats\r\n", (reply) => reply.endsWith("\r\n")),
      "CLIENT_ERROR unauthenticated\r\n",
    );
    using web = await TextClient.of(server, "web", "secret-of-web");
    using read = await TextClient.of(server, "read", "secret-of-read");
    using ops = await TextClient.of(server, "ops", "secret-of-ops");
    assertEquals(await web.ask("set k 0 0 2\r\nhi\r\n"), "STORED\r\n");
    assertEquals(await read.ask("set k 0 0 2\r\nno\r\n"), "CLIENT_ERROR not allowed for role reader\r\n");
    assertEquals(await read.ask("get k\r\n"), "VALUE k 0 2\r\nhi\r\nEND\r\n");
    assertEquals(await web.ask("flush_all\r\n"), "CLIENT_ERROR not allowed for role client\r\n");
    assertEquals(await ops.ask("get k\r\n"), "CLIENT_ERROR not allowed for role admin\r\n");
    assertEquals(await ops.ask("flush_all\r\n"), "OK\r\n");
    const bad = await exchange(portOf(server.address!), "set a 0 0 5\r\nweb x\r\n", (reply) => reply.endsWith("\r\n"));
    assertEquals(bad, "CLIENT_ERROR authentication failure\r\n");
    const { logins, loginsFailed, refusals } = server.stats();
    assertEquals([logins, loginsFailed, refusals], [3, 1, 3]);
  }));

Deno.test("the connections of a credential that leaves the file end by themselves, and no others", () =>
  withFile(LINES, async (authFile) => {
    await using server = madeServer({ authFile });
    await server.startServer();
    using web = await TextClient.of(server, "web", "secret-of-web");
    using read = await TextClient.of(server, "read", "secret-of-read");
    // As an editor does it: another file takes the name.
    await Deno.writeTextFile(`${authFile}.new`, LINES.replace(/^web.*\n/, ""), { mode: 0o600 });
    await Deno.rename(`${authFile}.new`, authFile);
    await until("the credential is gone", () => server.stats().connectionsWithdrawn === 1);
    assertEquals([await web.ask("mn\r\n"), await read.ask("mn\r\n")], ["", "MN\r\n"]);
  }));

Deno.test({
  name: "SIGHUP takes a changed file at once, and keeps what it had where the file is broken",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withFile(LINES, async (path) => {
      await using server = await serve(["--listen", "127.0.0.1:0", "--auth-file", path]);
      using web = await TextClient.of(server, "web", "secret-of-web");
      const reread = async (text: string, line: string) => {
        await Deno.writeTextFile(path, text);
        Deno.kill(server.pid, "SIGHUP");
        await until("it says so", () => server.lines.some((said) => said.startsWith(line)));
      };
      await reread("web:root:secret-of-web\n", `Cannot use AUTH_FILE ${path}: line 1: the role must be`);
      assertEquals(await web.ask("mn\r\n"), "MN\r\n");
      await reread(LINES.replace("secret-of-web", "secret-of-new"), `AUTH_FILE ${path} is used as it is now`);
      await until("the old one has been left", async () => await web.ask("mn\r\n") === "");
      using _new = await TextClient.of(server, "web", "secret-of-new");
      await until("it says that it is done", () => server.lines.includes("SIGHUP: 1 file reread"));
      assertEquals(server.lines.join("").includes("secret-of"), false);
    }),
});

Deno.test("a stranger costs no more than a small buffer, and is gone after a while", async () => {
  const server = new OrmucoCacheServer({ listen: "127.0.0.1:0", authToken: "secret-of-all", log: () => {} });
  await using _ = server;
  await server.startServer();
  const port = portOf(server.address!);
  const sockets = await Promise.all(Array.from({ length: 20 }, () => Deno.connect({ hostname: "127.0.0.1", port })));
  try {
    for (const socket of sockets) {
      await writeAll(socket, new TextEncoder().encode("set a 0 0 1000\r\n" + "x".repeat(900)));
    }
    await until("all have arrived", () => server.stats().bytesReceived >= 20 * 916);
    assertEquals(server.stats().bufferBytes, 0);
    await until("all are gone", () => server.stats().connections === 0);
    assertEquals(server.stats().connectionsSlow, 20);
  } finally {
    for (const socket of sockets) socket.close();
  }
});
