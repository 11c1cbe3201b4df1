/** Who may connect, in tests: everybody, or those whom a test names. */

import { type AccessRules, ConnectionAccess } from "../../lib/server/access.ts";
import { readAuthFile } from "../../lib/server/auth_file.ts";
import { Credentials } from "../../lib/server/credentials.ts";
import type { SessionHost } from "../../lib/server/protocols.ts";
import { Session, type SessionOptions } from "../../lib/server/session.ts";

/** Rules by which everybody may do everything, or, with lines of an AUTH_FILE, those who are in it what it says. */
export function openRules(lines = ""): AccessRules {
  const credentials = new Credentials();
  if (lines !== "") credentials.replace(readAuthFile(lines));
  return { credentials, isInsecure: false, onDenied: () => {}, counters: { logins: 0, loginsFailed: 0 } };
}

/** A session of a client that may do everything. */
export function sessionOf(host: SessionHost, options?: SessionOptions): Session {
  return new Session(host, new ConnectionAccess(openRules()), options);
}
