import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

/** Files by layer, the lowest first: a file imports from its own layer or a lower one, and never in a circle. */
const LAYERS: string[][] = [
  [
    "lib/address.ts",
    "lib/alarm.ts",
    "lib/buffers.ts",
    "lib/blocks.ts",
    "lib/clock.ts",
    "lib/errors.ts",
    "lib/gossip_link.ts",
    "lib/json_text.ts",
    "lib/key_table.ts",
    "lib/limits.ts",
    "lib/random.ts",
    "lib/software.ts",
    "lib/span.ts",
    "lib/stats.ts",
    "lib/version.ts",
  ],
  [
    "lib/cli_help.ts",
    "lib/hash.ts",
    "lib/key.ts",
    "lib/lru.ts",
    "lib/server_lines.ts",
    "lib/server_options.ts",
    "lib/stats_lines.ts",
    "lib/msgpack_check.ts",
    "lib/slab.ts",
    "lib/socket.ts",
  ],
  ["lib/input_buffer.ts", "lib/output_buffer.ts", "lib/conversation.ts"],
  ["lib/codec.ts", "lib/extended.ts", "lib/frame.ts", "lib/records.ts"],
  ["lib/chain.ts", "lib/cleared.ts", "lib/sweep.ts", "lib/write_log.ts"],
  ["lib/history.ts"],
  ["lib/entries.ts"],
  ["lib/store.ts"],
  ["lib/gossip_message.ts"],
  ["lib/delta.ts", "lib/gossip_reader.ts"],
  ["lib/catch_up.ts"],
  ["lib/gossip.ts"],
  ["lib/scenarios.ts", "lib/simulated_network.ts", "lib/trace.ts"],
  ["lib/judge.ts"],
  ["lib/cluster.ts"],
  ["lib/simulator.ts"],
  ["lib/memcached_base64.ts", "lib/memcached_numbers.ts", "lib/memcached_writing.ts"],
  ["lib/memcached.ts", "lib/memcached_binary_frame.ts", "lib/memcached_line.ts"],
  ["lib/memcached_meta_flags.ts", "lib/memcached_stats.ts"],
  ["lib/memcached_meta.ts"],
  ["lib/memcached_ahead.ts", "lib/memcached_binary_commands.ts", "lib/memcached_classic.ts"],
  ["lib/memcached_binary.ts", "lib/memcached_text.ts", "lib/native.ts"],
  ["lib/config.ts", "lib/local_cache.ts", "lib/pipeline.ts", "lib/session.ts"],
  ["lib/environment.ts"],
  ["lib/greeting_socket.ts"],
  ["lib/link_socket.ts", "lib/peer_link_socket.ts"],
  ["lib/peers_socket.ts"],
  ["client.ts", "server.ts"],
  ["mod.ts", "bench/load.ts"],
  ["cli.ts"],
];

/** Files of lib/ that own a socket, the environment or a clock. All others are pure. */
const IMPURE = [
  "lib/alarm.ts",
  "lib/clock.ts",
  "lib/environment.ts",
  "lib/greeting_socket.ts",
  "lib/link_socket.ts",
  "lib/local_cache.ts",
  "lib/peer_link_socket.ts",
  "lib/peers_socket.ts",
  "lib/socket.ts",
];

/** What a pure file does not mention outside comments and strings. */
const AMBIENT =
  /\bDeno\.|\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b|\bDate\.now\b|\bnew Date\(\)|\bperformance\.|\bMath\.random\b|\bcrypto\.|\bPromise\b|\basync\b|\bawait\b|\bconsole\.|\bfetch\(/;

const code = new Map<string, string>();
for (const file of [...Deno.readDirSync(new URL("lib", ROOT))].map(({ name }) => `lib/${name}`)) read(file);
for (const file of LAYERS.flat()) read(file);

function read(file: string): void {
  code.set(file, Deno.readTextFileSync(new URL(file, ROOT)));
}

function importsOf(file: string): string[] {
  const found = code.get(file)!.matchAll(/(?:import|export)\b[^;]*?from "(\.[^"]+)"/g);
  return [...found].map(([, path]) => new URL(path, new URL(file, ROOT)).pathname.slice(ROOT.pathname.length));
}

Deno.test("every source file has its place in the layout", () => {
  assertEquals([...code.keys()].sort(), LAYERS.flat().sort());
});

Deno.test("imports point one way", () => {
  const layerOf = (file: string) => LAYERS.findIndex((layer) => layer.includes(file));
  for (const file of code.keys()) {
    for (const imported of importsOf(file)) {
      assert(layerOf(imported) >= 0, `${file} imports ${imported}, which has no layer`);
      assert(layerOf(imported) <= layerOf(file), `${file} imports ${imported} from a layer above`);
    }
  }
});

Deno.test("no file imports itself, by whatever way round", () => {
  const reach = (from: string, path: string[]): void => {
    for (const imported of importsOf(from)) {
      assert(!path.includes(imported), `a circle: ${[...path, imported].join(" → ")}`);
      reach(imported, [...path, imported]);
    }
  };
  for (const file of code.keys()) reach(file, [file]);
});

Deno.test("pure files use no socket, timer, clock, randomness or promise", () => {
  for (const [file, text] of code) {
    if (!file.startsWith("lib/") || IMPURE.includes(file)) continue;
    const bare = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "").replace(/"(?:[^"\\\n]|\\.)*"|`[^`]*`/g, '""');
    assertEquals(AMBIENT.exec(bare)?.[0], undefined, file);
  }
});

Deno.test("every source file opens with its job, and stays small", () => {
  for (const [file, text] of code) {
    assert(text.startsWith("/**"), file);
    const lines = text.split("\n").filter((line) => !/^\s*(\/?\*|\/\/|$)/.test(line)).length;
    assert(lines <= 320, `${file} has ${lines} lines of code`);
  }
});

Deno.test("deno.npm.json differs from deno.json by its stand-ins and its own name alone", () => {
  const [shipped, npm] = ["deno.json", "deno.npm.json"].map((name) => {
    const text = Deno.readTextFileSync(new URL(name, ROOT)).replaceAll(/ (-c|--import-map) deno.npm.json/g, "");
    return JSON.parse(text);
  });
  const isStandIn = (name: string) => name.startsWith("@std/") || ["cli-progress", "dotenv", "minimist"].includes(name);
  for (const config of [shipped, npm]) {
    config.imports = Object.fromEntries(Object.entries(config.imports).filter(([name]) => !isStandIn(name)));
  }
  npm.publish.include = npm.publish.include.filter((path: string) => path !== "npm");
  assertEquals(npm, shipped);
});
