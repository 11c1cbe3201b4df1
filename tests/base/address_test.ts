/** Addresses: text to parts and back, and which of them only this machine reaches. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  type Address,
  DEFAULT_PORT,
  formatAddress,
  isLoopback,
  isName,
  isUnspecified,
  parseAddress,
} from "../../lib/base/address.ts";

function tcp(hostname: string, port: number = DEFAULT_PORT): Address {
  return { transport: "tcp", hostname, port };
}

Deno.test("parseAddress() returns the parts when the text is an address", () => {
  const cases: [string, Address][] = [
    ["localhost", tcp("localhost")],
    ["cache-1.example.com", tcp("cache-1.example.com")],
    ["cache_1:0", tcp("cache_1", 0)],
    ["10.0.0.1:65535", tcp("10.0.0.1", 65535)],
    ["[::1]", tcp("::1")],
    ["[::1]:5", tcp("::1", 5)],
    ["[FE80::a:1]:5", tcp("FE80::a:1", 5)],
    ["[::ffff:10.0.0.1]:5", tcp("::ffff:10.0.0.1", 5)],
    ["unix:/run/a b:c.sock", { transport: "unix", path: "/run/a b:c.sock" }],
    ["unix:relative.sock", { transport: "unix", path: "relative.sock" }],
  ];
  for (const [text, address] of cases) assertEquals(parseAddress(text), address, text);
});

Deno.test("parseAddress() returns undefined when the text is none", () => {
  const texts = ["", " ", ":", ":5", "a:", "a:b", "a:-1", "a:65536", "a:1:2", "::1", "[::1", "::1]:5", "[]", "[]:5"];
  texts.push(
    "[::1]5",
    "[::1]:",
    "[g::1]:5",
    "a b",
    " a",
    "a ",
    "a/b",
    "http://a",
    "user@a",
    "a@b:5",
    "unix:",
    "5",
    "a\n",
  );
  for (const text of texts) assertStrictEquals(parseAddress(text), undefined, JSON.stringify(text));
});

Deno.test("parseAddress() uses the defaults when host or port is absent", () => {
  const defaults = { hostname: "::1", port: 9 };
  assertEquals(parseAddress("5", defaults), tcp("::1", 5));
  assertEquals(parseAddress("0", defaults), tcp("::1", 0));
  assertEquals(parseAddress("65536", defaults), undefined);
  assertEquals(parseAddress("a", defaults), tcp("a", 9));
  assertEquals(parseAddress("[::2]", defaults), tcp("::2", 9));
  assertEquals(parseAddress("a:5", defaults), tcp("a", 5));
  assertEquals(parseAddress("unix:/x", defaults), { transport: "unix", path: "/x" });
  assertEquals(parseAddress("", defaults), undefined);
});

Deno.test("formatAddress() gives the text that parseAddress() reads back when given its result", () => {
  const cases: [string, string][] = [
    ["a", "a:11142"],
    ["a:5", "a:5"],
    ["[::1]", "[::1]:11142"],
    ["[::1]:0", "[::1]:0"],
    ["unix:/run/x", "unix:/run/x"],
  ];
  for (const [text, formatted] of cases) {
    const address = parseAddress(text)!;
    assertStrictEquals(formatAddress(address), formatted);
    assertEquals(parseAddress(formatted), address);
  }
});

Deno.test("isLoopback() tells whether only this machine reaches the address when it is given one", () => {
  for (const text of ["localhost", "127.0.0.1:5", "127.8.9.10", "[::1]:5", "unix:/run/x"]) {
    assertStrictEquals(isLoopback(parseAddress(text)!), true, text);
  }
  const open = [
    "0.0.0.0",
    "[::]",
    "10.0.0.1",
    "128.0.0.1",
    "1270.0.0.1",
    "127.0.0.1.example.com",
    "localhost.example.com",
  ];
  for (const text of [...open, "notlocalhost", "[::2]", "[::1:1]", "127.0.0", "a"]) {
    assertStrictEquals(isLoopback(parseAddress(text)!), false, text);
  }
});

Deno.test("isUnspecified() tells whether an address leads each machine to itself", () => {
  for (const text of ["0.0.0.0:5", "0", "000.0.0.0", "[::]:5", "[0:0:0:0:0:0:0:0]"]) {
    assertStrictEquals(isUnspecified(parseAddress(text, { hostname: "0" })!), true, text);
  }
  for (const text of ["10.0.0.0", "0.0.0.1", "[::1]:5", "[fd00::]", "localhost", "0.example", "unix:/0"]) {
    assertStrictEquals(isUnspecified(parseAddress(text)!), false, text);
  }
});

Deno.test("isName() is true of what may lead to many addresses", () => {
  for (const name of ["cache", "cache.example.com", "cache_1", "10.example", "localhost.example"]) {
    assertStrictEquals(isName(tcp(name)), true, name);
  }
  for (const host of ["localhost", "LocalHost", "127.0.0.1", "::1", "fe80::1%eth0"]) {
    assertStrictEquals(isName(tcp(host)), false, host);
  }
  assertStrictEquals(isName({ transport: "unix", path: "cache" }), false);
});
