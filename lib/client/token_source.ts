/** Where a client's token comes from: an option, or a file that is read for each connection anew. It shows no secret. */

import { CacheError } from "../base/errors.ts";
import { NAME_RULE, parseToken, SECRET_RULE, type Token } from "../base/token.ts";
import { readSecretFile } from "../platform/secret_file.ts";

/** Returns the token. */
export type TokenSource = () => Token | Promise<Token>;

const RULE = `"secret" or "name:secret", where ${SECRET_RULE}, and ${NAME_RULE}`;

/**
 * Returns the source that options name; `undefined` if they name none.
 *
 * @throws {RangeError} If they name two, or the token is none.
 */
export function tokenSource(options: { authToken?: string; authTokenFile?: string }): TokenSource | undefined {
  const { authToken, authTokenFile } = options;
  if (authToken !== undefined && authTokenFile !== undefined) {
    throw new RangeError("Cannot create client: authToken and authTokenFile exclude each other");
  }
  if (authTokenFile !== undefined) return () => readToken(authTokenFile);
  if (authToken === undefined) return undefined;
  const token = parseToken(authToken);
  if (token === undefined) throw new RangeError(`Cannot create client: authToken must be ${RULE}`);
  return () => token;
}

async function readToken(path: string): Promise<Token> {
  let text: string;
  try {
    ({ text } = await readSecretFile(path));
  } catch (error) {
    throw new CacheError("unreachable", `the token in ${path} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const token = parseToken(text.trim());
  if (token !== undefined) return token;
  throw new CacheError("unreachable", `the token in ${path} cannot be used: it must be ${RULE}`);
}
