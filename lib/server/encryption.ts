/**
 * The certificate of a server: read from files, checked, and replaced when their content changes, while connections go on. It
 * knows connections only as streams.
 */

import type { ClientTlsOptions, ResolvedTls } from "../base/tls_options.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import type { Certificate } from "../platform/certificates.ts";
import type { TlsAcceptor } from "../platform/tls_acceptor.ts";
import type { TlsStream } from "../platform/tls_stream.ts";
import { isDisconnection, remoteAddress } from "../platform/socket.ts";
import type { BufferAccount } from "../wire/buffer_pool.ts";
import type { LimitedLog } from "./limited_log.ts";
import type { Part } from "./part.ts";
import type { ServerCounters } from "./statistics.ts";

/** Options of {@linkcode Encryption}. */
export interface EncryptionOptions {
  /** With `acme` the files may be absent at first. */
  readonly tls: ResolvedTls;
  readonly counters: ServerCounters;
  readonly log: (line: string) => void;
  /** The log for what strangers cause. */
  readonly limitedLog: LimitedLog;
  /** The time, in milliseconds since 1970: that of the wall clock by default. */
  readonly nowMs?: () => number;
}

/** Milliseconds between looks at the files. What is new is used when it has been seen twice: a file may be half written. */
const LOOK_MS = 1000;
/** Part of a certificate's lifetime that is left when it should have been renewed. */
const LATE_PART = 1 / 3;

const NONE = { validFromMs: 0, expiresMs: 0 };

/** Why the files are looked at: a timer does; somebody knows that they have changed; somebody asks, and wants to be answered. */
export type LookReason = "timer" | "at once" | "asked";

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
  /** What the files held at the last look; when they were judged last; and when the certificate in use was read. */
  #found = "";
  #judged = "";
  #used = "";
  #said: "nothing" | "late" | "expired" = "nothing";
  #timer: ReturnType<typeof setInterval> | undefined;
  #looking: Promise<void> | undefined;

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
    const content = await this.#read().catch((error: Error) => error);
    this.#judged = textOf(content);
    try {
      if (content instanceof Error) throw content;
      await this.#use(content);
    } catch (error) {
      const { message, cause } = error as Error;
      const isAwaited = this.#options.tls.acme !== undefined && error instanceof RangeError;
      if (!isAwaited) throw new Error(`Cannot start server: ${message}`, { cause: error });
      if (!(cause instanceof Deno.errors.NotFound)) this.#options.log(`TLS: no certificate yet: ${message}`);
    }
    this.#warn();
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
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
    if (this.#looking !== undefined) {
      return reason === "timer" ? this.#looking : this.#looking.then(() => this.look(reason));
    }
    return this.#looking = this.#look(reason).finally(() => this.#looking = undefined);
  }

  async #look(reason: LookReason): Promise<void> {
    const { log, counters } = this.#options;
    const content = await this.#read().catch((error: Error) => error);
    const text = textOf(content);
    const isSettled = reason !== "timer" || text === this.#found;
    this.#found = text;
    const isFirst = this.#certificate === undefined;
    if (text === this.#judged) {
      if (reason === "asked") {
        log(
          `TLS: the files are as they were; ${isFirst ? "no certificate yet" : `the certificate ${this.#isValid()}`}`,
        );
      }
    } else if (isSettled) {
      this.#judged = text;
      if (text === this.#used) return log("TLS: the files hold the certificate that is in use again");
      try {
        if (content instanceof Error) throw content;
        await this.#use(content);
        if (!isFirst) counters.certificateRenewals++;
        log(
          `TLS: ${isFirst ? "there is a certificate now" : "the certificate has been renewed"}, and ${this.#isValid()}`,
        );
      } catch (error) {
        counters.certificateFaults++;
        const { message } = error as Error;
        const kept = isFirst ? "no certificate yet" : `the certificate that ${this.#isValid()} stays in use`;
        log(`TLS: ${kept}: ${message}`);
      }
    }
    this.#warn();
  }

  #isValid(): string {
    return `is valid until ${dayText(this.expiresMs)}`;
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
  async #use(content: Content): Promise<void> {
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
    this.#used = textOf(content);
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
        log(`TLS: the certificate has expired, on ${dayText(expiresMs)}: clients refuse it`);
      }
      this.#said = "expired";
    } else if (leftMs < LATE_PART * (expiresMs - validFromMs) && this.#said === "nothing") {
      this.#said = "late";
      log(
        `TLS: the certificate expires in ${duration(leftMs)}, on ${
          dayText(expiresMs)
        }: less than a third of its time is left`,
      );
    }
  }
}

function textOf(content: Content | Error): string {
  return content instanceof Error ? content.message : JSON.stringify(content);
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
