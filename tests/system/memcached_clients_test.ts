import { assertEquals, assertMatch } from "@std/assert";
import { Client } from "memjs";
import { OrmucoCacheClient } from "../../client.ts";
import { freePort } from "../support/ports.ts";
import { serve } from "../support/processes.ts";
import { exchange } from "../support/text_socket.ts";
import { execute, has } from "../support/others_clients.ts";
import { until } from "../support/waiting.ts";

/** Clients of others, unmodified, from Debian's packages: what is missing is left out, and said. */

const PYTHON = "/usr/bin/python3";
const hasPymemcache = await has("python3-pymemcache", PYTHON, "-c", "import pymemcache");
const hasPylibmc = await has("python3-pylibmc", PYTHON, "-c", "import pylibmc");
const hasPerl = await has("libcache-memcached-fast-perl", "perl", "-MCache::Memcached::Fast", "-e", "1");
const hasPhp = await has("php-memcached", "php", "-r", "exit(class_exists('Memcached') ? 0 : 1);");
const hasCapable = await has("libmemcached-tools", "sh", "-c", "command -v memccapable");
const hasNginx = await has("nginx-light", "/usr/sbin/nginx", "-v");
const hasNutcracker = await has("nutcracker", "/usr/sbin/nutcracker", "-V");

async function serving<T>(
  use: (host: string, port: string) => Promise<T>,
  limits = ["--max-size", "100000"],
): Promise<T> {
  await using server = await serve(["--listen", "0", ...limits]);
  const [, host, port] = /^(.*):(\d+)$/.exec(server.address)!;
  return await use(host, port);
}

