/** Servers side by side: throughput, processor time and latency; memory of a million entries; pauses while they change. */

import { denoArguments } from "../../tests/support/processes.ts";
import { cpuSeconds, Missing, type Program, residentBytes, start } from "./programs.ts";
import type { RawFigures, RawLoad } from "./raw_load.ts";
import { at, measure, type Table } from "./table.ts";

const OURS = "Ormuco Cache";
const NAMES = [OURS, "memcached", "Redis"];
const MANY_KEYS = 1_000_000;
const VALUE_BYTES = 100;
const PROCESSES = 3;

/** Starts what is there; tells of the rest. */
export async function startAll(missing: string[]): Promise<Program[]> {
  const programs: Program[] = [];
  for (const name of NAMES) {
    try {
      programs.push(await start(name));
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      missing.push(error.message);
    }
  }
  return programs;
}

/** Gets of 100 bytes from several client processes at once. */
export async function benchGets(programs: Program[], seconds: number, repeats: number): Promise<Table[]> {
  const tables: Table[] = [];
  for (const program of programs) await fill(program, 100_000);
  for (const pipeline of [1, 16]) {
    const options = {
      title: `Server: gets, ${pipeline === 1 ? "one at a time" : `${pipeline} in one write`}`,
      note: `100,000 keys of 12 bytes, skewed; values of ${VALUE_BYTES} bytes; ${PROCESSES} client processes with 11 ` +
        "connections each. Processor time is the server's.",
      main: "µs of CPU a get",
      lessIsBetter: true,
      ours: OURS,
      repeats,
    };
    const contenders = programs.map((program) => [program.name, () => gets(program, pipeline, 100_000, seconds)]);
    tables.push(await measure(options, Object.fromEntries(contenders)));
  }
  return tables;
}

async function gets(program: Program, pipeline: number, keys: number, seconds: number) {
  const load: RawLoad = {
    protocol: program.name,
    port: program.port,
    connections: 11,
    pipeline,
    keys,
    valueBytes: VALUE_BYTES,
    seconds,
  };
  const before = cpuSeconds(program.pid);
  const runs = await Promise.all(Array.from({ length: PROCESSES }, (_, seed) => rawLoad({ ...load, seed })));
  const cpu = cpuSeconds(program.pid) - before;
  const requests = runs.reduce((sum, run) => sum + run.requests, 0);
  const latencies = runs.flatMap((run) => run.latencies);
  return {
    "µs of CPU a get": 1e6 * cpu / requests,
    "gets a second": runs.reduce((sum, run) => sum + run.requests / run.seconds, 0),
    "p50 ms": at(latencies, 0.5),
    "p99 ms": at(latencies, 0.99),
    "p99.9 ms": at(latencies, 0.999),
  };
}

/** Growth of resident memory by a million entries; then what a reader sees while all are overwritten, twice. */
export async function benchMemory(missing: string[]): Promise<Table[]> {
  const programs = await startAll(missing);
  const grown = new Map<string, number>();
  const memory = await measure(
    {
      title: "Server: memory of 1,000,000 entries",
      note: `Keys of 12 bytes, values of ${VALUE_BYTES}: growth of the process's resident memory.`,
      main: "MB",
      lessIsBetter: true,
      ours: OURS,
      repeats: 1,
    },
    Object.fromEntries(programs.map((program) => [program.name, async () => {
      if (!grown.has(program.name)) {
        const before = residentBytes(program.pid);
        await fill(program, MANY_KEYS);
        grown.set(program.name, (residentBytes(program.pid) - before) / 1e6);
      }
      return { "MB": grown.get(program.name)! };
    }])),
  );
  const pauses = await measure({
    title: "Server: a reader while all 1,000,000 entries are overwritten",
    note: "One connection gets one key at a time, one process overwrites 100 keys a write. The pause is the server's " +
      "own: its event loop's longest stay, without the time that other processes had the processor.",
    main: "p99.9 ms",
    lessIsBetter: true,
    ours: OURS,
    repeats: 5,
  }, Object.fromEntries(programs.map((program) => [program.name, () => overwrite(program)])));
  for (const program of programs) await program.stop();
  return [memory, pauses];
}

async function overwrite(program: Program) {
  const watch = program.name === OURS ? watchPauses(program) : undefined;
  let done = false;
  const writing = fill(program, MANY_KEYS).then(() => done = true);
  const latencies: number[] = [];
  while (!done) {
    const reader = await rawLoad({
      protocol: program.name,
      port: program.port,
      connections: 1,
      pipeline: 1,
      keys: MANY_KEYS,
      valueBytes: VALUE_BYTES,
      seconds: 1,
      pauseMs: 1,
    });
    if (!done) latencies.push(...reader.latencies);
  }
  await writing;
  const figures = { "p50 ms": at(latencies, 0.5), "p99.9 ms": at(latencies, 0.999), "most ms": at(latencies, 1) };
  return watch === undefined ? figures : { ...figures, "longest pause ms": await watch() };
}

/** Follows the pauses that our server tells, until asked for the longest. */
function watchPauses(program: Program): () => Promise<number> {
  let [worst, asked] = [0, false];
  const following = (async () => {
    while (!asked) worst = Math.max(worst, Number((await program.lines.next()).value));
  })();
  return async () => {
    asked = true;
    await following;
    return worst;
  };
}

/** Cost of a get by the number of entries, at 16 in a write. */
export async function benchSizes(seconds: number, repeats: number): Promise<Table> {
  const small = await start(OURS);
  const large = await start(OURS);
  await fill(small, 10_000);
  await fill(large, MANY_KEYS);
  const table = await measure({
    title: "Server: a get among 10,000 entries and among 1,000,000",
    note: "As above, 16 in one write.",
    main: "µs of CPU a get",
    lessIsBetter: true,
    ours: "1,000,000 entries",
    isWithOurselves: true,
    repeats,
  }, {
    "1,000,000 entries": () => gets(large, 16, MANY_KEYS, seconds),
    "10,000 entries": () => gets(small, 16, 10_000, seconds),
  });
  await small.stop();
  await large.stop();
  return table;
}

async function fill({ name, port }: Program, keys: number): Promise<void> {
  await rawLoad({ protocol: name, port, connections: 1, pipeline: 100, keys, valueBytes: VALUE_BYTES, seconds: 0 });
}

async function rawLoad(load: RawLoad): Promise<RawFigures> {
  const args = [...denoArguments("bench/peers/raw_load.ts"), JSON.stringify(load)];
  const { code, stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
  if (code !== 0) throw new Error(`Cannot load ${load.protocol}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}
