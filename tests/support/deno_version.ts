/** What this version of Deno lacks, for tests of it that are left out. */

import { whyNoTls } from "../../lib/base/tls_options.ts";

/**
 * Whether Deno is older than 2.8.1: it has no TLS for servers, `deno serve` has status 143 after SIGTERM, `deno doc --json` is of another
 * form, and no garbage is collected on demand.
 */
export const isOldDeno: boolean = whyNoTls(Deno.version.deno) !== undefined;
