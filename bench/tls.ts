/**
 * Requests over TLS: our server beside a build that accepts with `Deno.listenTls` and runs the same session code, and without
 * TLS. Medians of interleaved runs. It needs Linux and the command openssl.
 *
 * Usage: deno task bench:tls [REPEATS [SECONDS]]     (10 and 2 by default; takes about 6 minutes)
 */

import { Authority } from "../tests/support/certificates.ts";
import { denoArguments } from "../tests/support/processes.ts";
import { cpuSeconds } from "./peers/programs.ts";
import type { RawFigures, RawLoad } from "./peers/raw_load.ts";
import { measure, round } from "./peers/table.ts";

/** Ways to accept, as bench/tls/server.ts knows them. */
const KINDS = { "TLS": true, "Deno.listenTls": true, "no TLS": false } as const;
/** Loads: client processes, connections of each, requests in one write, bytes of a value. */
const LOADS = [
  { processes: 1, connections: 1, pipeline: 1, valueBytes: 100, least: 0.55 },
  { processes: 2, connections: 8, pipeline: 1, valueBytes: 100, least: 0.75 },
  { processes: 2, connections: 32, pipeline: 1, valueBytes: 100, least: 0.75 },
  { processes: 2, connections: 8, pipeline: 16, valueBytes: 100, least: 0.75 },
  { processes: 2, connections: 8, pipeline: 1, valueBytes: 50_000, least: 0.75 },
];

const [repeats, seconds] = [Number(Deno.args[0] ?? 10), Number(Deno.args[1] ?? 2)];
await using authority = await Authority.make();
const { certFile, keyFile } = await authority.issue();
const servers = await Promise.all(
  Object.keys(KINDS).map(async (kind) => {
    const args = [...denoArguments("bench/tls/server.ts"), kind, certFile, keyFile];
    const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "inherit" }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const port = Number((await lines.read()).value);
    return { kind: kind as keyof typeof KINDS, port, child, lines };
  }),
);

for (const { processes, least, ...load } of LOADS) {
  const { connections, pipeline, valueBytes } = load;
  const caFileOf = (kind: keyof typeof KINDS) => KINDS[kind] ? authority.caFile : undefined;
  for (const { kind, port } of servers) {
    await rawLoad({ ...load, connections: 1, pipeline: 50, port, seconds: 0, caFile: caFileOf(kind) });
  }
  const contenders = servers.map(({ kind, port, child: { pid } }) => [kind, async () => {
    const before = cpuSeconds(pid);
    const asked = { ...load, port, seconds, caFile: caFileOf(kind) };
    const runs = await Promise.all(Array.from({ length: processes }, (_, seed) => rawLoad({ ...asked, seed })));
    const requests = runs.reduce((sum, run) => sum + run.requests, 0);
    return {
      "requests a second": runs.reduce((sum, run) => sum + run.requests / run.seconds, 0),
      "µs of CPU a request": 1e6 * (cpuSeconds(pid) - before) / requests,
    };
  }]);
  const { rows, main } = await measure({
    title: `${processes * connections} connections, ${pipeline} in one write, values of ${valueBytes} bytes`,
    note: "",
    main: "requests a second",
    lessIsBetter: false,
    ours: "TLS",
    repeats,
  }, Object.fromEntries(contenders));
  const ratio = rows["TLS"][main] / rows["Deno.listenTls"][main];
  console.log(
    `${processes * connections} connections, ${pipeline} in one write, ${valueBytes} bytes: ` +
      `${round(ratio)} of Deno.listenTls (at least ${least}), ${
        round(rows["TLS"][main] / rows["no TLS"][main])
      } of no TLS`,
  );
}
for (const { child, lines } of servers) {
  child.kill("SIGTERM");
  await lines.cancel();
  await child.status;
}

async function rawLoad(load: Omit<RawLoad, "protocol" | "keys">): Promise<RawFigures> {
  const args = [
    ...denoArguments("bench/peers/raw_load.ts"),
    JSON.stringify({ protocol: "Ormuco Cache", keys: 100, ...load }),
  ];
  const { code, stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
  if (code !== 0) throw new Error("Cannot load the server");
  return JSON.parse(new TextDecoder().decode(stdout));
}
