import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { parseToken } from "../../lib/base/token.ts";
import { makeVerifier } from "../../lib/platform/scram.ts";
import { readAuthFile } from "../../lib/server/auth_file.ts";
import { Credentials } from "../../lib/server/credentials.ts";
import { formatVerifier } from "../../lib/wire/scram.ts";
import { LoginTalk } from "../support/login.ts";

function credentialsOf(...lines: string[]): Credentials {
  const credentials = new Credentials();
  credentials.replace(readAuthFile(lines.join("\n")));
  return credentials;
}

async function check(credentials: Credentials, name: string, secret: string): Promise<readonly string[] | undefined> {
  return (await credentials.check(name, secret))?.roles;
}

Deno.test("readAuthFile() reads names, roles, secrets, verifiers and certificates", async () => {
  const verifier = await makeVerifier("secret-of-web");
  const text = `# who may connect\r\n\r\n  a:reader:12345678 \nb:client, admin:${"x".repeat(256)}
web:client:${formatVerifier(verifier)}\ncert:CN=one, O=two: three:peer\ncert:spiffe://x/y:reader`;
  assertEquals(readAuthFile(text), [
    { name: "a", roles: ["reader"], secret: "12345678" },
    { name: "b", roles: ["client", "admin"], secret: "x".repeat(256) },
    { name: "web", roles: ["client"], verifier },
    { name: "CN=one, O=two: three", roles: ["peer"], isCertificate: true },
    { name: "spiffe://x/y", roles: ["reader"], isCertificate: true },
  ]);
});

const BAD: Record<string, string> = {
  "it has no line that names anybody": "\n# nobody\n",
  "line 2: it must be name:role:secret, name:role:SCRAM-SHA-256$… or cert:name:role": "# x\nSECRETSECRET",
  "line 1: a name has 1 to 64 letters, digits, and characters of ._@-": ":client:SECRETSECRET",
  "line 1: the role must be reader, client, peer, admin, or several with commas between": "a:root:SECRETSECRET",
  "line 1: a secret has 8 to 256 characters of ASCII, without spaces and colons": "a:client:SECRET:SECRET",
  "line 1: the verifier cannot be read": "a:client:SCRAM-SHA-256$4096:SECRET",
  "line 1: a certificate's line must be cert:name:role": "cert:SECRET",
};

for (const [message, text] of Object.entries(BAD)) {
  Deno.test(`readAuthFile() says "${message}", and no secret`, () => {
    const error = assertThrows(() => readAuthFile(text), RangeError);
    assertEquals([error.message, Deno.inspect(error).includes("SECRET")], [message, false]);
  });
}

Deno.test("readAuthFile() refuses every line with characters that no name, role or secret has", () => {
  for (const line of ["a b:client:12345678", "a:client:1234567", `a:client:${"x".repeat(257)}`, "a:client:1234 5678"]) {
    assertThrows(() => readAuthFile(line), RangeError, "line 1");
  }
  for (const line of ["a:client:12345678é", "a:client:1234\u00005678", "a:client", "a::12345678", "cert::client"]) {
    assertThrows(() => readAuthFile(line), RangeError, "line 1");
  }
});

Deno.test("readAuthFile() takes several secrets of a name, but a verifier alone", async () => {
  const verifier = formatVerifier(await makeVerifier("secret-of-web"));
  assertEquals(readAuthFile("a:client:12345678\na:client:23456789").length, 2);
  assertEquals(readAuthFile(`a:client:12345678\nb:client:${verifier}\ncert:b:peer`).length, 3);
  for (const other of ["a:client:12345678", `a:reader:${verifier}`]) {
    for (const lines of [[other, `a:client:${verifier}`], [`a:client:${verifier}`, other]]) {
      assertThrows(() => readAuthFile(lines.join("\n")), RangeError, "line 2: a name with a verifier");
    }
  }
});

