/** The processor's time that this process has taken. */

import { nodeProcess } from "../base/node_process.ts";

/** Microseconds in the process's own code and in the system; `undefined` where this version of Deno does not tell. */
export function cpuTime(): { userMicros: number; systemMicros: number } | undefined {
  const usage = nodeProcess().cpuUsage?.();
  return usage && { userMicros: usage.user, systemMicros: usage.system };
}
