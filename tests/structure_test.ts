import { assert, assertEquals, assertStringIncludes } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

interface Room {
  /** Rooms that its files may import, beside their own. */
  readonly imports: readonly string[];
  /** Whether its files use no socket, timer, clock, randomness or promise. */
  readonly isPure: boolean;
}

const pure = (...imports: string[]): Room => ({ imports, isPure: true });
const impure = (...imports: string[]): Room => ({ imports, isPure: false });

/** The folders of lib/, of which `lib/lru.ts` is the entry to one, and the entry points. A new file needs no line here; a new room does. */
const ROOMS: Readonly<Record<string, Room>> = {
  base: pure(),
  lru: pure("base"),
  wire: pure("base"),
  store: pure("base"),
  insight: pure("base"),
  near: pure("base", "wire", "lru", "store"),
  memcached: pure("base", "wire", "store", "near"),
  replication: pure("base", "wire", "store"),
  simulation: pure("base", "wire", "lru", "store", "replication", "near"),
  http: pure("base"),
  metrics: pure("base"),
  page: impure("base"),
  compute: impure("base", "platform"),
  platform: impure("base", "wire"),
  client: impure("base", "wire", "lru", "near", "compute", "platform"),
  server: impure(
    "base",
    "wire",
    "lru",
    "store",
    "insight",
    "near",
    "memcached",
    "replication",
    "compute",
    "platform",
    "http",
    "metrics",
    "page",
  ),
  cli: impure("base", "wire", "platform", "entry"),
  entry: impure("base", "wire", "lru", "near", "metrics", "compute", "platform", "client", "server", "page", "cli"),
};

/** Names that a pure file does not mention outside comments and strings. */
const AMBIENT =
  /\bDeno\.|\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b|\bDate\.now\b|\bnew Date\(\)|\bperformance\.|\bMath\.random\b|\bcrypto\.|\bnew Promise\b|\bPromise\.|\basync\b|\bawait\b|\bconsole\.|\bfetch\(/;
/** The one exception: the clock that `LruCache` uses unless its options name another. */
const AMBIENT_ALLOWED: Readonly<Record<string, RegExp>> = {
  "lib/lru/options.ts": /\bperformance\.now\b|\bDate\.now\b|\bqueueMicrotask\b/g,
};

const MAX_CODE_LINES = 400;
const MAX_FUNCTION_LINES = 60;
const MAX_TEST_LINES = 500;

const sources = new Map<string, string>();
for (const file of filesBelow("lib")) sources.set(file, read(file));
for (const { name, isFile } of Deno.readDirSync(ROOT)) {
  if (isFile && name.endsWith(".ts")) sources.set(name, read(name));
}

function* filesBelow(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    if (isDirectory) yield* filesBelow(`${folder}/${name}`);
    else if (name.endsWith(".ts")) yield `${folder}/${name}`;
  }
}

function read(file: string): string {
  return Deno.readTextFileSync(new URL(file, ROOT));
}

function roomOf(file: string): string {
  const [lib, second, third] = file.split("/");
  if (lib !== "lib") return "entry";
  return third === undefined ? second.replace(/\.ts$/, "") : second;
}

