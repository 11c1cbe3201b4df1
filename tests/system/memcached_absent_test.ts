/** What docs/memcached.md says is not there: UDP, large items, start options, and waiting for what is too large. */

import { createSocket } from "node:dgram";
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { readArguments, settings, UsageError } from "../../lib/cli/arguments.ts";
import { COMMANDS } from "../../lib/cli/command_table.ts";
import { serverOptions } from "../../lib/base/settings.ts";
import { writeAll } from "../../lib/platform/socket.ts";
import { startedServer } from "../support/servers.ts";
import { exchange } from "../support/text_socket.ts";

const DOCUMENT = Deno.readTextFileSync(new URL("../../docs/memcached.md", import.meta.url));
const [, SECTION] = /^## What is not there\n([\s\S]*?)^## /m.exec(DOCUMENT)!;
const ROWS = [...SECTION.matchAll(/^ {2}\| (`-.*?) \| (.*) \|$/gm)];
const SERVE = COMMANDS.find(({ name }) => name === "serve")!;
const MOST_ITEM_BYTES = 16 * 1024 ** 2;
/** Of memcached's letters, the one that means the same here. */
const SAME = ["-p"];

/** Code that stands in a cell. */
function codes(cell: string): string[] {
  return [...cell.matchAll(/`([^`]*)`/g)].map(([, code]) => code);
}

Deno.test("docs/memcached.md: every start option of memcached that it names is refused by name, and what stands beside it is taken", () => {
  assertEquals(ROWS.length, 12);
  for (const [, theirs, ours] of ROWS) {
    for (const option of codes(theirs).flatMap((code) => code.match(/(?<!\S)-\w/g)!)) {
      if (SAME.includes(option)) continue;
      assertMatch(
        assertThrows(() => readArguments(SERVE, [option, "1"]), UsageError).message,
        new RegExp(`option ${option}`),
      );
    }
    for (const code of codes(ours).filter((code) => code.startsWith("--"))) {
      serverOptions(settings(readArguments(SERVE, [...code.split(" "), "--no-env-file"])));
    }
  }
});

Deno.test("docs/memcached.md: an item has 16 MiB at most", () => {
  const options = (size: string) =>
    serverOptions(settings(readArguments(SERVE, ["--max-item-bytes", size, "--no-env-file"])));
  assertEquals(options("16m").maxItemBytes, MOST_ITEM_BYTES);
  assertThrows(() => options("17m"), RangeError);
});

Deno.test("docs/memcached.md: a server has no port of UDP", async () => {
  await using server = await startedServer();
  const socket = createSocket("udp4");
  await new Promise<void>((resolve, reject) => { // which would fail if another had that port
    socket.once("error", reject).bind(Number(server.address!.split(":")[1]), "127.0.0.1", resolve);
  });
  await new Promise<void>((resolve) => socket.close(() => resolve()));
});

Deno.test("docs/memcached.md: what is too large is answered before its data, in text, meta and binary, and passed over", async () => {
  await using server = await startedServer({ maxItemBytes: MOST_ITEM_BYTES });
  const port = Number(server.address!.split(":")[1]);
  const length = MOST_ITEM_BYTES + 1;
  for (const head of [`set k 0 0 ${length}\r\n`, `ms k ${length}\r\n`]) {
    const said = "SERVER_ERROR object too large for cache\r\n";
    assertEquals(await exchange(port, head, (reply) => reply.endsWith("\r\n")), said);
    const all = `${head}${"x".repeat(length)}\r\nmn\r\n`;
    assertEquals(await exchange(port, all, (reply) => reply.endsWith("MN\r\n")), `${said}MN\r\n`);
  }
  using socket = await Deno.connect({ hostname: "127.0.0.1", port });
  const header = new DataView(new ArrayBuffer(24 + 8 + 1)); // a set: extras of 8 bytes, a key of one
  header.setUint16(0, 0x8001);
  header.setUint16(2, 1);
  header.setUint8(4, 8);
  header.setUint32(8, 8 + 1 + length);
  await writeAll(socket, new Uint8Array(header.buffer));
  const reply = new Uint8Array(24);
  assertEquals([await socket.read(reply), new DataView(reply.buffer).getUint16(6)], [24, 3]);
});
