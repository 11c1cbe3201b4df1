/** An ACME authority for tests: pebble, with a resolver that sends every name to this machine. */

import { Authority, hasOpenssl } from "./certificates.ts";
import { freePort } from "./ports.ts";
import { until } from "./waiting.ts";

/** Whether pebble, its resolver and openssl are there. */
export const hasPebble: boolean = hasOpenssl && (await Promise.all(["pebble", "pebble-challtestsrv"].map(isThere)))
  .every(Boolean);
if (!hasPebble) {
  console.log("Not tested: certificates from an ACME authority, because pebble (Debian's package) is not installed");
}

/** The name for which certificates are issued. */
export const HOST = "cache.example.com";

/** Options of {@linkcode Pebble}. */
export interface PebbleOptions {
  /** Seconds that its certificates are valid. */
  validitySeconds?: number;
}

/** An authority, and the folder with its files. */
export class Pebble implements AsyncDisposable {
  /** Who vouches for the directory, which has a certificate itself. */
  readonly #authority: Authority;
  readonly #processes: Deno.ChildProcess[] = [];
  readonly #port = freePort();
  readonly #rootsPort = freePort();
  readonly #namesPort = freePort();
  readonly #options: PebbleOptions;
  /** The port on which it looks for the answer to its challenge. */
  readonly challengePort: number = freePort();

  private constructor(authority: Authority, options: PebbleOptions) {
    this.#authority = authority;
    this.#options = options;
  }

  static async start(options: PebbleOptions = {}): Promise<Pebble> {
    const pebble = new Pebble(await Authority.make(), options);
    await pebble.resume();
    return pebble;
  }

  get directory(): string {
    return `https://localhost:${this.#port}/dir`;
  }

  get folder(): string {
    return this.#authority.folder;
  }

  /** File with the authority of the directory's own certificate. */
  get caFile(): string {
    return this.#authority.caFile;
  }

  /** The folder in which a server keeps what comes from here. */
  get keptIn(): string {
    return `localhost_${this.#port}`;
  }

  /** Starts the processes, anew after {@linkcode Pebble.pause}; it knows nobody and nothing then. */
  async resume(): Promise<void> {
    const { certFile, keyFile } = await this.#authority.issue();
    const config = `${this.folder}/pebble.json`;
    const pebble = {
      listenAddress: `127.0.0.1:${this.#port}`,
      managementListenAddress: `127.0.0.1:${this.#rootsPort}`,
      certificate: certFile,
      privateKey: keyFile,
      httpPort: this.challengePort,
      tlsPort: 1,
      certificateValidityPeriod: this.#options.validitySeconds ?? 30 * 86_400,
    };
    await Deno.writeTextFile(config, JSON.stringify({ pebble }));
    const names = `127.0.0.1:${this.#namesPort}`;
    const none = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""];
    this.#run("pebble-challtestsrv", [
      "-dns01",
      names,
      "-defaultIPv4",
      "127.0.0.1",
      "-management",
      "127.0.0.1:0",
      ...none,
    ]);
    this.#run("pebble", ["-config", config, "-dnsserver", names]);
    await until("pebble answers", () => this.root().then(() => true, () => false));
  }

  #run(command: string, args: string[]): void {
    const env = { PEBBLE_VA_NOSLEEP: "1", PEBBLE_AUTHZREUSE: "0" };
    this.#processes.push(
      new Deno.Command(command, { args, env, stdin: "null", stdout: "null", stderr: "null" }).spawn(),
    );
  }

  /** The authority's own certificate, which those have to believe who connect with one that it issued. */
  async root(): Promise<string> {
    using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(this.caFile)], poolMaxIdlePerHost: 0 });
    return await (await fetch(`https://localhost:${this.#rootsPort}/roots/0`, { client })).text();
  }

  /** Ends the processes. */
  async pause(): Promise<void> {
    for (const child of this.#processes.splice(0)) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended already.
      }
      await child.status;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pause();
    await this.#authority[Symbol.asyncDispose]();
  }
}

/** Whether a program is there. Where it is not, `output` throws or rejects, as the version of Deno has it. */
async function isThere(name: string): Promise<boolean> {
  try {
    await new Deno.Command(name, { args: ["-help"], stdin: "null", stdout: "null", stderr: "null" }).output();
    return true;
  } catch {
    return false;
  }
}