/** Files of this project that a file imports, types and `import()` included. */
function importsOf(file: string): string[] {
  const text = withoutComments(sources.get(file)!);
  const found = text.matchAll(/(?:\b(?:import|export)\b[^;"]*?\bfrom\s*|\bimport\s*\(?\s*)"(\.[^"]+)"/g);
  return [...found].map(([, path]) => new URL(path, new URL(file, ROOT)).pathname.slice(ROOT.pathname.length));
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
}

function codeLines(lines: readonly string[]): number {
  return lines.filter((line) => !/^\s*(\/?\*|\/\/|$)/.test(line)).length;
}

Deno.test("every file of lib/ stands in a room", () => {
  for (const file of sources.keys()) assert(Object.hasOwn(ROOMS, roomOf(file)), `${file} is in no room`);
});

Deno.test("a room imports itself and the rooms that it may", () => {
  for (const file of sources.keys()) {
    const room = roomOf(file);
    for (const imported of importsOf(file)) {
      assert(sources.has(imported), `${file} imports ${imported}, which is no source file`);
      const isAllowed = roomOf(imported) === room || ROOMS[room].imports.includes(roomOf(imported));
      assert(isAllowed, `${file} imports ${imported}: ${room} may import ${ROOMS[room].imports.join(", ") || "none"}`);
    }
  }
});

Deno.test("a pure room imports pure rooms only", () => {
  for (const [name, { imports, isPure }] of Object.entries(ROOMS)) {
    for (const imported of isPure ? imports : []) assert(ROOMS[imported].isPure, `${name} imports ${imported}`);
  }
});

Deno.test("no file imports itself, by whatever way round", () => {
  const done = new Set<string>();
  const visit = (file: string, path: string[]): void => {
    assert(!path.includes(file), `a circle: ${[...path, file].join(" → ")}`);
    if (done.has(file)) return;
    for (const imported of importsOf(file)) visit(imported, [...path, file]);
    done.add(file);
  };
  for (const file of sources.keys()) visit(file, []);
});

Deno.test("files of pure rooms use no socket, timer, clock, randomness or promise", () => {
  for (const [file, text] of sources) {
    if (!ROOMS[roomOf(file)].isPure) continue;
    const bare = withoutComments(text).replace(/"(?:[^"\\\n]|\\.)*"|`[^`]*`/g, '""');
    assertEquals(AMBIENT.exec(bare.replaceAll(AMBIENT_ALLOWED[file] ?? / /g, " "))?.[0], undefined, file);
  }
});

Deno.test("only lib/store touches records, and only replication and simulation beside it the history", () => {
  for (const [file, text] of sources) {
    const code = withoutComments(text);
    const room = roomOf(file);
    if (room !== "store") assert(!/\.records\b|\{[^}\n]*\brecords\b[^}\n]*\} = /.test(code), `${file} touches records`);
    if (["store", "replication", "simulation"].includes(room)) continue;
    assert(!/\.history\b|\{[^}\n]*\bhistory\b[^}\n]*\} = /.test(code), `${file} touches the history`);
  }
});

Deno.test("every source file opens with its job", () => {
  for (const [file, text] of sources) assert(/^\/\*\*[\s*]+\w/.test(text), file);
});

Deno.test(`no source file has more than ${MAX_CODE_LINES} lines of code`, () => {
  for (const [file, text] of sources) {
    const lines = codeLines(text.split("\n"));
    assert(lines <= MAX_CODE_LINES, `${file} has ${lines}`);
  }
});

Deno.test(`no file of tests has more than ${MAX_TEST_LINES} lines`, () => {
  for (const file of filesBelow("tests")) {
    const lines = read(file).split("\n").length - 1;
    assert(lines <= MAX_TEST_LINES, `${file} has ${lines}`);
  }
});

