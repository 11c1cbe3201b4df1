/**
 * The memory of server processes under load, by limit, size of values, connections and peers: the figures of docs/sizing.md, as
 * tables. It needs Linux; how busy the machine is does not matter.
 *
 * Usage: deno task bench:sizing [limits | entries | connections | peers | beside] …     (all by default; takes some 10 minutes)
 */

import { OrmucoCacheClient, type ServerStats } from "../mod.ts";
import { writeAll } from "../lib/platform/socket.ts";
import { DEFAULT_MAX_BUFFERS } from "../lib/server/options.ts";
import { serve, type ServeProcess } from "../tests/support/processes.ts";
import { seeded } from "./compare.ts";
import { type Program, residentBytes, start } from "./peers/programs.ts";

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const LIMITS_MIB = [64, 256, 1024];
const ENTRY_BYTES = [10, 100, 1000, 10_000, 100_000];
const CONNECTIONS = 1000;
const LOADERS = 32;
const BATCHES_BYTES = 2 * MIB;
/** The formula of docs/sizing.md. */
const PROCESS_BYTES = 120e6;
const CONNECTION_BYTES = 50e3;
const BESIDE = 1_000_000;
/** Entries with which a process has what it needs for any. */
const WARM = 20_000;
const BESIDE_ROUNDS = 3;
const PARTS = { limits, entries, connections, peers, beside };

type Size = () => number;

/** Text to one server, many commands at once; each call waits until the server has done all. */
class Loader {
  readonly #connection: Deno.Conn;
  readonly #buffer = new Uint8Array(256 * 1024);

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  static async to({ address }: Pick<ServeProcess, "address">): Promise<Loader> {
    const [hostname, port] = address.split(":");
    return new Loader(await Deno.connect({ hostname, port: Number(port) }));
  }

  async run(commands: string): Promise<void> {
    await writeAll(this.#connection, new TextEncoder().encode(`${commands}mn\r\n`));
    let tail = "";
    while (!tail.endsWith("MN\r\n")) {
      const count = await this.#connection.read(this.#buffer);
      if (count === null) throw new Error("Cannot load server: it hung up");
      const end = this.#buffer.subarray(Math.max(0, count - 4), count);
      tail = (tail + new TextDecoder().decode(end)).slice(-4); // the last four bytes may have come in several reads
    }
  }

  close(): void {
    this.#connection.close();
  }
}

/** Sets of new keys of `bytes` bytes in all, among them as many gets of random ones where that is asked for. */
async function load(
  server: Pick<ServeProcess, "address">,
  bytes: number,
  size: Size,
  withGets: boolean,
  count = LOADERS,
): Promise<void> {
  const random = seeded(1);
  let [next, sent] = [0, 0];
  const value = "v".repeat(1_000_000);
  const batch = () => {
    const parts: string[] = [];
    for (let held = 0; held < BATCHES_BYTES / count;) {
      const length = size();
      parts.push(`set key:${next} 0 0 ${length} noreply\r\n`, value.slice(0, length), "\r\n");
      if (withGets) parts.push(`get key:${Math.floor(random() * next)}\r\n`);
      next++;
      held += length + 64;
      sent += length + 64;
    }
    return parts.join("");
  };
  const loaders = await Promise.all(Array.from({ length: count }, () => Loader.to(server)));
  await Promise.all(loaders.map(async (loader) => {
    while (sent < bytes) await loader.run(batch());
  }));
  for (const loader of loaders) loader.close();
}

/** Starts a server with a limit, uses it, and says how much memory its process had at most. */
async function peakOf(mib: number, use: (server: ServeProcess) => Promise<void>, args: string[] = []): Promise<number> {
  await using server = await serve(["--listen", "127.0.0.1:0", "--max-bytes", `${mib}MiB`, ...args]);
  await use(server);
  return peakBytes(server);
}

function peakBytes({ pid }: ServeProcess): number {
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]);
}

/** Sizes from 10 bytes to a megabyte, as many of each order of magnitude. */
function mixed(): Size {
  const random = seeded(2);
  return () => Math.floor(10 ** (1 + 5 * random()));
}

async function limits(): Promise<void> {
  const bare = peakOfIdle();
  const rows: string[] = [];
  for (const mib of LIMITS_MIB) {
    const formula = (PROCESS_BYTES + LOADERS * CONNECTION_BYTES + DEFAULT_MAX_BUFFERS) / MIB + 1.1 * mib;
    const small = await peakOf(mib, (server) => load(server, 2 * mib * MIB, () => 100, true));
    const large = await peakOf(mib, (server) => load(server, 2 * mib * MIB, () => 10_000, true));
    const all = await peakOf(mib, (server) => load(server, 3 * mib * MIB, mixed(), true));
    const figures = [formula, ...[small, large, all].map((bytes) => bytes / MIB)].map(Math.round);
    rows.push(`| ${mib} MiB | ${figures.join(" | ")} |`);
  }
  console.log(`idle: ${Math.round(await bare / MIB)} MiB\n`);
  print(["limit", "by the formula", "values of 100 bytes", "of 10,000", "of 10 bytes to 1 MB"], rows);
}

function peakOfIdle(): Promise<number> {
  return peakOf(64, () => Promise.resolve());
}

