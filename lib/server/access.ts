/**
 * Who is at the other end of one connection, and what it may do there: by the rules of the server, by where the connection
 * comes from, and by the credential that has been shown. It knows no protocol.
 */

import { isLoopback } from "../base/address.ts";
import { type Role, ROLES } from "../base/roles.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { remoteAddress } from "../platform/socket.ts";
import { type Access, allowsAll, ANY_ROLE, type Attempt, bitsOf } from "../wire/access.ts";
import type { Credential, Credentials } from "./credentials.ts";
import { hostOf } from "./limited_log.ts";

/** Counts of credentials that were good, and that were not. */
export interface LoginCounters {
  logins: number;
  loginsFailed: number;
}

/** Who may connect to a server. */
export interface AccessRules {
  readonly credentials: Credentials;
  /** Whether secrets may be sent where others can read them. */
  readonly isInsecure: boolean;
  /** Told of each credential that was not good, by the client's address, and why; the reply waits for what it returns. */
  readonly onDenied: (address: string, why: string) => Promise<void> | void;
  readonly counters: LoginCounters;
}

/** One connection's access. */
export class ConnectionAccess implements Access {
  allowed = 0;
  allowsAll = false;
  isKnown = false;
  roles: readonly Role[] = [];
  attempt: Attempt = "none";
  /** Whether nobody on the way can read what is sent: the connection stays on this machine, or is encrypted. */
  readonly isPrivate: boolean;
  readonly rules: AccessRules;
  readonly #address: string;
  #credentials: readonly Credential[] = [];
  #work: Promise<void> | undefined;

  /** @param stream The connection; without one, it is as if it stayed on this machine. */
  constructor(
    rules: AccessRules,
    stream?: Pick<ByteStream, "remoteAddr"> & { readonly isEncrypted?: boolean },
  ) {
    this.rules = rules;
    this.#address = stream === undefined ? "" : remoteAddress(stream);
    this.isPrivate = stream === undefined || stream.isEncrypted === true || staysHere(stream.remoteAddr);
    if (!rules.credentials.isRequired) this.#allow(ROLES, ANY_ROLE);
  }

  get wantsCredential(): boolean {
    return this.rules.credentials.isRequired;
  }

  /** Whether a secret may be sent over this connection as it is. A proof that one knows it may be sent over any. */
  get takesSecrets(): boolean {
    return this.isPrivate || this.rules.isInsecure;
  }

  /** The name of who is there; `undefined` for a stranger, and where nobody is asked. */
  get name(): string | undefined {
    return this.#credentials[0]?.name;
  }

  /** Whether the client may do what a role may. */
  has(role: Role): boolean {
    return this.roles.includes(role);
  }

  /** Whether a credential that was shown has been withdrawn since: then the connection has to end. */
  get isWithdrawn(): boolean {
    return this.#credentials.some(({ isGone }) => isGone);
  }

  /** Lets the client do what a credential allows: it has shown, or proven, that it has it. */
  grant(...credentials: readonly Credential[]): void {
    this.#credentials = credentials;
    this.rules.counters.logins++;
    const roles = ROLES.filter((role) => credentials.some((credential) => credential.roles.includes(role)));
    this.#allow(roles, bitsOf(roles));
    this.attempt = "granted";
  }

  /** Lets the client do what the names of a certificate allow, which the server's authority has vouched for. */
  grantCertificate(names: readonly string[]): void {
    const credentials = names.flatMap((name) => this.rules.credentials.ofCertificate(name));
    if (credentials.length > 0) this.grant(...credentials);
  }

  authenticate(name: string, secret: string): void {
    if (!this.takesSecrets) {
      this.attempt = "unwelcome";
      return;
    }
    this.attempt = "checking";
    this.wait(this.#check(name, secret));
  }

  /** Takes note that a credential was not good, and why: a text without secrets. */
  async deny(why: string): Promise<void> {
    this.rules.counters.loginsFailed++;
    this.#credentials = [];
    this.allowed = 0;
    this.isKnown = this.allowsAll = false;
    this.roles = [];
    await this.rules.onDenied(this.#address, why);
    this.attempt = "denied";
  }

  /** Has the protocol's handler, which returns `waiting` now, run again when `work` is done. */
  wait(work: Promise<void>): void {
    this.#work = work;
  }

  /** Resolves when the work is done that the handler waits for. */
  async settled(): Promise<void> {
    const work = this.#work;
    this.#work = undefined;
    await work;
  }

  async #check(name: string, secret: string): Promise<void> {
    const credential = await this.rules.credentials.check(name, secret, hostOf(this.#address));
    if (credential === undefined || credential.isGone) await this.deny(whyDenied(this.rules.credentials, name));
    else this.grant(credential);
  }

  #allow(roles: readonly Role[], bits: number): void {
    this.isKnown = true;
    this.roles = roles;
    this.allowed = bits;
    this.allowsAll = allowsAll(bits);
  }
}

/** Whether a connection from an address stays on this machine. */
export function staysHere(address: Deno.Addr): boolean {
  if (!("hostname" in address)) return true;
  return isLoopback({ transport: "tcp", hostname: address.hostname, port: 0 });
}

/** Why a credential was not good, for the log: the client is not told which of the two it is. */
export function whyDenied(credentials: Credentials, name: string): string {
  const isKnown = credentials.ofName(name).length > 0;
  return isKnown ? `the token is not that of "${name}"` : `nobody has the name "${name}"`;
}