Deno.test("check() takes a secret, one of several, and one that a verifier was made of", async () => {
  const verifier = formatVerifier(await makeVerifier("secret-of-ops"));
  const credentials = credentialsOf("web:client:secret-one", "web:reader:secret-two", `ops:admin:${verifier}`);
  assertEquals(await check(credentials, "web", "secret-one"), ["client"]);
  assertEquals(await check(credentials, "web", "secret-two"), ["reader"]);
  for (let times = 0; times < 3; times++) {
    assertEquals(await check(credentials, "ops", "secret-of-ops"), ["admin"]);
    for (const secret of ["secret-of-op", "secret-of-opsx", "", "secret-one", verifier]) {
      assertEquals(await check(credentials, "ops", secret), undefined, secret);
    }
  }
  for (const name of ["ops", "", "default", "nobody", "__proto__"]) {
    assertEquals(await check(credentials, name, "secret-one"), undefined, name);
  }
});

Deno.test("a name is looked at as soon as one credential has one", async () => {
  const credentials = credentialsOf("default:client:secret-one", "default:peer:secret-two");
  assertEquals(await check(credentials, "anybody", "secret-one"), ["client"]);
  assertEquals(await check(credentials, "anybody", "secret-two"), ["peer"]);
  credentials.replace(readAuthFile("default:client:secret-one\nweb:client:secret-web"));
  assertEquals(await check(credentials, "anybody", "secret-one"), undefined);
  assertEquals(await check(credentials, "default", "secret-one"), ["client"]);
});

Deno.test("lines of one name and one secret are one credential, with the roles of all", async () => {
  const credentials = credentialsOf("a:reader:secret-of-a", "a:client:secret-of-a", "a:peer,reader:secret-of-a");
  assertEquals(await check(credentials, "a", "secret-of-a"), ["reader", "client", "peer"]);
  const talk = new LoginTalk("a:reader:secret-of-a\na:client:secret-of-a\na:admin:secret-two");
  await talk.login({ name: "a", secret: "secret-of-a" });
  assertEquals(talk.access.roles, ["reader", "client"]);
  const [before] = credentials.ofName("a");
  credentials.replace(readAuthFile("a:client:secret-of-a"));
  assertEquals([before.isGone, await check(credentials, "a", "secret-of-a")], [true, ["client"]]);
});

Deno.test("a name has the salt of its verifier for all its secrets, though these come from elsewhere", async () => {
  const credentials = new Credentials();
  const verifier = await makeVerifier("secret-two", new Uint8Array(24).fill(7), 5000);
  const lines = [
    { name: "a", roles: ["peer"], secret: "secret-one" } as const,
    { name: "a", roles: ["peer"], verifier } as const,
  ];
  for (const order of [lines, lines.toReversed()]) {
    credentials.replace(order);
    const { verifiers } = await credentials.proving("a");
    const one = await makeVerifier("secret-one", verifier.salt, 5000);
    assertEquals(verifiers, order === lines ? [one, verifier] : [verifier, one]);
  }
  credentials.replace([lines[0]]);
  const [{ iterations, salt }] = (await credentials.proving("a")).verifiers;
  assertEquals([iterations, salt.length], [4096, 16]);
});

Deno.test("a name that nobody has looks like those that somebody has, whatever their verifiers look like", async () => {
  const verifierOf = async (saltBytes: number, iterations: number) =>
    formatVerifier(await makeVerifier("secret", new Uint8Array(saltBytes).fill(1), iterations));
  const [one, other] = [await verifierOf(24, 5000), await verifierOf(64, 4096)];
  const looks = async (...lines: string[]) => {
    const credentials = credentialsOf(...lines);
    const found = new Set<string>();
    for (let i = 0; i < 64; i++) {
      const [{ salt, iterations }] = (await credentials.proving(`nobody${i}`)).verifiers;
      found.add(`${salt.length} ${iterations}`);
      assertEquals((await credentials.proving(`nobody${i}`)).verifiers[0].salt, salt);
    }
    return [...found].sort();
  };
  assertEquals(await looks("a:client:secret-a"), ["16 4096"]);
  assertEquals(await looks(`a:client:${one}`, "cert:c:peer"), ["24 5000"]);
  assertEquals(await looks(`a:client:${one}`, `b:client:${other}`, "c:client:secret-c"), [
    "16 4096",
    "24 5000",
    "64 4096",
  ]);
  assertEquals(await looks("cert:c:peer"), ["16 4096"]);
});

