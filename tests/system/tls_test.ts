/** Encrypted connections of clients and peers, of this project and of others, in every protocol. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { ClientOptions } from "../../mod.ts";
import { Authority, hasOpenssl } from "../support/certificates.ts";
import { portOf } from "../support/ports.ts";
import { reportingClient, startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const ignore = !hasOpenssl;
const utf8 = new TextEncoder();
const text = new TextDecoder();

function client(address: string, tls: ClientOptions["tls"]) {
  return reportingClient([address], { tls });
}

Deno.test({
  name: "a client stores and retrieves values of any size over TLS, and one without TLS finds them on the same port",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    await using server = await startedServer({ maxBytes: 2 ** 26, tls: await authority.files() });
    const { client: encrypted, errors } = client(server.address!, { caCerts: [authority.ca] });
    await using one = encrypted;
    const values = [0, 100, 5000, 16_384, 100_000, 3_000_000].map((size) => new Uint8Array(size).fill(size % 251));
    const stored = await Promise.all(values.map((value, i) => one.store(`key${i}`, value)));
    assertEquals(stored, values.map(() => true));
    for (const [i, value] of values.entries()) assertEquals(await one.retrieve(`key${i}`), value);
    await using plain = reportingClient([server.address!]).client;
    assertEquals(await plain.retrieve("key1"), values[1]);
    assertEquals(errors, []);
    const { tlsHandshakes, tlsFailures, certificateExpiresMs } = server.stats();
    assertEquals([tlsHandshakes, tlsFailures], [1, 0]);
    assert(certificateExpiresMs > Date.now());
  },
});

Deno.test({
  name: "a client says in words why it does not believe a server, or is not believed",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    await using stranger = await Authority.make();
    await using server = await startedServer({ tls: await authority.files() });
    await using strict = await startedServer({ tls: { ...await authority.files(), clientCaFile: authority.caFile } });
    await using plain = await startedServer();
    const [ca, other] = [{ caCerts: [authority.ca] }, { caCerts: [stranger.ca] }];
    const { cert, key } = await stranger.issue();
    const cases: [string, ClientOptions["tls"], string][] = [
      [server.address!, true, "of no authority that this process believes"],
      [server.address!, other, "of no authority that this process believes"],
      [server.address!, { ...ca, serverName: "other.example" }, "is not for other.example"],
      [server.address!, { ...ca, serverName: "other.example", cert, key }, "is not for other.example"],
      [server.address!, { ...other, cert, key }, "of no authority that this process believes"],
      [strict.address!, ca, "requires a certificate of this process"],
      [plain.address!, ca, "does not speak TLS"],
      [plain.address!, { ...ca, cert, key }, "does not speak TLS"],
    ];
    for (const [address, tls, words] of cases) {
      const { client: doubtful, errors } = client(address, tls);
      await using one = doubtful;
      assertEquals(await one.store("key", 1), false);
      assertStringIncludes(errors[0]?.message ?? "no error", words);
    }
    const { client: unencrypted, errors } = reportingClient([strict.address!]);
    await using one = unencrypted;
    assertEquals(await one.store("key", 1), false);
    assertStringIncludes(errors[0].message, "takes connections with TLS only");
  },
});

Deno.test({
  name: "a server with an authority for clients takes those that show its certificate",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    await using server = await startedServer({ tls: { ...await authority.files(), clientCaFile: authority.caFile } });
    const { cert, key } = await authority.issue("alice");
    const { client: known, errors } = client(server.address!, { caCerts: [authority.ca], cert, key });
    await using one = known;
    assertEquals(await one.store("key", [1, 2, 3]), true);
    assertEquals(await one.retrieve("key"), [1, 2, 3]);
    assertEquals(errors, []);
  },
});

Deno.test({
  name: "a certificate gives its name the roles of its lines, until they are withdrawn",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const authFile = `${authority.folder}/credentials`;
    const write = (lines: string) => Deno.writeTextFile(authFile, lines, { mode: 0o600 });
    await write("cert:alice:reader\ncert:bob:client\n");
    const tls = { ...await authority.files(), clientCaFile: authority.caFile };
    await using server = await startedServer({ listen: "0.0.0.0:0", tls, authFile });
    const address = `127.0.0.1:${portOf(server.address!)}`;
    const who = async (name: string) => {
      const { cert, key } = await authority.issue(name);
      return client(address, { caCerts: [authority.ca], cert, key });
    };
    const [{ client: reader, errors }, bob, carol] = await Promise.all(["alice", "bob", "carol"].map(who));
    await using alice = reader;
    await using one = bob.client;
    await using two = carol.client;
    assertEquals(await one.store("key", 1), true);
    assertEquals(await alice.retrieve("key"), 1);
    assertEquals(await alice.store("key", 2), false);
    assertStringIncludes(errors[0].message, "not allowed for role reader");
    assertEquals(await two.retrieve("key"), undefined);
    assertStringIncludes(carol.errors[0].message, "wants to know who connects");
    await write("cert:bob:client\n");
    assertEquals(await server.reload(), 4); // three for TLS
    await until("her connection ends", () => server.stats().connectionsWithdrawn === 1);
    assertEquals(await alice.retrieve("key"), undefined);
    assertEquals(await one.retrieve("key"), 1);
  },
});

Deno.test({
  name: "a server that others can reach starts without credentials when it wants certificates of everybody",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const tls = { ...await authority.files(), clientCaFile: authority.caFile };
    await using _server = await startedServer({ listen: "0.0.0.0:0", tls });
    const open = () => startedServer({ listen: "0.0.0.0:0", tls: { ...tls, clientCaFile: undefined, required: true } });
    await assertRejects(open, RangeError, "could read, change and clear this cache");
  },
});

Deno.test({
  name: "peers share entries over TLS, with a certificate of their own where it is required",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    for (const clientCaFile of [undefined, authority.caFile]) {
      const options = { caFile: authority.caFile, clientCaFile };
      await using one = await startedServer({ tls: { ...await authority.files(), ...options } });
      const peers = [one.address!];
      await using other = await startedServer({ peers, tls: { ...await authority.files(), ...options } });
      await until("they are connected", () => other.stats().peers[0].state === "connected");
      await one.cache.store("large", new Uint8Array(500_000).fill(7));
      await until("it arrives", () => other.cache.has("large"));
      assertEquals(one.stats().tlsHandshakes, 1);
      assertEquals(await other.cache.retrieve("large"), new Uint8Array(500_000).fill(7));
    }
  },
});

/** Talks to a server in bytes over TLS. */
async function talk(port: number, ca: string, request: Uint8Array, isEnough: (reply: Uint8Array) => boolean) {
  const socket = await Deno.connect({ hostname: "127.0.0.1", port });
  const conn = await Deno.startTls(socket, { hostname: "localhost", caCerts: [ca] });
  try {
    await conn.write(request);
    let reply = new Uint8Array(0);
    const space = new Uint8Array(65_536);
    while (!isEnough(reply)) {
      const count = await conn.read(space);
      if (count === null) break;
      reply = Uint8Array.of(...reply, ...space.subarray(0, count));
    }
    return reply;
  } finally {
    conn.close();
  }
}

