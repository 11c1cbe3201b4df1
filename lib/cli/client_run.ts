/** What commands that use a client have in common: the client, and the question before a command touches what others have stored. */

import { OrmucoCacheClient } from "../../client.ts";
import type { CacheError } from "../base/errors.ts";
import { grouped } from "../base/words.ts";
import { type Arguments, clientSettings } from "./arguments.ts";
import { EXIT, logError, report } from "./output.ts";
import { canAsk, saysYes } from "./prompt.ts";

/** What a command does with its client. Returns the exit status. */
export type ClientRun = (client: OrmucoCacheClient, args: Arguments) => Promise<number>;

/** Runs a command with a client. If a call failed, the failure decides the exit status. */
export async function withClient(
  args: Arguments,
  run: ClientRun,
  options: ReturnType<typeof clientSettings> = clientSettings(args),
): Promise<number> {
  let failure: CacheError | undefined;
  const client = new OrmucoCacheClient({ ...options, onError: (error) => failure ??= error });
  try {
    const status = await run(client, args);
    // If a connection failed but the next server answered, the command has not failed.
    const isFailed = failure !== undefined && Object.values((await client.stats()).failures).some((count) => count > 0);
    return isFailed ? report(failure!) : status;
  } finally {
    await client.close();
  }
}

/** A server that a command is about to touch, and its entries in words. */
export interface Touched {
  address: string;
  entries: number;
  inWords: string;
}

/**
 * Asks before a command touches entries, unless it was given `--yes`. Returns the exit status of success if it may go on.
 *
 * @param question What to ask on a terminal.
 * @param otherwise Called where nobody can be asked; it throws if the command must not go on then.
 */
export async function ask(
  client: OrmucoCacheClient,
  args: Arguments,
  question: (touched: Touched) => string,
  otherwise?: (touched: Touched) => void,
): Promise<number> {
  if (args.flags.has("yes") || (otherwise === undefined && !canAsk())) return EXIT.ok;
  const { server, connectedTo: address = "the server" } = await client.stats();
  if (server === undefined) return EXIT.unreachable;
  const { entries = 0 } = server;
  const touched = {
    address,
    entries,
    inWords: `${grouped(entries)} ${entries === 1 ? "entry" : "entries"}`,
  };
  if (!canAsk()) {
    otherwise?.(touched);
    return EXIT.ok;
  }
  if (saysYes(question(touched))) return EXIT.ok;
  logError("Nothing was done");
  return EXIT.miss;
}
