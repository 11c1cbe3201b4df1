import { assertEquals, assertStringIncludes } from "@std/assert";
import { whyNoTls } from "../../lib/base/tls_options.ts";

Deno.test("whyNoTls() names the version that is needed, on every version before it", () => {
  for (const version of ["2.8.0", "2.7.13", "2.4.0", "1.46.3", "2.7.99"]) {
    assertStringIncludes(whyNoTls(version) ?? "", `TLS needs Deno 2.8.1 or later: this is ${version}`);
  }
  for (const version of ["2.8.1", "2.8.2", "2.9.0", "2.10.0", "3.0.0", "2.9.6+ab12"]) {
    assertEquals(whyNoTls(version), undefined, version);
  }
});
