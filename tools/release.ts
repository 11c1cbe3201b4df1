/**
 * Says whether this version can be released, and what is to be done next: `deno task release`. With the tag that has been made, as in
 * `deno task release v0.1.0`, it says whether that is this version's; `deno task release notes` prints what has changed. It changes and
 * pushes nothing.
 */

/** What is looked at. */
export interface State {
  readonly version: string;
  /** The texts of CHANGELOG.md, and of documents and files in which the version stands, by their paths. */
  readonly changelog: string;
  readonly files: ReadonlyMap<string, string>;
  /** Tags that there are, and files that are not as they were committed. */
  readonly tags: readonly string[];
  readonly changes: readonly string[];
  /** The tag that has been made, if one has. */
  readonly tag?: string;
}

/** Where a version of this software is named, in documents, in its own code, in a chart and in what runs an image. */
const VERSIONS = [
  /\*\*Status\*\*: (\d[\w.+-]*\w)/g,
  /@ormuco\/cache@\^?(\d[\w.+-]*\w)/g,
  /\bormuco-cache[:/](\d[\w.+-]*\w)/g,
  /^(?:appVersion|version): "?(\d[\w.+-]*\w)/gm,
  /\bVERSION = "(.*)"/g,
];

/** The newest section of a changelog: what its heading says after the version, and its text. */
function newest(changelog: string): { version: string; date: string; notes: string } {
  const [, version = "none", date = "", notes = ""] =
    /^## (\S+), (.*)\n([\s\S]*?)(?=^## |(?![\s\S]))/m.exec(changelog) ?? [];
  return { version, date, notes: notes.trim() };
}

/** What keeps the version from being released; nothing if nothing does. */
export function problemsOf({ version, changelog, files, tags, changes, tag }: State): string[] {
  const problems: string[] = [];
  const expect = (isSo: boolean, problem: string) => void (isSo || problems.push(problem));
  const section = newest(changelog);
  expect(/^\d+\.\d+\.\d+$/.test(version), `deno.json: a version is three numbers: received ${version}`);
  expect(
    section.version === version,
    `CHANGELOG.md: the first section is of ${section.version}, and not of ${version}`,
  );
  expect(
    isDay(section.date),
    `CHANGELOG.md: ${section.version} has no date, as in 2026-01-31: received ${section.date}`,
  );
  expect(/^- /m.test(section.notes), `CHANGELOG.md: ${section.version} says of nothing that it has changed`);
  for (const [file, text] of files) {
    for (const [, found] of VERSIONS.flatMap((version) => [...text.matchAll(version)])) {
      expect(found === version, `${file}: it names the version ${found}`);
    }
    expect(!/not on JSR yet/.test(text), `${file}: it says that the cache is not on JSR yet`);
  }
  expect(changes.length === 0, `git: what is not committed is not released: ${changes.join(", ")}`);
  if (tag === undefined) expect(!tags.includes(`v${version}`), `git: the tag v${version} is there already`);
  else expect(tag === `v${version}`, `git: the tag is ${tag}, and the version ${version}`);
  return problems;
}

function isDay(text: string): boolean {
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

function git(...args: string[]): string[] {
  const { success, stdout, stderr } = new Deno.Command("git", { args }).outputSync();
  if (!success) throw new Error(`Cannot run git ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}

function stateNow(tag: string | undefined): State {
  const named = git("ls-files", "README.md", "lib/base/software.ts", "docs", "deploy");
  return {
    version: JSON.parse(Deno.readTextFileSync("deno.json")).version,
    changelog: Deno.readTextFileSync("CHANGELOG.md"),
    files: new Map(named.map((file) => [file, Deno.readTextFileSync(file)])),
    tags: git("tag", "--list"),
    changes: git("status", "--porcelain"),
    tag,
  };
}

function main([what]: string[]): number {
  const state = stateNow(what);
  const { version } = state;
  if (what === "notes") {
    console.log(newest(state.changelog).notes);
    return 0;
  }
  const problems = problemsOf(state);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) {
    console.error(`${version} cannot be released yet`);
    return 1;
  }
  console.log(`${version} can be released`);
  if (what !== undefined) return 0;
  console.log(`Next, which nothing here does: git tag -a v${version} -m ${version} && git push origin v${version}`);
  console.log(
    "Then GitHub tests it, and publishes it to JSR, as an image, and as executables (.github/workflows/release.yml).",
  );
  return 0;
}

if (import.meta.main) Deno.exit(main(Deno.args));
