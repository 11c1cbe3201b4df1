/**
 * The messages of SCRAM-SHA-256 (RFC 5802 and RFC 7677) as text: written, and read strictly. It knows no hash function and no
 * randomness: lib/platform/scram.ts has them. docs/protocol.md says how the messages travel.
 */

import { ProtocolError } from "../base/errors.ts";
import { MAX_HELLO_BYTES } from "../base/limits.ts";

/**
 * Iterations of PBKDF2 that a side takes part in. Fewer than 4,096 (RFC 7677's least) would let a false server have a proof
 * that is cheap to guess from; more than 600,000 (what OWASP advises for passwords) would let it keep a client busy: that many take about a
 * tenth of a second, in a thread of its own.
 */
export const MIN_ITERATIONS = 4096;
export const MAX_ITERATIONS = 600_000;
/** Iterations that new verifiers have: a made token cannot be guessed anyhow, and one of 4,096 costs a client a millisecond. */
export const ITERATIONS: number = MIN_ITERATIONS;

/** Bytes of a SHA-256 hash, so of each key and proof. */
const HASH_BYTES = 32;
/** Bytes of a salt at least and at most, and letters of a nonce. */
const SALT_BYTES = { least: 8, most: 64 };
const NONCE_LETTERS = { least: 16, most: 256 };
const MAX_NAME_LETTERS = 128;

/** With what keys are derived from a secret; everybody may see it. */
export interface Salting {
  readonly iterations: number;
  readonly salt: Uint8Array;
}

