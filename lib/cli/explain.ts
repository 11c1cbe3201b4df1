/** The command `explain`: asks servers, and their peers where it may know them, what they hold of a key, or why they hold nothing. */

import { OrmucoCacheClient } from "../../client.ts";
import { CacheError } from "../base/errors.ts";
import type { PeerStats } from "../base/stats.ts";
import { type Arguments, clientSettings } from "./arguments.ts";
import { type Answer, explainLines, isOlder } from "./explain_lines.ts";
import { toJson } from "./json.ts";
import { EXIT, lineWidth, logError, report, say } from "./output.ts";

/** States of peers that are the server itself, or one that is shown by another address too. */
const TWICE: readonly string[] = ["self", "duplicate"];

/** An answer with what else the server said. */
interface FullAnswer extends Answer {
  readonly peers: readonly PeerStats[];
  readonly failure: CacheError | undefined;
}

/** Asks about a key, and prints what each server answers. Returns the exit status: that of success if any could tell. */
export async function explain(args: Arguments): Promise<number> {
  const settings = clientSettings(args);
  const [key] = args.positional;
  const ask = (address: string) => askOne({ ...settings, servers: [address] }, key, address);
  const asked = await Promise.all(settings.servers.map(ask));
  const answers: FullAnswer[] = [...asked, ...await Promise.all(peersBeside(asked).map(ask))];
  const [{ failure }] = answers;
  if (failure !== undefined && answers.every(({ explanation }) => explanation === undefined)) {
    if (!isOlder(failure.message)) return report(failure);
    logError("Cannot explain: the server does not say what it holds of a key; its version is older");
    return EXIT.refused;
  }
  if (args.json) {
    return say(toJson(answers.map(({ address, explanation, error }) => ({ address, ...explanation ?? { error } }))));
  }
  for (const line of explainLines(answers, namesOf(answers), lineWidth())) say(line);
  return EXIT.ok;
}

async function askOne(
  settings: ReturnType<typeof clientSettings>,
  key: string,
  address: string,
): Promise<FullAnswer> {
  let failure: CacheError | undefined;
  const client = new OrmucoCacheClient({ ...settings, onError: (error) => failure ??= error });
  try {
    const explanation = await client.explain(key);
    const { server } = failure === undefined ? await client.stats() : {};
    return { address, explanation, error: failure?.message ?? "", failure, peers: server?.peers ?? [] };
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    return { address, explanation: undefined, error: error.message, failure: error, peers: [] }; // a permission that lacks
  } finally {
    await client.close();
  }
}

/** Addresses of the peers of servers, each once, that are none of these. */
function peersBeside(asked: readonly FullAnswer[]): string[] {
  const numbers = new Set(asked.map(({ explanation }) => explanation?.server ?? 0));
  const addresses = new Set(asked.map(({ address }) => address));
  const found: string[] = [];
  for (const { id, address, state } of asked.flatMap(({ peers }) => peers)) {
    if (TWICE.includes(state) || addresses.has(address) || (id !== 0 && numbers.has(id))) continue;
    found.push(address);
    addresses.add(address);
    numbers.add(id);
  }
  return found;
}

/** Addresses by the numbers of servers. */
function namesOf(answers: readonly FullAnswer[]): ReadonlyMap<number, string> {
  const peers = answers.flatMap(({ peers }) => peers).filter(({ id }) => id !== 0);
  return new Map([
    ...peers.map(({ id, address }): [number, string] => [id, address]),
    ...answers.flatMap(({ address, explanation }): [number, string][] =>
      explanation === undefined ? [] : [[explanation.server, address]]
    ),
  ]);
}
