/**
 * The credentials of a server: who may connect, and what for. It knows neither files nor connections, and shows no secret:
 * secrets are private, so that nothing which prints an object prints them.
 */

import type { Role } from "../base/roles.ts";
import { NO_NAME } from "../base/token.ts";
import { fits, hmacKey, isSame, makeVerifier, nobodysVerifier } from "../platform/scram.ts";
import { formatVerifier, type Verifier } from "../wire/scram.ts";
import type { CredentialLine } from "./auth_file.ts";

/** One credential: it exists from when its line appears until that is gone. */
export class Credential {
  readonly name: string;
  readonly roles: readonly Role[];
  /** Whether its line is gone: whoever has shown it has to go too. */
  isGone = false;
  readonly #secret: string | undefined;
  readonly #verifier: Verifier | undefined;
  #derived: Promise<Verifier> | undefined;
  /** Hash of the secret, or of one that has been found to fit the verifier: checking it again costs nothing. */
  #hash: Promise<Uint8Array> | undefined;

  constructor(line: CredentialLine) {
    this.name = line.name;
    this.roles = line.roles;
    this.#secret = "secret" in line ? line.secret : undefined;
    this.#verifier = "verifier" in line ? line.verifier : undefined;
  }

  /** Whether a secret is this one's. Hashes are compared, in a time that does not tell how much of them is the same. */
  async accepts(secret: string): Promise<boolean> {
    const hash = await hashOf(secret);
    if (this.#secret !== undefined) this.#hash ??= hashOf(this.#secret);
    if (this.#hash !== undefined && isSame(hash, await this.#hash)) return true;
    if (this.#verifier === undefined || !await fits(secret, this.#verifier)) return false;
    this.#hash = Promise.resolve(hash);
    return true;
  }

  /**
   * The verifier, for a client that proves that it knows the secret instead of sending it. That of a secret is made once,
   * with the salt that is given then: all secrets of one name have to have the same.
   */
  verifier(salt: Uint8Array): Promise<Verifier> {
    if (this.#verifier !== undefined) return Promise.resolve(this.#verifier);
    this.#derived ??= makeVerifier(this.#secret!, salt);
    return this.#derived;
  }
}

/** What a client's proof is checked with. */
export interface Proving {
  readonly credentials: readonly Credential[];
  /** Those of the credentials, in their order; where there is none, one that no secret fits. */
  readonly verifiers: readonly Verifier[];
}

/** All credentials of one server, which change while it runs. */
export class Credentials {
  /** For the salts: known to nobody, and new at each start. */
  #key: Promise<CryptoKey> | undefined;
  #byName = new Map<string, Credential[]>();
  #byCertificate = new Map<string, Credential[]>();
  #byIdentity = new Map<string, Credential>();
  readonly #onGone = new Set<() => void>();

  /** Whether anybody has to show a credential. It does not change while the server runs, though all lines may be gone. */
  isRequired = false;

  /** Replaces the credentials: what is in both lists stays as it is, with its connections; what is gone is told to `onGone`. */
  replace(lines: readonly CredentialLine[]): void {
    const before = this.#byIdentity;
    this.#byIdentity = new Map();
    this.#byName = new Map();
    this.#byCertificate = new Map();
    for (const line of lines) {
      const identity = identityOf(line);
      if (this.#byIdentity.has(identity)) continue;
      const credential = before.get(identity) ?? new Credential(line);
      before.delete(identity);
      this.#byIdentity.set(identity, credential);
      const names = "isCertificate" in line ? this.#byCertificate : this.#byName;
      names.set(line.name, [...names.get(line.name) ?? [], credential]);
    }
    this.isRequired ||= lines.length > 0;
    for (const credential of before.values()) credential.isGone = true;
    if (before.size > 0) { for (const listener of this.#onGone) listener(); }
  }

  /**
   * The credentials of a name: several while a secret is being changed, none for a stranger. Where no credential has a name of
   * its own, the name is not looked at.
   */
  ofName(name: string): readonly Credential[] {
    const isNameless = this.#byName.size === 1 && this.#byName.has(NO_NAME);
    return this.#byName.get(isNameless ? NO_NAME : name) ?? [];
  }

  /** The credentials that a client has by a certificate of a name, which its authority has vouched for. */
  ofCertificate(name: string): readonly Credential[] {
    return this.#byCertificate.get(name) ?? [];
  }

  /**
   * Returns the credentials of a name and their verifiers. A name that nobody has is told from others neither by what is
   * returned, nor by the time that it takes (but for the first time that `prepare` has been left out).
   */
  async proving(name: string): Promise<Proving> {
    this.#key ??= hmacKey(crypto.getRandomValues(new Uint8Array(32)));
    const credentials = this.ofName(name);
    const nobodys = await nobodysVerifier(credentials[0]?.name ?? name, await this.#key);
    const verifiers = await Promise.all(credentials.map((credential) => credential.verifier(nobodys.salt)));
    return { credentials, verifiers: verifiers.length === 0 ? [nobodys] : verifiers };
  }

  /** Makes the verifiers of all secrets, each of which takes a millisecond. */
  async prepare(): Promise<void> {
    for (const name of [...this.#byName.keys()]) await this.proving(name);
  }

  /** Returns the credential of a name that a secret belongs to. */
  async check(name: string, secret: string): Promise<Credential | undefined> {
    let found: Credential | undefined;
    for (const credential of this.ofName(name)) if (await credential.accepts(secret)) found ??= credential;
    return found;
  }

  /** Whether anybody has a role. */
  hasRole(role: Role): boolean {
    return [...this.#byIdentity.values()].some(({ roles }) => roles.includes(role));
  }

  /** Calls `listener` after each change by which a credential is gone (`isGone`); returns what ends that. */
  onGone(listener: () => void): () => void {
    this.#onGone.add(listener);
    return () => this.#onGone.delete(listener);
  }
}

/** A text that is the same for two lines that say the same. It may hold a secret. */
function identityOf(line: CredentialLine): string {
  const what = "secret" in line ? line.secret : "verifier" in line ? formatVerifier(line.verifier) : "cert:";
  return `${line.name}:${line.roles.join(",")}:${what}`;
}

async function hashOf(secret: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret)));
}