Deno.test(`no function has more than ${MAX_FUNCTION_LINES} lines of code`, () => {
  // Formatted code: a function's last line is its closing brace at the indentation of its first.
  const head =
    /^( *)(?:export |default |static |override |async |get |set )*(?:function\b.*|[#\w[][^=;]*\(.*|const \w+ = .*=> )\{$/;
  for (const [file, text] of sources) {
    const lines = text.split("\n");
    lines.forEach((line, from) => {
      const indent = head.exec(line)?.[1];
      if (indent === undefined || /^ *(?:if|for|while|switch|do|try|else|return)\b/.test(line)) return;
      const to = lines.findIndex((other, i) => i > from && other.startsWith(`${indent}}`));
      const length = codeLines(lines.slice(from, to + 1));
      assert(length <= MAX_FUNCTION_LINES, `${file}:${from + 1} has ${length}: ${line.trim()}`);
    });
  }
});

Deno.test("what entry points reach is published, and no other source is", () => {
  const { exports, publish } = JSON.parse(read("deno.json"));
  const reached = new Set<string>(Object.values<string>(exports).map((path) => path.slice(2)));
  for (const file of reached) for (const imported of importsOf(file)) reached.add(imported); // a set grows while it is walked
  const isBelow = (file: string, paths: string[]) => paths.some((path) => file === path || file.startsWith(`${path}/`));
  const published = [...sources.keys()].filter((file) =>
    (isBelow(file, publish.include) || !file.includes("/") && publish.include.includes("*.ts")) &&
    !isBelow(file, publish.exclude)
  );
  assertEquals(published.sort(), [...reached].sort());
});

interface Configuration {
  readonly imports: Readonly<Record<string, string>>;
  readonly tasks: Readonly<Record<string, string>>;
}

/** What a package is imported as: the first two words of a path under a scope, else the first. */
function packageOf(specifier: string): string {
  return specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

Deno.test("deno.npm.json is deno.json with stand-ins for what only JSR has, repeats no task, and cannot be published", () => {
  const [jsr, npm] = ["deno.json", "deno.npm.json"].map((file): Configuration => JSON.parse(read(file)));
  assertEquals(Object.keys(npm).sort(), ["imports", "lock", "tasks"], "what else it had would be said twice");
  const ofStandIns = [...filesBelow("npm")].flatMap((file) =>
    [...read(file).matchAll(/ from "([^.][^"]*)"/g)].map(([, name]) => packageOf(name))
  );
  for (const [name, target] of Object.entries(jsr.imports)) {
    if (!target.startsWith("jsr:")) assertEquals(npm.imports[name], target, name);
    else assert(Object.keys(npm.imports).some((other) => packageOf(other) === name), `${name} has no stand-in`);
  }
  for (const [name, target] of Object.entries(npm.imports)) {
    if (jsr.imports[packageOf(name)]?.startsWith("jsr:")) assert(sourceExists(target), `${name} is ${target}`);
    else if (!Object.hasOwn(jsr.imports, name)) {
      assert(ofStandIns.includes(name) && target.startsWith("npm:"), `${name} is for no stand-in`);
    }
  }
  for (const [name, line] of Object.entries(npm.tasks)) {
    const [, forwardedTo] = /^CONFIG='-c deno\.npm\.json' deno task -c deno\.json (\S+)$/.exec(line) ?? [];
    assert(Object.hasOwn(jsr.tasks, forwardedTo), `the task ${name} is ${line}`);
    assert(name === forwardedTo || name === "ok", `the task ${name} runs ${forwardedTo}`);
  }
});

Deno.test("what orders certificates is loaded where it is asked for, and is no part of what Deno downloads for everybody", () => {
  const { imports }: Configuration = JSON.parse(read("deno.json"));
  for (const [file, text] of sources) {
    const found = withoutComments(text).match(/(?<!import type \w+ )\b(from|import|import\() ?"(npm:)?acme-client.*/g);
    assertEquals(found, null, file);
  }
  assertStringIncludes(sources.get("lib/platform/acme.ts")!, `: string = "${imports["acme-client"]}"`);
  assertStringIncludes(read("docs/tls.md"), `--include ${imports["acme-client"]} `);
});

function sourceExists(path: string): boolean {
  return path.startsWith("./npm/") && [...filesBelow("npm")].includes(path.slice(2));
}

/** What files import for more than types, by their paths or as they name it; with an `import()` they can wait. */
function importedAtOnce(file: string): string[] {
  const found = withoutComments(sources.get(file)!).matchAll(
    /^(?:import|export)\b(?! type\b)([^;"]*?)\bfrom "([^"]+)"/gm,
  );
  return [...found].flatMap(([, names, path]) => {
    const named = /^ \{([^}]*)\} $/.exec(names)?.[1].split(",").map((name) => name.trim()).filter((name) =>
      name !== ""
    );
    if (named?.every((name) => name.startsWith("type "))) return [];
    return path.startsWith(".") ? new URL(path, new URL(file, ROOT)).pathname.slice(ROOT.pathname.length) : path;
  });
}

/** The rooms, and beside them the modules of others, that are loaded before the first line of a file runs. */
function loadedWith(file: string): string {
  const files = new Set([file]);
  for (const each of files) for (const imported of sources.has(each) ? importedAtOnce(each) : []) files.add(imported);
  return [...new Set([...files].map((each) => sources.has(each) ? roomOf(each) : each))].sort().join(" ");
}

Deno.test("entry points load nothing that is only needed by some of those who start them", () => {
  const others = "@std/dotenv @std/msgpack"; // not node:process, node:zlib, node:crypto, node:tls: they take 10 to 30 ms each
  const client = "base client compute entry lru near";
  assertEquals(
    loadedWith("client.ts"),
    `${others} ${client} node:async_hooks node:buffer node:diagnostics_channel platform wire`,
  );
  assertEquals(
    loadedWith("server.ts"),
    `${others} base compute entry insight lru memcached metrics near node:buffer node:diagnostics_channel ` +
      "platform replication server store wire",
  );
});

Deno.test("the command line loads neither a server nor a client before it knows what it is to do", () => {
  assertEquals(loadedWith("cli.ts"), "@std/cli/parse-args @std/dotenv base cli entry platform");
  for (const file of ["entry_commands.ts", "server_commands.ts", "explain.ts", "top.ts", "bench.ts"]) {
    assert(!/\b(server|store|page)\b/.test(loadedWith(`lib/cli/${file}`)), file);
  }
});

Deno.test("numbers are written without toLocaleString(), but for the status page: it takes 12 ms when it is first called", () => {
  for (const [file, text] of sources) {
    if (roomOf(file) !== "page") assert(!withoutComments(text).includes(".toLocaleString("), file);
  }
});