Deno.test({
  name: "memcached's protocols are spoken over TLS, and TLS over TLS is not",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    await using server = await startedServer({ tls: { ...await authority.files(), required: true } });
    const port = portOf(server.address!);
    const ask = (request: Uint8Array, bytes: number) =>
      talk(port, authority.ca, request, (reply) => reply.length >= bytes);
    const stored = await ask(utf8.encode("set a 5 0 3\r\nabc\r\n"), 8);
    assertEquals(text.decode(stored), "STORED\r\n");
    assertEquals(text.decode(await ask(utf8.encode("mg a v f\r\n"), 14)), "VA 3 f5\r\nabc\r\n");
    const binary = new Uint8Array(25);
    binary.set([0x80, 0, 0, 1]);
    binary[11] = 1;
    binary[24] = "a".charCodeAt(0);
    const reply = await ask(binary, 31);
    assertEquals([reply[0], reply[7], text.decode(reply.subarray(28))], [0x81, 0, "abc"]);
    const twice = await ask(Uint8Array.of(0x16, 3, 1), 10_000);
    assertStringIncludes(text.decode(twice), "TLS is not spoken here");
  },
});

Deno.test({
  name: "a server that wants TLS says so in the words of each protocol",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    await using server = await startedServer({ tls: { ...await authority.files(), required: true } });
    for (
      const [request, words] of [
        [utf8.encode("get a\r\n"), /^ERROR TLS is required\r\n$/],
        [Uint8Array.of(0x80, 0, 0, 1, ...new Uint8Array(20)), /TLS is required$/],
        [Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0), /tls-required/],
      ] as const
    ) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: portOf(server.address!) });
      await conn.write(request);
      const space = new Uint8Array(1000);
      const count = await conn.read(space);
      assert(words.test(text.decode(space.subarray(0, count ?? 0))), text.decode(space.subarray(0, count ?? 0)));
      assertEquals(await conn.read(space), null);
      conn.close();
    }
  },
});

Deno.test({
  name: "a unix socket needs no TLS, though the server wants it",
  ignore: ignore || Deno.build.os === "windows",
  fn: async () => {
    await using authority = await Authority.make();
    const listen = `unix:${authority.folder}/cache.sock`;
    await using _server = await startedServer({ listen, tls: { ...await authority.files(), required: true } });
    const { client: one } = client(listen, { caCerts: [authority.ca] });
    await using near = one;
    assertEquals(await near.store("key", 1), true);
  },
});

Deno.test({
  name: "a server without a certificate that can be used does not start, and says why",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const pair = await authority.files();
    const { certFile, keyFile } = await authority.issue("localhost", { isAuthority: true });
    for (
      const [tls, words] of [
        [{ certFile: pair.certFile, keyFile }, "is not the key of"],
        [{ certFile, keyFile }, "CA:FALSE"],
        [{ ...pair, keyFile: "/none" }, "cannot read TLS_KEY (/none)"],
        [{ ...pair, clientCaFile: pair.keyFile }, "TLS_CLIENT_CA holds no certificate"],
        [{ ...pair, caFile: "/none" }, "cannot read TLS_CA (/none)"],
      ] as const
    ) {
      const error = await assertRejects(() => startedServer({ tls }));
      assertStringIncludes((error as Error).message, `Cannot start server: `);
      assertStringIncludes((error as Error).message, words);
    }
  },
});
