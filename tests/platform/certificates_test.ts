import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { checkedCertificate, letsStrangersIn, readPem } from "../../lib/platform/certificates.ts";
import { TlsAcceptor } from "../../lib/platform/tls_acceptor.ts";
import { Authority, hasOpenssl } from "../support/certificates.ts";

const ignore = !hasOpenssl;
const DAY_MS = 86_400_000;

Deno.test({
  name: "checkedCertificate tells from when to when a pair is valid, also one that has expired",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    for (const days of [20, 1]) {
      const { validFromMs, expiresMs, isDirect } = await checkedCertificate(
        await authority.issue("localhost", { days }),
      );
      assertEquals([expiresMs - validFromMs, isDirect], [days * DAY_MS, true]);
    }
  },
});

Deno.test({
  name: "checkedCertificate says what is wrong with a pair that cannot be used",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const [one, other] = [await authority.issue(), await authority.issue()];
    const ofAuthority = await authority.issue("localhost", { isAuthority: true });
    const cases: [string, string, string][] = [
      ["\n", one.key, "TLS_CERT holds no certificate in PEM"],
      [
        one.cert.slice(0, 300),
        one.key,
        "TLS_CERT holds a certificate of which only a part is there: its end is missing",
      ],
      ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", one.key, "only a part"],
      [one.cert, "", "TLS_KEY is no key in PEM"],
      [one.cert, one.key.slice(0, 100), "TLS_KEY is no key in PEM without a passphrase, or only a part of one"],
      [one.cert, other.key, "TLS_KEY is not the key of the certificate in TLS_CERT"],
      [ofAuthority.cert, ofAuthority.key, "CA:FALSE"],
      [`${one.cert}\n-----BEGIN CERTIFICATE-----\nAAAA`, one.key, "only a part"],
    ];
    for (const [cert, key, reason] of cases) {
      const error = await assertRejects(() => checkedCertificate({ cert, key }), RangeError);
      assertStringIncludes(error.message, reason);
      assert(!error.message.includes("PRIVATE"), error.message);
    }
  },
});

Deno.test({
  name: "letsStrangersIn tells whether a client needs a certificate",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const pair = await authority.issue();
    assertEquals(await letsStrangersIn(new TlsAcceptor(pair)), true);
    assertEquals(await letsStrangersIn(new TlsAcceptor(pair, { clientCa: authority.ca })), false);
  },
});

Deno.test("readPem names the setting of a file that cannot be read", async () => {
  const error = await assertRejects(() => readPem("TLS_KEY", "/none/key.pem"), RangeError);
  assertStringIncludes(error.message, "cannot read TLS_KEY (/none/key.pem): No such file");
});
