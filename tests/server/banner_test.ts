/** What a server says when it has started: where it listens, what it keeps, who may use it. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { type Address, parseAddress } from "../../lib/base/address.ts";
import { type ServerFacts, serverLines } from "../../lib/server/banner.ts";

function linesOf(facts: Partial<ServerFacts> = {}): string[] {
  const { lines, warnings } = serverLines({
    address: at("127.0.0.1:5"),
    maxSize: 128,
    limitBytes: 2 ** 34,
    isGuess: false,
    ttlMs: 3_600_000,
    renewOnHit: true,
    peers: [],
    cluster: "",
    asks: false,
    isInsecure: false,
    isEncrypted: false,
    isTlsRequired: false,
    wantsCertificate: false,
    hasClients: true,
    hasPeers: true,
    ...facts,
  });
  return [...lines, ...warnings];
}

function at(text: string): Address {
  return parseAddress(text)!;
}

/** What a line says of something. */
function said(word: string, facts: Partial<ServerFacts>): string | undefined {
  const start = `  ${word} `;
  return linesOf(facts).find((line) => line.startsWith(start))?.slice(start.length).trimStart();
}

Deno.test("serverLines() says where, what, how long and for whom when only this machine reaches the server", () => {
  assertEquals(linesOf(), [
    "Server listens on port 5",
    "  address     127.0.0.1:5",
    "  limits      128 entries, and 17,179,869,184 bytes of memory for them; the least recently used leave first",
    "  expiration  after 3600 s without a hit",
    "  clients     any user of this machine, without a token",
  ]);
});

Deno.test("serverLines() says where HTTP is and who may look there, by what the server asks for", () => {
  assertEquals(said("http", {}), undefined);
  const http = (address: string, facts: Partial<ServerFacts> = {}, hasLookers = true) =>
    said("http", { ...facts, http: { address: at(address), hasLookers } })?.replace(
      /^.*metrics for (.*); .healthz.*$/,
      "$1",
    );
  const asks = { asks: true };
  assertEquals(http("unix:/run/http.sock"), "this user's processes only (file mode 600)");
  assertEquals(http("127.0.0.1:9100"), "any user of this machine, without a token");
  assertEquals(http("0.0.0.0:9100", { isInsecure: true }), "anyone who reaches this address, without a token");
  assertEquals(
    http("0.0.0.0:9100", { wantsCertificate: true }),
    "whoever shows a certificate of an authority in TLS_CLIENT_CA",
  );
  assertEquals(http("127.0.0.1:9100", asks), "whoever shows a token with the role reader, client or admin");
  assertEquals(http("127.0.0.1:9100", asks, false), "nobody: no credential has the role reader, client or admin");
  assertEquals(
    http("0.0.0.0:9100", { ...asks, isEncrypted: true }),
    "whoever shows a token with the role reader, client or admin, over TLS",
  );
  const warnings = linesOf({ ...asks, isInsecure: true, http: { address: at("0.0.0.0:9100"), hasLookers: true } });
  assertEquals(warnings.at(-1), "Warning: --insecure: tokens that are shown at 0.0.0.0:9100 can be read on their way.");
});

Deno.test("serverLines() says what a server would do that is only checked", () => {
  assertEquals(linesOf({ isCheck: true }), ["Server would listen on port 5", ...linesOf().slice(1)]);
});

Deno.test("serverLines() names the peers and the cluster when there are any", () => {
  assertEquals([said("peers", {}), said("cluster", {})], [undefined, undefined]);
  const facts = { peers: [at("10.0.0.1:5"), at("[::1]:6")], cluster: "blue" };
  assertEquals([said("peers", facts), said("cluster", facts)], ["10.0.0.1:5, [::1]:6", "blue"]);
});

Deno.test("serverLines() names the file, and whose it is, when the server listens on a unix socket", () => {
  const lines = linesOf({ address: at("unix:/run/c.sock") });
  assertEquals([lines[0], lines[1]], ["Server listens on unix:/run/c.sock", "  address     unix:/run/c.sock"]);
  assertStrictEquals(lines.at(-1), "  clients     this user's processes only (file mode 600)");
});

/** What a server says of who may connect, and its warnings. */
function clientsOf(where: string, facts: Partial<ServerFacts> = {}): string[] {
  const lines = linesOf({ address: at(where), ...facts });
  return lines.slice(lines.findIndex((line) => line.startsWith("  clients")));
}

Deno.test("serverLines() says that everybody may use an insecure server, and warns", () => {
  for (const where of ["0.0.0.0:7", "[::]:7", "10.0.0.1:7", "cache.example.com:7"]) {
    assertEquals(clientsOf(where, { isInsecure: true }), [
      "  clients     anyone who reaches this address, without a token",
      `Warning: --insecure: whoever reaches ${where} may read, change and clear this cache.`,
    ]);
  }
  for (const where of ["localhost:7", "[::1]:7", "unix:/x"]) assertEquals(clientsOf(where).length, 1, where);
});