Deno.test("a secret costs as many derivations for a name that nobody has as for one with a verifier", async () => {
  const verifier = formatVerifier(await makeVerifier("secret-of-ops"));
  const [known, plain] = [credentialsOf(`ops:admin:${verifier}`), credentialsOf("web:client:secret-web")];
  const derivations = async (credentials: Credentials, name: string, secret: string) => {
    using calls = spyOn(crypto.subtle, "deriveBits");
    await credentials.check(name, secret);
    return calls.count;
  };
  assertEquals(await derivations(known, "ops", "secret-wrong"), 1);
  assertEquals(await derivations(known, "nobody", "secret-wrong"), 1);
  assertEquals(await derivations(known, "ops", "secret-of-ops"), 1);
  assertEquals(await derivations(known, "ops", "secret-of-ops"), 0);
  assertEquals([await derivations(plain, "web", "secret-wrong"), await derivations(plain, "nobody", "secret-wrong")], [
    0,
    0,
  ]);
});

/** Counts the calls of a method until it is disposed of. */
function spyOn<K extends string>(
  target: Record<K, (...args: never[]) => unknown>,
  name: K,
): Disposable & { count: number } {
  const original = target[name];
  const spy = { count: 0, [Symbol.dispose]: () => void (target[name] = original) };
  target[name] = (...args) => {
    spy.count++;
    return original.apply(target, args);
  };
  return spy;
}

Deno.test("names of certificates are apart from others", async () => {
  const credentials = credentialsOf("cert:web:peer", "default:client:secret-one");
  assertEquals(credentials.ofCertificate("web").map(({ roles }) => roles), [["peer"]]);
  assertEquals(credentials.ofCertificate("default"), []);
  assertEquals(await check(credentials, "web", "secret-one"), ["client"]);
  for (
    const [role, isThere, isThereByToken] of [["peer", true, false], ["client", true, true], [
      "admin",
      false,
      false,
    ]] as const
  ) {
    assertEquals([credentials.hasRole(role, true), credentials.hasRole(role, false)], [isThere, isThereByToken]);
  }
});

Deno.test("replace() leaves alone what has not changed, and tells of what is gone", async () => {
  const credentials = credentialsOf("a:client:secret-a", "b:client:secret-b", "cert:c:peer");
  let told = 0;
  const end = credentials.onGone(() => told++);
  const [a, b, c] = [credentials.ofName("a")[0], credentials.ofName("b")[0], credentials.ofCertificate("c")[0]];
  credentials.replace(readAuthFile("d:reader:secret-d\ncert:c:peer\nb:client:secret-b\na:client:secret-a"));
  assertEquals([told, a.isGone, b.isGone, c.isGone], [0, false, false, false]);
  assertStrictEquals(credentials.ofName("a")[0], a);
  credentials.replace(readAuthFile("a:reader:secret-a\nb:client:secret-x\nb:client:secret-b"));
  assertEquals([told, a.isGone, b.isGone, c.isGone], [1, true, false, true]);
  assertEquals(credentials.ofName("a")[0] === a, false);
  credentials.replace([]);
  assertEquals([told, b.isGone, credentials.isRequired, await check(credentials, "b", "secret-b")], [
    2,
    true,
    true,
    undefined,
  ]);
  end();
});

Deno.test("nothing that prints credentials prints a secret", async () => {
  const credentials = credentialsOf("a:client:secret-of-a");
  await check(credentials, "a", "secret-of-a");
  for (const what of [credentials, credentials.ofName("a")]) {
    const text = Deno.inspect(what, { depth: 10, showHidden: true }) + JSON.stringify(what);
    assertEquals(text.includes("secret-of-a"), false, text);
  }
});

Deno.test("parseToken() reads a secret, with a name or without", () => {
  assertEquals(parseToken("12345678"), { name: "default", secret: "12345678" });
  assertEquals(parseToken("web:12345678"), { name: "web", secret: "12345678" });
  for (const text of ["", "1234567", "web:", ":12345678", "a:b:12345678", "web:1234 5678", "wéb:12345678"]) {
    assertEquals(parseToken(text), undefined, text);
  }
});
