/** The commands that ask a server about itself: `stats`, `hot` and `peers`. */

import { OrmucoCacheClient } from "../../client.ts";
import type { CacheError } from "../base/errors.ts";
import type { ServerStats } from "../base/stats.ts";
import { type Arguments, clientSettings, secondsFlag, UsageError } from "./arguments.ts";
import { type ClientRun, withClient } from "./client_run.ts";
import { fitted } from "./fitted.ts";
import { hot } from "./hot.ts";
import { toJson } from "./json.ts";
import { EXIT, lineWidth, logError, miss, report, say } from "./output.ts";
import { peerLines, readinessLine } from "./peer_lines.ts";
import { statsLines } from "./stats_lines.ts";

const COMMANDS: Readonly<Record<string, ClientRun>> = { stats, hot, peers };

/** Seconds that `peers --wait` waits at most, and milliseconds between its questions. */
const MOST_WAIT_SECONDS = 1_000_000;
const ASK_AGAIN_MS = 250;

/** Runs one of the commands. Returns the exit status. */
export function aboutServer(args: Arguments): Promise<number> {
  return args.flags.has("wait") ? peersWhenReady(args) : withClient(args, COMMANDS[args.command]);
}

async function stats(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  const { server } = await client.stats();
  if (server === undefined) return EXIT.unreachable;
  if (args.json) return say(toJson(server));
  for (const line of statsLines(server, lineWidth())) say(line);
  return EXIT.ok;
}

async function peers(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  const forgotten = args.flags.get("forget");
  if (forgotten !== undefined) {
    oneServer(args, "forget");
    if (await client.forgetPeer(forgotten)) return say("Forgotten");
    return miss("No such peer");
  }
  const { server } = await client.stats();
  return server === undefined ? EXIT.unreachable : sayPeers(server, args);
}

/** Prints the peers of a server when it is ready, or when the time is over: it may be starting, and not listen yet. */
async function peersWhenReady(args: Arguments): Promise<number> {
  const settings = oneServer(args, "wait");
  const untilMs = performance.now() + 1000 * secondsFlag(args, "wait", 0, 0, MOST_WAIT_SECONDS);
  while (true) {
    let failure: CacheError | undefined;
    const client = new OrmucoCacheClient({ ...settings, onError: (error) => failure = error });
    const { server } = await client.stats();
    await client.close();
    const isKnown = server?.ready === true || (server !== undefined && server.ready === undefined);
    const leftMs = untilMs - performance.now();
    if (!isKnown && leftMs > 0 && failure?.code !== "refused") {
      await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, ASK_AGAIN_MS)));
      continue;
    }
    if (server === undefined) return failure === undefined ? EXIT.unreachable : report(failure);
    sayPeers(server, args);
    if (server.ready !== undefined) return server.ready ? EXIT.ok : EXIT.miss;
    logError("Cannot wait: the server does not say whether it is ready; its version is older");
    return EXIT.refused;
  }
}

/** Settings for a command that is about one server, and not about whichever of several answers. */
function oneServer(args: Arguments, flag: string): ReturnType<typeof clientSettings> {
  const settings = clientSettings(args);
  if (settings.servers.length === 1) return settings;
  throw new UsageError(args.command, `--${flag} takes one --server: received ${settings.servers.join(", ")}`);
}

function sayPeers({ ready, peers = [] }: Partial<ServerStats>, args: Arguments): number {
  if (args.json) return say(toJson(peers));
  const width = lineWidth();
  const lines = peers.length > 0 ? peerLines(peers, width) : ready === false ? [] : ["No peers"];
  if (ready !== undefined) lines.push(...fitted(readinessLine(ready, peers), width, 2));
  for (const line of lines) say(line);
  return EXIT.ok;
}
