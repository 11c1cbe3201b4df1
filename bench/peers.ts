/**
 * This project beside its peers on this machine, in one run: servers, clients, caches in process. Writes
 * bench/results.md and its chart. It installs nothing: what is missing is named, and left out. It needs Linux.
 *
 * Usage: deno task bench:peers [in-process | clients | servers | memory] …     (all by default; takes about 8 minutes)
 */

import { benchClients } from "./peers/clients.ts";
import { benchInProcess } from "./peers/in_process.ts";
import { chart } from "./peers/chart.ts";
import { npmVersions } from "./peers/programs.ts";
import { report } from "./peers/report.ts";
import { benchGets, benchMemory, benchSizes, startAll } from "./peers/servers.ts";
import type { Table } from "./peers/table.ts";

const PARTS = ["in-process", "clients", "servers", "memory"];
const REPEATS = 9;
const SERVER_REPEATS = 7;
const SERVER_SECONDS = 2;

const asked = Deno.args.length === 0 ? PARTS : Deno.args;
const unknown = asked.find((part) => !PARTS.includes(part));
if (unknown !== undefined) {
  console.error(`Cannot run part "${unknown}": it must be ${PARTS.join(", ")}`);
  Deno.exit(2);
}
const missing: string[] = [];
const tables: Table[] = [];
const programs = asked.some((part) => part === "clients" || part === "servers") ? await startAll(missing) : [];
if (asked.includes("clients")) tables.push(...await benchClients(programs, REPEATS, missing));
if (asked.includes("servers")) tables.push(...await benchGets(programs, SERVER_SECONDS, SERVER_REPEATS));
for (const program of programs) await program.stop();
if (asked.includes("servers")) tables.push(await benchSizes(SERVER_SECONDS, SERVER_REPEATS));
if (asked.includes("memory")) tables.push(...await benchMemory(missing));
if (asked.includes("in-process")) tables.push(...await benchInProcess(100_000, REPEATS, missing));
const about = {
  date: new Date().toISOString().slice(0, 10),
  machine: machine(),
  versions: [
    `Deno ${Deno.version.deno}`,
    `V8 ${Deno.version.v8}`,
    ...programs.map(({ name, version }) => `${name} ${version}`),
    ...await npmVersions(["peers/clients.ts", "peers/in_process.ts"].map((file) => new URL(file, import.meta.url))),
  ],
};
const text = report({ about, tables, missing: [...new Set(missing)] });
console.log(text);
if (asked.length === PARTS.length) {
  const here = new URL(".", import.meta.url);
  await Deno.writeTextFile(new URL("results.md", here), text);
  await Deno.writeTextFile(new URL("results.svg", here), chart(about, tables));
}

function machine(): string {
  const cpu = /model name\s*:\s*(.*)/.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
  return `${navigator.hardwareConcurrency} cores of ${cpu}, Linux ${Deno.osRelease()}`;
}
