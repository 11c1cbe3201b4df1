/**
 * Writes the lines of a server's log, with time and level, and never waits for whoever takes them: a pipe that nobody reads must
 * not stop the server. It does not know what they say.
 */

import type { Log, LogLevel } from "../base/log.ts";
import { writeAll } from "../platform/socket.ts";

/** How lines are written, and the least level of those that are. */
export interface LogOptions {
  readonly format: "text" | "json";
  readonly level: LogLevel;
}

/** Where lines go. */
export type LogOutput = Pick<Deno.Conn, "write">;

/** Characters that wait at most for one output; further lines are left out, and counted. */
const MAX_WAITING = 64 * 1024;
/** Milliseconds that `end` waits at most. */
const END_MS = 1000;
const LEVELS: readonly LogLevel[] = ["info", "warn", "error"];

const utf8 = new TextEncoder();

/** A log: what is told goes to one output, and warnings and errors to another. */
export class LogWriter {
  readonly #options: LogOptions;
  readonly #told: Output;
  readonly #warned: Output;
  readonly #now: () => Date;

  constructor(options: LogOptions, told: LogOutput, warned: LogOutput, now: () => Date = () => new Date()) {
    this.#options = options;
    this.#told = new Output(told, (line) => this.#written(line, "warn"));
    this.#warned = new Output(warned, (line) => this.#written(line, "warn"));
    this.#now = now;
  }

  /** Adds a line, unless too much waits or its level is too low. */
  readonly say: Log = (line, level = "info") => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(this.#options.level)) return;
    (level === "info" ? this.#told : this.#warned).say(this.#written(line, level));
  };

  /** Waits until all is written, for a second at most. */
  async end(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const written = Promise.all([this.#told.writing, this.#warned.writing]);
    await Promise.race([written, new Promise<void>((resolve) => timer = setTimeout(resolve, END_MS))]);
    clearTimeout(timer);
  }

  #written(line: string, level: LogLevel): string {
    const time = this.#now().toISOString();
    if (this.#options.format === "json") return JSON.stringify({ time, level, message: line.trim() });
    return `${time} ${level.toUpperCase().padEnd(5)} ${line}`;
  }
}

/** One output, and the lines that wait for it. */
class Output {
  readonly #output: LogOutput;
  readonly #written: (line: string) => string;
  #waiting = "";
  #leftOut = 0;
  writing: Promise<void> | undefined;

  constructor(output: LogOutput, written: (line: string) => string) {
    this.#output = output;
    this.#written = written;
  }

  say(line: string): void {
    if (this.#waiting.length + line.length >= MAX_WAITING) this.#leftOut++;
    else this.#waiting += `${line}\n`;
    this.writing ??= this.#write().finally(() => this.writing = undefined);
  }

  async #write(): Promise<void> {
    while (this.#waiting !== "") {
      const lost = `${this.#leftOut} lines of the log were left out: nobody took them`;
      const bytes = utf8.encode(this.#waiting + (this.#leftOut === 0 ? "" : `${this.#written(lost)}\n`));
      this.#waiting = "";
      this.#leftOut = 0;
      try {
        await writeAll(this.#output, bytes);
      } catch {
        // It cannot be written, to a full disk say: there is nobody else to report to, and the server goes on.
      }
    }
  }
}
