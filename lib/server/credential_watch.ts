/**
 * Keeps a server's credentials as its files have them: reads these at the start, looks at them once a second, and takes what is
 * new. A broken file changes nothing. It knows no connections, and shows no secret.
 */

import type { Log } from "../base/log.ts";
import { parseToken, type Token } from "../base/token.ts";
import { readSecretFile, type SecretFile } from "../platform/secret_file.ts";
import type { CredentialLine } from "./auth_file.ts";
import { checked, type CredentialSource } from "./credential_sources.ts";
import type { Credentials } from "./credentials.ts";
import { FileWatch, type LookReason, Watched } from "./file_watch.ts";
import type { Part } from "./part.ts";

/** Options of {@linkcode CredentialWatch}. */
export interface CredentialWatchOptions {
  readonly sources: readonly CredentialSource[];
  /** What is kept as the sources have it. */
  readonly credentials: Credentials;
  /** Called with each line to log; it does not throw. */
  readonly log: Log;
  /** Called when this server shows its peers another token than before. */
  readonly onToken: () => void;
  /** Reads a file; throws if it cannot be used. */
  readonly read?: (path: string) => Promise<SecretFile>;
}

const GOES_ON = "this server goes on with what it had before";

/** One source and what is used of it. */
interface Held {
  readonly source: CredentialSource;
  readonly file: Watched<SecretFile> | undefined;
  text: string;
  lines: readonly CredentialLine[];
}

/** Watches over the files of credentials. */
export class CredentialWatch implements Part {
  readonly #options: Required<CredentialWatchOptions>;
  readonly #watch = new FileWatch((reason) => this.#look(reason));
  #held: Held[] = [];
  #preparing: Promise<void> = Promise.resolve();
  /** Times that verifiers have begun to be made: a new time ends the one before. */
  #rounds = 0;

  constructor(options: CredentialWatchOptions) {
    this.#options = { read: readSecretFile, ...options };
  }

  /** The token that this server shows to its peers. */
  get token(): Token | undefined {
    const held = this.#held.find(({ source }) => source.token === "peers") ??
      this.#held.find(({ source }) => source.token === "all");
    return held && parseToken(held.text.trimEnd());
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
    this.#held = [];
    for (const source of sources) this.#held.push(await this.#first(source));
    this.#take();
    this.#prepare();
    if (this.files > 0) this.#watch.start();
  }

  /** Looks at no file any more. */
  async stop(): Promise<void> {
    await this.#watch.stop();
    this.#rounds++;
    await this.#preparing;
  }

  /** Looks at all files. Unless a timer calls this, what is new is taken at once. */
  look(reason: LookReason = "timer"): Promise<void> {
    return this.#watch.look(reason);
  }

  async #first(source: CredentialSource): Promise<Held> {
    const { log, read } = this.#options;
    const { setting, path } = source;
    if (path === undefined) {
      return { source, file: undefined, text: source.text!, lines: checked(source, source.text!) };
    }
    const file = new Watched(() => read(path), ({ text }) => text);
    const found = (await file.news("at once"))!;
    if (found instanceof Error) {
      throw new RangeError(`Cannot use ${setting} ${path}: ${found.message}`, { cause: found });
    }
    const { text, isReadableByAll } = found;
    if (isReadableByAll) {
      log(
        `Warning: every user of this machine can read ${setting} ${path}; chmod 600 it, unless only this server sees it`,
        "warn",
      );
    }
    return { source, file, text, lines: checked(source, text) };
  }

  async #look(reason: LookReason): Promise<void> {
    try {
      const before = JSON.stringify(this.token);
      let isNew = false;
      for (const held of this.#held) if (await this.#hasNews(held, reason)) isNew = true;
      if (!isNew) return;
      this.#take();
      this.#prepare();
      if (JSON.stringify(this.token) !== before) this.#options.onToken();
    } catch (error) {
      this.#options.log(`Cannot reread credentials, trying again: ${(error as Error).message}`, "warn");
    }
  }

  /** Looks at one file. Returns whether there is something new in it that can be used, which it has kept. */
  async #hasNews(held: Held, reason: LookReason): Promise<boolean> {
    const { log } = this.#options;
    const { source, text: before } = held;
    const { setting, path } = source;
    const found = await held.file?.news(reason);
    if (found === undefined) return false;
    if (found instanceof Error) {
      log(`Cannot use ${setting} ${path}: ${found.message}; ${GOES_ON}`, "warn");
      return false;
    }
    try {
      held.lines = checked(source, found.text);
      held.text = found.text;
      log(`${setting} ${path} is used as it is now`);
    } catch (error) {
      log(`${(error as Error).message}; ${GOES_ON}`, "warn");
    }
    return held.text !== before;
  }

  /** Has verifiers made. Nobody waits for it, since many take seconds; until then strangers could tell names by the time of an answer. */
  #prepare(): void {
    const round = ++this.#rounds;
    const { credentials } = this.#options;
    this.#preparing = this.#preparing.then(() => credentials.prepare(() => round === this.#rounds));
  }

  #take(): void {
    this.#options.credentials.replace(this.#held.flatMap(({ lines }) => lines));
  }
}
