/**
 * Who may see what a server tells over HTTP: the same credentials and roles as in every other protocol, shown with each
 * request. It knows no paths; what a path asks for is an argument.
 */

import { rolesText } from "../base/roles.ts";
import { CHALLENGES, readAuthorization } from "../http/authorization.ts";
import type { HttpReply } from "../http/reply.ts";
import type { HttpRequest } from "../http/request.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { type AccessRules, ConnectionAccess, staysHere } from "./access.ts";

/** Who asks, and how. */
export interface Asking {
  readonly request: Pick<HttpRequest, "authorization" | "host">;
  readonly stream: Pick<ByteStream, "remoteAddr" | "isEncrypted" | "peerNames">;
}

/** The rules of a server. */
export interface GateRules {
  readonly access: AccessRules;
  /** Whether connections by TCP that are not encrypted may ask for nothing. */
  readonly isTlsRequired: boolean;
}

/** Lets a request through that comes from somebody who has one of the roles in `needs`; to others it returns a reply. */
export async function admit(
  { access: rules, isTlsRequired }: GateRules,
  { request, stream }: Asking,
  needs: number,
): Promise<ConnectionAccess | HttpReply> {
  const { authorization } = request;
  if (isTlsRequired && !stream.isEncrypted && stream.remoteAddr.transport === "tcp") {
    return forbidden("this server takes connections with TLS only");
  }
  if (!rules.credentials.isRequired && !rules.isInsecure && isMisled(request.host, stream)) {
    return { status: 421, body: "ask this server by its address, or as localhost\n" };
  }
  const access = new ConnectionAccess(rules, stream);
  if (stream.peerNames !== undefined) access.grantCertificate(stream.peerNames);
  if (access.wantsCredential && authorization !== undefined) {
    const token = readAuthorization(authorization);
    if (token === undefined) return UNKNOWN;
    access.authenticate(token.name, token.secret);
    await access.settled();
    if (access.attempt === "unwelcome") return forbidden("a secret is taken over TLS only");
  }
  if (!access.isKnown) return UNKNOWN;
  return (access.allowed & needs) === 0 ? forbidden(`not allowed for ${rolesText(access.roles)}`) : access;
}

const UNKNOWN: HttpReply = { status: 401, fields: CHALLENGES, body: "show a token: Bearer TOKEN, or Basic\n" };

function forbidden(why: string): HttpReply {
  return { status: 403, body: `${why}\n` };
}

/**
 * Whether a browser may have been led here by a name that is another's (DNS rebinding): then its page could read what only this
 * machine may see. An address cannot be led elsewhere, and neither can `localhost`.
 */
function isMisled(host: string | undefined, { remoteAddr, isEncrypted }: Asking["stream"]): boolean {
  if (host === undefined || isEncrypted || remoteAddr.transport !== "tcp" || !staysHere(remoteAddr)) return false;
  return !/^(localhost|[\d.]+|\[[\da-f:.]+\])(:\d+)?$/i.test(host);
}