Deno.test("serverLines() says how whoever has a token may connect, and what others can read", () => {
  const asks = { asks: true };
  for (const where of ["127.0.0.1:7", "unix:/x"]) {
    for (const more of [{}, { isInsecure: true }, { isEncrypted: true }]) {
      assertEquals(clientsOf(where, { ...asks, ...more }), ["  clients     whoever shows a token, in any protocol"]);
    }
  }
  assertEquals(clientsOf("0.0.0.0:7", asks), [
    "  clients     whoever proves to have a token, in the native protocol; memcached's protocols on this machine only",
    "Warning: there is no TLS: what clients of 0.0.0.0:7 store and retrieve can be read and changed on its way.",
  ]);
  assertEquals(clientsOf("0.0.0.0:7", { ...asks, isInsecure: true }), [
    "  clients     whoever shows a token, in any protocol",
    "Warning: --insecure: tokens and what clients of 0.0.0.0:7 store and retrieve can be read on their way.",
  ]);
  assertEquals(clientsOf("0.0.0.0:7", { ...asks, isEncrypted: true }), [
    "  clients     whoever shows a token, in any protocol over TLS, and in the native one without",
  ]);
  for (const isInsecure of [false, true]) {
    assertEquals(clientsOf("0.0.0.0:7", { ...asks, isEncrypted: true, isTlsRequired: true, isInsecure }), [
      "  clients     whoever shows a token, in any protocol over TLS",
    ]);
  }
});

Deno.test("serverLines() says that a certificate is enough when the server wants one and has no credentials", () => {
  const tls = { isEncrypted: true, isTlsRequired: true, wantsCertificate: true };
  for (const where of ["127.0.0.1:7", "0.0.0.0:7"]) {
    assertEquals(clientsOf(where, tls), [
      "  clients     whoever shows a certificate of an authority in TLS_CLIENT_CA",
    ]);
  }
  assertEquals(clientsOf("unix:/x", tls), ["  clients     this user's processes only (file mode 600)"]);
});

Deno.test("serverLines() says why nobody may connect", () => {
  assertEquals(clientsOf("0.0.0.0:7", { asks: true, hasClients: false }), [
    "  clients     none: no credential has the role reader or client, only peers may connect",
  ]);
  const nobody = { asks: true, hasClients: false, hasPeers: false };
  const NONE = "  clients     none: no credential has the role reader or client";
  assertEquals(clientsOf("0.0.0.0:7", nobody), [`${NONE} (lines cert:… count with TLS_CLIENT_CA only)`]);
  assertEquals(clientsOf("0.0.0.0:7", { ...nobody, wantsCertificate: true }), [NONE]);
});

Deno.test("serverLines() names each limit there is, and the largest memory when there is none", () => {
  const limits = (maxSize: number, limitBytes: number) => said("limits", { maxSize, limitBytes })!.split(";")[0];
  assertStrictEquals(limits(1_000_000, 65_536), "1,000,000 entries, and 65,536 bytes of memory for them");
  assertStrictEquals(limits(Infinity, 65_536), "any number of entries, and 65,536 bytes of memory for them");
});

Deno.test("serverLines() says when entries expire, and whether a hit renews them", () => {
  assertStrictEquals(said("expiration", { ttlMs: 1500 }), "after 1.5 s without a hit");
  assertStrictEquals(
    said("expiration", { ttlMs: 90_000, renewOnHit: false }),
    "after 90 s (a hit does not renew it)",
  );
  for (const ttlMs of [0, Infinity]) {
    for (const renewOnHit of [true, false]) {
      assertStrictEquals(said("expiration", { ttlMs, renewOnHit }), "never, unless a client says when");
    }
  }
});

Deno.test("serverLines() lists peers when there are some", () => {
  assertStrictEquals(said("peers", {}), undefined);
  assertStrictEquals(said("peers", { peers: [at("a"), at("[::1]:99")] }), "a:11142, [::1]:99");
});

Deno.test("serverLines() says what entries may take where nothing says how much memory there is", () => {
  assertEquals(said("memory", {}), undefined);
  const line = said("memory", { isGuess: true });
  assertEquals(
    line?.startsWith(
      "entries may take 17,179,869,184 bytes: nothing says how much there is (set CACHE_MAX_BYTES, or option maxBytes, or allow",
    ),
    true,
  );
});

Deno.test("serverLines() says how a large cache is faster where nobody has asked for huge pages", () => {
  const small =
    'small: a large cache is faster with GLIBC_TUNABLES=glibc.malloc.hugetlb=1 (docs/sizing.md, "Huge pages")';
  assertStrictEquals(said("pages", { lacksHugePages: true, maxSize: Infinity }), small);
  assertStrictEquals(said("pages", { lacksHugePages: true, maxSize: 10_000 }), undefined);
  assertStrictEquals(said("pages", { lacksHugePages: true, maxSize: Infinity, limitBytes: 64 * 2 ** 20 }), undefined);
  assertStrictEquals(said("pages", { lacksHugePages: false, maxSize: Infinity }), undefined);
});
