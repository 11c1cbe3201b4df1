/** The command `serve`: runs a server until it is told to stop. */

import { OrmucoCacheServer, type ServerOptions } from "../../server.ts";
import type { Log } from "../base/log.ts";
import { logOptions, PREFIX, SERVER_SETTING_NAMES, serverOptions, type Settings } from "../base/settings.ts";
import { type Arguments, settings } from "./arguments.ts";
import { LogWriter } from "./log_writer.ts";
import { EXIT, logError, say } from "./output.ts";

/** Runs the command. Returns the exit status, when the server has stopped. */
export async function serve(args: Arguments): Promise<number> {
  const found = settings(args);
  const options = { ...serverOptions(found), insecure: args.flags.has("insecure") };
  if (args.flags.has("check")) return await check(options, found);
  const log = new LogWriter(logOptions(found), Deno.stdout, Deno.stderr);
  const server = new OrmucoCacheServer({ ...options, log: log.say });
  const stop = stopSignal(log.say, () => server.reload()); // before the start is announced: a program that reads it may signal at once
  try {
    await server.startServer();
  } catch (error) {
    const { message } = error as Error;
    log.say(message, "error");
    await log.end();
    return message.startsWith("Cannot listen on ") ? EXIT.cannotListen : EXIT.usage;
  }
  await stop;
  await server.stop();
  log.say("Server stopped");
  await log.end();
  return EXIT.ok;
}

/** Says what would run, and which settings say so. */
async function check(options: ServerOptions, found: Settings): Promise<number> {
  logOptions(found);
  try {
    await new OrmucoCacheServer(options).check();
  } catch (error) {
    logError((error as Error).message);
    return EXIT.usage;
  }
  const ours = [...found].filter(([name]) => SERVER_SETTING_NAMES.includes(name));
  const places = ours.map(([name, { from, isPrefixed }]) => `${isPrefixed ? PREFIX : ""}${name} (${from})`);
  return say(`  settings    ${places.join(", ") || "all at their defaults"}`);
}

/**
 * Resolves at the first signal to stop; a second one ends the process at once. SIGHUP, which asks to reread what can be
 * reread, stops nothing; but on Windows it says that the console is being closed.
 */
function stopSignal(log: Log, reload: () => Promise<number>): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = () => {
      if (asked) Deno.exit(130);
      asked = true;
      resolve();
    };
    Deno.addSignalListener("SIGINT", onSignal);
    if (Deno.build.os === "windows") return Deno.addSignalListener("SIGHUP", onSignal);
    Deno.addSignalListener("SIGTERM", onSignal);
    Deno.addSignalListener("SIGHUP", async () => {
      const files = await reload();
      log(files === 0 ? "SIGHUP: nothing to reread" : `SIGHUP: ${files} ${files === 1 ? "file" : "files"} reread`);
    });
  });
}
