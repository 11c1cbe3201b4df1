/** The command `hot`: which keys are read most on a server, and what more memory would give. */

import type { OrmucoCacheClient } from "../../client.ts";
import { type Arguments, secondsFlag } from "./arguments.ts";
import { hotLines } from "./hot_lines.ts";
import { toJson } from "./json.ts";
import { EXIT, lineWidth, logError, say } from "./output.ts";

/** Seconds for which a server has counted, at least, before it is printed what that has given: by default, and at most. */
const USUAL_SECONDS = 5;
const MOST_SECONDS = 3600;

/** Asks a server what it has learned from reads, waits if it has only begun to count, and prints it. Returns the exit status. */
export async function hot(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  const leastMs = 1000 * secondsFlag(args, "for", USUAL_SECONDS, 0, MOST_SECONDS);
  let insight = await client.insight();
  if (insight !== undefined && insight.countedMs < leastMs) {
    const leftMs = leastMs - insight.countedMs;
    logError(
      `${insight.countedMs === 0 ? "Begins to count reads" : "Counts reads"}: wait ${Math.ceil(leftMs / 1000)} s`,
    );
    await new Promise((resolve) => setTimeout(resolve, leftMs));
    insight = await client.insight();
  }
  if (insight === undefined) return EXIT.unreachable;
  if (args.json) return say(toJson(insight));
  for (const line of hotLines(insight, lineWidth())) say(line);
  return EXIT.ok;
}
