import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { ProtocolError } from "../../lib/base/errors.ts";
import {
  fits,
  hmacKey,
  makeVerifier,
  newNonce,
  nobodysVerifier,
  ScramClient,
  ScramServer,
} from "../../lib/platform/scram.ts";
import { formatVerifier, parseVerifier, readClientFirst, type Verifier } from "../../lib/wire/scram.ts";
import { RFC7677 } from "../support/rfc7677.ts";

const OTHER_PROOF = `p=${btoa("x".repeat(32))}`;

/** A server's half for a client's first message. */
function serverFor(clientFirst: string, verifier: Verifier, nonce?: string): ScramServer {
  return new ScramServer(readClientFirst(clientFirst), [verifier], nonce);
}

Deno.test("ScramClient says what the client of RFC 7677 says, and believes that server", async () => {
  const client = new ScramClient({ name: "user", secret: "pencil" }, RFC7677.clientNonce);
  assertStrictEquals(client.first(), RFC7677.clientFirst);
  assertStrictEquals(await client.final(RFC7677.serverFirst), RFC7677.clientFinal);
  assert(client.believes(RFC7677.serverFinal));
});

Deno.test("ScramServer says what the server of RFC 7677 says", async () => {
  const server = serverFor(RFC7677.clientFirst, await makeVerifier("pencil", RFC7677.salt, 4096), RFC7677.serverNonce);
  assertStrictEquals(server.first(), RFC7677.serverFirst);
  assertEquals(await server.final(RFC7677.clientFinal), { which: 0, message: RFC7677.serverFinal });
});

Deno.test("ScramClient and ScramServer agree on each secret, and on a verifier that was written down", async () => {
  for (const secret of ["x", "a secret, with = and ,", "é€".repeat(100), "k".repeat(1000)]) {
    const verifier = parseVerifier(formatVerifier(await makeVerifier(secret)))!;
    assert(await fits(secret, verifier));
    assert(!await fits(`${secret}.`, verifier));
    const client = new ScramClient({ name: "name", secret });
    const server = serverFor(client.first(), verifier);
    const { message } = (await server.final(await client.final(server.first())))!;
    assert(client.believes(message));
  }
});

Deno.test("ScramServer tells which of several secrets of a name a client knows", async () => {
  const salt = new Uint8Array(16);
  const verifiers = [await makeVerifier("old", salt), await makeVerifier("new", salt)];
  for (const [which, secret] of ["old", "new"].entries()) {
    const client = new ScramClient({ name: "name", secret });
    const server = new ScramServer(readClientFirst(client.first()), verifiers);
    const found = (await server.final(await client.final(server.first())))!;
    assertStrictEquals(found.which, which);
    assert(client.believes(found.message));
  }
});

Deno.test("ScramServer takes no proof by another secret, of another exchange, or with another nonce", async () => {
  const verifier = await makeVerifier("right");
  const [wrong, right] = [
    new ScramClient({ name: "name", secret: "wrong" }),
    new ScramClient({ name: "name", secret: "right" }),
  ];
  const server = serverFor(wrong.first(), verifier);
  assertStrictEquals(await server.final(await wrong.final(server.first())), undefined);
  const [one, other] = [serverFor(right.first(), verifier), serverFor(right.first(), verifier)];
  const final = await right.final(one.first());
  assertStrictEquals(await other.final(final), undefined, "a replay");
  const [, otherNonce] = /r=([^,]+)/.exec(other.first())!;
  assertStrictEquals(await other.final(final.replace(/r=[^,]+/, `r=${otherNonce}`)), undefined, "another's proof");
  assertStrictEquals(await one.final(final.replace(/r=[^,]+/, `r=${otherNonce}`)), undefined, "a nonce of another's");
  assertStrictEquals(await one.final(final.replace(/p=.+/, OTHER_PROOF)), undefined, "a proof of nothing");
  assert(await one.final(final) !== undefined);
});

Deno.test("ScramClient does not believe a server that knows a verifier's half, sends back what it got, or says nothing true", async () => {
  const verifier = await makeVerifier("secret");
  const client = new ScramClient({ name: "name", secret: "secret" });
  assert(!client.believes(RFC7677.serverFinal));
  const server = serverFor(client.first(), { ...verifier, serverKey: verifier.storedKey });
  const final = await client.final(server.first());
  const { message } = (await server.final(final))!;
  assert(!client.believes(message));
  assert(!client.believes(`v=${final.slice(final.indexOf("p=") + 2)}`));
  await assertRejects(() => client.final(client.first()), ProtocolError);
  await assertRejects(() => client.final(final), ProtocolError);
});

const KIND = { iterations: 4096, saltBytes: 16 };

Deno.test("nobodysVerifier() is the same for a name, another for another name or server, and no secret fits it", async () => {
  const [key, otherKey] = await Promise.all([1, 2].map((byte) => hmacKey(new Uint8Array(32).fill(byte))));
  const nobody = await nobodysVerifier("name", key, KIND);
  assertEquals(await nobodysVerifier("name", key, KIND), nobody);
  for (const other of [await nobodysVerifier("other", key, KIND), await nobodysVerifier("name", otherKey, KIND)]) {
    assert(formatVerifier(other) !== formatVerifier(nobody));
  }
  assertEquals(parseVerifier(formatVerifier(nobody)), nobody);
  const client = new ScramClient({ name: "name", secret: "secret" });
  const server = serverFor(client.first(), nobody);
  assertStrictEquals(await server.final(await client.final(server.first())), undefined);
});

Deno.test("ScramClient derives a secret once for a server's salt, in one process", async () => {
  const verifier = await makeVerifier("secret of a process");
  const { deriveBits } = crypto.subtle;
  let derived = 0;
  crypto.subtle.deriveBits = (...args: Parameters<typeof deriveBits>) => {
    derived++;
    return deriveBits.apply(crypto.subtle, args);
  };
  try {
    for (let i = 0; i < 3; i++) {
      const client = new ScramClient({ name: `${i}`, secret: "secret of a process" });
      await client.final(serverFor(client.first(), verifier).first());
    }
    assertStrictEquals(derived, 1);
  } finally {
    crypto.subtle.deriveBits = deriveBits;
  }
});

Deno.test("newNonce() is another each time, of letters that SCRAM takes", () => {
  const nonces = Array.from({ length: 100 }, newNonce);
  assertStrictEquals(new Set(nonces).size, 100);
  for (const nonce of nonces) assertStrictEquals(readClientFirst(`n,,n=a,r=${nonce}`).nonce, nonce);
});