/** Runs a process of another's while it is used, and ends it. */
async function beside(command: string, args: string[], port: number, use: () => Promise<void>): Promise<void> {
  const child = new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  try {
    await until(`${command} listens`, () => answers(port));
    await use();
  } finally {
    child.kill("SIGTERM");
    await child.status;
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test({
  name: "memccapable -a finds all that memcached's text protocol is",
  ignore: !hasCapable,
  fn: () =>
    serving(async (host, port) => {
      const { status, text } = await execute("memccapable", ["-a", "-h", host, "-p", port]);
      assertEquals([status, text.match(/\[FAIL\]/g), text.match(/\[pass\]/g)?.length], [0, null, 27], text);
    }),
});

Deno.test({
  name: "memccapable -b finds all that memcached's binary protocol is",
  ignore: !hasCapable,
  fn: () =>
    serving(async (host, port) => {
      const { status, text } = await execute("memccapable", ["-b", "-h", host, "-p", port]);
      assertEquals([status, text.match(/\[FAIL\]/g), text.match(/\[pass\]/g)?.length], [0, null, 27], text);
    }),
});

for (const protocol of ["text", "binary"]) {
  Deno.test({
    name: `memcaslap finds every value as it was stored, in the ${protocol} protocol`,
    ignore: !hasCapable,
    fn: () =>
      serving(async (host, port) => {
        const options = ["-T", "1", "-c", "8", "-x", "30000", "-v", "1.0", ...(protocol === "binary" ? ["-B"] : [])];
        const { status, text } = await execute("memcaslap", ["-s", `${host}:${port}`, ...options]);
        assertEquals(status, 0, text);
        for (const none of ["get_misses: 0", "verify_misses: 0", "verify_failed: 0"]) {
          assertMatch(text, new RegExp(none));
        }
        assertMatch(text, /cmd_get: [1-9]\d{3}/);
      }, ["--max-bytes", "256MiB"]),
  });
}

Deno.test("memjs of npm, which speaks binary only, stores, retrieves, counts and deletes", () =>
  serving(async (host, port) => {
    const client = Client.create(`${host}:${port}`);
    assertEquals(await client.set("k", "v", { expires: 60 }), true);
    assertEquals(`${(await client.get("k")).value}`, "v");
    assertEquals((await client.increment("n", 2, { initial: 40 })).value, 40);
    assertEquals((await client.increment("n", 2, { initial: 40 })).value, 42);
    assertEquals([await client.delete("k"), (await client.get("k")).value], [true, null]);
    client.quit();
  }));

Deno.test({
  name: "PHP's session handler keeps sessions, in the binary protocol",
  ignore: !hasPhp,
  fn: () =>
    serving(async (host, port) => {
      const settings = ["session.save_handler=memcached", `session.save_path=${host}:${port}`, "session.use_cookies=0"];
      const options = [...settings, "memcached.sess_binary_protocol=1"].flatMap((setting) => ["-d", setting]);
      const script =
        'session_id("abc"); session_start(); $_SESSION["n"] = ($_SESSION["n"] ?? 0) + 1; echo $_SESSION["n"];';
      for (const text of ["1", "2", "3"]) {
        assertEquals(await execute("php", [...options, "-r", script]), { status: 0, text });
      }
    }),
});

Deno.test({
  name: "pymemcache stores, retrieves, counts and compares, and our client sees the same",
  ignore: !hasPymemcache,
  fn: () =>
    serving(async (host, port) => {
      const script = `
from pymemcache.client.base import Client
c = Client(("${host}", ${port}), default_noreply=False)
assert c.set("greeting", b"hello", expire=60)
assert c.get("greeting") == b"hello"
assert c.set_many({"a": "1", "b": "2"}) == []
assert c.get_many(["a", "b", "c"]) == {"a": b"1", "b": b"2"}
assert c.incr("a", 41) == 42
value, cas = c.gets("b")
assert c.cas("b", "3", cas) and not c.cas("b", "4", cas)
assert c.delete("a") and not c.delete("a")
assert c.touch("b", 100)
assert c.stats()[b"curr_items"] == 2
print("done")`;
      assertEquals(await execute(PYTHON, ["-c", script]), { status: 0, text: "done\n" });
      await using client = new OrmucoCacheClient({ servers: [`${host}:${port}`] });
      assertEquals(await client.retrieve("greeting"), new TextEncoder().encode("hello"));
    }),
});

Deno.test({
  name: "README's example in Python works",
  ignore: !hasPymemcache,
  fn: () =>
    serving(async (host, port) => {
      const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
      const example = /```python\n([^]*?)```/.exec(readme)![1].replace("127.0.0.1:11142", `${host}:${port}`);
      const script = `${example}\nassert cache.get("greeting") == b"hello"\nprint("done")`;
      assertEquals(await execute(PYTHON, ["-c", script]), { status: 0, text: "done\n" });
    }),
});

Deno.test({
  name: "pylibmc stores objects, and gets many at once",
  ignore: !hasPylibmc,
  fn: () =>
    serving(async (host, port) => {
      const script = `
import pylibmc
c = pylibmc.Client(["${host}:${port}"])
c["a"] = {"x": [1, 2]}
c.set_multi({"k%d" % i: i for i in range(500)})
assert c["a"] == {"x": [1, 2]}
assert c.get_multi(["k%d" % i for i in range(500)]) == {"k%d" % i: i for i in range(500)}
assert c.incr("k1", 5) == 6
print("done")`;
      assertEquals(await execute(PYTHON, ["-c", script]), { status: 0, text: "done\n" });
    }),
});

Deno.test({
  name: "Cache::Memcached::Fast of Perl stores, adds, appends and counts",
  ignore: !hasPerl,
  fn: () =>
    serving(async (host, port) => {
      const script = `my $m = Cache::Memcached::Fast->new({ servers => ["${host}:${port}"] });
        $m->set("k", "v") or die; $m->add("k", "w") and die; $m->append("k", "w") or die;
        $m->get("k") eq "vw" or die; $m->set("n", 1); $m->incr("n", 2) == 3 or die;
        $m->set("l", { a => [1] }); $m->get("l")->{a}[0] == 1 or die; $m->flush_all; defined $m->get("k") and die;
        print "done\\n";`;
      assertEquals(await execute("perl", ["-MCache::Memcached::Fast", "-e", script]), { status: 0, text: "done\n" });
    }),
});

Deno.test({
  name: "Memcached of PHP stores values of its own",
  ignore: !hasPhp,
  fn: () =>
    serving(async (host, port) => {
      const script = `$m = new Memcached; $m->addServer("${host}", ${port});
        $m->set("p", ["a" => 1]) || die("set"); $m->get("p") === ["a" => 1] || die("get");
        $v = $m->get("p", null, Memcached::GET_EXTENDED); $m->cas($v["cas"], "p", 2) || die("cas");
        $m->get("p") === 2 || die("cas"); $m->increment("p", 3) === 5 || die("increment"); echo "done\\n";`;
      assertEquals(await execute("php", ["-r", script]), { status: 0, text: "done\n" });
    }),
});

Deno.test({
  name: "nginx serves a page out of the cache",
  ignore: !hasNginx,
  fn: () =>
    serving(async (host, port) => {
      const folder = await Deno.makeTempDir();
      const web = freePort();
      const config = `daemon off; pid ${folder}/pid; error_log ${folder}/log; events {}
        http { access_log off; client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
          uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
          server { listen 127.0.0.1:${web}; location / {
            set $memcached_key $uri; memcached_pass ${host}:${port}; default_type text/html; } } }`;
      await Deno.writeTextFile(`${folder}/conf`, config);
      await using client = new OrmucoCacheClient({ servers: [`${host}:${port}`] });
      const page = "<p>out of the cache</p>".repeat(10_000);
      await client.store("/page", new TextEncoder().encode(page));
      const args = ["-p", folder, "-c", `${folder}/conf`, "-e", `${folder}/log`];
      await beside("/usr/sbin/nginx", args, web, async () => {
        const found = await fetch(`http://127.0.0.1:${web}/page`);
        assertEquals([found.status, await found.text()], [200, page]);
        const missing = await fetch(`http://127.0.0.1:${web}/none`);
        await missing.body?.cancel();
        assertEquals(missing.status, 404);
      });
      await Deno.remove(folder, { recursive: true });
    }),
});

Deno.test({
  name: "nutcracker shards keys over three servers",
  ignore: !hasNutcracker,
  fn: async () => {
    await using first = await serve(["--listen", "0", "--max-size", "10000"]);
    await using second = await serve(["--listen", "0", "--max-size", "10000"]);
    await using third = await serve(["--listen", "0", "--max-size", "10000"]);
    const servers = [first, second, third].map(({ address }) => address);
    const [folder, port] = [await Deno.makeTempDir(), freePort()];
    const lines = ["cache:", `  listen: 127.0.0.1:${port}`, "  hash: md5", "  distribution: ketama", "  servers:"];
    await Deno.writeTextFile(`${folder}/conf`, [...lines, ...servers.map((at) => `   - ${at}:1`)].join("\n") + "\n");
    const args = ["-c", `${folder}/conf`, "-s", `${freePort()}`, "-a", "127.0.0.1"];
    await beside("/usr/sbin/nutcracker", args, port, async () => {
      const keys = Array.from({ length: 300 }, (_, i) => `key-${i}`);
      const asked = keys.map((key) => `set ${key} 0 0 ${key.length}\r\n${key}\r\n`).join("") +
        keys.map((key) => `get ${key}\r\n`).join("");
      const answer = keys.map(() => "STORED\r\n").join("") +
        keys.map((key) => `VALUE ${key} 0 ${key.length}\r\n${key}\r\nEND\r\n`).join("");
      assertEquals(await exchange(port, asked, (reply) => reply.length >= answer.length), answer);
    });
    for (const address of servers) {
      await using client = new OrmucoCacheClient({ servers: [address] });
      const entries = `${(await client.stats()).server?.entries}`;
      assertMatch(entries, /^[1-9]\d*$/, "every server has its share");
    }
    await Deno.remove(folder, { recursive: true });
  },
});
