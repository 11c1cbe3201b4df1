import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Client } from "memjs";
import { execute, has, type Outcome } from "../support/others_clients.ts";
import { startedServer } from "../support/servers.ts";

/**
 * memcached's clients of others, unmodified, that have to say who they are: text by a first `set`, binary by SASL PLAIN. One
 * that is missing, or was built without SASL, is left out, and said. (In Debian 12 all of these have it.)
 */

const PYTHON = "/usr/bin/python3";
const hasPymemcache = await has("python3-pymemcache", PYTHON, "-c", "import pymemcache");
const PYLIBMC = "import pylibmc, sys; sys.exit(0 if pylibmc.support_sasl else 1)";
const hasPylibmc = await has("python3-pylibmc with SASL", PYTHON, "-c", PYLIBMC);
const hasPhp = await has("php-memcached with SASL", "php", "-r", "exit(Memcached::HAVE_SASL ? 0 : 1);");
const hasDalli = await has("ruby-dalli", "ruby", "-e", 'require "dalli"');

const LINES = "web:client:secret-of-web\nread:reader:secret-of-read\n";

/** Uses a server with credentials. */
async function serving(use: (port: string) => Promise<void>): Promise<void> {
  const authFile = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(authFile, LINES, { mode: 0o600 });
    await using server = await startedServer({ authFile });
    await use(/\d+$/.exec(server.address!)![0]);
    assert(server.stats().logins > 0);
  } finally {
    await Deno.remove(authFile);
  }
}

function assertDone({ status, text }: Outcome): void {
  assertEquals(status, 0, text);
  assertStringIncludes(text, "done");
}

Deno.test({
  name: "pymemcache says who it is by its first set, and stores then",
  ignore: !hasPymemcache,
  fn: () =>
    serving(async (port) => {
      const script = `
from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheClientError
def client(login):
    c = Client(("127.0.0.1", ${port}), default_noreply=False)
    assert c.set("login", login)
    return c
web, read = client(b"web secret-of-web"), client(b"read secret-of-read")
assert web.set("k", b"v") and read.get("k") == b"v"
for login in (b"web secret-of-xxx", b"secret-of-web"):
    try:
        client(login)
        assert False
    except MemcacheClientError as error:
        assert b"authentication" in error.args[0], error
try:
    read.set("k", b"w")
    assert False
except MemcacheClientError as error:
    assert error.args[0] == b"not allowed for role reader", error
assert client(b"read secret-of-read").get("k") == b"v" # an error has closed the other one
print("done")`;
      assertDone(await execute(PYTHON, ["-c", script]));
    }),
});

Deno.test({
  name: "pylibmc says who it is by SASL, and stores then",
  ignore: !hasPylibmc,
  fn: () =>
    serving(async (port) => {
      const script = `
import pylibmc
def client(name, secret):
    return pylibmc.Client(["127.0.0.1:${port}"], binary=True, username=name, password=secret)
web, read = client("web", "secret-of-web"), client("read", "secret-of-read")
web["k"] = {"a": [1]}
assert read["k"] == {"a": [1]}
for bad in (client("web", "secret-of-xxx"), client("nobody", "secret-of-web")):
    try:
        bad["k"] = 1
        assert False
    except pylibmc.Error:
        pass
try:
    read["k"] = 1
    assert False
except pylibmc.Error:
    pass
assert web["k"] == {"a": [1]}
print("done")`;
      assertDone(await execute(PYTHON, ["-c", script]));
    }),
});

Deno.test({
  name: "Memcached of PHP says who it is by SASL, and stores then",
  ignore: !hasPhp,
  fn: () =>
    serving(async (port) => {
      const script = `
        function client($name, $secret) {
          $m = new Memcached;
          $m->setOption(Memcached::OPT_BINARY_PROTOCOL, true);
          $m->setSaslAuthData($name, $secret);
          $m->addServer("127.0.0.1", ${port});
          return $m;
        }
        $web = client("web", "secret-of-web");
        $web->set("k", "v") || die("set");
        client("read", "secret-of-read")->get("k") === "v" || die("get");
        client("read", "secret-of-read")->set("k", "w") && die("a reader sets");
        client("web", "secret-of-xxx")->set("k", "w") && die("a stranger sets");
        client("web", "secret-of-xxx")->get("k") === false || die("a stranger gets");
        $web->get("k") === "v" || die("get"); echo "done";`;
      assertDone(await execute("php", ["-r", script]));
    }),
});

Deno.test({
  name: "Dalli of Ruby says who it is by SASL, and stores then",
  ignore: !hasDalli,
  fn: () =>
    serving(async (port) => {
      const script = `
        require "dalli"
        Dalli.logger.level = Logger::FATAL
        def client(name, secret) = Dalli::Client.new("127.0.0.1:${port}", username: name, password: secret)
        def fails
          yield
          false
        rescue Dalli::DalliError
          true
        end
        web, read = client("web", "secret-of-web"), client("read", "secret-of-read")
        web.set("k", [1, "a"]) or raise "set"
        read.get("k") == [1, "a"] or raise "get"
        fails { read.set("k", 1) } or raise "a reader sets"
        fails { client("web", "secret-of-xxx").get("k") } or raise "a stranger gets"
        web.get("k") == [1, "a"] or raise "get"
        puts "done"`;
      assertDone(await execute("ruby", ["-e", script]));
    }),
});

Deno.test("memjs of npm says who it is by SASL, and stores then", () =>
  serving(async (port) => {
    const clientOf = (username: string, password: string) =>
      Client.create(`127.0.0.1:${port}`, { username, password, retries: 1, logger: { log: () => {} } });
    const [web, read] = [clientOf("web", "secret-of-web"), clientOf("read", "secret-of-read")];
    assertEquals(await web.set("k", "v", {}), true);
    assertEquals(`${(await read.get("k")).value}`, "v");
    const stranger = clientOf("web", "secret-of-xxx");
    const outcome = await stranger.get("k").then(() => "served", () => "refused");
    assertEquals(outcome, "refused");
    assertEquals(`${(await web.get("k")).value}`, "v");
    for (const client of [web, read, stranger]) client.quit();
  }));
