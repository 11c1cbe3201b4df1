/** Reads a certificate and its key from files, and says what is wrong with them. It accepts and makes no connections. */

import { createPrivateKey } from "node:crypto";
import { type KeyPair, TlsAcceptor } from "./tls_acceptor.ts";
import { pipe } from "./pipe.ts";
import { certificatesIn, parsed } from "./x509.ts";
import { secured } from "./tls_connector.ts";

/** A certificate that is as it should be, but that it may have expired. */
export interface Certificate {
  readonly pair: KeyPair;
  /** The time from which it is valid, and that at which it expires, in milliseconds since 1970. */
  readonly validFromMs: number;
  readonly expiresMs: number;
  /** Whether `TlsStream` can do without node:tls' streams on this version of Deno. */
  readonly isDirect: boolean;
}

/** Milliseconds for a handshake with oneself. */
const LIMIT_MS = 5000;

/** Text of a file; the error names the setting. */
export async function readPem(setting: string, file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    throw new RangeError(`cannot read ${setting} (${file}): ${(error as Error).message}`, { cause: error });
  }
}

/** Returns the key in a text that may hold certificates too; the text itself if there is none. */
export function keyIn(pem: string): string {
  return /-----BEGIN ([A-Z ]*PRIVATE KEY)-----[^-]*-----END \1-----\n?/.exec(pem)?.[0] ?? pem;
}

/**
 * Checks a certificate, its key and that they are a pair, and makes a handshake with them.
 *
 * @throws {RangeError} If they cannot be used; the message says what to do.
 */
export async function checkedCertificate(pair: KeyPair): Promise<Certificate> {
  const [certificate] = certificatesIn("TLS_CERT", pair.cert);
  const key = parsed(
    "TLS_KEY is no key in PEM without a passphrase, or only a part of one",
    () => createPrivateKey(pair.key),
  );
  if (!certificate.checkPrivateKey(key)) {
    throw new RangeError("TLS_KEY is not the key of the certificate in TLS_CERT: write both files anew");
  }
  if (certificate.ca) {
    throw new RangeError(
      "TLS_CERT holds an authority's own certificate, which clients refuse: have it issue one with CA:FALSE (docs/tls.md)",
    );
  }
  const isDirect = await checkHandshake(pair, true).then(() => true, () => false);
  if (!isDirect) await checkHandshake(pair, false);
  const { validFrom, validTo } = certificate;
  return { pair, isDirect, validFromMs: Date.parse(validFrom), expiresMs: Date.parse(validTo) };
}

/** Makes a handshake with a pair within this process, and passes a byte each way. */
async function checkHandshake(pair: KeyPair, isDirect: boolean): Promise<void> {
  const [near, far] = pipe();
  const byte = new Uint8Array(1);
  const limit = setTimeout(() => near.close(), LIMIT_MS);
  const serving = (async () => {
    const server = await new TlsAcceptor(pair, { isDirect }).accept(far, new Uint8Array(0));
    await server.read(byte);
    await server.write(byte);
    server.close();
  })();
  const failed = serving.then(() => undefined, (error) => {
    near.close();
    return error;
  });
  try {
    const client = await secured(near, "localhost", { isChecked: false, isDirect });
    await client.write(byte);
    if (await client.read(byte) !== 1) throw new Error("the connection has ended");
    client.close();
  } catch (error) {
    const { message } = await failed ?? error as Error;
    throw new RangeError(`no handshake succeeds with TLS_CERT and TLS_KEY: ${message}`, { cause: error });
  } finally {
    clearTimeout(limit);
    near.close();
  }
}

/**
 * Whether a server lets somebody in who shows no certificate. It has happened: in 2.7.13 Deno did not ask.
 */
export async function letsStrangersIn(acceptor: TlsAcceptor): Promise<boolean> {
  const [near, far] = pipe();
  const client = secured(near, "localhost", { isChecked: false }).catch(() => undefined);
  try {
    (await acceptor.accept(far, new Uint8Array(0))).close();
    return true;
  } catch {
    return false;
  } finally {
    near.close();
    (await client)?.close();
  }
}
