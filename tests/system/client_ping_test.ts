/** What a client says of a server that cannot be used: by ping, in the log, and by a rejection where a permission lacks. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CacheError, OrmucoCacheClient } from "../../mod.ts";
import { Authority, hasOpenssl } from "../support/certificates.ts";
import { FakeServer } from "../support/fake_server.ts";
import { freeAddress } from "../support/ports.ts";
import { run } from "../support/processes.ts";
import { clientOf, startedServer } from "../support/servers.ts";

/** How long these clients wait: nothing that is tested here is waited for. */
const HASTY_MS = 200;

/** A server that answers each line that it reads with a text, and nothing before a line has ended. */
function lineServer(answer: string): { address: string } & AsyncDisposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const socket of listener) {
      (async () => {
        const bytes = new Uint8Array(4096);
        for (let count = await socket.read(bytes); count !== null; count = await socket.read(bytes)) {
          if (bytes.subarray(0, count).includes(10)) await socket.write(new TextEncoder().encode(answer));
        }
      })().catch(() => {}).finally(() => socket.close());
    }
  })();
  return {
    address: `127.0.0.1:${listener.addr.port}`,
    [Symbol.asyncDispose]: () => {
      listener.close();
      return serving;
    },
  };
}

/** Why a ping of an address fails. */
async function reasonOf(...servers: string[]): Promise<string> {
  await using client = new OrmucoCacheClient({ servers, timeoutMs: HASTY_MS, onError: () => {} });
  const error = await assertRejects(() => client.ping(), CacheError);
  return error.message;
}

Deno.test("OrmucoCacheClient.ping() resolves when a server answers, and when there is none to ask", async () => {
  await using server = await startedServer();
  await using client = clientOf(server);
  await client.ping();
  await new OrmucoCacheClient({ maxSize: 1 }).ping();
  await using other = new OrmucoCacheClient({ servers: [freeAddress(), server.address!], onError: () => {} });
  await other.ping();
});

Deno.test("OrmucoCacheClient.ping() says that nobody listens", async () => {
  const address = freeAddress();
  assertStringIncludes(await reasonOf(address), `Cannot use server ${address}: Connection refused`);
});

Deno.test("OrmucoCacheClient.ping() says that nothing greets", async () => {
  await using server = new FakeServer(() => {}, { greets: false });
  assertEquals(
    await reasonOf(server.address),
    `Cannot use server ${server.address}: no greeting within ${HASTY_MS} ms: is an Ormuco Cache server there?`,
  );
});

for (
  const [what, answer] of [
    ["memcached's protocol", "VERSION 1.6.18\r\n"],
    ["Redis's protocol", "-ERR unknown command 'version'\r\n"],
    ["Redis's protocol", "-NOAUTH Authentication required.\r\n"],
    ["HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ]
) {
  Deno.test(`OrmucoCacheClient.ping() says ${what} of what answers ${JSON.stringify(answer)}`, async () => {
    await using server = lineServer(answer);
    assertStringIncludes(await reasonOf(server.address), `what answers at ${server.address} speaks ${what}`);
  });
}

Deno.test("OrmucoCacheClient.ping() says that HTTP is spoken where a web server listens, of several servers too", async () => {
  await using web = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response("hello"));
  const address = `127.0.0.1:${web.addr.port}`;
  assertStringIncludes(await reasonOf(address), `what answers at ${address} speaks HTTP`);
  assertStringIncludes(await reasonOf(address, freeAddress()), `what answers at ${address} speaks HTTP`);
});

Deno.test("OrmucoCacheClient tells onError the words of what answers in another protocol", async () => {
  await using web = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response("hello"));
  const address = `127.0.0.1:${web.addr.port}`;
  const messages: string[] = [];
  await using client = new OrmucoCacheClient({ servers: [address], onError: ({ message }) => messages.push(message) });
  assertEquals(await client.retrieve("k"), undefined);
  assertEquals(messages, [
    `Cannot use server ${address}: what answers there is no Ormuco Cache server: bad header: "HTTP/1.1"`,
  ]);
});

