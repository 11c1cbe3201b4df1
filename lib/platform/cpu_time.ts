/** The processor's time that this process has taken. */

import process from "node:process";

/** Microseconds in the process's own code and in the system; `undefined` where this version of Deno does not tell. */
export function cpuTime(): { userMicros: number; systemMicros: number } | undefined {
  const usage = process.cpuUsage?.();
  return usage && { userMicros: usage.user, systemMicros: usage.system };
}
