/**
 * The certificate of a server: read from files, checked, and replaced when their content changes, while connections go on. It
 * knows connections only as streams.
 */

import type { Log } from "../base/log.ts";
import type { ClientTlsOptions, ResolvedTls } from "../base/tls_options.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import type { Certificate } from "../platform/certificates.ts";
import type { TlsAcceptor } from "../platform/tls_acceptor.ts";
import type { TlsStream } from "../platform/tls_stream.ts";
import { isDisconnection, remoteAddress } from "../platform/socket.ts";
import type { BufferAccount } from "../base/lent.ts";
import { FileWatch, type LookReason, Watched } from "./file_watch.ts";
import type { LimitedLog } from "./limited_log.ts";
import type { Part } from "./part.ts";
import type { ServerCounters } from "./statistics.ts";

/** Options of {@linkcode Encryption}. */
export interface EncryptionOptions {
  /** With `acme` the files may be absent at first. */
  readonly tls: ResolvedTls;
  readonly counters: ServerCounters;
  readonly log: Log;
  /** The log for what strangers cause. */
  readonly limitedLog: LimitedLog;
  /** The time, in milliseconds since 1970: that of the wall clock by default. */
  readonly nowMs?: () => number;
}

/** Part of a certificate's lifetime that is left when it should have been renewed. */
const LATE_PART = 1 / 3;

const NONE = { validFromMs: 0, expiresMs: 0 };

/** Content of the files. */
interface Content {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
}

/** Encrypts the connections of one server. */
export class Encryption implements Part {
  /** Whether connections by TCP that are not encrypted are refused. */
  readonly isRequired: boolean;
  /** Whether whoever connects by TCP has to show a certificate. */
  readonly wantsCertificate: boolean;
  readonly #options: EncryptionOptions;
  readonly #nowMs: () => number;
  #acceptor: TlsAcceptor | undefined;
  #certificate: Certificate | undefined;
  #files = this.#newFiles();
  readonly #watch = new FileWatch((reason) => this.#look(reason));
  /** What the files held when the certificate in use was read. */
  #used = "";
  #said: "nothing" | "late" | "expired" = "nothing";

