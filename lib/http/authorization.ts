/** Who a request says that it comes from, in its field `Authorization`. It does not know whether that is so. */

import { NO_NAME, type Token } from "../base/token.ts";

/** What a stranger is told: both ways to say it. */
export const CHALLENGES = [
  ["WWW-Authenticate", 'Basic realm="Ormuco Cache", charset="UTF-8"'],
  ["WWW-Authenticate", 'Bearer realm="Ormuco Cache"'],
] as const;

/**
 * Reads `Bearer secret`, `Bearer name:secret` or `Basic …`, which is `name:secret` in base64. `undefined` if the text is none of
 * these. The secret may be one that cannot be anybody's.
 */
export function readAuthorization(text: string): Token | undefined {
  const [, scheme, rest] = /^(basic|bearer) +([!-~]+)$/i.exec(text) ?? [];
  if (scheme === undefined) return undefined;
  const said = scheme.toLowerCase() === "basic" ? ofBase64(rest) : rest;
  if (said === undefined) return undefined;
  const colon = said.indexOf(":");
  return colon < 0 ? { name: NO_NAME, secret: said } : { name: said.slice(0, colon), secret: said.slice(colon + 1) };
}

function ofBase64(text: string): string | undefined {
  try {
    return atob(text);
  } catch {
    return undefined;
  }
}
