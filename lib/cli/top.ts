/** The command `top`: looks at servers again and again, and shows what they do now. */

import { type Arguments, clientSettings, secondsFlag, wholeFlag } from "./arguments.ts";
import { toJson } from "./json.ts";
import { EXIT, print } from "./output.ts";
import { Screen } from "./screen.ts";
import { topLines } from "./top_lines.ts";
import { type Seen, Watched } from "./watched.ts";

/** Seconds between two looks, at least and at most. */
const [LEAST_SECONDS, MOST_SECONDS] = [0.1, 86_400];
const MOST_LOOKS = 1e9;
/** Signals that end it. */
const SIGNALS: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];

/** Where what was seen is shown. */
interface Display {
  /** @param looks How many there have been. */
  show(seen: readonly Seen[], looks: number): void | Promise<void>;
  close(): void;
}

/** Shows what servers do until a key or a signal, or the option `--count`, says to stop. Returns the exit status. */
export async function top(args: Arguments): Promise<number> {
  const settings = clientSettings(args);
  const everyMs = 1000 * secondsFlag(args, "interval", 1, LEAST_SECONDS, MOST_SECONDS);
  const count = wholeFlag(args, "count", Infinity, 1, MOST_LOOKS);
  const watched = [...new Set(settings.servers)].map((address) => new Watched(address, settings));
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  for (const signal of SIGNALS) Deno.addSignalListener(signal, stop);
  const display = displayOf(args, everyMs, stop);
  try {
    let isStopped = false;
    void stopped.then(() => isStopped = true);
    for (let looks = 1; !isStopped; looks++) {
      const { promise: isTime, cancel } = timeOut(everyMs);
      try {
        await Promise.race([Promise.all(watched.map((each) => each.look())), isTime, stopped]);
        if (isStopped) break;
        await display.show(watched.map(({ seen }) => seen), looks);
        if (looks >= count) break;
        await Promise.race([isTime, stopped]);
      } finally {
        cancel();
      }
    }
    if (isStopped || watched.some(({ seen }) => seen.stats !== undefined)) return EXIT.ok;
    return watched.some(({ seen }) => seen.state === "refused") ? EXIT.refused : EXIT.unreachable;
  } finally {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, stop);
    display.close();
    await Promise.all(watched.map((each) => each[Symbol.asyncDispose]()));
  }
}

function timeOut(ms: number): { promise: Promise<void>; cancel: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  return { promise, cancel: () => clearTimeout(timer) };
}

function displayOf(args: Arguments, everyMs: number, stop: () => void): Display {
  const since = (looks: number) => looks === 1 ? "since their start" : `every ${everyMs / 1000} s`;
  if (args.json) return { show: (seen) => sayLines([jsonOf(seen)]), close: () => {} };
  if (!Deno.stdout.isTerminal()) {
    return { show: (seen, looks) => sayLines(blockOf(seen, since(looks))), close: () => {} };
  }
  return live(since, stop);
}

/** Shows frames on the terminal, and the last one again when that changes its size. */
function live(since: (looks: number) => string, stop: () => void): Display {
  const screen = new Screen();
  let [seen, looks]: [readonly Seen[], number] = [[], 0];
  const draw = () => {
    if (looks === 0) return;
    const time = new Date().toLocaleTimeString("en-GB");
    screen.draw(topLines(seen, screen.size, titleOf(seen, since(looks)), `q quits  ${time}`));
  };
  screen.open(stop);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGWINCH", draw);
  return {
    show: (found, count) => {
      [seen, looks] = [found, count];
      draw();
    },
    close: () => {
      if (Deno.build.os !== "windows") Deno.removeSignalListener("SIGWINCH", draw);
      screen.close();
    },
  };
}

/** Prints lines; rejects when nobody reads them any more. */
function sayLines(lines: readonly string[]): Promise<void> {
  return print(new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));
}

/** What there is to say where there is no terminal, with an empty line at the end. */
function blockOf(seen: readonly Seen[], since: string): string[] {
  const title = `${new Date().toISOString()} ${titleOf(seen, since)}`;
  return [...topLines(seen, { columns: Infinity, rows: Infinity }, title).map(({ text }) => text), ""];
}

function titleOf(seen: readonly Seen[], since: string): string {
  return `${seen.length} ${seen.length === 1 ? "server" : "servers"}, ${since}`;
}

function jsonOf(seen: readonly Seen[]): string {
  const servers = seen.map(({ figures, ...rest }) => ({ ...rest, ...figures }));
  return toJson({ time: new Date().toISOString(), servers });
}