  constructor(options: EncryptionOptions) {
    const { clientCaFile, required = false } = options.tls;
    this.isRequired = required || clientCaFile !== undefined; // a door without a lock beside one with a lock is none
    this.wantsCertificate = clientCaFile !== undefined;
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /** Files that are looked at. */
  get files(): number {
    const { certFile, keyFile, clientCaFile } = this.#options.tls;
    return new Set([certFile, keyFile, clientCaFile].filter((file) => file !== undefined)).size;
  }

  /** When the certificate expires, in milliseconds since 1970; 0 while there is none. */
  get expiresMs(): number {
    return this.validity.expiresMs;
  }

  /** When the certificate is valid; another object for another certificate. */
  get validity(): Pick<Certificate, "validFromMs" | "expiresMs"> {
    return this.#certificate ?? NONE;
  }

  /**
   * Reads the files, and begins to watch them.
   *
   * @throws {Error} If they cannot be used, or if who shows no certificate is let in though one is required.
   */
  async start(): Promise<void> {
    this.#certificate = undefined;
    this.#files = this.#newFiles();
    const content = await this.#files.news("at once");
    try {
      await this.#use(content!);
    } catch (error) {
      const { message, cause } = error as Error;
      const isAwaited = this.#options.tls.acme !== undefined && error instanceof RangeError;
      if (!isAwaited) throw new Error(`Cannot start server: ${message}`, { cause: error });
      if (!(cause instanceof Deno.errors.NotFound)) this.#options.log(`TLS: no certificate yet: ${message}`, "warn");
    }
    await this.caCerts().catch(({ message }) => {
      throw new Error(`Cannot start server: ${message}`);
    });
    this.#warn();
    this.#watch.start();
  }

  stop(): Promise<void> {
    return this.#watch.stop();
  }

  /** Makes the handshake with a client. Returns nothing if there is no agreement; the connection is closed then. */
  async accept(stream: ByteStream, first: Uint8Array, account?: BufferAccount): Promise<TlsStream | undefined> {
    const { counters, limitedLog } = this.#options;
    const address = remoteAddress(stream);
    try {
      if (this.#acceptor === undefined) throw new Error("this server has no certificate yet");
      const accepted = await this.#acceptor.accept(stream, first, account);
      counters.tlsHandshakes++;
      return accepted;
    } catch (error) {
      counters.tlsFailures++;
      if (isDisconnection(error)) return undefined;
      limitedLog.say("tls", address, `Client ${address} is disconnected: TLS: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** How this server encrypts its own connections to others: it shows its certificate to those that want one. */
  async toPeers(): Promise<ClientTlsOptions> {
    return { caCerts: await this.caCerts(), ...this.#certificate?.pair };
  }

  /** Authorities that this server believes when it connects, beside those of the system. */
  async caCerts(): Promise<string[]> {
    const { caFile } = this.#options.tls;
    const { readPem } = await import("../platform/certificates.ts");
    return caFile === undefined ? [] : [await readPem("TLS_CA", caFile)];
  }

  /** Looks at the files. Unless a timer calls this, what is new is used at once; who asks is answered in any case. */
  look(reason: LookReason = "timer"): Promise<void> {
    return this.#watch.look(reason);
  }

  async #look(reason: LookReason): Promise<void> {
    const content = await this.#files.news(reason);
    if (content !== undefined) await this.#renew(content);
    else if (reason === "asked") {
      const what = this.#certificate === undefined ? "no certificate yet" : `the certificate ${this.#isValid()}`;
      this.#options.log(`TLS: the files are as they were; ${what}`);
    }
    this.#warn();
  }

  /** Takes up what is new in the files; what cannot be used changes nothing. */
  async #renew(content: Content | Error): Promise<void> {
    const { log, counters } = this.#options;
    const isFirst = this.#certificate === undefined;
    if (!(content instanceof Error) && JSON.stringify(content) === this.#used) {
      return log("TLS: the files hold the certificate that is in use again");
    }
    try {
      await this.#use(content);
      if (!isFirst) counters.certificateRenewals++;
      log(
        `TLS: ${isFirst ? "there is a certificate now" : "the certificate has been renewed"}, and ${this.#isValid()}`,
      );
    } catch (error) {
      counters.certificateFaults++;
      const kept = isFirst ? "no certificate yet" : `the certificate that ${this.#isValid()} stays in use`;
      log(`TLS: ${kept}: ${(error as Error).message}`, "warn");
    }
  }

  #isValid(): string {
    return `is valid until ${dayText(this.expiresMs)}`;
  }

  #newFiles(): Watched<Content> {
    return new Watched(() => this.#read(), JSON.stringify);
  }

  async #read(): Promise<Content> {
    const { certFile, keyFile, clientCaFile } = this.#options.tls;
    const { keyIn, readPem } = await import("../platform/certificates.ts"); // dynamic: node:tls takes 30 ms to load
    const texts = new Map<string, Promise<string>>(); // one that is both is read once: another may be renamed over it
    const read = (setting: string, file: string) => {
      const text = texts.get(file) ?? readPem(setting, file);
      texts.set(file, text);
      return text;
    };
    const [cert, key, clientCa] = await Promise.all([
      read("TLS_CERT", certFile),
      read("TLS_KEY", keyFile),
      clientCaFile === undefined ? undefined : read("TLS_CLIENT_CA", clientCaFile),
    ]);
    return { cert, key: keyIn(key), clientCa };
  }

  /** Checks a certificate, and uses it from now on. */
  async #use(content: Content | Error): Promise<void> {
    if (content instanceof Error) throw content;
    const { checkedCertificate, letsStrangersIn } = await import("../platform/certificates.ts");
    const { TlsAcceptor } = await import("../platform/tls_acceptor.ts");
    const { cert, key, clientCa } = content;
    const certificate = await checkedCertificate({ cert, key });
    const isRenewal = this.#certificate !== undefined;
    if (isRenewal && certificate.expiresMs <= this.#nowMs()) {
      throw new RangeError(`TLS_CERT has expired, on ${dayText(certificate.expiresMs)}: have a new one issued`);
    }
    const acceptor = new TlsAcceptor(certificate.pair, { clientCa, isDirect: certificate.isDirect });
    if (clientCa !== undefined && await letsStrangersIn(acceptor)) {
      throw new Error(
        "this version of Deno lets in who shows no certificate, though TLS_CLIENT_CA says that everybody must: " +
          `use another than ${Deno.version.deno}`,
      );
    }
    this.#acceptor = acceptor;
    this.#certificate = certificate;
    this.#used = JSON.stringify(content);
    this.#said = "nothing";
  }

  /** Says once that the certificate should have been renewed, and once that it has expired. */
  #warn(): void {
    if (this.#certificate === undefined) return;
    const { validFromMs, expiresMs } = this.#certificate;
    const leftMs = expiresMs - this.#nowMs();
    const { log } = this.#options;
    if (leftMs <= 0) {
      if (this.#said !== "expired") {
        log(`TLS: the certificate has expired, on ${dayText(expiresMs)}: clients refuse it`, "warn");
      }
      this.#said = "expired";
    } else if (leftMs < LATE_PART * (expiresMs - validFromMs) && this.#said === "nothing") {
      this.#said = "late";
      log(
        `TLS: the certificate expires in ${duration(leftMs)}, on ${
          dayText(expiresMs)
        }: less than a third of its time is left`,
        "warn",
      );
    }
  }
}

/** A point in time as text. */
export function dayText(ms: number): string {
  return new Date(ms).toISOString().replace(/:\d\d\.\d+Z$/, " UTC").replace("T", " ");
}

/** A time as text. */
export function duration(ms: number): string {
  const hours = Math.floor(ms / 3_600_000);
  if (hours < 2) return ms < 120_000 ? `${Math.round(ms / 1000)} seconds` : `${Math.round(ms / 60_000)} minutes`;
  return hours >= 48 ? `${Math.floor(hours / 24)} days` : `${hours} hours`;
}
