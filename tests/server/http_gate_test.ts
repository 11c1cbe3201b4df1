/** Who may see what a server tells by HTTP: by credentials, by encryption, by the name that was asked for. */

import { assert, assertEquals } from "@std/assert";
import { ROLES } from "../../lib/base/roles.ts";
import type { HttpReply } from "../../lib/http/reply.ts";
import { makeVerifier } from "../../lib/platform/scram.ts";
import { type AccessRules, ConnectionAccess } from "../../lib/server/access.ts";
import { readAuthFile } from "../../lib/server/auth_file.ts";
import { admit, type Asking } from "../../lib/server/http_gate.ts";
import { needsOf, PERMISSIONS } from "../../lib/wire/access.ts";
import { formatVerifier } from "../../lib/wire/scram.ts";
import { openRules } from "../support/access.ts";
import { until } from "../support/waiting.ts";

const NEEDS = needsOf("http").get("/metrics")!;
const from = (hostname: string, more: Partial<Asking["stream"]> = {}): Asking["stream"] => ({
  remoteAddr: { transport: "tcp", hostname, port: 1 },
  ...more,
});
const LOCAL = from("127.0.0.1");
const UNIX: Asking["stream"] = { remoteAddr: { transport: "unix", path: "/run/http.sock" } };

/** Who is let in, or with what status it is refused. */
async function admitted(
  access: AccessRules,
  stream: Asking["stream"],
  { authorization, host = "127.0.0.1:9100", isTlsRequired = false, needs = NEEDS }: {
    authorization?: string;
    host?: string;
    isTlsRequired?: boolean;
    needs?: number;
  } = {},
): Promise<string> {
  const result = await admit({ access, isTlsRequired }, { request: { authorization, host }, stream }, needs);
  return result instanceof ConnectionAccess ? `in as ${result.name}` : `${result.status} ${result.body.trim()}`;
}

for (const role of ROLES) {
  Deno.test(`a ${role} may ask by HTTP for what the table says, with a token or with name and secret`, async () => {
    const rules = openRules(`someone:${role}:secret-of-someone`);
    for (const permission of PERMISSIONS) {
      for (const path of permission.http) {
        const needs = needsOf("http").get(path)!;
        for (
          const authorization of ["Bearer someone:secret-of-someone", `Basic ${btoa("someone:secret-of-someone")}`]
        ) {
          assertEquals(
            await admitted(rules, LOCAL, { authorization, needs }),
            permission.roles.includes(role) ? "in as someone" : `403 not allowed for role ${role}`,
          );
        }
      }
    }
  });
}

Deno.test("a stranger is asked for a token, and told of both ways to show it", async () => {
  const rules = openRules("web:reader:secret-of-web");
  for (const authorization of [undefined, "", "Bearer", "Basic !", "Bearer web:wrong-secret", "Bearer secret-of-web"]) {
    assertEquals(await admitted(rules, LOCAL, { authorization }), "401 show a token: Bearer TOKEN, or Basic");
  }
  const reply = await admit({ access: rules, isTlsRequired: false }, { request: NOTHING, stream: LOCAL }, NEEDS);
  const fields = (reply as HttpReply).fields!.map(([name, value]) => `${name}: ${value.split(" ")[0]}`);
  assertEquals(fields, ["WWW-Authenticate: Basic", "WWW-Authenticate: Bearer"]);
});

Deno.test("where there is one token for all, no name is looked at", async () => {
  const rules = openRules("default:client,peer,admin:secret-of-all");
  for (const authorization of ["Bearer secret-of-all", `Basic ${btoa("anybody:secret-of-all")}`]) {
    assertEquals(await admitted(rules, LOCAL, { authorization }), "in as default");
  }
});

const NOTHING: Asking["request"] = { authorization: undefined, host: "a" };

Deno.test("failures are counted and told, and the answer waits until it may be given", async () => {
  const rules = openRules("web:reader:secret-of-web");
  const told: string[] = [];
  let answer = () => {};
  const onDenied = (address: string, why: string) => {
    told.push(`${address} ${why}`);
    return new Promise<void>((resolve) => answer = resolve);
  };
  const asking = admitted({ ...rules, onDenied }, LOCAL, { authorization: "Bearer web:wrong-secret" });
  let isAnswered = false;
  asking.then(() => isAnswered = true);
  await until("the failure is told", () => told.length > 0);
  assertEquals([told, isAnswered, rules.counters], [
    ['127.0.0.1:1 the token is not that of "web"'],
    false,
    { logins: 0, loginsFailed: 1 },
  ]);
  answer();
  assert((await asking).startsWith("401"));
  assertEquals(await admitted(rules, LOCAL, { authorization: "Bearer web:secret-of-web" }), "in as web");
  assertEquals(rules.counters, { logins: 1, loginsFailed: 1 });
});

