/**
 * SCRAM-SHA-256's two halves (RFC 5802, section 3): what each side computes, by the hash functions of the Web. It does not know how messages travel, nor
 * whom a server lets in. `node:crypto` would do as well, but a process takes 40 ms to load it.
 */

import type { Token } from "../base/token.ts";
import {
  authMessage,
  base64,
  type ClientFirst,
  ITERATIONS,
  readClientFinal,
  readServerFinal,
  readServerFirst,
  type ServerFirst,
  type Verifier,
  writeClientFinal,
  writeClientFirst,
  writeServerFinal,
  writeServerFirst,
} from "../wire/scram.ts";

/** What a client derives from its secret. */
interface Keys {
  readonly clientKey: Uint8Array;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** Keys of this process that are kept: one for each secret and server, or rather its salt. */
const MAX_KEPT_KEYS = 64;
/** Bytes of the salt of a new verifier. */
export const SALT_BYTES = 16;
/** Random bytes of each side's nonce: 24 letters. */
const NONCE_BYTES = 18;

const encoder = new TextEncoder();
/** Keys that have been derived, or are being. Deriving costs a millisecond to a hundred, so a process does it once. */
const kept = new Map<string, Promise<Keys>>();

/** A new nonce. */
export function newNonce(): string {
  return base64(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)));
}

/** Makes a verifier of a secret. */
export async function makeVerifier(
  secret: string,
  salt: Uint8Array = crypto.getRandomValues(new Uint8Array(SALT_BYTES)),
  iterations: number = ITERATIONS,
): Promise<Verifier> {
  const { storedKey, serverKey } = await deriveKeys(secret, salt, iterations);
  return { iterations, salt, storedKey, serverKey };
}

/** Whether a secret is that of a verifier. */
export async function fits(secret: string, verifier: Verifier): Promise<boolean> {
  const { storedKey } = await deriveKeys(secret, verifier.salt, verifier.iterations);
  return isSame(storedKey, verifier.storedKey);
}

/** What a verifier's salting looks like. */
export interface SaltingKind {
  readonly iterations: number;
  readonly saltBytes: number;
}

/** The verifier of nobody: always the same for one name, key and kind, and so not told from that of somebody. */
export async function nobodysVerifier(
  name: string,
  key: CryptoKey,
  { iterations, saltBytes }: SaltingKind,
): Promise<Verifier> {
  const [salt, more, storedKey, serverKey] = await Promise.all(
    ["salt", "more salt", "stored", "server"].map((use) => signedWith(key, `${use},${name}`)),
  );
  return { iterations, salt: Uint8Array.from([...salt, ...more]).subarray(0, saltBytes), storedKey, serverKey };
}

/** Makes a key for HMAC-SHA-256. */
export function hmacKey(bytes: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes as BufferSource, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

/** A client that proves itself to one server, and has the server prove itself. */
export class ScramClient {
  readonly #first: ClientFirst;
  readonly #secret: string;
  #signature: Uint8Array | undefined;

  constructor({ name, secret }: Token, nonce: string = newNonce()) {
    this.#first = { name, nonce };
    this.#secret = secret;
  }

  /** The first message. */
  first(): string {
    return writeClientFirst(this.#first);
  }

  /** The last message, in answer to the server's first. @throws {ProtocolError} If that cannot be used. */
  async final(serverFirst: string): Promise<string> {
    const server = readServerFirst(serverFirst, this.#first.nonce);
    const keys = await keptKeys(this.#secret, server);
    const signed = authMessage(this.#first, server);
    const [clientSignature, serverSignature] = await Promise.all([
      hmac(keys.storedKey, signed),
      hmac(keys.serverKey, signed),
    ]);
    this.#signature = serverSignature;
    return writeClientFinal({ nonce: server.nonce, proof: xor(keys.clientKey, clientSignature) });
  }

  /** Whether the server's last message shows that it knows the secret. @throws {ProtocolError} If it is no such message. */
  believes(serverFinal: string): boolean {
    const signature = readServerFinal(serverFinal);
    return this.#signature !== undefined && isSame(signature, this.#signature);
  }
}

/** A server that has one client prove itself. */
export class ScramServer {
  readonly #first: ClientFirst;
  readonly #answer: ServerFirst;
  readonly #verifiers: readonly Verifier[];

  /**
   * @param first What `readClientFirst` has read.
   * @param verifiers Those of the name in it, with one salt and one number of iterations; or nobody's.
   */
  constructor(first: ClientFirst, verifiers: readonly Verifier[], nonce: string = newNonce()) {
    this.#first = first;
    this.#verifiers = verifiers;
    const [{ salt, iterations }] = verifiers;
    this.#answer = { nonce: first.nonce + nonce, salt, iterations };
  }

  /** The server's first message. */
  first(): string {
    return writeServerFirst(this.#answer);
  }

  /**
   * Takes the client's last message. Returns which of the verifiers is that of its secret, and the server's last message;
   * `undefined` if none is.
   *
   * @throws {ProtocolError} If the message cannot be used.
   */
  async final(clientFinal: string): Promise<{ which: number; message: string } | undefined> {
    const { nonce, proof } = readClientFinal(clientFinal);
    const signed = authMessage(this.#first, this.#answer);
    let found: { which: number; message: string } | undefined;
    for (const [which, { storedKey, serverKey }] of this.#verifiers.entries()) {
      const [clientSignature, serverSignature] = await Promise.all([hmac(storedKey, signed), hmac(serverKey, signed)]);
      const isProven = isSame(await sha256(xor(proof, clientSignature)), storedKey);
      if (isProven) found = { which, message: writeServerFinal(serverSignature) };
    }
    return nonce === this.#answer.nonce ? found : undefined;
  }
}

/** Keys for a secret and a server's salt, derived once. */
function keptKeys(secret: string, { salt, iterations }: ServerFirst): Promise<Keys> {
  const name = `${iterations},${base64(salt)},${secret}`;
  let keys = kept.get(name);
  if (keys !== undefined) return keys;
  keys = deriveKeys(secret, salt, iterations);
  keys.catch(() => kept.delete(name));
  kept.set(name, keys);
  const [oldest] = kept.keys();
  if (kept.size > MAX_KEPT_KEYS) kept.delete(oldest);
  return keys;
}

/** SaltedPassword is not kept: only these are of use. */
async function deriveKeys(secret: string, salt: Uint8Array, iterations: number): Promise<Keys> {
  const password = await crypto.subtle.importKey("raw", encoder.encode(secret), "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: salt as BufferSource, iterations };
  const salted = new Uint8Array(await crypto.subtle.deriveBits(how, password, 256));
  const [clientKey, serverKey] = await Promise.all([hmac(salted, "Client Key"), hmac(salted, "Server Key")]);
  return { clientKey, storedKey: await sha256(clientKey), serverKey };
}

async function hmac(key: Uint8Array, text: string): Promise<Uint8Array> {
  return await signedWith(await hmacKey(key), text);
}

/** The HMAC of a text. */
export async function signedWith(key: CryptoKey, text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text)));
}

async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource));
}

function xor(one: Uint8Array, other: Uint8Array): Uint8Array {
  return one.map((byte, i) => byte ^ other[i]);
}

/** Compares two hashes, in a time that does not tell how much of them is the same. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  let difference = one.length ^ other.length;
  for (let i = 0; i < one.length; i++) difference |= one[i] ^ other[i];
  return difference === 0;
}
