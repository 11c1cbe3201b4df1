/** Tools and clients of others that list all keys, unmodified, from Debian's packages: what is missing is left out, and said. */

import { assertEquals } from "@std/assert";
import { execute, has } from "../support/others_clients.ts";
import { serve } from "../support/processes.ts";
import { exchange } from "../support/text_socket.ts";

const TOOL = "/usr/share/memcached/scripts/memcached-tool";
const hasTool = await has("memcached", "sh", "-c", `test -f ${TOOL}`);
const hasDump = await has("libmemcached-tools", "sh", "-c", "command -v memcdump");
const hasPhp = await has("php-memcached", "php", "-r", "exit(class_exists('Memcached') ? 0 : 1);");

const KEYS = Array.from({ length: 3000 }, (_, i) => `key:${i}/%`);

/** A server with entries, for one who lists them. Returns what that one prints, in order. */
async function listed(command: (host: string, port: string) => string[], lineOf: RegExp): Promise<string[]> {
  await using server = await serve(["--listen", "0", "--max-size", "100000"]);
  const [, host, port] = /^(.*):(\d+)$/.exec(server.address)!;
  const sets = KEYS.map((key) => `set ${key} 7 0 2 noreply\r\nhi\r\n`).join("");
  await exchange(Number(port), `${sets}mn\r\n`, (reply) => reply.endsWith("MN\r\n"));
  const [name, ...args] = command(host, port);
  const { status, text } = await execute(name, args);
  assertEquals(status, 0, text);
  return [...text.matchAll(lineOf)].map(([, key]) => key).sort();
}

Deno.test({
  name: "memcached-tool dumps every entry",
  ignore: !hasTool,
  fn: async () => {
    const dump = (host: string, port: string) => ["perl", TOOL, `${host}:${port}`, "dump"];
    assertEquals(await listed(dump, /^add (\S+) 7 0 2\r\nhi\r$/gm), KEYS.toSorted());
  },
});

Deno.test({
  name: "memcdump lists every key",
  ignore: !hasDump,
  fn: async () => {
    const dump = (host: string, port: string) => ["memcdump", `--servers=${host}:${port}`];
    assertEquals(await listed(dump, /^(key\S+)$/gm), KEYS.toSorted());
  },
});

Deno.test({
  name: "php-memcached's getAllKeys() returns every key",
  ignore: !hasPhp,
  fn: async () => {
    const code = (host: string, port: string) =>
      `$m = new Memcached; $m->addServer("${host}", ${port}); echo implode("\\n", $m->getAllKeys()), "\\n";`;
    const ask = (host: string, port: string) => ["php", "-r", code(host, port)];
    assertEquals(await listed(ask, /^(key\S+)$/gm), KEYS.toSorted());
  },
});
