/** What is asked of a server about itself, and not of its entries' values. It counts nothing. */

import { checkKey } from "../base/checks.ts";
import type { KeyExplanation } from "../base/explanation.ts";
import type { ServerInsight } from "../base/insight.ts";
import type { ServerStats } from "../base/stats.ts";
import { readYesNo, writeKeyed } from "../wire/calls.ts";
import { readData } from "../wire/control.ts";
import { REQUEST } from "../wire/frame.ts";
import type { Requests } from "./requests.ts";

/** Returns the server's statistics; `undefined` if none answers, as for all questions. */
export async function askStats(requests: Requests): Promise<Partial<ServerStats> | undefined> {
  return await requests.ask({ write: (output) => output.empty(REQUEST.stats), read: readData });
}

/** Returns what the server has learned from reads. */
export async function askInsight(requests: Requests): Promise<ServerInsight | undefined> {
  const told = await requests.ask({ write: (output) => output.empty(REQUEST.insight), read: readData });
  return told as ServerInsight | undefined;
}

/** Returns what the server tells of a key. */
export async function askToExplain(requests: Requests, key: string): Promise<KeyExplanation | undefined> {
  checkKey(key);
  const write = (output: Parameters<typeof writeKeyed>[0]) => writeKeyed(output, REQUEST.explain, key);
  return await requests.ask({ write, read: readData, verb: "explain", key }) as KeyExplanation | undefined;
}

/** Has the server forget a peer. */
export async function askToForget(requests: Requests, address: string): Promise<boolean | undefined> {
  checkKey(address);
  const write = (output: Parameters<typeof writeKeyed>[0]) => writeKeyed(output, REQUEST.forget, address);
  return await requests.ask({ write, read: readYesNo, verb: "forget peer", key: address });
}
