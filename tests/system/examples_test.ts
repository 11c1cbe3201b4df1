/** Examples in doc comments and in documents: each public class, method and function has one, and each is right and runs. */

import { assertEquals } from "@std/assert";
import { isOldDeno } from "../support/deno_version.ts";
import { type Example, examplesIn, examplesOf, filesBelow, runExamples, text } from "../support/examples.ts";
import { CONFIG, runDeno } from "../support/processes.ts";

const ROOT = new URL("../../", import.meta.url);
const ENTRY_POINTS = ["mod.ts", "client.ts", "server.ts", "cli.ts", "lib/lru.ts"];

/** What `deno doc` says of a class, an interface, a function or a method. */
interface Documented {
  readonly name: string;
  readonly kind?: string;
  readonly declarationKind?: string;
  readonly jsDoc?: { readonly tags?: readonly { readonly kind: string }[] };
}

/** A class or an interface. */
interface Declaration extends Documented {
  readonly def: {
    readonly methods?: readonly Documented[];
    readonly implements?: readonly { readonly repr: string }[];
  };
}

function hasExample({ jsDoc }: Documented): boolean {
  return jsDoc?.tags?.some(({ kind }) => kind === "example") ?? false;
}

/** What the entry points export, under each name once. */
async function exported(): Promise<Map<string, Declaration[]>> {
  const { out } = await runDeno(["doc", "--quiet", "--json", "-c", CONFIG, ...ENTRY_POINTS], { cwd: ROOT.pathname });
  const files: Record<string, { symbols: { name: string; declarations: Declaration[] }[] }> = JSON.parse(out).nodes;
  const found = new Map<string, Declaration[]>();
  for (const { name, declarations } of Object.values(files).flatMap(({ symbols }) => symbols)) {
    const own = declarations.filter(({ kind, declarationKind }) =>
      kind !== "reference" && declarationKind === "export"
    );
    if (own.length > 0) found.set(name, own);
  }
  return found;
}

/** Names of methods that programs call: not those that only a debugger or `await using` calls. */
function methodsOf({ def }: Declaration): Map<string, Documented[]> {
  const methods = (def.methods ?? []).filter(({ name, kind }) => !name.startsWith("[") && kind !== "getter");
  return Map.groupBy(methods, ({ name }) => name);
}

Deno.test(
  "every public function, class and method has an example, or a method of the interface that its class implements",
  { ignore: isOldDeno },
  async () => {
    const symbols = await exported();
    const lacking: string[] = [];
    for (const [name, declarations] of symbols) {
      const [first] = declarations;
      if (["class", "function"].includes(first.kind!) && !declarations.some(hasExample)) lacking.push(name);
      if (first.kind !== "class" && first.kind !== "interface") continue;
      const promised = (first.def.implements ?? []).flatMap(({ repr }) => symbols.get(repr) ?? []);
      for (const [method, overloads] of methodsOf(first)) {
        const all = [...overloads, ...promised.flatMap((other) => methodsOf(other).get(method) ?? [])];
        if (!all.some(hasExample)) lacking.push(`${name}.${method}`);
      }
    }
    assertEquals(lacking, []);
  },
);

/** What stands in the tables' code beside the cache. */
const GIVEN = `import type { OrmucoCache } from "@ormuco/cache";
import { LruCache, OrmucoCacheClient } from "@ormuco/cache";
declare const client: OrmucoCacheClient;
declare const [k, v]: [string, string];
declare const keys: string[];
declare const version: number;
declare const signal: AbortSignal;
declare const [sizeOf, f]: [(value: string) => number, (value: string) => void];
declare const [load, loadLater]: [() => string, () => Promise<string>];
`;

/** The tables of docs/migrating.md as programs that only the type check reads: they make no call, since these are given no values. */
function tables(): Example[] {
  const [, ...sections] = text("docs/migrating.md").split(/^## From /m);
  return sections.map((section) => {
    const name = section.slice(0, section.indexOf("\n"));
    const cells = [...section.matchAll(/^\| .* \| (`.*`) \| .*\|$/gm)].map(([, cell]) => cell);
    const calls = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, call]) => `  void (${call});\n`));
    assertEquals(cells.length, section.match(/^\| (?!there \|)/gm)?.length, `every row for ${name} is read`);
    const cache = `declare const cache: ${name === "lru-cache" ? "LruCache<string>" : "OrmucoCache"};\n`;
    const program = `${GIVEN}${cache}export async function calls() {\n${calls.join("")}}\n`;
    return { name: `docs/migrating.md's table of ${name}`, program };
  });
}

Deno.test(
  "examples of doc comments, of docs/migrating.md and of docs/events.md pass the type check, run, print what they say, and leave nothing open",
  { ignore: isOldDeno },
  async () => {
    const documented = [...new Set([...ENTRY_POINTS, ...filesBelow("lib")])].flatMap(examplesOf);
    const { status, out, err } = await runExamples([
      ...documented,
      ...["docs/migrating.md", "docs/events.md"].flatMap(examplesIn),
      ...tables(),
    ]);
    assertEquals(status, 0, `${out}${err}`);
  },
);
