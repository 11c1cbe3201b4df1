/** Tokens: a secret, with the name of whose it is. It does not know where they come from, and shows no secret in an error. */

/** A token. */
export interface Token {
  /** The name of the credential that it belongs to. */
  readonly name: string;
  readonly secret: string;
}

/** The name of a token that has none. */
export const NO_NAME = "default";
/** What a name and a secret are, for messages. */
export const NAME_RULE = "a name has 1 to 64 letters, digits, and characters of ._@-";
export const SECRET_RULE = "a secret has 8 to 256 characters of ASCII, without spaces and colons";

const NAME = /^[A-Za-z0-9._@-]{1,64}$/;
/** No colon, which ends a name; no space, which ends a word of memcached's. */
const SECRET = /^[!-9;-~]{8,256}$/;

/** Whether a text may be a credential's name. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** Whether a text may be a secret. */
export function isSecret(text: string): boolean {
  return SECRET.test(text);
}

/** Reads `secret` or `name:secret`; `undefined` if the text is neither. */
export function parseToken(text: string): Token | undefined {
  const colon = text.indexOf(":");
  const [name, secret] = colon < 0 ? [NO_NAME, text] : [text.slice(0, colon), text.slice(colon + 1)];
  return isName(name) && isSecret(secret) ? { name, secret } : undefined;
}
