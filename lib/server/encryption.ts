/**
 * The certificate of a server: read from files, checked, and replaced when their content changes, while connections go on. It
 * knows connections only as streams.
 */

import type { ClientTlsOptions, ServerTlsOptions } from "../base/tls_options.ts";
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
  readonly tls: ServerTlsOptions;
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
    return this.#options.tls.clientCaFile === undefined ? 2 : 3;
  }

  /** When the certificate expires, in milliseconds since 1970; 0 before the start. */
  get expiresMs(): number {
    return this.#certificate?.expiresMs ?? 0;
  }

  /**
   * Reads the files, and begins to watch them.
   *
   * @throws {Error} If they cannot be used, or if who shows no certificate is let in though one is required.
   */
  async start(): Promise<void> {
    this.#certificate = undefined;
    try {
      await this.#use(await this.#read());
      this.#judged = this.#used;
    } catch (error) {
      throw new Error(`Cannot start server: ${(error as Error).message}`, { cause: error });
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
      const accepted = await this.#acceptor!.accept(stream, first, account);
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
    const { caFile } = this.#options.tls;
    const { readPem } = await import("../platform/certificates.ts");
    const caCerts = caFile === undefined ? [] : [await readPem("TLS_CA", caFile)];
    return { caCerts, ...this.#certificate?.pair };
  }

  /** Looks at the files. With `isAsked` what is new is used at once, and something is said in any case. A timer calls this. */
  look(isAsked = false): Promise<void> {
    if (this.#looking !== undefined) return isAsked ? this.#looking.then(() => this.look(true)) : this.#looking;
    return this.#looking = this.#look(isAsked).finally(() => this.#looking = undefined);
  }

  async #look(isAsked: boolean): Promise<void> {
    const { log, counters } = this.#options;
    const content = await this.#read().catch((error: Error) => error);
    const text = content instanceof Error ? content.message : JSON.stringify(content);
    const isSettled = isAsked || text === this.#found;
    this.#found = text;
    if (text === this.#judged) {
      if (isAsked) log(`TLS: the files are as they were; the certificate is valid until ${dayText(this.expiresMs)}`);
    } else if (isSettled) {
      this.#judged = text;
      if (text === this.#used) return log("TLS: the files hold the certificate that is in use again");
      try {
        if (content instanceof Error) throw content;
        await this.#use(content);
        counters.certificateRenewals++;
        log(`TLS: the certificate has been renewed, and is valid until ${dayText(this.expiresMs)}`);
      } catch (error) {
        counters.certificateFaults++;
        const { message } = error as Error;
        log(`TLS: the certificate that is valid until ${dayText(this.expiresMs)} stays in use: ${message}`);
      }
    }
    this.#warn();
  }

  async #read(): Promise<Content> {
    const { certFile, keyFile, clientCaFile } = this.#options.tls;
    const { readPem } = await import("../platform/certificates.ts"); // dynamic: node:tls takes 30 ms to load
    const [cert, key, clientCa] = await Promise.all([
      readPem("TLS_CERT", certFile),
      readPem("TLS_KEY", keyFile),
      clientCaFile === undefined ? undefined : readPem("TLS_CLIENT_CA", clientCaFile),
    ]);
    return { cert, key, clientCa };
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
    this.#used = JSON.stringify(content);
    this.#said = "nothing";
  }

  /** Says once that the certificate should have been renewed, and once that it has expired. */
  #warn(): void {
    const { validFromMs, expiresMs } = this.#certificate!;
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

/** A point in time as text. */
export function dayText(ms: number): string {
  return new Date(ms).toISOString().replace(/:\d\d\.\d+Z$/, " UTC").replace("T", " ");
}

function duration(ms: number): string {
  const hours = Math.floor(ms / 3_600_000);
  return hours >= 48 ? `${Math.floor(hours / 24)} days` : `${hours} hours`;
}
