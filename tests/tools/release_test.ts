/** What keeps a version from being released. */

import { assert, assertEquals } from "@std/assert";
import { problemsOf, type State } from "../../tools/release.ts";
import { run } from "../support/processes.ts";

const ROOT = new URL("../../", import.meta.url);
const CHANGELOG = "# Changelog\n\n## 1.2.3, 2026-01-31\n\n- New.\n\n## 1.2.2, 2026-01-01\n\n- Old.\n";
const GOOD: State = {
  version: "1.2.3",
  changelog: CHANGELOG,
  files: new Map([[
    "README.md",
    "- **Status**: 1.2.3, for Deno\n`jsr:@ormuco/cache@^1.2.3`, `ormuco-cache:1.2.3`, Deno 2.4.0\n",
  ]]),
  tags: ["v1.2.2"],
  changes: [],
};

function state(changes: Partial<State>): string[] {
  return problemsOf({ ...GOOD, ...changes });
}

/** A state with a file in place of those that are good. */
function withFile(text: string): Partial<State> {
  return { files: new Map([["a.md", text]]) };
}

Deno.test("a version is released that everything names, with a date and with what has changed", () => {
  assertEquals(problemsOf(GOOD), []);
  assertEquals(state({ tags: ["v1.2.3"], tag: "v1.2.3" }), [], "when the tag has been made");
});

const PROBLEMS: [Partial<State>, string][] = [
  [{ tags: ["v1.2.3"] }, "git: the tag v1.2.3 is there already"],
  [{ tag: "v1.2.4" }, "git: the tag is v1.2.4, and the version 1.2.3"],
  [{ changes: [" M mod.ts"] }, "git: what is not committed is not released:  M mod.ts"],
  [
    { changelog: CHANGELOG.replace("2026-01-31", "unreleased") },
    "CHANGELOG.md: 1.2.3 has no date, as in 2026-01-31: received unreleased",
  ],
  [
    { changelog: CHANGELOG.replace("2026-01-31", "2026-02-31") },
    "CHANGELOG.md: 1.2.3 has no date, as in 2026-01-31: received 2026-02-31",
  ],
  [{ changelog: CHANGELOG.replace("- New.\n", "") }, "CHANGELOG.md: 1.2.3 says of nothing that it has changed"],
  [
    { changelog: `# Changelog\n\n## 1.2.2, 2026-01-01\n\n- Old.\n` },
    "CHANGELOG.md: the first section is of 1.2.2, and not of 1.2.3",
  ],
  [withFile("- **Status**: 1.2.2, for Deno"), "a.md: it names the version 1.2.2"],
  [withFile("import jsr:@ormuco/cache@^1.2.2/client"), "a.md: it names the version 1.2.2"],
  [withFile("image: ghcr.io/owner/ormuco-cache:1.2.2"), "a.md: it names the version 1.2.2"],
  [withFile("apiVersion: v2\nappVersion: 1.2.2"), "a.md: it names the version 1.2.2"],
  [withFile('version: "1.2.2"\n'), "a.md: it names the version 1.2.2"],
  [withFile('export const VERSION = "1.2.2";'), "a.md: it names the version 1.2.2"],
  [withFile("It is not on JSR yet"), "a.md: it says that the cache is not on JSR yet"],
];

for (const [changes, problem] of PROBLEMS) {
  Deno.test(`a version is not released: ${problem}`, () => assertEquals(state(changes), [problem]));
}

Deno.test("a version is three numbers", () => {
  assertEquals(state({ version: "1.2", changelog: CHANGELOG.replace("1.2.3", "1.2"), files: new Map() }), [
    "deno.json: a version is three numbers: received 1.2",
  ]);
});

Deno.test("documents, code and charts name the version of deno.json and no other", async () => {
  const { err } = await run("tools/release.ts", [], { cwd: ROOT.pathname });
  const open =
    /^(CHANGELOG\.md: .* has no date|git: |README\.md: it says that the cache is not on JSR yet|\S+ cannot be released yet$)/;
  assertEquals(err.split("\n").filter((line) => line !== "" && !open.test(line)), []);
});

Deno.test("the notes of a release are the newest section of CHANGELOG.md", async () => {
  const { status, out } = await run("tools/release.ts", ["notes"], { cwd: ROOT.pathname });
  const changelog = await Deno.readTextFile(new URL("CHANGELOG.md", ROOT));
  const [, notes, others] = changelog.split(/^## .*\n+/m);
  assertEquals([status, out.trimEnd()], [0, notes.trimEnd()]);
  assert(others === undefined || !out.includes(others));
});

Deno.test("executables are made for the systems on which a release runs them, and for no other", async () => {
  const { status, err } = await run("tools/executables.ts", ["sparc"], { cwd: ROOT.pathname });
  const workflow = await Deno.readTextFile(new URL(".github/workflows/release.yml", ROOT));
  const targets = [...workflow.matchAll(/ target: (\S+) }/g)].map(([, target]) => target);
  const what = `a target must be ${targets.join(", ")}: received sparc`;
  assertEquals([status, err], [2, `Cannot make executables: ${what}\n`]);
});
