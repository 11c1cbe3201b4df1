/**
 * The credentials of a server: who may connect, and what for. It knows neither files nor connections, and shows no secret:
 * secrets are private, so that nothing which prints an object prints them.
 */

import type { Role } from "../base/roles.ts";
import { NO_NAME } from "../base/token.ts";
import {
  fits,
  hmacKey,
  isSame,
  makeVerifier,
  nobodysVerifier,
  SALT_BYTES,
  type SaltingKind,
  signedWith,
} from "../platform/scram.ts";
import { base64, formatVerifier, ITERATIONS, type Salting, type Verifier } from "../wire/scram.ts";
import type { CredentialLine } from "./auth_file.ts";
import { Derivations } from "./derivations.ts";

/** Derives keys when it is somebody's turn; resolves with what that comes to. */
type InTurn = (derive: () => Promise<boolean>) => Promise<boolean>;

/** One credential: it exists from when its line appears until that is gone. */
export class Credential {
  readonly name: string;
  readonly roles: readonly Role[];
  /** Whether its line is gone: whoever has shown it has to go too. */
  isGone = false;
  readonly #secret: string | undefined;
  readonly #verifier: Verifier | undefined;
  #derived: { readonly salting: Salting; readonly verifier: Promise<Verifier> } | undefined;
  /** Hash of the secret, or of one that has been found to fit the verifier: checking it again costs nothing. */
  #hash: Promise<Uint8Array> | undefined;

  constructor(line: CredentialLine) {
    this.name = line.name;
    this.roles = line.roles;
    this.#secret = "secret" in line ? line.secret : undefined;
    this.#verifier = "verifier" in line ? line.verifier : undefined;
  }

  /** The salting of its verifier; `undefined` where it has a secret, which any would do for. */
  get salting(): Salting | undefined {
    return this.#verifier;
  }

