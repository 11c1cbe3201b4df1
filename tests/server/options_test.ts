/** Checks of a server's options: what each takes, and what its error names. */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { DEFAULT_PORT, formatAddress } from "../../lib/base/address.ts";
import { MAX_ITEM_BYTES, MIN_ITEM_BYTES } from "../../lib/base/limits.ts";
import { checkAtLeast, checkedItemBytes, checkedListen, checkedPeer } from "../../lib/server/options.ts";

Deno.test("checkedListen() returns an address when it is given a port, a host, both or a file", () => {
  const cases: [string | number, string][] = [
    [0, "127.0.0.1:0"],
    [65535, "127.0.0.1:65535"],
    ["8000", "127.0.0.1:8000"],
    ["0.0.0.0", `0.0.0.0:${DEFAULT_PORT}`],
    ["a.example.com:1", "a.example.com:1"],
    ["[::1]:2", "[::1]:2"],
    ["unix:/run/x", "unix:/run/x"],
  ];
  for (const [listen, address] of cases) assertStrictEquals(formatAddress(checkedListen(listen)), address);
});

Deno.test("checkedListen() throws a RangeError that shows what it received when that is no place to listen", () => {
  for (
    const listen of [-1, 1.5, 65536, 1e21, NaN, Infinity, "", " ", "65536", "-1", "a:65536", "a b", "::1", "unix:"]
  ) {
    assertThrows(
      () => checkedListen(listen),
      RangeError,
      `Cannot create server: listen must be a port (0 to 65535), "host:port", "[ipv6]:port" or "unix:/path": ` +
        `received "${listen}"`,
    );
  }
});

Deno.test("checkedPeer() returns an address when it is given a host, with a port or without", () => {
  assertEquals(checkedPeer("a"), { transport: "tcp", hostname: "a", port: DEFAULT_PORT });
  assertEquals(checkedPeer("10.0.0.1:5"), { transport: "tcp", hostname: "10.0.0.1", port: 5 });
  assertEquals(checkedPeer("[::1]:5"), { transport: "tcp", hostname: "::1", port: 5 });
});

Deno.test("checkedPeer() throws a RangeError when nobody can be reached there", () => {
  for (const peer of ["", "5", "a:0", "a:65536", "a b", "::1", "unix:/x", "a,b"]) {
    assertThrows(() => checkedPeer(peer), RangeError, `"[ipv6]:port": received "${peer}"`);
  }
});

Deno.test("checkAtLeast() takes both bounds and what lies between", () => {
  for (const value of [1, 1.5, 10]) checkAtLeast("maxSize", value, 1, 10);
  for (const value of [1, 1e300, Infinity]) checkAtLeast("maxSize", value, 1);
});

Deno.test("checkAtLeast() throws a RangeError that names option, bounds and value when the value is outside", () => {
  for (const value of [0, 0.999, 10.001, -Infinity, Infinity, NaN]) {
    const words = `Cannot create server: maxSize must be 1 to 10: received ${value}`;
    assertThrows(() => checkAtLeast("maxSize", value, 1, 10), RangeError, words);
  }
  assertThrows(() => checkAtLeast("ttlMs", -1, 0), RangeError, "ttlMs must be 0 or more: received -1");
});

Deno.test("checkedItemBytes() returns 1 MiB when no size is given, and a size within its bounds", () => {
  assertStrictEquals(checkedItemBytes(), 1024 * 1024);
  assertStrictEquals(checkedItemBytes(undefined), 1024 * 1024);
  for (const bytes of [MIN_ITEM_BYTES, MAX_ITEM_BYTES]) assertStrictEquals(checkedItemBytes(bytes), bytes);
  for (const bytes of [0, MIN_ITEM_BYTES - 1, MAX_ITEM_BYTES + 1, NaN]) {
    assertThrows(() => checkedItemBytes(bytes), RangeError, `maxItemBytes must be 1024 to 16777216: received ${bytes}`);
  }
});