Deno.test("a credential that is gone lets nobody in any more, though it was good before", async () => {
  const rules = openRules("web:reader:secret-of-web");
  const authorization = "Bearer web:secret-of-web";
  assertEquals(await admitted(rules, LOCAL, { authorization }), "in as web");
  rules.credentials.replace([]);
  assertEquals(await admitted(rules, LOCAL, { authorization }), "401 show a token: Bearer TOKEN, or Basic");
});

Deno.test("a scraper that shows its secret again and again has it derived once, and again for another verifier", async () => {
  const line = async () => `web:reader:${formatVerifier(await makeVerifier("secret-of-web"))}`;
  const [first, second] = [await line(), await line()];
  const rules = openRules(first);
  const { subtle } = crypto;
  const original = subtle.deriveBits;
  let derivations = 0;
  subtle.deriveBits = (...args) => {
    derivations++;
    return original.apply(subtle, args);
  };
  try {
    const scrape = () => admitted(rules, LOCAL, { authorization: "Bearer web:secret-of-web" });
    for (let i = 0; i < 3; i++) assertEquals([await scrape(), derivations], ["in as web", 1]);
    rules.credentials.replace(readAuthFile(second));
    for (let i = 0; i < 3; i++) assertEquals([await scrape(), derivations], ["in as web", 2]);
  } finally {
    subtle.deriveBits = original;
  }
});

Deno.test("a secret is taken from elsewhere over TLS only, unless that has been allowed", async () => {
  const rules = openRules("web:reader:secret-of-web");
  const authorization = "Bearer web:secret-of-web";
  const far = from("192.0.2.1");
  assertEquals(await admitted(rules, far, { authorization }), "403 a secret is taken over TLS only");
  assertEquals(await admitted({ ...rules, isInsecure: true }, far, { authorization }), "in as web");
  assertEquals(await admitted(rules, from("192.0.2.1", { isEncrypted: true }), { authorization }), "in as web");
});

Deno.test("where TLS is required, who does not encrypt sees nothing, on this machine neither, but by a unix socket", async () => {
  const required = { isTlsRequired: true };
  assertEquals(await admitted(openRules(), LOCAL, required), "403 this server takes connections with TLS only");
  assertEquals(await admitted(openRules(), from("127.0.0.1", { isEncrypted: true }), required), "in as undefined");
  assertEquals(await admitted(openRules(), UNIX, required), "in as undefined");
});

Deno.test("a certificate lets in whom a line names, and a token that is wrong beside it does not", async () => {
  const rules = openRules("cert:scraper:reader\nweb:reader:secret-of-web");
  const stream = from("192.0.2.1", { isEncrypted: true, peerNames: ["scraper"] });
  assertEquals(await admitted(rules, stream), "in as scraper");
  assertEquals(
    await admitted(rules, from("192.0.2.1", { isEncrypted: true, peerNames: ["other"] })),
    "401 show a token: Bearer TOKEN, or Basic",
  );
  assert((await admitted(rules, stream, { authorization: "Bearer web:wrong-secret" })).startsWith("401"));
});

Deno.test("no page of another can have a browser on this machine read what is open to it", async () => {
  const rules = openRules();
  for (const host of ["localhost", "LOCALHOST:9100", "127.0.0.1", "127.0.0.1:9100", "[::1]:9100"]) {
    assertEquals(await admitted(rules, LOCAL, { host }), "in as undefined", host);
  }
  for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:9100", "", "localhost:1:2"]) {
    assertEquals(await admitted(rules, LOCAL, { host }), "421 ask this server by its address, or as localhost", host);
  }
  const host = "cache.example";
  assertEquals(await admitted({ ...rules, isInsecure: true }, LOCAL, { host }), "in as undefined");
  assertEquals(await admitted(rules, UNIX, { host }), "in as undefined");
  const asks = openRules("web:reader:secret-of-web");
  assertEquals(await admitted(asks, LOCAL, { host, authorization: "Bearer web:secret-of-web" }), "in as web");
});
