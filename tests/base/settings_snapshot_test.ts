/** Settings of snapshots that need each other. */

import { assertThrows } from "@std/assert";
import { ConfigError, serverOptions } from "../../lib/base/settings.ts";

Deno.test("serverOptions() refuses settings of snapshots without a file for them", () => {
  for (const name of ["SNAPSHOT_INTERVAL", "SNAPSHOT_MAX_AGE"]) {
    const found = new Map([[name, { text: "60", from: "environment" }]]);
    const message = `Cannot use ${name} (environment): it needs SNAPSHOT_FILE beside it`;
    assertThrows(() => serverOptions(found), ConfigError, message);
  }
});