async function entries(): Promise<void> {
  const rows: string[] = [];
  for (const length of ENTRY_BYTES) {
    await using server = await serve(["--listen", "127.0.0.1:0", "--max-bytes", "1GiB"]);
    await load(server, 1.3 * GIB, () => length, false);
    await using client = new OrmucoCacheClient({ servers: [server.address] });
    await client.ping();
    const { entries, memoryBytes } = (await client.stats()).server as Pick<ServerStats, "entries" | "memoryBytes">;
    const cells = [length, entries, Math.round(memoryBytes / entries) - length, Math.round(memoryBytes / MIB)];
    rows.push(`| ${cells.map((cell) => cell.toLocaleString("en")).join(" | ")} |`);
  }
  print(["bytes of a value", "entries in 1 GiB", "bytes beside the value", "MiB taken"], rows);
}

async function connections(): Promise<void> {
  const rows: string[] = [];
  const kinds = {
    "memcached, text": async (server: ServeProcess) => {
      const loader = await Loader.to(server);
      await loader.run("");
      return () => loader.close();
    },
    "OrmucoCacheClient": async (server: ServeProcess) => {
      const client = new OrmucoCacheClient({ servers: [server.address], timeoutMs: 60_000 });
      await client.ping();
      return () => client.close();
    },
  };
  for (const [kind, connect] of Object.entries(kinds)) {
    await using server = await serve(["--listen", "127.0.0.1:0", "--max-bytes", "64MiB"]);
    for (let i = 0; i < 50; i++) (await connect(server))(); // what the first ones load is not counted
    const before = residentBytes(server.pid);
    const closes: (() => void)[] = [];
    while (closes.length < CONNECTIONS - 10) {
      closes.push(...await Promise.all(Array.from({ length: 10 }, () => connect(server))));
    }
    rows.push(`| ${kind} | ${((residentBytes(server.pid) - before) / closes.length / 1000).toFixed(0)} kB |`);
    for (const close of closes) close();
  }
  print(["connection", "memory"], rows);
  const busy = await peakOf(
    LIMITS_MIB[0],
    (server) => load(server, 8 * LIMITS_MIB[0] * MIB, () => 100, true, CONNECTIONS - 10),
  );
  console.log(`${CONNECTIONS - 10} busy ones, and ${LIMITS_MIB[0]} MiB of entries: ${Math.round(busy / MIB)} MiB\n`);
}

async function peers(): Promise<void> {
  const rows: string[] = [];
  for (const mib of [LIMITS_MIB[0], LIMITS_MIB[2]]) {
    for (const count of [0, 1, 3]) {
      const args = ["--listen", "127.0.0.1:0", "--max-bytes", `${mib}MiB`];
      await using first = await serve(args);
      await using others = new AsyncDisposableStack();
      const joined: ServeProcess[] = [];
      for (let i = 0; i < count; i++) joined.push(others.use(await serve([...args, "--peers", first.address])));
      await load(first, 2 * mib * MIB, () => 100, true);
      const [own, ...theirs] = [first, ...joined].map((server) => Math.round(peakBytes(server) / MIB));
      rows.push(`| ${mib} MiB | ${count} | ${own} | ${theirs.join(", ") || "–"} |`);
    }
  }
  print(["limit", "peers", "MiB of the server that is written to", "of its peers"], rows);
}

/** What the resident memory of a server grows by with a million entries more, beside memcached's. */
async function beside(): Promise<void> {
  const growths: Record<string, number[]> = { "Ormuco Cache": [], "memcached": [] };
  for (let round = 0; round < BESIDE_ROUNDS; round++) {
    for (const [name, own] of Object.entries(growths)) {
      const { pid, address, stop } = await started(name);
      try {
        await load({ address }, WARM * (100 + 64), () => 100, false);
        const before = residentBytes(pid);
        await load({ address }, (WARM + BESIDE) * (100 + 64), () => 100, false);
        own.push((residentBytes(pid) - before) / BESIDE);
      } finally {
        await stop();
      }
    }
  }
  const rows = Object.entries(growths).map(([name, own]) => {
    const [least, median, most] = own.toSorted((a, b) => a - b).map((bytes) => bytes.toFixed(0));
    return `| ${name} | ${median} (${least} to ${most}) |`;
  });
  print(["server", `bytes that it grows by for each of ${BESIDE.toLocaleString("en")} entries of 100 bytes`], rows);
}

async function started(name: string): Promise<Pick<Program, "pid" | "stop"> & { address: string }> {
  if (name === "memcached") {
    const { pid, port, stop } = await start(name);
    return { pid, stop, address: `127.0.0.1:${port}` };
  }
  const server = await serve(["--listen", "127.0.0.1:0", "--max-bytes", "1GiB"]);
  const stop = async () => void await server.stop("SIGTERM");
  return { pid: server.pid, address: server.address, stop };
}

function print(heads: string[], rows: string[]): void {
  console.log(`| ${heads.join(" | ")} |\n|${"---|".repeat(heads.length)}\n${rows.join("\n")}\n`);
}

const asked = Deno.args.length === 0 ? Object.keys(PARTS) : Deno.args;
for (const part of asked) {
  if (!Object.hasOwn(PARTS, part)) {
    throw new RangeError(`Cannot run part "${part}": it must be one of ${Object.keys(PARTS)}`);
  }
  await PARTS[part as keyof typeof PARTS]();
}