  /** Whether a secret is this one's. Hashes are compared, in a time that does not tell how much of them is the same. */
  async accepts(secret: string, inTurn: InTurn): Promise<boolean> {
    const hash = await hashOf(secret);
    if (this.#secret !== undefined) this.#hash ??= hashOf(this.#secret);
    if (await this.#hasHash(hash)) return true;
    const verifier = this.#verifier;
    if (verifier === undefined) return false;
    return await inTurn(async () => {
      if (await this.#hasHash(hash)) return true; // another login has come before this one
      if (!await fits(secret, verifier)) return false;
      this.#hash = Promise.resolve(hash);
      return true;
    });
  }

  /**
   * The verifier, for a client that proves that it knows the secret instead of sending it. That of a secret is made once,
   * with the salting that is given: all secrets of one name have to have the same.
   */
  verifier(salting: Salting): Promise<Verifier> {
    if (this.#verifier !== undefined) return Promise.resolve(this.#verifier);
    if (this.#derived === undefined || saltingText(this.#derived.salting) !== saltingText(salting)) {
      this.#derived = { salting, verifier: makeVerifier(this.#secret!, salting.salt, salting.iterations) };
    }
    return this.#derived.verifier;
  }

  async #hasHash(hash: Uint8Array): Promise<boolean> {
    return this.#hash !== undefined && isSame(hash, await this.#hash);
  }
}

/** What a client's proof is checked with. */
export interface Proving {
  readonly credentials: readonly Credential[];
  /** Those of the credentials, in their order; where there is none, one that no secret fits. */
  readonly verifiers: readonly Verifier[];
}

/** What strangers see of a name: how its keys are derived, and, by the time that an answer takes, whether they are for each guess. */
interface Kind extends SaltingKind {
  readonly isVerifier: boolean;
}

/** Kinds of names at most that a stranger's is taken for. */
const MAX_KINDS = 8;
const OF_SECRETS: Kind = { iterations: ITERATIONS, saltBytes: SALT_BYTES, isVerifier: false };

/** All credentials of one server, which change while it runs. */
export class Credentials {
  /** For the salts: known to nobody, and new at each start. */
  #key: Promise<CryptoKey> | undefined;
  #byName = new Map<string, Credential[]>();
  #byCertificate = new Map<string, Credential[]>();
  #byIdentity = new Map<string, Credential>();
  /** What names look like, each kind once. */
  #kinds: readonly Kind[] = [OF_SECRETS];
  readonly #derivations = new Derivations();
  readonly #onGone = new Set<() => void>();

  /** Whether anybody has to show a credential. It does not change while the server runs, though all lines may be gone. */
  isRequired = false;

  /** Replaces the credentials: what is in both lists stays as it is, with its connections; what is gone is told to `onGone`. */
  replace(lines: readonly CredentialLine[]): void {
    const before = this.#byIdentity;
    this.#byIdentity = new Map();
    this.#byName = new Map();
    this.#byCertificate = new Map();
    for (const line of joined(lines)) {
      const identity = `${whatOf(line)}:${line.roles.join(",")}`;
      const credential = before.get(identity) ?? new Credential(line);
      before.delete(identity);
      this.#byIdentity.set(identity, credential);
      const names = "isCertificate" in line ? this.#byCertificate : this.#byName;
      const others = names.get(line.name);
      if (others === undefined) names.set(line.name, [credential]);
      else others.push(credential);
    }
    this.#kinds = kindsOf([...this.#byName.values()].flat());
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
   * returned, nor by the time that it takes (but for the first time that `prepare` has been left out). A salt that stands in a
   * verifier is there after a restart too, where others are new.
   */
  async proving(name: string): Promise<Proving> {
    const credentials = this.ofName(name);
    const kind = await this.#kindOf(name); // for everybody, so that it tells nothing
    const own = credentials.find(({ salting }) => salting !== undefined)?.salting;
    const nobodys = await this.#nobodys(credentials[0]?.name ?? name, credentials.length === 0 ? kind : OF_SECRETS);
    const verifiers = await Promise.all(credentials.map((credential) => credential.verifier(own ?? nobodys)));
    return { credentials, verifiers: verifiers.length === 0 ? [nobodys] : verifiers };
  }

  /** Makes the verifiers of all secrets, each of which takes a millisecond, as long as `goesOn` says so. */
  async prepare(goesOn: () => boolean = () => true): Promise<void> {
    for (const name of [...this.#byName.keys()]) {
      if (!goesOn()) return;
      await this.proving(name);
    }
  }

  /**
   * Returns the credential of a name that a secret belongs to. A name that nobody has takes as long as others.
   *
   * @param host Who wants to know: keys are derived for one host after another.
   */
  async check(name: string, secret: string, host = ""): Promise<Credential | undefined> {
    const inTurn: InTurn = (derive) => this.#derivations.run(host, derive);
    const kind = await this.#kindOf(name);
    const credentials = this.ofName(name);
    let found: Credential | undefined;
    for (const credential of credentials) if (await credential.accepts(secret, inTurn)) found ??= credential;
    if (credentials.length === 0 && kind.isVerifier) {
      const nobodys = await this.#nobodys(name, kind);
      await inTurn(() => fits(secret, nobodys));
    }
    return found;
  }

  /** Whether anybody has a role, who shows a token, or a certificate where these are asked for. */
  hasRole(role: Role, asksForCertificates: boolean): boolean {
    const maps = asksForCertificates ? [this.#byName, this.#byCertificate] : [this.#byName];
    return maps.some((byName) => [...byName.values()].flat().some(({ roles }) => roles.includes(role)));
  }

  async #nobodys(name: string, kind: Kind): Promise<Verifier> {
    return await nobodysVerifier(name, await this.#saltKey(), kind);
  }

  /** The kind that a stranger's name is taken for: as far as possible the same one while names of other kinds come and go. */
  async #kindOf(name: string): Promise<Kind> {
    const [kinds, key] = [this.#kinds, await this.#saltKey()];
    if (kinds.length === 1) return kinds[0];
    const marks = await Promise.all(kinds.map(async (kind) => ({
      kind,
      mark: base64(await signedWith(key, `kind,${kindText(kind)},${name}`)),
    })));
    return marks.reduce((one, other) => other.mark > one.mark ? other : one).kind;
  }

  #saltKey(): Promise<CryptoKey> {
    return this.#key ??= hmacKey(crypto.getRandomValues(new Uint8Array(32)));
  }

  /** Calls `listener` after each change by which a credential is gone (`isGone`); returns what ends that. */
  onGone(listener: () => void): () => void {
    this.#onGone.add(listener);
    return () => this.#onGone.delete(listener);
  }
}

/** Lines of the same name and the same secret are one, with the roles of all. */
function joined(lines: readonly CredentialLine[]): CredentialLine[] {
  const byWhat = new Map<string, CredentialLine>();
  for (const line of lines) {
    const what = whatOf(line);
    const { roles = [] } = byWhat.get(what) ?? {};
    byWhat.set(what, { ...line, roles: [...new Set([...roles, ...line.roles])] });
  }
  return [...byWhat.values()];
}

/** A text that is the same for two lines of one name and one secret. It may hold the secret. */
function whatOf(line: CredentialLine): string {
  const what = "secret" in line ? line.secret : "verifier" in line ? formatVerifier(line.verifier) : "cert:";
  return `${what}:${line.name}`;
}

/** The kinds of names that there are. */
function kindsOf(credentials: readonly Credential[]): Kind[] {
  const kinds = new Map<string, Kind>();
  for (const { salting } of credentials) {
    const kind = salting === undefined
      ? OF_SECRETS
      : { iterations: salting.iterations, saltBytes: salting.salt.length, isVerifier: true };
    kinds.set(kindText(kind), kind);
    if (kinds.size === MAX_KINDS) break;
  }
  return kinds.size === 0 ? [OF_SECRETS] : [...kinds.values()];
}

function kindText({ iterations, saltBytes, isVerifier }: Kind): string {
  return `${iterations},${saltBytes},${isVerifier}`;
}

function saltingText({ iterations, salt }: Salting): string {
  return `${iterations},${base64(salt)}`;
}

async function hashOf(secret: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret)));
}
