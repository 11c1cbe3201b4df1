import { assert, assertEquals } from "@std/assert";
import { type Role, ROLES } from "../../lib/base/roles.ts";
import { OPCODE } from "../../lib/memcached/binary_packet.ts";
import { PERMISSIONS } from "../../lib/wire/access.ts";
import { FrameReader, FrameWriter, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { readError } from "../../lib/wire/control.ts";
import { writeHello } from "../../lib/wire/hello.ts";
import { packetOf, REQUEST as PACKET } from "../support/memcached_packets.ts";
import { saidIn, stranger, type StrangerTalk } from "../support/strangers.ts";

const LINES = ROLES.map((role) => `${role}:${role}:secret-of-${role}`).join("\n");
const latin1 = new TextDecoder("latin1");
/** What the document calls a request of ours. */
const NATIVE_NAMES: Record<string, string> = {
  ...Object.fromEntries(
    Object.keys(REQUEST).map((name) => [`\`${name.replace(/[A-Z]/g, "_$&").toUpperCase()}\``, name]),
  ),
  "the peers in `STATS`": "",
  "`HELLO` as a peer": "",
  "`GOSSIP`": "gossip",
  "`PEERS`": "",
};

/** A talk of somebody with a role. */
function known(role: Role): StrangerTalk {
  const talk = stranger(LINES);
  talk.access.grant(...talk.access.rules.credentials.ofName(role));
  return talk;
}

function mayUse(what: (typeof PERMISSIONS)[number], role: Role): boolean {
  return what.roles.includes(role);
}

Deno.test("docs/security.md has the table of commands and roles that the server goes by", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/security.md", import.meta.url));
  const rows = text.split("\n").filter((line) => line.startsWith("| ") && line.split("|").length === 11).slice(1);
  assertEquals(rows.length, PERMISSIONS.length);
  for (const [i, row] of rows.entries()) {
    const [, what, native, words, binary, http, ...marks] = row.split("|").map((cell) => cell.trim());
    const { what: said, roles, ...commands } = PERMISSIONS[i];
    assertEquals([what, ROLES.filter((_, role) => marks[role] === "x")], [said, roles]);
    const names = native.split(", ").map((name) => NATIVE_NAMES[name]);
    assertEquals(names.filter((name) => name !== ""), [...commands.native] as string[], what);
    const flags = words.replace("`mg` with `T`, `N` or `R`", "`mg T`, `mg N`, `mg R`");
    assertEquals([...flags.matchAll(/`([^`]+)`/g)].map(([, name]) => name), commands.text, what);
    assertEquals([...binary.matchAll(/`([^`]+)`/g)].map(([, name]) => name), commands.binary, what);
    assertEquals([...http.matchAll(/`([^`]+)`/g)].map(([, path]) => path), commands.http, what);
  }
});

Deno.test("the table names every request of ours, and every command of memcached's that is answered", () => {
  const all = (protocol: "native" | "binary") => PERMISSIONS.flatMap((permission) => permission[protocol] as string[]);
  const asked = Object.keys(REQUEST).filter((name) => name !== "hello" && name !== "auth");
  assertEquals(all("native").filter((name) => name !== "gossip").sort(), asked.sort());
  const opcodes = Object.keys(OPCODE).filter((name) => !name.startsWith("sasl"));
  assertEquals(all("binary").filter((name) => !name.includes(" ")).sort(), opcodes.sort());
});

/** A line of text with which each command can be told from a refusal. */
function lineOf(command: string): string {
  const [name, flag] = command.split(" ");
  if (["set", "add", "replace", "append", "prepend"].includes(name)) return `${name} k 0 0 2\r\nhi\r\n`;
  if (name === "cas") return "cas k 0 0 2 1\r\nhi\r\n";
  if (name === "ms") return "ms k 2\r\nhi\r\n";
  if (name === "mg" && flag !== undefined) return `mg k v ${flag}30\r\n`;
  if (["gat", "gats"].includes(name)) return `${name} 0 k\r\n`;
  if (["incr", "decr", "touch"].includes(name)) return `${name} k 1\r\n`;
  if (["get", "bget", "gets", "mg", "me", "md", "ma", "delete"].includes(name)) return `${name} k\r\n`;
  return `${command}\r\n`;
}

for (const role of ROLES) {
  Deno.test(`a ${role} may send what the table says in memcached's text protocol, and the connection goes on`, async () => {
    for (const permission of PERMISSIONS) {
      for (const command of permission.text) {
        const { text, closing } = await known(role).say(`${lineOf(command)}mn\r\n`);
        const isRefused = text.startsWith(`CLIENT_ERROR not allowed for role ${role}\r\n`);
        assertEquals(isRefused, !mayUse(permission, role), `${command}: ${text}`);
        if (isRefused) assertEquals([text.split("\r\n").slice(1), closing], [["MN", ""], false], command);
      }
    }
  });

  Deno.test(`a ${role} may send what the table says in memcached's binary protocol, quietly too`, async () => {
    const quiet: Record<string, number> = { get: 9, getk: 13, set: 17, delete: 20, flush: 24, append: 25, gat: 30 };
    for (const permission of PERMISSIONS) {
      for (const command of permission.binary) {
        const [name, key] = command.split(" ");
        const opcode = OPCODE[name as keyof typeof OPCODE];
        const isStorage = ["set", "add", "replace"].includes(name);
        const isKeyed = !["flush", "stat", "noop", "version", "quit"].includes(name);
        const extras = new Uint8Array(
          isStorage ? 8 : name.endsWith("crement") ? 20 : ["touch", "gat", "gatk"].includes(name) ? 4 : 0,
        );
        const value = isStorage || ["append", "prepend"].includes(name) ? "hi" : "";
        for (const code of [opcode, quiet[command] ?? opcode]) {
          const packet = packetOf(PACKET, code, { key: isKeyed ? "k" : key ?? "", extras, value });
          const talk = known(role);
          const { bytes, closing } = await talk.send(packet);
          const refused = `${code} 32 not allowed for role ${role}`;
          assertEquals(saidIn(bytes)[0] === refused, !mayUse(permission, role), `${command}: ${saidIn(bytes)}`);
          if (mayUse(permission, role)) continue;
          assert(!closing, command);
          assertEquals(saidIn((await talk.send(packetOf(PACKET, OPCODE.noop))).bytes), ["10 0 "]);
        }
      }
    }
  });

  Deno.test(`a ${role} may send what the table says in our own protocol`, async () => {
    for (const permission of PERMISSIONS) {
      for (const command of permission.native) {
        if (command === "gossip") continue; // below
        const talk = known(role);
        const output = new FrameWriter();
        writeHello(output, "test");
        output.begin(REQUEST[command]);
        output.end();
        const { bytes } = await talk.send(output.taken());
        const input = new FrameReader();
        input.maxBodyBytes = Infinity;
        input.push(bytes);
        assert(input.next() && input.next(), command);
        const isRefused = input.code === REPLY.refused && readError(input).code === "not-allowed";
        assertEquals(isRefused, !mayUse(permission, role), command);
        if (isRefused) assertEquals(readError(input).message, `not allowed for role ${role}`);
      }
    }
  });
}

/** Everything that a stranger could say, in each protocol. */
const STRANGE: readonly (readonly [string, Uint8Array])[] = PERMISSIONS.flatMap(({ text, binary }) => [
  ...text.map((command): [string, Uint8Array] => [command, new TextEncoder().encode(lineOf(command))]),
  ...binary.map((command): [string, Uint8Array] => {
    const [name, key = "k"] = command.split(" ");
    return [`binary ${command}`, packetOf(PACKET, OPCODE[name as keyof typeof OPCODE], { key })];
  }),
]);

Deno.test("a stranger may send nothing at all, after a failed attempt neither", async () => {
  const attempts = ["", "set a 0 0 9\r\nweb wrong\r\n"];
  for (const [command, bytes] of STRANGE) {
    for (const attempt of command.startsWith("binary") ? [""] : attempts) {
      const talk = stranger(LINES);
      await talk.say(attempt);
      const answer = latin1.decode((await talk.send(bytes)).bytes);
      assert(/^(CLIENT_ERROR [^\r]*\r\n)*$/.test(answer) || answer.includes("Auth failure."), `${command}: ${answer}`);
      assertEquals([talk.host.store.stats().stores, talk.access.isKnown], [0, false], command);
    }
  }
});
