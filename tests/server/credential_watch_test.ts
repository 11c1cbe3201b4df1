import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type CredentialOptions, credentialSources } from "../../lib/server/credential_sources.ts";
import { CredentialWatch } from "../../lib/server/credential_watch.ts";
import { Credentials } from "../../lib/server/credentials.ts";
import { until } from "../support/waiting.ts";

interface Fixture extends AsyncDisposable {
  readonly watch: CredentialWatch;
  readonly credentials: Credentials;
  readonly lines: string[];
  readonly files: Map<string, string | Error>;
  tokens: number;
  /** What the roles of a secret are; "none" of one that is not good. */
  rolesOf(secret: string, name?: string): Promise<string>;
}

/** A watch over files of the test's own. */
function watching(options: CredentialOptions, texts: Record<string, string>, isReadableByAll = false): Fixture {
  const [credentials, lines] = [new Credentials(), [] as string[]];
  const files = new Map<string, string | Error>(Object.entries(texts));
  const read = (path: string) => {
    const text = files.get(path) ?? new Error("there is no such file");
    return typeof text === "string" ? Promise.resolve({ text, isReadableByAll }) : Promise.reject(text);
  };
  const watch = new CredentialWatch({
    sources: credentialSources(options, false),
    credentials,
    log: (line) => lines.push(line),
    onToken: () => fixture.tokens++,
    read,
  });
  const rolesOf = async (secret: string, name = "web") => `${(await credentials.check(name, secret))?.roles ?? "none"}`;
  const fixture: Fixture = {
    ...{ watch, credentials, lines, files, tokens: 0, rolesOf },
    [Symbol.asyncDispose]: () => watch.stop(),
  };
  return fixture;
}

Deno.test("a token has the roles client, peer and admin, and one for peers that role", async () => {
  for (const peer of [{ peerToken: "mesh:secret-mesh" }, { peerTokenFile: "/p" }]) {
    for (const token of [{ authToken: "web:secret-web" }, { authTokenFile: "/t" }]) {
      await using fixture = watching({ ...token, ...peer }, { "/t": "web:secret-web\n", "/p": "mesh:secret-mesh\r\n" });
      await fixture.watch.start();
      assertEquals(await fixture.rolesOf("secret-web"), "client,peer,admin");
      assertEquals(await fixture.rolesOf("secret-mesh", "mesh"), "peer");
      assertEquals(fixture.watch.token, { name: "mesh", secret: "secret-mesh" });
    }
  }
});

Deno.test("a server shows its peers the token for them, else that of everybody, else none", async () => {
  const tokenOf = async (options: CredentialOptions) => {
    await using fixture = watching(options, { "/t": "token-in-file\n", "/a": "a:peer:secret-of-a" });
    await fixture.watch.start();
    return fixture.watch.token?.secret;
  };
  assertEquals(await tokenOf({ authToken: "token-given", authFile: "/a" }), "token-given");
  assertEquals(await tokenOf({ authTokenFile: "/t" }), "token-in-file");
  assertEquals(await tokenOf({ authTokenFile: "/t", peerToken: "token-peer" }), "token-peer");
  assertEquals(await tokenOf({ authFile: "/a" }), undefined);
  assertEquals(await tokenOf({}), undefined);
});

Deno.test("credentialSources() refuses what excludes itself, what is no token, and peers with nothing to show to them", () => {
  const fails = (options: CredentialOptions, words: string, hasPeers = false) => {
    const { message } = assertThrows(() => credentialSources(options, hasPeers), RangeError, words);
    assertEquals(message.includes("SECRET"), false, message);
  };
  fails({ authToken: "SECRETSECRET", authTokenFile: "/t" }, "AUTH_TOKEN and AUTH_TOKEN_FILE exclude each other");
  fails({ peerToken: "SECRETSECRET", peerTokenFile: "/t" }, "PEER_TOKEN and PEER_TOKEN_FILE exclude each other");
  fails({ authToken: "SECRET" }, "Cannot use AUTH_TOKEN: it must be a secret");
  fails({ authToken: ["SECRETSECRET"] as unknown as string }, "Cannot use AUTH_TOKEN: it must be a secret");
  fails({ peerToken: "SECRET SECRET" }, "Cannot use PEER_TOKEN: it must be a secret");
  fails({ authFile: "/a" }, "it has PEERS and credentials, but nothing to show to its peers: set PEER_TOKEN", true);
  for (const token of [{ authToken: "12345678" }, { authTokenFile: "/t" }, { peerToken: "12345678" }]) {
    assertEquals(credentialSources({ authFile: "/a", ...token }, true).length, 2);
  }
  assertEquals(credentialSources({}, true), []);
});

