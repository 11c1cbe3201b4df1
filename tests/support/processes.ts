/** Real processes for tests and benches: the command line, and a server in a process of its own. */

import type { ServerOptions } from "../../server.ts";

const ROOT = new URL("../../", import.meta.url);

/** The configuration in use: with npm's stand-ins, packages are local files. */
export const CONFIG: string = import.meta.resolve("@std/msgpack").startsWith("file:") ? "deno.npm.json" : "deno.json";

/** Arguments that run a file of this project with Deno; `permissions` stand in for all. */
export function denoArguments(file: string, permissions: string[] = ["-A"]): string[] {
  return ["run", "--quiet", "-c", new URL(CONFIG, ROOT).pathname, ...permissions, new URL(file, ROOT).pathname];
}

/** How a command ended. */
export interface Ended {
  status: number;
  out: string;
  err: string;
}

/** How to run a process. */
export interface ProcessOptions {
  input?: string | Uint8Array;
  env?: Record<string, string>;
  cwd?: string;
  permissions?: string[];
}

/** An environment in which nothing of the machine's own configures the cache. */
export function environment(env: Record<string, string> = {}): { env: Record<string, string>; clearEnv: true } {
  const kept = ["PATH", "HOME", "DENO_DIR", "JSR_URL", "NO_COLOR", "TMPDIR", "DENO_TLS_CA_STORE"];
  const own = kept.flatMap((name) => Deno.env.has(name) ? [[name, Deno.env.get(name)!]] : []);
  return { env: { ...Object.fromEntries(own), NO_COLOR: "1", ...env }, clearEnv: true };
}

/** Runs a file of this project to its end. */
export function run(file: string, args: string[], options: ProcessOptions = {}): Promise<Ended> {
  return runDeno([...denoArguments(file, options.permissions), ...args], options);
}

/** Runs Deno to its end. */
export async function runDeno(args: string[], options: Omit<ProcessOptions, "permissions"> = {}): Promise<Ended> {
  const { input, env, cwd } = options;
  const command = new Deno.Command(Deno.execPath(), {
    args,
    ...environment(env),
    cwd,
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input as Uint8Array<ArrayBuffer>);
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { status: code, out: text.decode(stdout), err: text.decode(stderr) };
}

/** A server in a process of its own. */
export interface ServeProcess extends AsyncDisposable {
  /** What clients connect to. */
  readonly address: string;
  /** The lines of its log so far, without time and level: warnings too, which go to standard error. */
  readonly lines: string[];
  readonly pid: number;
  /** Holds the process where it stands while something is done, as a long pause of its machine would. */
  paused<Result>(whileIt: () => Promise<Result>): Promise<Result>;
  /** Sends a signal, waits for the end, and returns all that it printed. */
  stop(signal?: Deno.Signal): Promise<Ended>;
}

/** Starts `cli.ts serve` and waits until it listens. */
export async function serve(args: string[], options: ProcessOptions = {}): Promise<ServeProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...denoArguments("cli.ts", options.permissions), "serve", ...args],
    ...environment(options.env),
    cwd: options.cwd,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let [out, err] = ["", ""];
  const errRead = (async () => {
    for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) err += part;
  })();
  while (!/\bclients {5}.*\n/.test(out)) {
    const { value, done } = await reader.read();
    if (done) {
      await errRead;
      throw new Error(`Cannot start server: ${out}${err}`);
    }
    out += value;
  }
  const ended = (async () => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) out += part.value;
    await errRead;
    const { code } = await child.status;
    return { status: code, out, err };
  })();
  const stop = (signal: Deno.Signal = "SIGTERM") => {
    try {
      child.kill(signal);
    } catch {
      // It has ended already.
    }
    return ended;
  };
  const paused = async <Result>(whileIt: () => Promise<Result>) => {
    child.kill("SIGSTOP");
    try {
      return await whileIt();
    } finally {
      child.kill("SIGCONT");
    }
  };
  return {
    address: /\baddress {5}([^"\n]*)/.exec(out)![1],
    get lines() {
      return `${out}${err}`.trimEnd().split("\n").map((line) => line.replace(/^\S+Z (INFO|WARN|ERROR) +/, ""));
    },
    pid: child.pid,
    paused,
    stop,
    [Symbol.asyncDispose]: async () => void await stop(),
  };
}

/** A server whose names lead where a file says. */
export interface NamedProcess extends AsyncDisposable {
  readonly address: string;
  readonly pid: number;
}

/** A server whose wall clock is wrong. */
export interface WrongClockProcess extends AsyncDisposable {
  readonly address: string;
  /** Sets how many milliseconds the clock is wrong by from now on. */
  setWrongBy(ms: number): Promise<void>;
}

/** Starts a server whose wall clock is wrong by some milliseconds. */
export async function serveWithWrongClock(wrongByMs: number, peers: string[] = []): Promise<WrongClockProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...denoArguments("tests/support/wrong_clock_server.ts"), String(wrongByMs), ...peers],
    ...environment(),
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const writer = child.stdin.getWriter();
  const { value = "" } = await reader.read();
  return {
    address: value.trim(),
    setWrongBy: (ms) => writer.write(new TextEncoder().encode(String(ms))),
    [Symbol.asyncDispose]: async () => {
      await writer.close(); // which ends it
      await reader.cancel();
      await child.status;
    },
  };
}

/** Starts a server in a process in which names lead where a file says. */
export async function serveWithNames(file: string, options: ServerOptions): Promise<NamedProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...denoArguments("tests/support/named_server.ts"), file, JSON.stringify(options)],
    ...environment(),
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await reader.read();
  return {
    address: value.trim(),
    pid: child.pid,
    [Symbol.asyncDispose]: async () => {
      await child.stdin.close().catch(() => {}); // which ends it; it may have been ended already
      await reader.cancel();
      await child.status;
    },
  };
}
