/** Where a server's credentials come from, and what is wrong with the choice. It reads no file, and shows no secret in an error. */

import { NAME_RULE, parseToken, SECRET_RULE, type Token } from "../base/token.ts";
import { BOOLEAN_OPTION, FILE_OPTION, type OptionRules, textOption } from "../base/options.ts";
import { TOKEN_ROLES } from "../base/roles.ts";
import { type CredentialLine, readAuthFile } from "./auth_file.ts";

/** The options of a server that say who may connect. */
export interface CredentialOptions {
  /**
   * The token of clients, peers and administrators: a secret of 8 to 256 characters, or a name, a colon and a secret.
   * Without this and the next four, everybody may do everything.
   *
   * @default {none}
   */
  authToken?: string;
  /**
   * A file that holds that token alone.
   *
   * @default {none}
   */
  authTokenFile?: string;
  /**
   * A file with a credential in each line: `name:role:secret`, `name:role:verifier` or `cert:name:role`.
   *
   * @default {none}
   */
  authFile?: string;
  /**
   * The token that this server shows to its peers, and takes from them.
   *
   * @default {`authToken`}
   */
  peerToken?: string;
  /**
   * A file that holds that token alone.
   *
   * @default {none}
   */
  peerTokenFile?: string;
  /**
   * Whether to serve everybody who reaches the server where there are no credentials, and to take secrets where others can
   * read along where there are.
   *
   * @default {false}
   */
  insecure?: boolean;
}

const TOKEN_OPTION = textOption("text", () => true, true);

/** The rules for these options; what a token is, `credentialSources` checks. */
export const CREDENTIAL_RULES: OptionRules<CredentialOptions> = {
  authToken: TOKEN_OPTION,
  authTokenFile: FILE_OPTION,
  authFile: FILE_OPTION,
  peerToken: TOKEN_OPTION,
  peerTokenFile: FILE_OPTION,
  insecure: BOOLEAN_OPTION,
};

/** One place that credentials come from. */
export interface CredentialSource {
  /** The setting, for messages. */
  readonly setting: string;
  /** The file; `undefined` if the text was given itself. */
  readonly path: string | undefined;
  /** The text itself; `undefined` if it stands in a file. */
  readonly text: string | undefined;
  /** Whether this server shows what is there to its peers: the first one that has it counts. */
  readonly token: "peers" | "all" | undefined;
  /** Reads a text. Throws a `RangeError` that shows nothing of it. */
  readonly read: (text: string) => CredentialLine[];
}

/**
 * Returns the sources that options name; none where nobody is asked who they are.
 *
 * @throws {RangeError} If two of them exclude each other, or a token is none.
 */
export function credentialSources(options: CredentialOptions, hasPeers: boolean): CredentialSource[] {
  const { authToken, authTokenFile, authFile, peerToken, peerTokenFile } = options;
  if (authToken !== undefined && authTokenFile !== undefined) throw both("AUTH_TOKEN");
  if (peerToken !== undefined && peerTokenFile !== undefined) throw both("PEER_TOKEN");
  const peersRead = (text: string) => [{ ...readToken(text), roles: ["peer"] as const }];
  const all: CredentialSource[] = [
    { setting: "PEER_TOKEN", path: undefined, text: peerToken, token: "peers", read: peersRead },
    { setting: "PEER_TOKEN_FILE", path: peerTokenFile, text: undefined, token: "peers", read: peersRead },
    { setting: "AUTH_TOKEN", path: undefined, text: authToken, token: "all", read: readAllToken },
    { setting: "AUTH_TOKEN_FILE", path: authTokenFile, text: undefined, token: "all", read: readAllToken },
    { setting: "AUTH_FILE", path: authFile, text: undefined, token: undefined, read: readAuthFile },
  ];
  const sources = all.filter(({ path, text }) => path !== undefined || text !== undefined);
  for (const source of sources) if (source.text !== undefined) checked(source, source.text);
  if (hasPeers && sources.length > 0 && sources.every(({ token }) => token === undefined)) {
    throw new RangeError(
      "Cannot create server: it has PEERS and credentials, but nothing to show to its peers: " +
        "set PEER_TOKEN or PEER_TOKEN_FILE to a token that they have with the role peer",
    );
  }
  return sources;
}

/**
 * Reads what a source holds.
 *
 * @throws {RangeError} If it cannot be used; the message names the source and the line.
 */
export function checked({ setting, path, read }: CredentialSource, text: string): CredentialLine[] {
  try {
    return read(text);
  } catch (error) {
    throw new RangeError(`Cannot use ${setting}${path === undefined ? "" : ` ${path}`}: ${(error as Error).message}`);
  }
}

/** Reads a token, which a line break may end. */
export function readToken(text: string): Token {
  const token = typeof text === "string" ? parseToken(text.replace(/\r?\n$/, "")) : undefined; // from JavaScript it may be anything
  if (token === undefined) {
    throw new RangeError(`it must be a secret, or a name, a colon and a secret; ${SECRET_RULE}; ${NAME_RULE}`);
  }
  return token;
}

function readAllToken(text: string): CredentialLine[] {
  return [{ ...readToken(text), roles: TOKEN_ROLES }];
}

function both(setting: string): RangeError {
  return new RangeError(`Cannot create server: ${setting} and ${setting}_FILE exclude each other; set one of them`);
}
