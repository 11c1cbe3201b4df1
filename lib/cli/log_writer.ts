/**
 * Writes the lines of a server's log, and never waits for whoever takes them: a pipe that nobody reads must not stop the
 * server. It does not know where they go.
 */

import { writeAll } from "../platform/socket.ts";

/** Characters that wait at most; further lines are left out, and counted. */
const MAX_WAITING = 64 * 1024;
/** Milliseconds that `end` waits at most. */
const END_MS = 1000;

const utf8 = new TextEncoder();

/** A log. */
export class LogWriter {
  readonly #output: Pick<Deno.Conn, "write">;
  #waiting = "";
  #leftOut = 0;
  #writing: Promise<void> | undefined;

  constructor(output: Pick<Deno.Conn, "write">) {
    this.#output = output;
  }

  /** Adds a line, unless too much waits. */
  say(line: string): void {
    if (this.#waiting.length + line.length >= MAX_WAITING) this.#leftOut++;
    else this.#waiting += `${line}\n`;
    this.#writing ??= this.#write().finally(() => this.#writing = undefined);
  }

  /** Waits until all is written, for a second at most. */
  async end(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([this.#writing, new Promise<void>((resolve) => timer = setTimeout(resolve, END_MS))]);
    clearTimeout(timer);
  }

  async #write(): Promise<void> {
    while (this.#waiting !== "") {
      const left = this.#leftOut === 0 ? "" : `${this.#leftOut} lines of the log were left out: nobody took them\n`;
      const bytes = utf8.encode(this.#waiting + left);
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
