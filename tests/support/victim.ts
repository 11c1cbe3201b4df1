/** A server process that is attacked: ours, or memcached beside it. */

import { formatVerifier } from "../../lib/wire/scram.ts";
import { makeVerifier } from "../../lib/platform/scram.ts";
import { Authority } from "./certificates.ts";
import { connectTo, type Door } from "./door.ts";
import { denoArguments, environment } from "./processes.ts";
import { freePort } from "./ports.ts";
import { until } from "./waiting.ts";

/** Which server it is. */
export type Kind = "ormuco" | "memcached";

/** How it is started. */
export interface VictimOptions {
  /** Where its standard output goes, if not to the tests: a file. */
  output?: string;
  /** Whether the tests close their end of its standard output as soon as it runs. */
  closesOutput?: boolean;
  cwd?: string;
  /** Whether it asks for a token, and whether it takes encrypted connections only. */
  asksToken?: boolean;
  isEncrypted?: boolean;
  /** Memory for its entries, in MiB. */
  memoryMib?: number;
}

const MEMORY_MIB = 256;
/** Who the attacked server knows. It has a verifier of the secret only, which makes it work most. */
const TOKEN = { name: "member", secret: "secret-of-the-member" };

/** Whether memcached is installed. */
export function hasMemcached(): boolean {
  try {
    return new Deno.Command("memcached", { args: ["-V"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** The files that a server behind a lock needs, and the settings that name them. */
interface Lock {
  readonly door: Pick<Door, "token" | "ca">;
  readonly settings: readonly string[];
  readonly remove: () => Promise<void>;
}

async function lockOf({ asksToken = false, isEncrypted = false }: VictimOptions): Promise<Lock> {
  if (!asksToken && !isEncrypted) return { door: {}, settings: [], remove: () => Promise.resolve() };
  const authority = isEncrypted ? await Authority.make() : undefined;
  const folder = authority?.folder ?? await Deno.makeTempDir();
  const settings: string[] = [];
  if (asksToken) {
    const line = `${TOKEN.name}:client,peer,admin:${formatVerifier(await makeVerifier(TOKEN.secret))}\n`;
    await Deno.writeTextFile(`${folder}/credentials`, line, { mode: 0o600 });
    settings.push("--auth-file", `${folder}/credentials`);
  }
  if (authority !== undefined) {
    const { certFile, keyFile } = await authority.issue();
    settings.push("--tls", "--tls-cert", certFile, "--tls-key", keyFile);
  }
  const remove = () => Deno.remove(folder, { recursive: true });
  return { door: { token: asksToken ? TOKEN : undefined, ca: authority?.ca }, settings, remove };
}

function command(kind: Kind, port: number, memoryMib: number, more: readonly string[]): string[] {
  if (kind === "memcached") {
    const limits = ["-m", `${memoryMib}`, "-c", "1024"];
    return ["memcached", "-u", "root", "-U", "0", "-l", "127.0.0.1", "-p", `${port}`, ...limits];
  }
  const settings = ["--max-bytes", `${memoryMib}MiB`, "--expiration", "0", "--gossip-interval", "0.2", ...more];
  return [Deno.execPath(), ...denoArguments("cli.ts"), "serve", "--listen", `127.0.0.1:${port}`, ...settings];
}

/** A server in a process of its own, on a port of its own. */
export class Victim implements AsyncDisposable {
  readonly kind: Kind;
  readonly port: number;
  readonly door: Door;
  /** All that it has printed so far. */
  printed = "";
  isAlive = true;
  readonly #child: Deno.ChildProcess;
  readonly #ended: Promise<number>;
  readonly #reading: Promise<void>[];
  readonly #lock: Lock;

  private constructor(kind: Kind, port: number, options: VictimOptions, lock: Lock) {
    const { output, closesOutput = false, cwd, memoryMib = MEMORY_MIB } = options;
    [this.kind, this.port, this.#lock] = [kind, port, lock];
    this.door = { port, ...lock.door };
    const redirection = output === undefined ? "" : ` > ${output}`;
    this.#child = new Deno.Command("sh", {
      args: ["-c", `exec "$0" "$@"${redirection}`, ...command(kind, port, memoryMib, lock.settings)],
      ...environment(),
      cwd,
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const { stdout, stderr } = this.#child;
    this.#reading = [closesOutput ? stdout.cancel() : this.#read(stdout), this.#read(stderr)];
    this.#ended = this.#child.status.then(({ code }) => {
      this.isAlive = false;
      return code;
    });
  }

  /** Starts a server and waits until it listens. */
  static async start(kind: Kind, options: VictimOptions = {}): Promise<Victim> {
    const victim = new Victim(kind, freePort(), options, await lockOf(options));
    await until("it listens", async () => {
      if (!victim.isAlive) throw new Error(`Cannot start ${kind}: ${victim.printed}`);
      return await connectTo(victim.door).then((socket) => (socket.close(), true), () => false);
    });
    return victim;
  }

  get pid(): number {
    return this.#child.pid;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Bytes of memory that it has now, and at most since `forgetPeak`; 0 where the system does not tell. */
  get memory(): { now: number; peak: number } {
    const status = this.#status();
    const of = (name: string) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
    return { now: of("VmRSS"), peak: of("VmHWM") };
  }

  #status(): string {
    try {
      return Deno.readTextFileSync(`/proc/${this.#child.pid}/status`);
    } catch {
      return ""; // it has ended, or this is no Linux
    }
  }

  forgetPeak(): void {
    try {
      Deno.writeTextFileSync(`/proc/${this.#child.pid}/clear_refs`, "5");
    } catch {
      // Then the peak is one since its start.
    }
  }

  /** Sends a signal; one that has ended does not mind. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended already.
    }
  }

  /** Ends it and returns its exit status; `undefined` if it had to be killed. */
  async stop(): Promise<number | undefined> {
    this.signal("SIGTERM");
    const isOver = await until("it ends", () => !this.isAlive).then(() => true, () => false);
    if (!isOver) this.signal("SIGKILL");
    const status = await this.#ended;
    await Promise.all(this.#reading);
    return isOver ? status : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGCONT");
    this.signal("SIGKILL");
    await this.#ended;
    await Promise.all(this.#reading);
    await this.#lock.remove();
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) this.printed += part;
  }
}
