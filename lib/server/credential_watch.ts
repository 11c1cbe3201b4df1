/**
 * Keeps a server's credentials as its files have them: reads these at the start, looks at them once a second, and takes what is
 * new. A broken file changes nothing. It knows no connections, and shows no secret.
 */

import { parseToken, type Token } from "../base/token.ts";
import { readSecretFile, type SecretFile } from "../platform/secret_file.ts";
import type { CredentialLine } from "./auth_file.ts";
import { checked, type CredentialSource } from "./credential_sources.ts";
import type { Credentials } from "./credentials.ts";
import type { Part } from "./part.ts";

/** Options of {@linkcode CredentialWatch}. */
export interface CredentialWatchOptions {
  readonly sources: readonly CredentialSource[];
  /** What is kept as the sources have it. */
  readonly credentials: Credentials;
  /** Called with each line to log; it does not throw. */
  readonly log: (line: string) => void;
  /** Called when this server shows its peers another token than before. */
  readonly onToken: () => void;
  /** Reads a file; throws if it cannot be used. */
  readonly read?: (path: string) => Promise<SecretFile>;
}

/** Milliseconds between looks at the files. */
const LOOK_MS = 1000;
const GOES_ON = "this server goes on with what it had before";

/** One source and what it held. */
interface Watched {
  readonly source: CredentialSource;
  text: string;
  lines: readonly CredentialLine[];
  /** What the last look has found, and what has been found twice: a text after `=`, or after `!` why there is none. */
  seen: string;
  settled: string;
}

/** Watches over the files of credentials. */
export class CredentialWatch implements Part {
  readonly #options: Required<CredentialWatchOptions>;
  #watched: Watched[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: CredentialWatchOptions) {
    this.#options = { read: readSecretFile, ...options };
  }

  /** The token that this server shows to its peers. */
  get token(): Token | undefined {
    const watched = this.#watched.find(({ source }) => source.token === "peers") ??
      this.#watched.find(({ source }) => source.token === "all");
    return watched && parseToken(watched.text.trimEnd());
  }

  /** Files that are looked at. */
  get files(): number {
    return this.#options.sources.filter(({ path }) => path !== undefined).length;
  }

  /**
   * Reads all files.
   *
   * @throws {RangeError} If one cannot be used.
   */
  async start(): Promise<void> {
    const { sources, credentials } = this.#options;
    credentials.isRequired = sources.length > 0;
    this.#watched = [];
    for (const source of sources) this.#watched.push(await this.#first(source));
    this.#take();
    this.#looking = credentials.prepare(); // nobody waits for it: strangers could tell names only in the first milliseconds
    if (this.files > 0) this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** Looks at no file any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Looks at all files. What is new is taken when it is seen for the second time, or at once. */
  look(atOnce = false): Promise<void> {
    const { log } = this.#options;
    return this.#looking = this.#looking.then(() => this.#look(atOnce)).catch((error) =>
      log(`Cannot reread credentials, trying again: ${(error as Error).message}`)
    );
  }

  async #first(source: CredentialSource): Promise<Watched> {
    const { log, read } = this.#options;
    if (source.text !== undefined) {
      return watchedOf(source, source.text);
    }
    const { setting, path } = source;
    const { text, isReadableByAll } = await read(path!).catch((error) => {
      throw new RangeError(`Cannot use ${setting} ${path}: ${error.message}`, { cause: error });
    });
    if (isReadableByAll) {
      log(
        `Warning: every user of this machine can read ${setting} ${path}; chmod 600 it, unless only this server sees it`,
      );
    }
    return watchedOf(source, text);
  }

  async #look(atOnce: boolean): Promise<void> {
    const before = JSON.stringify(this.token);
    let isNew = false;
    for (const watched of this.#watched) if (await this.#hasNews(watched, atOnce)) isNew = true;
    if (!isNew) return;
    this.#take();
    await this.#options.credentials.prepare();
    if (JSON.stringify(this.token) !== before) this.#options.onToken();
  }

  /** Looks at one file. Returns whether there is something new in it that can be used, which it has kept. */
  async #hasNews(watched: Watched, atOnce: boolean): Promise<boolean> {
    const { source, text: before, seen, settled } = watched;
    const { setting, path } = source;
    if (path === undefined) return false;
    const { log, read } = this.#options;
    const found = await read(path).then(({ text }) => `=${text}`, (error) => `!${error.message}`);
    watched.seen = found;
    if (found === settled || (found !== seen && !atOnce)) return false;
    watched.settled = found;
    const text = found.slice(1);
    if (found.startsWith("!")) {
      log(`Cannot use ${setting} ${path}: ${text}; ${GOES_ON}`);
      return false;
    }
    try {
      watched.lines = checked(source, text);
      watched.text = text;
      log(`${setting} ${path} is used as it is now`);
    } catch (error) {
      log(`${(error as Error).message}; ${GOES_ON}`);
    }
    return watched.text !== before;
  }

  #take(): void {
    this.#options.credentials.replace(this.#watched.flatMap(({ lines }) => lines));
  }
}

function watchedOf(source: CredentialSource, text: string): Watched {
  return { source, text, lines: checked(source, text), seen: `=${text}`, settled: `=${text}` };
}
