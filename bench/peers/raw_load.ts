/**
 * Load on a server of any of three protocols at the least cost to the machine: requests are built beforehand, replies
 * only counted. One process of several. Usage: raw_load.ts JSON; prints JSON.
 */

import { seeded } from "../compare.ts";
import { FrameWriter, REQUEST } from "../../lib/wire/frame.ts";
import { writeHello } from "../../lib/wire/hello.ts";

/** What to do. */
export interface RawLoad {
  protocol: string;
  port: number;
  connections: number;
  /** Requests in one write; the replies to all are awaited. */
  pipeline: number;
  keys: number;
  valueBytes: number;
  /** Seconds of gets; 0 stores every key once instead. */
  seconds: number;
  /** Milliseconds to wait between batches. */
  pauseMs?: number;
  /** File of the authority whose certificate the server shows; without it the connections are not encrypted. */
  caFile?: string;
  seed?: number;
}

/** What came of it. */
export interface RawFigures {
  requests: number;
  seconds: number;
  /** Milliseconds of a batch, each so many of them. */
  latencies: number[];
}

const BATCHES = 512;
const KEPT_LATENCIES = 4000;

interface Protocol {
  hello: (connection: Deno.Conn) => Promise<void>;
  get: (key: string) => Uint8Array;
  set: (key: string, value: string) => Uint8Array;
  hitBytes: (keyBytes: number, valueBytes: number) => number;
  storedBytes: number;
}

const ascii = new TextEncoder();

const PROTOCOLS: Record<string, Protocol> = {
  "Ormuco Cache": {
    hello: async (connection) => {
      const writer = new FrameWriter();
      writeHello(writer, "bench");
      await connection.write(writer.taken());
      await connection.read(new Uint8Array(1024));
    },
    get: (key) => frame((writer) => writer.begin(REQUEST.get), key),
    set: (key, value) =>
      frame((writer) => writer.begin(REQUEST.set), key, (writer) => {
        writer.uint32(0);
        writer.ttl(undefined);
        writer.text(value);
      }),
    hitBytes: (_, valueBytes) => 12 + valueBytes,
    storedBytes: 8,
  },
  "memcached": {
    hello: async () => {},
    get: (key) => ascii.encode(`get ${key}\r\n`),
    set: (key, value) => ascii.encode(`set ${key} 0 0 ${value.length}\r\n${value}\r\n`),
    hitBytes: (keyBytes, valueBytes) => 6 + keyBytes + 3 + `${valueBytes}`.length + 2 + valueBytes + 2 + 5,
    storedBytes: 8,
  },
  "Redis": {
    hello: async () => {},
    get: (key) => ascii.encode(`*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`),
    set: (key, value) =>
      ascii.encode(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`),
    hitBytes: (_, valueBytes) => 1 + `${valueBytes}`.length + 2 + valueBytes + 2,
    storedBytes: 5,
  },
};

function frame(begin: (writer: FrameWriter) => void, key: string, rest?: (writer: FrameWriter) => void): Uint8Array {
  const writer = new FrameWriter();
  begin(writer);
  writer.key(key);
  rest?.(writer);
  writer.end();
  return writer.taken().slice();
}

/** Names of keys, all of 12 bytes. */
export function keyName(i: number): string {
  return `key:${String(i).padStart(8, "0")}`;
}

async function run(load: RawLoad): Promise<RawFigures> {
  const protocol = PROTOCOLS[load.protocol];
  const connections = await Promise.all(Array.from({ length: load.connections }, async () => {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port: load.port });
    socket.setNoDelay(true);
    const { caFile } = load;
    const connection = caFile === undefined
      ? socket
      : await Deno.startTls(socket, { hostname: "localhost", caCerts: [Deno.readTextFileSync(caFile)] });
    await protocol.hello(connection);
    return connection;
  }));
  const startMs = performance.now();
  const figures = load.seconds === 0
    ? await fill(load, protocol, connections)
    : await get(load, protocol, connections, startMs + 1000 * load.seconds);
  for (const connection of connections) connection.close();
  const seconds = (performance.now() - startMs) / 1000;
  const { latencies } = figures;
  const kept = Array.from({ length: KEPT_LATENCIES }, (_, i) => partOf(latencies, i / KEPT_LATENCIES));
  return { requests: figures.requests, seconds, latencies: kept };
}

/** Part of sorted values. */
function partOf(sorted: Float64Array, part: number): number {
  return sorted[Math.floor(part * sorted.length)] ?? 0;
}

type Counted = { requests: number; latencies: Float64Array };

async function fill(load: RawLoad, protocol: Protocol, connections: Deno.Conn[]): Promise<Counted> {
  let next = 0;
  const latencies: number[] = [];
  await Promise.all(connections.map(async (connection) => {
    const input = new Uint8Array(64 * 1024);
    while (next < load.keys) {
      const count = Math.min(load.pipeline, load.keys - next);
      const value = "v".repeat(load.valueBytes);
      const batch = join(Array.from({ length: count }, () => protocol.set(keyName(next++), value)));
      latencies.push(await exchange(connection, batch, count * protocol.storedBytes, input));
    }
  }));
  return { requests: load.keys, latencies: Float64Array.from(latencies).sort() };
}

async function get(load: RawLoad, protocol: Protocol, connections: Deno.Conn[], endMs: number): Promise<Counted> {
  const { pipeline, keys, valueBytes, pauseMs = 0, seed = 1 } = load;
  const random = seeded(seed);
  const skewed = () => Math.floor(keys * random() ** 3);
  const batches = Array.from(
    { length: BATCHES },
    () => join(Array.from({ length: pipeline }, () => protocol.get(keyName(skewed())))),
  );
  const latencies = new Float64Array(1 << 20);
  const replyBytes = pipeline * protocol.hitBytes(12, valueBytes);
  let count = 0;
  // All connections in step: the server finds many requests waiting at once, as one does that is saturated.
  const inputs = connections.map(() => new Uint8Array(64 * 1024));
  while (performance.now() < endMs) {
    await Promise.all(connections.map(async (connection, i) => {
      const latency = await exchange(connection, batches[count % BATCHES], replyBytes, inputs[i]);
      latencies[count++ % latencies.length] = latency;
    }));
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return { requests: count * pipeline, latencies: latencies.subarray(0, Math.min(count, latencies.length)).sort() };
}

/** Writes a batch and reads its replies. Returns the milliseconds that took. */
async function exchange(connection: Deno.Conn, batch: Uint8Array, bytes: number, input: Uint8Array): Promise<number> {
  const startMs = performance.now();
  for (let at = 0; at < batch.length;) at += await connection.write(batch.subarray(at));
  while (bytes > 0) {
    const count = await connection.read(input);
    if (count === null) throw new Error("Cannot go on: the server closed the connection");
    bytes -= count;
  }
  if (bytes < 0) throw new Error(`Cannot go on: ${-bytes} bytes more than expected`);
  return performance.now() - startMs;
}

function join(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

if (import.meta.main) console.log(JSON.stringify(await run(JSON.parse(Deno.args[0]))));
