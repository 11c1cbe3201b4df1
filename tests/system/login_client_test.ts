/** Clients and servers that prove themselves to each other, and those that cannot. */

import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { type CacheError, OrmucoCacheClient } from "../../client.ts";
import { REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { writeKeyed } from "../../lib/wire/calls.ts";
import { writeError } from "../../lib/wire/control.ts";
import { writeLockedGreeting, writeScram } from "../../lib/wire/hello.ts";
import { FakeServer } from "../support/fake_server.ts";
import { greetingAnd, NativeSocket } from "../support/native_socket.ts";
import { startedServer } from "../support/servers.ts";

const SECRET = "correct-horse-battery";
const WRONG = "wrong-horse-battery";

/** What a client makes of a server: whether a call succeeds, and the first error. */
async function outcomeOf(
  address: string,
  token: { authToken?: string; authTokenFile?: string } = {},
): Promise<{ stored: boolean; code?: string; message: string }> {
  const errors: CacheError[] = [];
  await using cache = new OrmucoCacheClient({ servers: [address], onError: (error) => errors.push(error), ...token });
  const stored = await cache.store("k", 1);
  return { stored, code: errors[0]?.code, message: errors[0]?.message ?? "" };
}

Deno.test("a client with the token uses the server, by the secret alone or by a name before it", async () => {
  await using server = await startedServer({ authToken: SECRET });
  for (const authToken of [SECRET, `default:${SECRET}`, `any:${SECRET}`]) {
    assertEquals(await outcomeOf(server.address!, { authToken }), { stored: true, code: undefined, message: "" });
  }
});

Deno.test("a client without the token, or with a wrong one, is told so, and no secret stands in what it is told", async () => {
  await using server = await startedServer({ authToken: SECRET });
  const at = `Cannot use server ${server.address}: `;
  const none = await outcomeOf(server.address!);
  assertEquals([none.stored, none.code], [false, "refused"]);
  assertStrictEquals(none.message, `${at}the server wants to know who connects, and no token is given (AUTH_TOKEN)`);
  const wrong = await outcomeOf(server.address!, { authToken: `me:${WRONG}` });
  assertEquals([wrong.stored, wrong.code], [false, "refused"]);
  assertStrictEquals(
    wrong.message,
    `${at}the server closed the connection (auth-failed): this server does not know the token, or its name`,
  );
});

Deno.test("a client with a token does not use a server that asks for none, be it of today or of before", async () => {
  await using open = await startedServer();
  await using old = new FakeServer((_code, output) => {
    writeError(output, REPLY.refused, { code: "bad-request", message: "unknown request code 11" });
  });
  for (const address of [open.address!, old.address]) {
    const { stored, code, message } = await outcomeOf(address, { authToken: SECRET });
    assertEquals([stored, code], [false, "refused"]);
    assertMatch(message, /a token is given, and the server asks for none: it cannot show that it is the right one$/);
  }
  assertStrictEquals(await open.cache.has("k"), false);
});

Deno.test("a client does not use a server that does not answer its own handshake, or asks for work without end", async () => {
  for (const iterations of [1, 4096, 2 ** 31]) {
    await using server = new FakeServer((code, output) => {
      if (code === REQUEST.hello) return writeLockedGreeting(output);
      writeScram(output, REPLY.challenge, `r=${"n".repeat(60)},s=${btoa("s".repeat(16))},i=${iterations}`);
    }, { greets: false });
    const { stored, code, message } = await outcomeOf(server.address, { authToken: SECRET });
    assertEquals([stored, code], [false, "protocol"]);
    assertMatch(message, /what answers there is no Ormuco Cache server: a server's first of SCRAM that cannot be used/);
  }
});

Deno.test("a client that is refused does not storm the server", async () => {
  await using server = await startedServer({ authToken: SECRET });
  await using cache = new OrmucoCacheClient({ servers: [server.address!], authToken: WRONG });
  for (let i = 0; i < 500; i++) await cache.retrieve(`${i}`);
  const { failures } = await cache.stats();
  assert(failures.refused >= 500, `${failures.refused} calls were refused`);
  const { connectionsAccepted } = server.stats();
  assert(connectionsAccepted < 20, `${connectionsAccepted} connections for 500 calls`);
});

Deno.test("a client goes on with the next server when one refuses its token", async () => {
  await using wrong = await startedServer({ authToken: WRONG });
  await using right = await startedServer({ authToken: SECRET });
  await using cache = new OrmucoCacheClient({ servers: [wrong.address!, right.address!], authToken: SECRET });
  assertStrictEquals(await cache.store("k", 1), true);
  assertStrictEquals((await cache.stats()).connectedTo, right.address);
});

Deno.test("a client takes up a new token of its file when it connects again", async () => {
  const authTokenFile = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(authTokenFile, WRONG);
    await using server = await startedServer({ authToken: SECRET });
    await using cache = new OrmucoCacheClient({ servers: [server.address!], authTokenFile });
    assertStrictEquals(await cache.store("k", 1), false);
    await Deno.writeTextFile(authTokenFile, `${SECRET}\n`);
    let isStored = false;
    for (let i = 0; i < 100_000 && !isStored; i++) isStored = await cache.store("k", 1);
    assertStrictEquals(isStored, true);
  } finally {
    await Deno.remove(authTokenFile);
  }
});

Deno.test("nothing that prints a client prints its token", async () => {
  await using server = await startedServer({ authToken: SECRET });
  await using cache = new OrmucoCacheClient({ servers: [server.address!], authToken: `me:${SECRET}` });
  await cache.store("k", 1);
  for (const printed of [cache, server, server.stats(), await cache.stats()]) {
    const text = [
      Deno.inspect(printed, { depth: 100, showHidden: true, getters: true, showProxy: true }),
      JSON.stringify(printed),
      String(printed),
    ].join();
    assertStrictEquals(text.includes(SECRET), false, text);
  }
});

Deno.test("a client of before is told why it is not answered", async () => {
  await using server = await startedServer({ authToken: SECRET });
  using socket = await NativeSocket.to(server);
  await socket.write(greetingAnd((output) => writeKeyed(output, REQUEST.get, "k")));
  assertEquals(await socket.codesUntilClosed(), [REPLY.data, REPLY.closing]);
});

Deno.test("failed attempts are logged once for an address, without the secret", async () => {
  const lines: string[] = [];
  await using server = await startedServer({ authToken: SECRET, log: (line) => lines.push(line) });
  for (let i = 0; i < 3; i++) await outcomeOf(server.address!, { authToken: `me:${WRONG}` });
  assertEquals(
    lines.filter((line) => line.includes("not let in")).map((line) => line.replace(/:\d+ /, ":PORT ")),
    ['Client 127.0.0.1:PORT is not let in: the token is not that of "me"'],
  );
  assertStrictEquals(lines.join().includes(WRONG), false);
});