/** What a server keeps in place of a secret: a client's proof can be checked with it, but not made. */
export interface Verifier extends Salting {
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** A client's first message. */
export interface ClientFirst {
  readonly name: string;
  readonly nonce: string;
}

/** A server's first message. */
export interface ServerFirst extends Salting {
  /** The client's nonce and the server's. */
  readonly nonce: string;
}

/** A client's last message. */
export interface ClientFinal {
  readonly nonce: string;
  readonly proof: Uint8Array;
}

/** No channel binding (Deno has none to offer), and nobody else's name. */
const GS2_HEADER = "n,,";
/** The same as the last message repeats it. */
const CHANNEL = "c=biws";

/** Writes a client's first message, without the header that stands before it on the wire: both sides sign it so. */
export function clientFirstBare({ name, nonce }: ClientFirst): string {
  return `n=${name.replaceAll("=", "=3D").replaceAll(",", "=2C")},r=${nonce}`;
}

/** Writes a client's first message. */
export function writeClientFirst(first: ClientFirst): string {
  return GS2_HEADER + clientFirstBare(first);
}

/** Reads a client's first message. @throws {ProtocolError} If it is none. */
export function readClientFirst(text: string): ClientFirst {
  const [, saslName, nonce] = matched(/^n,,n=((?:[!-+\--<>-~]|=2C|=3D)+),r=([!-+\--~]+)$/, text, "client's first");
  const name = saslName.replaceAll("=2C", ",").replaceAll("=3D", "=");
  if (name.length > MAX_NAME_LETTERS) throw bad("client's first", `a name of ${name.length} letters`);
  return { name, nonce: checkedNonce(nonce, "client's first") };
}

/** Writes a server's first message. */
export function writeServerFirst({ nonce, salt, iterations }: ServerFirst): string {
  return `r=${nonce},s=${base64(salt)},i=${iterations}`;
}

/** Reads the first message of a server to a client whose nonce is `clientNonce`. @throws {ProtocolError} If it is none. */
export function readServerFirst(text: string, clientNonce: string): ServerFirst {
  const which = "server's first";
  const [, nonce, salt, digits] = matched(/^r=([!-+\--~]+),s=([^,]+),i=([1-9]\d{0,9})$/, text, which);
  checkedNonce(nonce, which);
  if (!nonce.startsWith(clientNonce) || nonce.length < clientNonce.length + NONCE_LETTERS.least) {
    throw bad(which, "it does not answer ours");
  }
  return { nonce, salt: bytesOf(salt, SALT_BYTES, which), iterations: checkedIterations(Number(digits), which) };
}

/** Writes a client's last message up to the proof: both sides sign it so. */
export function clientFinalBare(nonce: string): string {
  return `${CHANNEL},r=${nonce}`;
}

/** Writes a client's last message. */
export function writeClientFinal({ nonce, proof }: ClientFinal): string {
  return `${clientFinalBare(nonce)},p=${base64(proof)}`;
}

/** Reads a client's last message. @throws {ProtocolError} If it is none. */
export function readClientFinal(text: string): ClientFinal {
  const [, nonce, proof] = matched(/^c=biws,r=([!-+\--~]+),p=([^,]+)$/, text, "client's last");
  return { nonce, proof: bytesOf(proof, { least: HASH_BYTES, most: HASH_BYTES }, "client's last") };
}

/** Writes a server's last message. */
export function writeServerFinal(signature: Uint8Array): string {
  return `v=${base64(signature)}`;
}

/** Reads a server's last message: its signature. @throws {ProtocolError} If it is none. */
export function readServerFinal(text: string): Uint8Array {
  const [, signature] = matched(/^v=([^,]+)$/, text, "server's last");
  return bytesOf(signature, { least: HASH_BYTES, most: HASH_BYTES }, "server's last");
}

/** What both sides sign. */
export function authMessage(first: ClientFirst, serverFirst: ServerFirst): string {
  return `${clientFirstBare(first)},${writeServerFirst(serverFirst)},${clientFinalBare(serverFirst.nonce)}`;
}

/** Writes a verifier as PostgreSQL does. */
export function formatVerifier({ iterations, salt, storedKey, serverKey }: Verifier): string {
  return `SCRAM-SHA-256$${iterations}:${base64(salt)}$${base64(storedKey)}:${base64(serverKey)}`;
}

/** Reads a verifier in PostgreSQL's form; `undefined` if the text is none that can be used. */
export function parseVerifier(text: string): Verifier | undefined {
  const which = "verifier";
  try {
    const [, digits, salt, stored, server] = matched(
      /^SCRAM-SHA-256\$([1-9]\d{0,9}):([^$:]+)\$([^$:]+):([^$:]+)$/,
      text,
      which,
    );
    const key = { least: HASH_BYTES, most: HASH_BYTES };
    return {
      iterations: checkedIterations(Number(digits), which),
      salt: bytesOf(salt, SALT_BYTES, which),
      storedKey: bytesOf(stored, key, which),
      serverKey: bytesOf(server, key, which),
    };
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** Base64 with padding (RFC 4648, section 4). */
export function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** The text never stands in an error: it may be a secret's proof, or a stranger's megabyte. */
function matched(pattern: RegExp, text: string, which: string): RegExpExecArray {
  const found = text.length > MAX_HELLO_BYTES ? null : pattern.exec(text);
  if (found === null) throw bad(which, "it does not have the parts that it must have");
  return found;
}

function checkedNonce(nonce: string, which: string): string {
  if (nonce.length >= NONCE_LETTERS.least && nonce.length <= NONCE_LETTERS.most) return nonce;
  throw bad(which, `a nonce of ${nonce.length} letters`);
}

function checkedIterations(iterations: number, which: string): number {
  if (iterations >= MIN_ITERATIONS && iterations <= MAX_ITERATIONS) return iterations;
  throw bad(which, `${iterations} iterations, where ${MIN_ITERATIONS} to ${MAX_ITERATIONS} are taken`);
}

/** Decodes base64, and takes only what the encoder would write. */
function bytesOf(text: string, { least, most }: { least: number; most: number }, which: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]{2,}={0,2}$/.test(text) || text.length % 4 !== 0) {
    throw bad(which, "what should be base64 is none");
  }
  const letters = atob(text);
  const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  if (bytes.length < least || bytes.length > most || base64(bytes) !== text) {
    throw bad(which, `${bytes.length} bytes where ${least} to ${most} must be, or base64 that is not as it is written`);
  }
  return bytes;
}

function bad(which: string, why: string): ProtocolError {
  return new ProtocolError(`a ${which} of SCRAM that cannot be used: ${why}`);
}
