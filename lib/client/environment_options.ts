/** The options of a client that is made without any: from the environment and `.env`. */

import { CLIENT_SETTING_NAMES, clientOptions, ConfigError, ownSettings, PREFIX } from "../base/settings.ts";
import { readEnvironment, withTls } from "../platform/environment.ts";
import type { ClientOptions } from "./options.ts";
import { warnOnce } from "./warnings.ts";

/**
 * Returns the options, and says once which settings are passed over because they are taken for the program's own.
 *
 * @throws {ConfigError} If one of the client's settings is bad, or cannot be read; where it may be the program's own, the message
 * says how to tell the two apart.
 */
export function environmentOptions(): ClientOptions {
  const { own, others } = ownSettings(readEnvironment(CLIENT_SETTING_NAMES));
  if (others.length > 0) {
    warnOnce(
      `OrmucoCacheClient: ${others.join(", ")} ${others.length === 1 ? "is" : "are"} passed over, ` +
        `because other settings of this client begin with ${PREFIX}`,
    );
  }
  try {
    return withTls(clientOptions(own));
  } catch (error) {
    const isOwn = !(error instanceof ConfigError) || [...own.values()].some(({ isPrefixed }) => isPrefixed);
    if (isOwn) throw error;
    const hint = `if it is the program's own, begin the names of this client's settings with ${PREFIX}`;
    throw new ConfigError(`${error.message}; ${hint}`, { cause: error });
  }
}
