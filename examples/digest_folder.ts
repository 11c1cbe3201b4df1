/**
 * A whole job through the cache: the SHA-256, the gzip size and the line count of every file in a folder, as a build
 * tool or a mirror needs them. Run it twice: the second run, a new process, finds its answers on the server.
 *
 *   deno run -A examples/digest_folder.ts FOLDER [SERVER]
 */

import { OrmucoCacheClient } from "../mod.ts";

interface Digest {
  sha256: string;
  gzipBytes: number;
  lines: number;
  /** What it took to find out, in milliseconds. */
  workMs: number;
}

const FILES_AT_ONCE = 8;

const [folder, server = "127.0.0.1:11142"] = Deno.args;
if (folder === undefined) {
  console.error("Usage: deno run -A examples/digest_folder.ts FOLDER [SERVER]");
  Deno.exit(2);
}

await using cache = new OrmucoCacheClient({ servers: [server], onError: ({ message }) => console.error(message) });
const startMs = performance.now();
let [found, computed, savedMs] = [0, 0, 0];

/** The digest of a file: from the cache, or computed and stored there. The key changes when the file does. */
async function digest(path: string): Promise<Digest> {
  const { size, mtime } = await Deno.stat(path);
  const key = `digest:${size}:${mtime?.getTime()}:${path}`;
  const known = await cache.retrieve<Digest>(key);
  if (known !== undefined) {
    found++;
    savedMs += known.workMs;
    return known;
  }
  computed++;
  const fresh = await compute(path);
  await cache.store(key, fresh, { ttlMs: 24 * 3600 * 1000 });
  return fresh;
}

async function compute(path: string): Promise<Digest> {
  const beginMs = performance.now();
  const bytes = await Deno.readFile(path);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const gzip = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  let gzipBytes = 0;
  for await (const part of gzip) gzipBytes += part.length;
  const lines = bytes.reduce((count, byte) => byte === 10 ? count + 1 : count, 0);
  return { sha256: hex(hash), gzipBytes, lines, workMs: performance.now() - beginMs };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function* filesIn(folder: string): AsyncGenerator<string> {
  for await (const { name, isFile, isDirectory } of Deno.readDir(folder)) {
    if (isFile) yield `${folder}/${name}`;
    else if (isDirectory) yield* filesIn(`${folder}/${name}`);
  }
}

const files = filesIn(folder);
const totals = { files: 0, lines: 0, gzipBytes: 0 };
await Promise.all(Array.from({ length: FILES_AT_ONCE }, async () => {
  for (let next = await files.next(); !next.done; next = await files.next()) {
    const { lines, gzipBytes } = await digest(next.value);
    totals.files++;
    totals.lines += lines;
    totals.gzipBytes += gzipBytes;
  }
}));
const tookMs = performance.now() - startMs;
console.log(`${totals.files} files, ${totals.lines} lines, ${totals.gzipBytes} bytes as gzip`);
console.log(`${found} answers came from the server, ${computed} were computed`);
console.log(`took ${Math.round(tookMs)} ms`);
if (found > 0) console.log(`saved ${Math.round(savedMs)} ms of work, ${FILES_AT_ONCE} files at a time`);
