import { assertEquals } from "@std/assert";
import { ROLES } from "../../lib/base/roles.ts";
import { BinaryHandler } from "../../lib/memcached/binary_handler.ts";
import { TextHandler } from "../../lib/memcached/text_handler.ts";
import { ConnectionAccess } from "../../lib/server/access.ts";
import { NativeHandler } from "../../lib/server/native_handler.ts";
import { Session } from "../../lib/server/session.ts";
import { ANY_ROLE } from "../../lib/wire/access.ts";
import type { ConnectionContext } from "../../lib/wire/protocol_handler.ts";
import { REPLY } from "../../lib/wire/frame.ts";
import { openRules } from "../support/access.ts";
import { LoginTalk } from "../support/login.ts";
import { packetOf } from "../support/memcached_packets.ts";
import { stranger } from "../support/strangers.ts";
import { sessionHost } from "../support/session_host.ts";

/** Never called: the compiler is what tests it, which complains where an error that is expected is none. */
export function withoutAccess({ access: _, ...context }: ConnectionContext): void {
  const host = sessionHost();
  // @ts-expect-error -- no handler is made without an access
  new TextHandler(host, context);
  // @ts-expect-error -- no handler is made without an access
  new BinaryHandler(host, context);
  // @ts-expect-error -- no handler is made without an access
  new NativeHandler(host, context);
  // @ts-expect-error -- nor is a session
  new Session(host);
}

Deno.test("only the table of protocols, and a session that ends, make handlers", () => {
  const makers: string[] = [];
  for (const folder of ["server", "memcached", "wire", "platform"]) {
    const path = new URL(`../../lib/${folder}/`, import.meta.url);
    for (const { name } of Deno.readDirSync(path)) {
      if (/new (Text|Binary|Native)Handler\(/.test(Deno.readTextFileSync(new URL(name, path)))) makers.push(name);
    }
  }
  assertEquals(makers.sort(), ["protocols.ts", "session.ts"]);
});

const from = (hostname: string): { remoteAddr: Deno.Addr } => ({ remoteAddr: { transport: "tcp", hostname, port: 1 } });
const UNIX: { remoteAddr: Deno.Addr } = { remoteAddr: { transport: "unix", path: "/run/cache.sock" } };

Deno.test("without credentials everybody may do everything, from anywhere", () => {
  for (const stream of [from("127.0.0.1"), from("192.0.2.1"), UNIX]) {
    const { isKnown, allowed, allowsAll, roles, wantsCredential } = new ConnectionAccess(openRules(), stream);
    assertEquals([isKnown, allowed, allowsAll, roles, wantsCredential], [true, ANY_ROLE, true, ROLES, false]);
  }
});

Deno.test("with credentials nobody may do anything before one is shown, and then what its roles allow", async () => {
  const rules = openRules("web:client:secret-of-web\nall:client,peer,admin:secret-of-all");
  const access = new ConnectionAccess(rules, from("127.0.0.1"));
  assertEquals([access.isKnown, access.allowed, access.roles, access.attempt], [false, 0, [], "none"]);
  access.authenticate("web", "secret-of-all");
  assertEquals(access.attempt, "checking");
  await access.settled();
  assertEquals([access.isKnown, access.attempt], [false, "denied"]);
  access.authenticate("web", "secret-of-web");
  await access.settled();
  assertEquals([access.isKnown, access.attempt, access.roles, access.allowsAll], [true, "granted", ["client"], false]);
  access.authenticate("all", "secret-of-all");
  await access.settled();
  assertEquals([access.roles, access.allowsAll], [["client", "peer", "admin"], true]);
  access.authenticate("all", "secret-of-web");
  assertEquals(access.attempt, "checking");
  await access.settled();
  assertEquals([access.isKnown, access.allowed, access.roles, access.allowsAll], [false, 0, [], false]);
});

Deno.test("a secret is taken on this machine, encrypted, or where that has been allowed", async () => {
  const rules = openRules("web:client:secret-of-web");
  const takes = (...args: ConstructorParameters<typeof ConnectionAccess>) => new ConnectionAccess(...args).takesSecrets;
  for (const hostname of ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"]) {
    assertEquals(takes(rules, from(hostname)), true, hostname);
  }
  for (const hostname of ["192.0.2.1", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1"]) {
    assertEquals(takes(rules, from(hostname)), false, hostname);
    assertEquals(takes(rules, { ...from(hostname), isEncrypted: true }), true, hostname);
    assertEquals(takes({ ...rules, isInsecure: true }, from(hostname)), true, hostname);
  }
  assertEquals(takes(rules, UNIX), true);
  const access = new ConnectionAccess(rules, from("192.0.2.1"));
  access.authenticate("web", "secret-of-web");
  await access.settled();
  assertEquals([access.attempt, access.isKnown], ["unwelcome", false]);
});

Deno.test("a credential that is withdrawn while its secret is checked lets nobody in", async () => {
  const rules = openRules("web:client:secret-of-web\nother:client:secret-of-other");
  const access = new ConnectionAccess(rules, from("127.0.0.1"));
  access.authenticate("web", "secret-of-web");
  rules.credentials.replace([{ name: "other", roles: ["client"], secret: "secret-of-other" }]);
  await access.settled();
  assertEquals([access.attempt, access.isKnown], ["denied", false]);
});

Deno.test("a connection knows when its credential is withdrawn", async () => {
  const rules = openRules("web:client:secret-of-web");
  const access = new ConnectionAccess(rules, from("127.0.0.1"));
  access.authenticate("web", "secret-of-web");
  await access.settled();
  assertEquals(access.isWithdrawn, false);
  rules.credentials.replace([]);
  assertEquals([access.isWithdrawn, access.wantsCredential], [true, true]);
});

Deno.test("a login is a request that has been answered: whoever has been let in may be quiet then", async () => {
  const native = new LoginTalk("web:client:secret-of-web");
  const [text, binary, refused] = [stranger(), stranger(), stranger()];
  assertEquals((await native.login({ name: "web", secret: "secret-of-web" })).code, REPLY.data);
  assertEquals((await text.say("set auth 0 0 17\r\nweb secret-of-web\r\n")).text, "STORED\r\n");
  const plain = (secret: string) => packetOf(0x80, 0x21, { key: "PLAIN", value: `\0web\0${secret}` });
  await binary.send(plain("secret-of-web"));
  await refused.send(plain("secret-of-ops"));
  assertEquals([native, text, binary, refused].map(({ session }) => session.answered > 0), [true, true, true, false]);
});
