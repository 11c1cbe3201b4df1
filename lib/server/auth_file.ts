/** The lines of an AUTH_FILE: who may connect, and what for. It does not read files, and shows no secret in an error. */

import { isRole, type Role, ROLES } from "../base/roles.ts";
import { isName, isSecret, NAME_RULE, SECRET_RULE } from "../base/token.ts";
import { parseVerifier, type Verifier } from "../wire/scram.ts";

/** Who may connect, and what for: with a secret, a verifier of one, or a certificate of that name. */
export type CredentialLine =
  & { readonly name: string; readonly roles: readonly Role[] }
  & ({ readonly secret: string } | { readonly verifier: Verifier } | { readonly isCertificate: true });

/** Bytes of a file at most. */
export const MAX_AUTH_FILE_BYTES = 1024 * 1024;
const VERIFIER_START = "SCRAM-SHA-256$";
const CERTIFICATE_START = "cert:";
const FORM = "name:role:secret, name:role:SCRAM-SHA-256$… or cert:name:role";

/**
 * Reads lines of `name:role:secret`, `name:role:verifier` and `cert:name:role`; several roles are separated by commas. Blank
 * lines and those that begin with `#` are passed over.
 *
 * @throws {RangeError} If a line is none of these, or there is none. The message names the line, and nothing that stands in it.
 */
export function readAuthFile(text: string): CredentialLine[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const read: CredentialLine[] = [];
  const verified = new Map<string, boolean>();
  for (const [i, line] of lines.entries()) {
    if (line === "" || line.startsWith("#")) continue;
    const credential = readLine(line);
    const why = typeof credential === "string" ? credential : clash(credential, verified);
    if (why !== undefined) throw new RangeError(`line ${i + 1}: ${why}`);
    read.push(credential as CredentialLine);
  }
  if (read.length === 0) throw new RangeError("it has no line that names anybody");
  return read;
}

/** Reads one line, or returns why it cannot be used. */
function readLine(line: string): CredentialLine | string {
  if (line.startsWith(CERTIFICATE_START)) return readCertificateLine(line.slice(CERTIFICATE_START.length));
  const [, name, role, secret] = /^([^:]*):([^:]*):(.*)$/.exec(line) ?? [];
  if (secret === undefined) return `it must be ${FORM}`;
  if (!isName(name)) return NAME_RULE;
  const roles = readRoles(role);
  if (typeof roles === "string") return roles;
  if (!secret.startsWith(VERIFIER_START)) return isSecret(secret) ? { name, roles, secret } : SECRET_RULE;
  const verifier = parseVerifier(secret);
  return verifier === undefined ? "the verifier cannot be read" : { name, roles, verifier };
}

/** A certificate's name may have colons of its own. */
function readCertificateLine(rest: string): CredentialLine | string {
  const [, name, role] = /^([ -~]{1,255}):([^:]*)$/.exec(rest) ?? [];
  if (role === undefined) return "a certificate's line must be cert:name:role";
  const roles = readRoles(role);
  return typeof roles === "string" ? roles : { name, roles, isCertificate: true };
}

function readRoles(text: string): Role[] | string {
  const roles = text.split(",").map((role) => role.trim());
  return roles.every(isRole) ? roles : `the role must be ${ROLES.join(", ")}, or several with commas between`;
}

/**
 * Why a line cannot stand beside those before it, if so: a client that proves itself is told one salt, so a name has one.
 *
 * @param verified The names of the lines before, and whether each has a verifier; this one's is added.
 */
function clash(line: CredentialLine, verified: Map<string, boolean>): string | undefined {
  if ("isCertificate" in line) return undefined;
  const [before, is] = [verified.get(line.name), "verifier" in line];
  verified.set(line.name, is);
  if (before === undefined || (!before && !is)) return undefined;
  return "a name with a verifier stands in one line only; give the other secret a name of its own";
}
