/** Addresses as memcached writes them. */

import { assertEquals } from "@std/assert";
import { shownAddress } from "../../lib/server/shown_address.ts";

Deno.test("shownAddress() writes addresses as memcached does", () => {
  const tcp = (hostname: string) => shownAddress({ transport: "tcp", hostname, port: 80 });
  assertEquals([tcp("127.0.0.1"), tcp("::1"), tcp("::ffff:127.0.0.1"), tcp("localhost")], [
    "tcp:127.0.0.1:80",
    "tcp6:[::1]:80",
    "tcp6:[::ffff:127.0.0.1]:80",
    "tcp:localhost:80",
  ]);
  assertEquals([shownAddress({ transport: "unix", path: "/a b" }), shownAddress({ transport: "unix", path: null })], [
    "unix:/a b",
    "unix",
  ]);
});
