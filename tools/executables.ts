/**
 * Makes executables of the command line, in `dist`, for the systems named or for all: `deno task executables x86_64-unknown-linux-gnu`.
 * Beside them lie what they are made of (CycloneDX) and the digests of all (SHA256SUMS). The sources are bundled before they are
 * compiled: an executable starts in half the time when it has twenty files to load in place of two hundred.
 */

import { billOfMaterials } from "./bill_of_materials.ts";

const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];
const FOLDER = "dist";
const WORK_FOLDER = `${FOLDER}/work`;
const LOCK = `${WORK_FOLDER}/deno.lock`;
const BUNDLE_FOLDER = `${WORK_FOLDER}/bundle`;
const BUNDLED = `${BUNDLE_FOLDER}/cli.js`;
/** What the sources of @std say, which a bundle leaves out. */
const NOTICE = "// With packages of @std: Copyright 2018-2026 the Deno authors. MIT license.\n";

async function run(program: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(program, { args, stdin: "null" }).spawn().status;
  if (!success) throw new Error(`Cannot make executables: this has failed: ${program} ${args.join(" ")}`);
}

/** Makes few files of all sources; what is imported only when it is needed stays a file of its own. */
async function bundle(options: string[]): Promise<void> {
  const how = ["--platform", "deno", "--code-splitting", "--outdir", BUNDLE_FOLDER];
  await run(Deno.execPath(), "bundle", ...options, "--frozen", ...how, "cli.ts");
  await Deno.writeTextFile(BUNDLED, NOTICE + await Deno.readTextFile(BUNDLED));
}

/** Compiles for one system, and packs the executable with the license. */
async function make(target: string, name: string, options: string[]): Promise<void> {
  const executable = target.includes("windows") ? "ormuco-cache.exe" : "ormuco-cache";
  const output = `${WORK_FOLDER}/${executable}`;
  await run(Deno.execPath(), "compile", ...options, "--frozen", "-A", "--target", target, "--output", output, BUNDLED);
  await run("tar", "-czf", `${FOLDER}/${name}-${target}.tar.gz`, "-C", WORK_FOLDER, executable, "LICENSE");
  console.log(`Made ${FOLDER}/${name}-${target}.tar.gz`);
}

async function sumLine(file: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await Deno.readFile(`${FOLDER}/${file}`)));
  return `${Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")}  ${file}\n`;
}

const targets = Deno.args.length === 0 ? TARGETS : Deno.args;
for (const target of targets) {
  if (TARGETS.includes(target)) continue;
  console.error(`Cannot make executables: a target must be ${TARGETS.join(", ")}: received ${target}`);
  Deno.exit(2);
}
await Deno.remove(FOLDER, { recursive: true }).catch(() => {}); // there may be none
await Deno.mkdir(WORK_FOLDER, { recursive: true });
await Deno.copyFile("LICENSE", `${WORK_FOLDER}/LICENSE`);
const { version, imports } = JSON.parse(await Deno.readTextFile("deno.json"));
const name = `ormuco-cache-${version}`;
const acme: string = imports["acme-client"]; // what is loaded when it is needed is not found by itself
const config = import.meta.resolve("@std/msgpack").startsWith("file:") ? "deno.npm.json" : "deno.json";
await run(Deno.execPath(), "cache", "-c", config, "--quiet", "--lock", LOCK, "cli.ts", acme);
const options = ["-c", config, "--quiet", "--lock", LOCK];
await bundle(options);
for (const target of targets) await make(target, name, [...options, "--include", acme]);
const { deno, v8 } = Deno.version;
const lock = JSON.parse(await Deno.readTextFile(LOCK));
const bill = billOfMaterials(lock, { version, deno, v8, time: new Date().toISOString() });
await Deno.writeTextFile(`${FOLDER}/${name}.cdx.json`, `${JSON.stringify(bill, null, 2)}\n`);
await Deno.remove(WORK_FOLDER, { recursive: true });
const made = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).sort();
await Deno.writeTextFile(`${FOLDER}/SHA256SUMS`, (await Promise.all(made.map(sumLine))).join(""));
