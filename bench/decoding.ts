/**
 * What it costs to decode values that are made to cost much, and large ones of ordinary use: the time and the growth of
 * memory (on Linux) for the largest one that is not refused, each in a process of its own. The weights of the decoding
 * budget were found by it. Usage: deno task bench:decoding [PART OF A NAME]
 */

import { MAX_VALUE_BYTES } from "../lib/base/limits.ts";
import { CLIENT_UNITS, SERVER_CACHE_UNITS } from "../lib/wire/decoding_budget.ts";
import { decodeValue } from "../lib/wire/values.ts";
import { ATTACKS, ORDINARY } from "../tests/support/costly_values.ts";
import type { Encoded } from "../tests/support/value_bytes.ts";

const VALUES: Record<string, (room: number) => Encoded> = { ...ATTACKS };
for (const [name, make] of Object.entries(ORDINARY)) VALUES[name] = (room) => make(room / MAX_VALUE_BYTES);

if (Deno.args[0] === "--one") measure(Deno.args[1], Number(Deno.args[2]));
else {
  for (const units of [CLIENT_UNITS, SERVER_CACHE_UNITS]) await table(units, Deno.args[0] ?? "");
}

async function table(units: number, part: string): Promise<void> {
  console.log(`\n${`Of ${units / 1e6} ms`.padEnd(64)}     bytes      ms      MB`);
  for (const name of Object.keys(VALUES).filter((name) => name.includes(part))) {
    const args = [
      "run",
      "-A",
      "--v8-flags=--expose-gc",
      ...configured(),
      import.meta.filename!,
      "--one",
      name,
      `${units}`,
    ];
    const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "piped" }).spawn();
    const late = setTimeout(() => child.kill("SIGKILL"), 120_000);
    const { stdout, stderr, signal } = await child.output();
    clearTimeout(late);
    const shown = new TextDecoder().decode(stdout).trim();
    const failed = new TextDecoder().decode(stderr).trim().slice(0, 100).split("\n")[0];
    console.log(`${name.padEnd(64)} ${shown || `${signal ?? ""} ${failed}`}`);
  }
}

function configured(): string[] {
  return import.meta.resolve("@std/assert").startsWith("file:") ? ["-c", "deno.npm.json"] : [];
}

/** Shows what the largest costs that is not refused, and for how long the larger ones were looked at. */
function measure(name: string, units: number): void {
  let refusedMs = 0;
  for (let room = MAX_VALUE_BYTES; room > 1; room = Math.floor(0.8 * room)) {
    const { flags, bytes } = VALUES[name](room);
    (globalThis as { gc?: () => void }).gc?.();
    const beforeMb = peakMb(true);
    const startMs = cpuMs();
    let refusal: string | undefined;
    let value: unknown;
    try {
      value = decodeValue(flags, bytes, units);
    } catch (error) {
      refusal = (error as Error).message;
    }
    const tookMs = cpuMs() - startMs;
    const cells = [tookMs, peakMb(false) - beforeMb].map((cell) => cell.toFixed(0).padStart(7));
    if (refusal === undefined) {
      const refused = refusedMs === 0 ? "" : `larger ones refused within ${refusedMs.toFixed(0)} ms`;
      console.log(`${`${bytes.length}`.padStart(9)} ${cells.join(" ")}  ${refused}`);
      return void value;
    }
    refusedMs = Math.max(refusedMs, tookMs);
    if (!refusal.includes("too costly") && !refusal.includes("arrays and maps")) {
      return console.log(`${`${bytes.length}`.padStart(9)} ${cells.join(" ")}  ${refusal.slice(0, 80)}`);
    }
  }
  console.log(`refused in every size, within ${refusedMs.toFixed(0)} ms`);
}

/** The processor time that this thread has taken (Linux): other load on the machine does not count. */
function cpuMs(): number {
  return Number(Deno.readTextFileSync("/proc/self/schedstat").split(" ")[0]) / 1e6;
}

/** The most memory that this process has taken (Linux), or if `reset` since now. */
function peakMb(reset: boolean): number {
  if (reset) Deno.writeTextFileSync("/proc/self/clear_refs", "5");
  return Number(/VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))![1]) / 1024;
}
