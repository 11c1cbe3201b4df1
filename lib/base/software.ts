/** What this software is called, in greetings, statistics and `--version`. */

/** The version; a test holds it against deno.json. */
export const VERSION = "0.1.0";

/** Name and version. */
export const SOFTWARE: string = `ormuco-cache/${VERSION}`;
