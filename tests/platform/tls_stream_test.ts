import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { pipe } from "../../lib/platform/pipe.ts";
import { TlsAcceptor } from "../../lib/platform/tls_acceptor.ts";
import { secured } from "../../lib/platform/tls_connector.ts";
import type { TlsStream, TlsStreamOptions } from "../../lib/platform/tls_stream.ts";
import { Authority, hasOpenssl } from "../support/certificates.ts";

const NOTHING = new Uint8Array(0);
const ignore = !hasOpenssl;

/** Counts the memory that a stream says it takes. */
class Account {
  bytes = 0;
  most = 0;
  changed(bytes: number): void {
    this.bytes += bytes;
    this.most = Math.max(this.most, this.bytes);
  }
}

/** Both ends of an encrypted connection. */
async function connected(
  authority: Authority,
  { account, isDirect, subject, names }: TlsStreamOptions & { subject?: string; names?: string } = {},
): Promise<{ client: TlsStream; server: TlsStream }> {
  const [near, far] = pipe();
  const acceptor = new TlsAcceptor(await authority.issue(subject, { names }), { isDirect });
  const accepting = acceptor.accept(far, NOTHING, account);
  const client = await secured(near, "localhost", { caCerts: [authority.ca] });
  return { client, server: await accepting };
}

async function readAll(stream: TlsStream, spaceBytes: number): Promise<Uint8Array> {
  const parts: number[] = [];
  const space = new Uint8Array(spaceBytes);
  for (let count = await stream.read(space); count !== null; count = await stream.read(space)) {
    for (let i = 0; i < count; i++) parts.push(space[i]);
  }
  return Uint8Array.from(parts);
}

async function writeAndEnd(stream: TlsStream, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await stream.write(bytes.subarray(at));
  await stream.closeWrite();
}

for (const isDirect of [true, false]) {
  const way = isDirect ? "past node's streams" : "through node's streams";
  Deno.test({
    name: `TlsStream ${way} carries any number of bytes both ways, and their end`,
    ignore,
    fn: async () => {
      await using authority = await Authority.make();
      for (const size of [0, 1, 100, 2047, 2048, 16_384, 16_385, 50_000, 300_000]) {
        const account = new Account();
        const { client, server } = await connected(authority, { account, isDirect });
        assertEquals(server.isDirect, isDirect);
        const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) % 256);
        const [arrived] = await Promise.all([readAll(server, 4096), writeAndEnd(client, bytes)]);
        assertEquals(arrived, bytes);
        const [answered] = await Promise.all([readAll(client, 70_000), writeAndEnd(server, bytes)]);
        assertEquals(answered, bytes);
        client.close();
        server.close();
        assertEquals(account.bytes, 0);
      }
    },
  });

  Deno.test({
    name: `TlsStream ${way} keeps little for who does not read, and counts it`,
    ignore,
    fn: async () => {
      await using authority = await Authority.make();
      const account = new Account();
      const { client, server } = await connected(authority, { account, isDirect });
      let written = 0;
      const writing = (async () => {
        for (; written < 100; written++) await client.write(new Uint8Array(16 * 1024));
      })();
      for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setTimeout(resolve, 0));
      assert(written <= 5, `${written} writes were taken, and nothing was read`);
      const space = new Uint8Array(100);
      for (let reads = 0; reads < 1000; reads++) await server.read(space);
      assert(account.most > 1000 && account.most < 200_000, `${account.most} bytes were counted`);
      server.close();
      client.close();
      await writing.catch(() => {});
      assertEquals(account.bytes, 0);
    },
  });
}

Deno.test({
  name: "TlsStream knows the names in the certificate of the other side",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const { client, server } = await connected(authority, {
      subject: "cache",
      names: ",DNS:cache.example,URI:spiffe://x",
    });
    assertEquals(client.peerNames, ["cache", "localhost", "cache.example"]);
    assertEquals(server.peerNames, []);
    client.close();
    server.close();
  },
});

Deno.test({
  name: "TlsStream takes no part of a name in a certificate for another name",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const names = ",dirName:of-alice\n[of-alice]\nO=Alice, DNS:ops";
    const { client, server } = await connected(authority, { subject: "cache", names });
    assertEquals(client.peerNames, ["cache", "localhost"]);
    client.close();
    server.close();
  },
});

Deno.test({
  name: "TlsAcceptor with authorities lets in who shows a certificate of one of them, and nobody else",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    await using stranger = await Authority.make();
    const acceptor = new TlsAcceptor(await authority.issue(), { clientCa: authority.ca });
    for (const [by, isLetIn] of [[authority, true], [stranger, false], [undefined, false]] as const) {
      const [near, far] = pipe();
      const { cert, key } = await by?.issue("alice") ?? {};
      const accepting = acceptor.accept(far, NOTHING).then((stream) => stream, () => undefined);
      const client = await secured(near, "localhost", { caCerts: [authority.ca], cert, key }).catch(() => undefined);
      const accepted = await accepting;
      assertEquals(accepted?.peerNames[0], isLetIn ? "alice" : undefined);
      if (!isLetIn) {
        await assertRejects(async () => await client?.read(new Uint8Array(1)) ?? Promise.reject(Error("refused")));
      }
      client?.close();
      accepted?.close();
      near.close();
    }
  },
});

Deno.test({
  name: "TlsAcceptor is told why there is no agreement, and says it to the other side",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const acceptor = new TlsAcceptor(await authority.issue());
    const hello = "16030100" + "50" + "0100004c0302"; // TLS 1.1 at most
    const [near, far] = pipe();
    const accepting = acceptor.accept(far, Uint8Array.from(hello.match(/../g)!, (hex) => parseInt(hex, 16)));
    accepting.catch(() => {});
    const space = new Uint8Array(100);
    await near.write(new Uint8Array(80));
    const count = await near.read(space);
    assertEquals([space[0], count], [0x15, 7], "an alert");
    near.close();
    await assertRejects(() => accepting, Error);
  },
});

Deno.test({
  name: "TlsAcceptor ends a connection that sends no handshake but bytes",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const acceptor = new TlsAcceptor(await authority.issue());
    // A record of 16 KiB that says it is a part of a handshake's message of 16 MB, again and again.
    const [near, far] = pipe();
    const record = new Uint8Array(5 + 16_384);
    record.set([0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff]);
    const accepting = acceptor.accept(far, NOTHING);
    accepting.catch(() => near.close());
    for (let i = 0; i < 20; i++) await near.write(record).catch(() => {});
    const error = await assertRejects(() => accepting, Error);
    assertStringIncludes(error.message, "encrypted bytes without content");
  },
});