Deno.test("start() names the file, the line and the fault, and no secret", async () => {
  const fails = async (options: CredentialOptions, text: string | Error, words: string) => {
    await using fixture = watching(options, {});
    fixture.files.set("/f", text);
    const { message } = await assertRejects(() => fixture.watch.start(), RangeError, words);
    assertEquals(message.includes("SECRET"), false, message);
  };
  await fails({ authFile: "/f" }, "# x\na:root:SECRETSECRET", "Cannot use AUTH_FILE /f: line 2: the role must be");
  await fails({ authFile: "/f" }, "", "Cannot use AUTH_FILE /f: it has no line that names anybody");
  await fails({ authFile: "/f" }, new Error("it may not be read"), "Cannot use AUTH_FILE /f: it may not be read");
  await fails({ authTokenFile: "/f" }, "SECRET", "Cannot use AUTH_TOKEN_FILE /f: it must be a secret");
  await fails({ peerTokenFile: "/f" }, "SECRETSECRET\n\n", "Cannot use PEER_TOKEN_FILE /f: it must be a secret");
});

Deno.test("start() warns of a file that everybody can read", async () => {
  await using fixture = watching({ authFile: "/f" }, { "/f": "web:client:secret-web" }, true);
  await fixture.watch.start();
  assertEquals(fixture.lines.length, 1);
  assert(fixture.lines[0].startsWith("Warning: every user of this machine can read AUTH_FILE /f; chmod 600 it"));
});

Deno.test("look() takes what it has seen twice in a row, and at once if it is told to", async () => {
  await using fixture = watching({ authFile: "/f" }, { "/f": "web:client:secret-one" });
  const { watch, files, rolesOf, lines } = fixture;
  await watch.start();
  const [old] = fixture.credentials.ofName("web");
  files.set("/f", "web:client:secret-t");
  await watch.look();
  assertEquals([await rolesOf("secret-t"), old.isGone], ["none", false]);
  files.set("/f", "web:reader:secret-two");
  await watch.look();
  assertEquals([await rolesOf("secret-two"), await rolesOf("secret-one")], ["none", "client"]);
  await watch.look();
  assertEquals([await rolesOf("secret-two"), await rolesOf("secret-one"), old.isGone], ["reader", "none", true]);
  files.set("/f", "web:admin:secret-two");
  await watch.look("at once");
  assertEquals(await rolesOf("secret-two"), "admin");
  for (let looks = 0; looks < 5; looks++) await watch.look();
  assertEquals(lines, new Array(2).fill("AUTH_FILE /f is used as it is now"));
});

Deno.test("a file that is broken, empty or gone changes nothing, and is complained of once", async () => {
  await using fixture = watching({ authFile: "/f" }, { "/f": "web:client:secret-one" });
  const { watch, files, rolesOf, lines } = fixture;
  await watch.start();
  const faults: [string | Error, string][] = [
    ["a:client:SECRETSECRET\nb:root:SECRETSECRET", "line 2: the role must be reader, client, peer, admin"],
    ["", "it has no line that names anybody"],
    [new Error("there is no such file"), "there is no such file"],
  ];
  for (const [i, [text, words]] of faults.entries()) {
    files.set("/f", text);
    for (let looks = 0; looks < 5; looks++) await watch.look();
    assertEquals(await rolesOf("secret-one"), "client");
    assertEquals(lines.length, i + 1);
    assert(lines[i].startsWith(`Cannot use AUTH_FILE /f: ${words}`), lines[i]);
    assert(lines[i].endsWith("; this server goes on with what it had before"), lines[i]);
    assertEquals(lines[i].includes("SECRET"), false);
  }
  files.set("/f", "web:client:secret-two");
  for (let looks = 0; looks < 2; looks++) await watch.look();
  assertEquals([await rolesOf("secret-two"), lines.length], ["client", 4]);
});

Deno.test("a new token for peers is told of, another change is not", async () => {
  await using fixture = watching(
    { peerTokenFile: "/p", authFile: "/f" },
    { "/p": "token-one", "/f": "web:client:secret-web" },
  );
  const { watch, files } = fixture;
  await watch.start();
  files.set("/f", "web:reader:secret-web");
  await watch.look("at once");
  files.set("/p", "token-one\n");
  await watch.look("at once");
  assertEquals(fixture.tokens, 0);
  files.set("/p", "token-two");
  await watch.look("at once");
  assertEquals([fixture.tokens, watch.token?.secret], [1, "token-two"]);
});

Deno.test("files are looked at while verifiers are being made, which ends when others are needed, or none", async () => {
  await using fixture = watching({ authFile: "/a" }, { "/a": "web:client:secret-web\nops:admin:secret-ops" });
  const { watch, credentials, files } = fixture;
  const [begun, ended]: [number[], number[]] = [[], []];
  credentials.prepare = async (goesOn = () => true) => {
    const round = begun.push(begun.length);
    await until("it need not go on", () => !goesOn());
    ended.push(round);
  };
  await watch.start();
  files.set("/a", "ops:admin:secret-ops");
  await watch.look("at once");
  assertEquals(await fixture.rolesOf("secret-web"), "none");
  await until("others are made", () => begun.length === 2);
  assertEquals(ended, [1]);
  await watch.stop();
  assertEquals(ended, [1, 2]);
});
