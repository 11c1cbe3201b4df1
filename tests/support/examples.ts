/** The examples of this project's doc comments and documents, and how they are run as tests. */

import { CONFIG, type Ended, runDeno } from "./processes.ts";
import { startedServer } from "./servers.ts";

const ROOT = new URL("../../", import.meta.url);

/** An example, and where it stands. */
export interface Example {
  /** `file:line` of its first line. */
  readonly name: string;
  readonly program: string;
}

/** The text of one of this project's files. */
export function text(file: string): string {
  return Deno.readTextFileSync(new URL(file, ROOT));
}

/** The blocks of code of one language in a document. */
export function blocks(language: string, document: string): string[] {
  return [...document.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, block]) => block);
}

/** What a program says that it prints: `console.log(…); // this`, line by line. */
export function saidLines(program: string): string[] {
  return [...program.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, line]) => line);
}

/** The examples in the doc comments of a source file. */
export function examplesOf(file: string): Example[] {
  const source = text(file);
  return [...source.matchAll(/^ *\* ```ts\n([\s\S]*?)^ *\* ```$/gm)].map(({ 1: block, index }) => ({
    name: `${file}:${source.slice(0, index).split("\n").length + 1}`,
    program: block.replaceAll(/^ *\* ?/gm, ""),
  }));
}

/** The examples in a document that are TypeScript. */
export function examplesIn(document: string): Example[] {
  const source = text(document);
  return blocks("ts", source).map((program) => ({
    name: `${document}:${source.slice(0, source.indexOf(program)).split("\n").length}`,
    program,
  }));
}

/** The source files of a folder of this project, and of those in it. */
export function* filesBelow(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    if (isDirectory) yield* filesBelow(`${folder}/${name}`);
    else if (name.endsWith(".ts")) yield `${folder}/${name}`;
  }
}

/** An import map in which `@ormuco/cache` is this code, for files outside its folder. */
function importMap(): string {
  const { imports } = JSON.parse(text(CONFIG));
  const { name, exports } = JSON.parse(text("deno.json"));
  for (const [specifier, target] of Object.entries<string>(imports)) {
    if (target.startsWith("./")) imports[specifier] = new URL(target, ROOT).href;
  }
  for (const [path, file] of Object.entries<string>(exports)) {
    imports[`${name}${path.slice(1)}`] = new URL(file, ROOT).href;
  }
  return JSON.stringify({ imports });
}

/** The file for an example: errors of types name it. */
function fileOf(name: string): string {
  return `${name.replaceAll(/[^\w.-]/g, "_")}.ts`;
}

/**
 * Checks the types of examples and runs them, each as a test, in a process whose `@ormuco/cache` is this code. Where they name the
 * server of the documents, there is one, which is empty when an example begins; a server of their own takes a free port.
 *
 * @returns How the process ended.
 */
export async function runExamples(examples: readonly Example[]): Promise<Ended> {
  await using server = await startedServer();
  const folder = await Deno.makeTempDir();
  const write = (file: string, text: string) => Deno.writeTextFile(`${folder}/${file}`, text);
  try {
    await write("imports.json", importMap());
    for (const { name, program } of examples) {
      const local = program.replaceAll('listen: "127.0.0.1:11142"', 'listen: "127.0.0.1:0"')
        .replaceAll("127.0.0.1:11142", server.address!);
      await write(fileOf(name), `${local}\nexport {};\n`);
    }
    const rows = examples.map(({ name, program }) => {
      const [shown, said] = [name, saidLines(program)].map((value) => JSON.stringify(value));
      return `  { name: ${shown}, said: ${said}, load: () => import("./${fileOf(name)}") },\n`;
    });
    await write(
      "examples_test.ts",
      `import { testExamples } from ${JSON.stringify(new URL("test_examples.ts", import.meta.url).href)};\n` +
        `testExamples("${server.address}", [\n${rows.join("")}]);\n`,
    );
    const options = ["--quiet", "-A", "--no-lock", "--no-config", "--import-map", "imports.json"];
    return await runDeno(["test", ...options, "examples_test.ts"], { cwd: folder });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
