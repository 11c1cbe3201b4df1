/** A terminal of any size, as tmux has one: what a program shows on it is read, and what is typed and resized it hears of. */

import { environment } from "./processes.ts";
import { until } from "./waiting.ts";

/** Whether tmux is there. */
export const hasTmux: boolean = await tmux(["-V"]).then(() => true, () => false);
if (!hasTmux) console.log("Not tested: what terminals show, because the command tmux is not installed");

async function tmux(args: string[], env: Record<string, string> = {}): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("tmux", { args, ...environment(env), stdin: "null" })
    .output();
  if (!success) throw new Error(`Cannot run tmux ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Terminals of a server of tmux's own, which ends with them. */
export class Tmux implements AsyncDisposable {
  readonly #folder: string;
  readonly #env: Record<string, string>;
  #count = 0;

  private constructor(folder: string, env: Record<string, string>) {
    this.#folder = folder;
    this.#env = env;
  }

  /** @param env Variables of the programs that run there, beside those of all processes of tests. */
  static async start(env: Record<string, string> = {}): Promise<Tmux> {
    const made = new Tmux(await Deno.makeTempDir(), { LC_ALL: "C.UTF-8", ...env });
    await made.call("new-session", "-d", "-s", "kept", "cat");
    await made.call("set-option", "-g", "remain-on-exit", "on");
    await made.call("set-option", "-gq", "remain-on-exit-format", "");
    await made.call("set-option", "-g", "status", "off");
    return made;
  }

  call(...args: string[]): Promise<string> {
    return tmux(["-u", "-S", `${this.#folder}/socket`, "-f", "/dev/null", ...args], this.#env);
  }

  /** Runs a program on a terminal of its own. */
  async run(words: readonly string[], columns: number, rows = 24): Promise<Terminal> {
    const name = `t${this.#count++}`;
    await this.call("new-session", "-d", "-s", name, "-x", `${columns}`, "-y", `${rows}`, "--", ...words);
    return new Terminal(this, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.call("kill-server");
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** One terminal. */
export class Terminal {
  readonly #tmux: Tmux;
  readonly #name: string;

  constructor(tmux: Tmux, name: string) {
    this.#tmux = tmux;
    this.#name = name;
  }

  /** The lines that it shows, and those above that have left it. */
  async lines(...options: string[]): Promise<string[]> {
    const text = await this.#tmux.call("capture-pane", "-p", "-S", "-", ...options, "-t", this.#name);
    return text.trimEnd().split("\n").map((line) => line.trimEnd());
  }

  /** The lines that were printed, however many of its own the terminal has made of each. */
  printed(): Promise<string[]> {
    return this.lines("-J");
  }

  /** The same, with the sequences that give them colours. */
  coloured(): Promise<string[]> {
    return this.lines("-e");
  }

  /** Waits until it shows something. Returns its lines. */
  async shows(what: RegExp): Promise<string[]> {
    let lines: string[] = [];
    await until(`the terminal shows ${what}`, async () => what.test((lines = await this.lines()).join("\n")))
      .catch((error) => {
        throw new Error(`${error.message}\n${lines.join("\n")}`);
      });
    return lines;
  }

  /** Waits until the program has ended. Returns its status. */
  async end(): Promise<number> {
    await until("the program has ended", async () => await this.is("pane_dead") === "1");
    return Number(await this.is("pane_dead_status"));
  }

  /** What is so of it, by tmux's name for it, such as `alternate_on`. */
  async is(name: string): Promise<string> {
    return (await this.#tmux.call("display-message", "-p", "-t", this.#name, `#{${name}}`)).trim();
  }

  async type(...keys: string[]): Promise<void> {
    await this.#tmux.call("send-keys", "-t", this.#name, ...keys);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux.call("resize-window", "-t", this.#name, "-x", `${columns}`, "-y", `${rows}`);
  }
}
