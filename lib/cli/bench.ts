/** The command `bench`: puts load on a server and prints what it measured. */

import { CacheError } from "../base/errors.ts";
import { MAX_VALUE_BYTES } from "../base/limits.ts";
import { grouped } from "../base/words.ts";
import {
  type Arguments,
  bytesFlag,
  clientSettings,
  numberFlag,
  secondsFlag,
  UsageError,
  wholeFlag,
} from "./arguments.ts";
import { ask, type Touched, withClient } from "./client_run.ts";
import { toJson } from "./json.ts";
import { runLoad } from "./load_generator.ts";
import { EXIT, report, say } from "./output.ts";

/** Calls in flight at most, over all connections. */
const MAX_BENCH_CALLS = 100_000;

/** Runs the command. Returns the exit status. */
export async function bench(args: Arguments): Promise<number> {
  const options = clientSettings(args); // once: a token on standard input cannot be read again
  const { servers, timeoutMs, tls, authToken, authTokenFile } = options;
  const load = {
    client: { servers, timeoutMs, tls, authToken, authTokenFile },
    connections: wholeFlag(args, "connections", 1, 1, 1000),
    inFlight: wholeFlag(args, "pipeline", 64, 1, 10_000),
    keys: wholeFlag(args, "keys", 100, 1, 10_000_000),
    valueBytes: bytesFlag(args, "value-size", 100, 0, MAX_VALUE_BYTES),
    ratio: numberFlag(args, "ratio", 0.9, 0, 1),
    durationMs: 1000 * secondsFlag(args, "duration", 5, 0.1, 3600),
    showProgress: !args.json && Deno.stderr.isTerminal(),
  };
  if (load.connections * load.inFlight > MAX_BENCH_CALLS) {
    throw new UsageError("bench", `--connections times --pipeline must be ${MAX_BENCH_CALLS} at most`);
  }
  const question = ({ address, inWords }: Touched) =>
    `Put load on ${address}? It holds ${inWords}, which the load may push out.`;
  const status = await withClient(args, (client) => ask(client, args, question, refuseWithEntries), options);
  if (status !== EXIT.ok) return status;
  const figures = await runLoad(load);
  if (figures instanceof CacheError) return report(figures);
  if (args.json) return say(toJson(figures));
  const { retrievals, hits } = figures;
  say(`calls/s    ${grouped(figures.callsPerSecond)}`);
  say(`hits       ${grouped(hits)} of ${grouped(retrievals)} retrievals`);
  say(
    `latency    p50 ${figures.p50Ms.toFixed(2)} ms, p99 ${figures.p99Ms.toFixed(2)} ms, ` +
      `p99.9 ${figures.p999Ms.toFixed(2)} ms`,
  );
  if (figures.failures > 0) say(`failures   ${grouped(figures.failures)}`);
  return EXIT.ok;
}

function refuseWithEntries({ address, entries, inWords }: Touched): void {
  if (entries === 0) return;
  throw new UsageError("bench", `${address} holds ${inWords}, which the load may push out: --yes goes ahead`);
}
