/**
 * Has an ACME authority issue the server's certificate, and renew it in time, into a file that `Encryption` reads. It knows
 * neither the authority's protocol nor connections.
 */

import type { Log } from "../base/log.ts";
import type { ResolvedAcme } from "../base/tls_options.ts";
import { loadLibrary, lockFile, newAccountKey, orderCertificate, writeSecret } from "../platform/acme.ts";
import { Timer } from "../platform/timer.ts";
import { dayText, duration, type Encryption } from "./encryption.ts";
import { type Part, within } from "./part.ts";

/** Options of {@linkcode Acme}. */
export interface AcmeOptions {
  readonly acme: ResolvedAcme;
  readonly encryption: Pick<Encryption, "validity" | "look" | "caCerts">;
  readonly log: Log;
  /** The time, in milliseconds since 1970: that of the wall clock by default. */
  readonly nowMs?: () => number;
}

/**
 * Parts of a certificate's lifetime after which it is renewed: some point between them, so that the servers of a cluster do
 * not all do so at once. `Encryption` warns at two thirds.
 */
const [EARLIEST_PART, LATEST_PART] = [0.62, 0.66];
/** Milliseconds until the next attempt after a failure, doubled with each further one: five attempts in the first hour, as Let's Encrypt allows. */
const RETRY_MS = 120_000;
const MOST_RETRY_MS = 6 * 3_600_000;
/** Part of the certificate's lifetime that is waited at most after a failure. */
const MOST_RETRY_PART = 1 / 30;
/** Failures for which a certificate counts that was issued and cannot be used: authorities issue few of the same in a week. */
const USELESS_FAILURES = 8;
/** Milliseconds until the next look, at most: clocks are set, and machines sleep. */
const MOST_LOOK_MS = 3_600_000;
/** Milliseconds until the next look while another process orders. */
const LOCKED_MS = 30_000;

/** A certificate was issued, and cannot be used. */
class UselessCertificate extends Error {}

/** Keeps one certificate. */
export class Acme implements Part {
  readonly #options: AcmeOptions;
  readonly #nowMs: () => number;
  readonly #timer = new Timer();
  /** Where in its lifetime this server renews a certificate. */
  readonly #part = EARLIEST_PART + Math.random() * (LATEST_PART - EARLIEST_PART);
  #failures = 0;
  /** No attempt is made before this time unless somebody asks for it. */
  #notBeforeMs = 0;
  #trying: Promise<void> | undefined;
  #stopping = new AbortController();

  constructor(options: AcmeOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /** When the next certificate is ordered, in milliseconds since 1970. */
  get dueMs(): number {
    return Math.max(this.#certificateDueMs, this.#notBeforeMs);
  }

  get #certificateDueMs(): number {
    const { validFromMs, expiresMs } = this.#options.encryption.validity;
    return Math.round(validFromMs + this.#part * (expiresMs - validFromMs));
  }

  /** @throws {Error} If certificates cannot be written. */
  async start(): Promise<void> {
    const { folder } = this.#options.acme;
    this.#stopping = new AbortController();
    try {
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
      if (Deno.build.os !== "windows") await Deno.chmod(folder, 0o700);
      (await lockFile(`${folder}/lock`))?.close();
    } catch (error) {
      const why = (error as Error).message;
      throw new Error(`Cannot start server: cannot write to ${folder} (ACME_FOLDER): ${why}`, { cause: error });
    }
    this.#plan();
    // At once, so that it is known today if that fails, and not when the certificate expires.
    if (this.dueMs > this.#nowMs()) loadLibrary().catch(({ message }) => this.#options.log(`ACME: ${message}`, "warn"));
  }

  async stop(limitMs: number): Promise<void> {
    this.#stopping.abort(new Error("the server stops"));
    this.#timer.stop();
    if (this.#trying !== undefined) await within(limitMs, this.#trying);
  }

  /** Orders a certificate if that is due; with `isAsked` after a failure too, without the pause. A timer calls this. */
  look(isAsked = false): Promise<void> {
    if (this.#trying !== undefined) return this.#trying;
    if (this.#nowMs() < (isAsked ? this.#certificateDueMs : this.dueMs)) {
      this.#plan();
      return Promise.resolve();
    }
    return this.#trying = this.#try().finally(() => {
      this.#trying = undefined;
      this.#plan();
    });
  }

  #plan(): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer.set(Math.min(Math.max(0, this.dueMs - this.#nowMs()), MOST_LOOK_MS), () => this.look());
  }

  async #try(): Promise<void> {
    const { acme: { host }, encryption, log } = this.#options;
    const isFirst = encryption.validity.expiresMs === 0;
    try {
      if (!await this.#order()) return;
      this.#failures = 0;
      const { validFromMs, expiresMs } = encryption.validity;
      this.#notBeforeMs = this.#nowMs() + Math.min(RETRY_MS, (expiresMs - validFromMs) / 10); // if clocks differ
      const what = isFirst ? "obtained" : "renewed";
      log(`ACME: the certificate for ${host} has been ${what}; the next is ordered about ${dayText(this.dueMs)}`);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#failures += error instanceof UselessCertificate ? USELESS_FAILURES : 1;
      const ms = this.#retryMs();
      this.#notBeforeMs = this.#nowMs() + ms;
      const what = isFirst ? "no certificate yet" : "the certificate has not been renewed";
      log(
        `ACME: ${what} for ${host}: ${(error as Error).message}; next attempt in ${duration(ms)}, or at SIGHUP`,
        "warn",
      );
    }
  }

  #retryMs(): number {
    const { validFromMs, expiresMs } = this.#options.encryption.validity;
    const mostMs = expiresMs === 0 ? MOST_RETRY_MS : Math.max(1000, MOST_RETRY_PART * (expiresMs - validFromMs));
    const ms = Math.min(RETRY_MS * 2 ** Math.min(this.#failures - 1, 16), MOST_RETRY_MS, mostMs);
    return ms * (1 + Math.random() / 4);
  }

  /** Orders a certificate, and has it used. Returns whether it has: another process may have done so, or be about to. */
  async #order(): Promise<boolean> {
    const { acme, encryption } = this.#options;
    using lock = await lockFile(`${acme.folder}/lock`);
    if (lock === undefined) {
      this.#notBeforeMs = this.#nowMs() + LOCKED_MS;
      return false;
    }
    await encryption.look("at once");
    if (this.#nowMs() < this.#certificateDueMs) return false;
    const account = `${acme.folder}/account.pem`;
    const accountKey = await Deno.readTextFile(account).catch(async (error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      const made = await newAccountKey();
      await writeSecret(account, made);
      return made;
    });
    const { signal } = this.#stopping;
    const pem = await orderCertificate({ ...acme, accountKey, caCerts: await encryption.caCerts(), signal });
    const before = encryption.validity;
    await writeSecret(acme.file, pem);
    await encryption.look("at once");
    if (encryption.validity === before) throw new UselessCertificate(`what was issued cannot be used (${acme.file})`);
    return true;
  }
}
