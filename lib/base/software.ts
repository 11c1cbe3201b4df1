/** Name and version of this software, for greetings, statistics and `--version`. */

/** The version; a test compares it with deno.json. */
export const VERSION = "0.1.0";

/** Name and version. */
export const SOFTWARE: string = `ormuco-cache/${VERSION}`;
