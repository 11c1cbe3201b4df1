/** A terminal that shows one frame after another, in place of what was there, and is put back at the end. It does not know what it shows. */

import type { Line, Size, Tone } from "./top_lines.ts";

/** The other screen, without a cursor; and back. */
const [OPEN, CLOSE] = ["\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"];
const [HOME, END_OF_LINE, END_OF_SCREEN] = ["\x1b[H", "\x1b[K", "\x1b[J"];
const TONES: Readonly<Record<Tone, string>> = { heading: "\x1b[1m", plain: "", poor: "\x1b[33m", bad: "\x1b[31m" };
const PLAIN = "\x1b[0m";
/** Keys that quit: q, Q, and Ctrl-C, which is a key like others here. */
const QUIT = [113, 81, 3];

const FAULTS = ["error", "unhandledrejection"];

/** The terminal. Nobody but this writes to it while it is open. */
export class Screen {
  readonly #hasKeys = Deno.stdin.isTerminal();
  /** An error that nobody catches ends the process without more ado. */
  readonly #onFault = () => this.close();

  /** Takes the terminal, and calls `onQuit` when a key says to quit. `close` gives it back, whatever happens in between. */
  open(onQuit: () => void): void {
    for (const fault of FAULTS) addEventListener(fault, this.#onFault);
    write(OPEN);
    if (!this.#hasKeys) return;
    Deno.stdin.setRaw(true);
    void readKeys(onQuit);
  }

  close(): void {
    for (const fault of FAULTS) removeEventListener(fault, this.#onFault);
    if (this.#hasKeys) Deno.stdin.setRaw(false);
    write(CLOSE);
  }

  get size(): Size {
    return Deno.consoleSize();
  }

  /** Shows lines that fit, in one write: nothing is seen of a frame that is not done. */
  draw(lines: readonly Line[]): void {
    const shown = lines.map(({ text, tone }) => {
      return (Deno.noColor || TONES[tone] === "" ? text : TONES[tone] + text + PLAIN) + END_OF_LINE;
    });
    write(HOME + shown.join("\r\n") + END_OF_SCREEN);
  }
}

function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

async function readKeys(onQuit: () => void): Promise<void> {
  const keys = new Uint8Array(64);
  try {
    for (let count = await Deno.stdin.read(keys); count !== null; count = await Deno.stdin.read(keys)) {
      if (keys.subarray(0, count).some((key) => QUIT.includes(key))) return onQuit();
    }
  } catch {
    // The terminal has gone, which is told by a signal.
  }
}
