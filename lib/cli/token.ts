/** The command `token`: makes tokens, and lines of AUTH_FILE for them. */

import { isRole, ROLES } from "../base/roles.ts";
import { isName, NAME_RULE } from "../base/token.ts";
import { makeVerifier } from "../platform/scram.ts";
import { formatVerifier } from "../wire/scram.ts";
import { type Arguments, UsageError } from "./arguments.ts";
import { toJson } from "./json.ts";
import { say } from "./output.ts";

/** Random bytes of a secret: nobody guesses it. */
const SECRET_BYTES = 32;

/** Prints a new token; with a name, also the line that a server has to know it by. Returns the exit status. */
export async function token(args: Arguments): Promise<number> {
  const name = args.flags.get("name");
  const role = args.flags.get("role");
  const withVerifier = args.flags.has("verifier");
  const secret = newSecret();
  if (name === undefined) {
    if (role !== undefined || withVerifier) throw new UsageError("token", "--role and --verifier need --name");
    return say(args.json ? toJson({ token: secret }) : secret);
  }
  if (!isName(name)) throw new UsageError("token", `--name must be one: ${NAME_RULE}: received "${name}"`);
  const roles = (role ?? "client").split(",");
  if (!roles.every(isRole)) {
    throw new UsageError(
      "token",
      `--role must be ${ROLES.join(", ")}, or several with commas between: received "${role}"`,
    );
  }
  const known = withVerifier ? formatVerifier(await makeVerifier(secret)) : secret;
  const line = `${name}:${roles.join(",")}:${known}`;
  const made = `${name}:${secret}`;
  if (args.json) return say(toJson({ token: made, line }));
  say(`AUTH_TOKEN of ${name}: ${made}`);
  return say(`line of AUTH_FILE: ${line}`);
}

/** Base64 for URLs: no colon, no space, nothing that a shell or an environment file takes for something else. */
function newSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
