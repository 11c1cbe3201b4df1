/** Settings for TLS and certificates: what they become together, and which are refused alone. */

import { assertEquals, assertStrictEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { clientOptions, ConfigError, serverOptions, type Settings } from "../../lib/base/settings.ts";

function settings(texts: Record<string, string>, from = "environment"): Settings {
  return new Map(Object.entries(texts).map(([name, text]) => [name, { text, from }]));
}

Deno.test("clientOptions() encrypts when TLS says so, or TLS_CA is given and TLS does not say otherwise", () => {
  const filesOf = (texts: Record<string, string>) => clientOptions(settings({ SERVER_HOST: "a", ...texts })).tlsFiles;
  const none = { caFile: undefined, certFile: undefined, keyFile: undefined };
  assertEquals(filesOf({ TLS: "yes" }), none);
  assertEquals(filesOf({ TLS_CA: "/ca" }), { ...none, caFile: "/ca" });
  assertEquals(filesOf({ TLS: "no", TLS_CA: "/ca" }), undefined);
  assertEquals(filesOf({ TLS_CERT: "/c", TLS_KEY: "/k" }), undefined);
  assertEquals(clientOptions(settings({ TLS: "yes" })).tlsFiles, undefined);
});

Deno.test("clientOptions() and serverOptions() refuse settings for TLS that are of no use alone", () => {
  const cases: [Record<string, string>, string, typeof serverOptions | undefined][] = [
    [{ TLS_CERT: "/c" }, "Cannot use TLS_CERT (environment): it needs TLS_KEY beside it", undefined],
    [{ TLS_KEY: "/k" }, "Cannot use TLS_KEY (environment): it needs TLS_CERT beside it", undefined],
    ...["TLS", "TLS_CA", "TLS_CLIENT_CA"].map((name): [Record<string, string>, string, typeof serverOptions] => [
      { [name]: "1" },
      `Cannot use ${name} (environment): a server needs TLS_CERT and TLS_KEY, or ACME_HOST, beside it`,
      serverOptions,
    ]),
    ...["ACME_EMAIL", "ACME_DIRECTORY", "ACME_FOLDER", "ACME_LISTEN_ON"].map((
      name,
    ): [Record<string, string>, string, typeof serverOptions] => [
      { [name]: name === "ACME_DIRECTORY" ? "https://a/" : name === "ACME_LISTEN_ON" ? "80" : "a@b" },
      `Cannot use ${name} (environment): it needs ACME_HOST beside it`,
      serverOptions,
    ]),
    [
      { ACME_HOST: "a.example.com", TLS_CERT: "/c", TLS_KEY: "/k" },
      "Cannot use ACME_HOST (environment) beside TLS_CERT (environment): a server has one certificate",
      serverOptions,
    ],
  ];
  for (const [texts, message, only] of cases) {
    for (const read of only === undefined ? [clientOptions, serverOptions] : [only]) {
      const found = settings({ SERVER_HOST: "a", ...texts });
      assertStrictEquals(assertThrows(() => read(found), ConfigError).message, message);
    }
  }
  assertEquals(serverOptions(settings({ TLS: "false" })).tls, undefined);
});

Deno.test("serverOptions() takes what an ACME authority needs to know, and refuses what cannot be", () => {
  const good = {
    ACME_HOST: "cache.example.com",
    ACME_EMAIL: "ops@example.com",
    ACME_DIRECTORY: "https://localhost:14000/dir",
    ACME_FOLDER: "/var/lib/acme",
    ACME_LISTEN_ON: "[::]:8080",
  };
  const [host, email, directory, folder, listen] = Object.values(good);
  const none = { certFile: undefined, keyFile: undefined, caFile: undefined, clientCaFile: undefined };
  const tls = { ...none, required: undefined, acme: { host, email, directory, folder, listen } };
  assertEquals(serverOptions(settings(good)).tls, tls);
  const bad = {
    ACME_HOST: ["127.0.0.1", "::1", "*.example.com", "a/b", "../a", "-a.example.com", "a..b", `${"a".repeat(64)}.com`],
    ACME_EMAIL: ["ops", "a b@c"],
    ACME_DIRECTORY: ["http://localhost/dir", "localhost", "file:///etc"],
    ACME_LISTEN_ON: ["unix:/path", "70000", "a b"],
  };
  for (const [name, texts] of Object.entries(bad)) {
    for (const text of texts) {
      const read = () => serverOptions(settings({ ...good, [name]: text }));
      assertStringIncludes(assertThrows(read, ConfigError).message, `Cannot use ${name} (environment): it must be`);
    }
  }
});
