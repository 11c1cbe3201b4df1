/** Servers to measure, as processes of their own, and what Linux tells about them. */

import { VERSION } from "../../lib/base/software.ts";
import { CONFIG, denoArguments } from "../../tests/support/processes.ts";

/** A server that runs. */
export interface Program {
  name: string;
  version: string;
  port: number;
  pid: number;
  /** What it writes to standard output, line by line. */
  lines: AsyncIterator<string>;
  stop(): Promise<void>;
}

/** Something to install before it can be measured. */
export class Missing extends Error {}

const STARTS: Record<string, (port: number) => [command: string, args: string[]]> = {
  "Ormuco Cache": (port) => [
    Deno.execPath(),
    [...denoArguments("bench/peers/watched_server.ts"), String(port)],
  ],
  "memcached": (port) => ["memcached", [
    ...["-l", "127.0.0.1", "-p", String(port), "-U", "0", "-t", "1", "-m", "4096", "-c", "1000"],
    ...(Deno.uid() === 0 ? ["-u", "root"] : []),
  ]],
  "Redis": (port) => ["redis-server", [
    ...["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
  ]],
};
/** Packages that are this project's own. */
const OWN = ["@msgpack/msgpack", "acme-client", "dotenv"];
const PACKAGES: Record<string, string> = { "memcached": "memcached", "Redis": "redis-server" };

/** Starts one of the servers by its name here. */
export async function start(name: string): Promise<Program> {
  const port = freePort();
  const [command, args] = STARTS[name](port);
  let child: Deno.ChildProcess;
  let version: string;
  try {
    version = await versionOf(name, command);
    child = new Deno.Command(command, { args, stdout: "piped", stderr: "null" }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Missing(`${name}: ${command} is not there. On Debian: apt install ${PACKAGES[name]}`);
  }
  const lines = linesOf(child.stdout);
  await untilItAnswers(port);
  const stop = async () => {
    child.kill("SIGTERM");
    await child.status;
  };
  return { name, version, port, pid: child.pid, lines, stop };
}

async function versionOf(name: string, command: string): Promise<string> {
  if (command === Deno.execPath()) return `${VERSION} on Deno ${Deno.version.deno}`;
  const { stdout } = await new Deno.Command(command, { args: ["--version"] }).output();
  return /\d+\.\d+\.\d+/.exec(new TextDecoder().decode(stdout))?.[0] ?? name;
}

/** The packages of npm that some modules import, with their versions. */
export async function npmVersions(modules: URL[]): Promise<string[]> {
  const config = new URL(`../../${CONFIG}`, import.meta.url).pathname;
  const found = new Set<string>();
  for (const module of modules) {
    const args = ["info", "--json", "-c", config, module.pathname];
    const { stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "null" }).output();
    const { modules: all }: { modules: { specifier: string }[] } = JSON.parse(new TextDecoder().decode(stdout));
    for (const { specifier } of all) {
      const [, name, version] = /^npm:\/?(.+)@([^@]+)$/.exec(specifier) ?? [];
      if (name !== undefined && !OWN.includes(name)) found.add(`${name} ${version}`);
    }
  }
  return [...found].sort();
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncIterator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

/** A port that nothing listens on. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

async function untilItAnswers(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`Cannot reach port ${port}`);
}

/** Processor time that a process has taken, in seconds; Linux counts in hundredths. */
export function cpuSeconds(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Memory of a process that is in RAM, in bytes. */
export function residentBytes(pid: number): number {
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]);
}