Deno.test({
  name: "OrmucoCacheClient.ping() says that TLS is spoken where a server of others encrypts",
  ignore: !hasOpenssl,
  fn: async () => {
    await using authority = await Authority.make();
    const { cert, key } = await authority.issue();
    await using web = Deno.serve(
      { hostname: "127.0.0.1", port: 0, cert, key, onListen: () => {} },
      () => new Response("hello"),
    );
    const address = `127.0.0.1:${web.addr.port}`;
    assertStringIncludes(await reasonOf(address), `what answers at ${address} speaks TLS`);
  },
});

Deno.test("OrmucoCacheClient says the first failure of a kind without onError, once for all clients of a server", async () => {
  const address = freeAddress();
  const program = `
    const servers = ["${address}"];
    for (let i = 0; i < 3; i++) {
      const cache = new OrmucoCacheClient({ servers });
      await Promise.all([cache.retrieve("k"), cache.store("k", 1), cache.has("k")]);
      await cache.close();
    }
    await new OrmucoCacheClient({ servers, onError: () => {} }).retrieve("k");`;
  const { status, err } = await evaluated(program, ["-A"]);
  assertEquals([status, err.split("\n").length], [0, 2], err);
  assertStringIncludes(err, `OrmucoCacheClient: Cannot use server ${address}: Connection refused`);
  assertStringIncludes(err, "said once; option onError");
});

/** Runs a program that imports the client. */
async function evaluated(program: string, permissions: string[]) {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/program.ts`;
    await Deno.writeTextFile(
      file,
      `import { OrmucoCacheClient } from "${import.meta.resolve("../../mod.ts")}";\n${program}`,
    );
    return await run(file, [], { permissions });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("OrmucoCacheClient rejects every call where Deno does not permit to connect, though another server is permitted", async () => {
  await using server = await startedServer();
  const program = `
    const keyed = ["retrieve", "retrieveEntry", "take", "store", "has", "touch", "increment", "remove"];
    const calls = [
      ...keyed.map((name) => (cache) => name === "store" ? cache.store("k", 1) : cache[name]("k")),
      ...["clear", "stats", "ping"].map((name) => (cache) => cache[name]()),
      ...["retrieveMany", "removeMany"].map((name) => (cache) => cache[name](["k"])),
      (cache) => cache.storeMany([["k", 1]]),
      (cache) => cache.namespace("n").clear(),
      (cache) => Array.fromAsync(cache.keys()),
    ];
    for (const servers of [["127.0.0.1:1"], ["127.0.0.1:1", "${server.address}"]]) {
      for (const call of calls) {
        const cache = new OrmucoCacheClient({ servers, onError: () => console.log("told") });
        await call(cache).then(() => console.log("resolved"), ({ name, message }) => console.log(name, message));
        await cache.close();
      }
    }`;
  const { status, out, err } = await evaluated(program, ["--no-prompt", "--no-check", `--allow-net=${server.address}`]);
  assertEquals([status, err], [0, ""]);
  const lines = out.trimEnd().split("\n");
  assertEquals(lines.length, 32);
  for (const line of lines) {
    assert(line.startsWith("CacheError Cannot use server 127.0.0.1:1: Requires net access"), line);
  }
});

Deno.test("OrmucoCacheClient rejects where Deno does not permit to read the token's file", async () => {
  await using server = await startedServer();
  const program = `
    const cache = new OrmucoCacheClient({ servers: ["${server.address}"], authTokenFile: "/etc/token" });
    await cache.retrieve("k").catch(({ name, message }) => console.log(name, message));`;
  const { out } = await evaluated(program, ["--no-prompt", `--allow-net=${server.address}`]);
  assertStringIncludes(out, "the token in /etc/token cannot be read: run with --allow-read=/etc/token");
});

Deno.test("cli says in a line which permission lacks", async () => {
  const ended = await run("cli.ts", ["retrieve", "k", "--server", "127.0.0.1:1"], {
    permissions: ["--no-prompt", "--allow-env", "--allow-read"],
  });
  assertEquals([ended.status, ended.err.trimEnd().split("\n").length], [3, 1]);
  assertStringIncludes(ended.err, "Cannot use server 127.0.0.1:1: Requires net access");
});
