/** Checks of a client's options, and what is said of options that have no effect. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type ClientOptions, resolveClientOptions } from "../../lib/client/options.ts";
import { warned } from "../support/warned.ts";

const SERVERS = { servers: ["a"] };
const CODEC = { encode: () => new Uint8Array(), decode: () => undefined };

const WRONG: [unknown, string][] = [
  [{ ttlMs: "60000" }, 'ttlMs must be 0 to 9007199254740991, or Infinity: received "60000"'],
  [{ maxSize: "9" }, 'maxSize must be a whole number from 1 to 16777215, or Infinity: received "9"'],
  [{ renewOnHit: "false" }, 'renewOnHit must be true or false: received "false"'],
  [{ copies: 1 }, "copies must be true or false: received 1"],
  [{ timeoutMs: "1000" }, 'timeoutMs must be more than 0 and below 2³⁰: received "1000"'],
  [{ onError: console }, "onError must be a function: received an object"],
  [{ servers: "a" }, 'servers must be an array of text: received "a"'],
  [{ servers: ["a", "b:0"] }, '"host:port" (port 1 to 65535), "[ipv6]:port" or "unix:/path": received "b:0"'],
  [{ servers: [undefined] }, "received undefined"],
  [{ server: "a" }, "unknown option server: did you mean servers?"],
  [{ timeout: 5 }, "unknown option timeout: did you mean timeoutMs?"],
  [{ ...SERVERS, tls: "yes" }, 'tls must be true or an object: received "yes"'],
  [{ ...SERVERS, tls: { ca: "x" } }, "unknown option tls.ca: did you mean tls.caCerts?"],
  [{ ...SERVERS, tls: { caCerts: "x" } }, "tls.caCerts must be an array of PEM texts"],
  [{ ...SERVERS, near: false }, "near must be true or an object: received false"],
  [{ ...SERVERS, near: { maxStale: 5 } }, "unknown option near.maxStale: did you mean near.maxStaleMs?"],
  [{ ...SERVERS, near: { maxStaleMs: 19 } }, "near.maxStaleMs must be 20 to 60000, or 0: received 19"],
  [{ ...SERVERS, near: { maxStaleMs: 60_001 } }, "near.maxStaleMs must be 20 to 60000, or 0: received 60001"],
  [
    { ...SERVERS, near: { maxSize: 0 } },
    "near.maxSize must be a whole number from 1 to 16777215, or Infinity: received 0",
  ],
  [{ ...SERVERS, near: { maxTotalSize: 0 } }, "near.maxTotalSize must be a number greater than 0: received 0"],
  [{ ...SERVERS, near: { copies: "no" } }, 'near.copies must be true or false: received "no"'],
  [{ ...SERVERS, compressOverBytes: -1 }, "compressOverBytes must be a whole number from 0 to 16777216: received -1"],
  [{ ...SERVERS, compressOverBytes: 0.5 }, "compressOverBytes must be a whole number from 0 to 16777216: received 0.5"],
  [{ ...SERVERS, compress: 5 }, "unknown option compress: did you mean compressOverBytes?"],
  [{ ...SERVERS, codec: JSON }, "codec must be an object with the functions encode and decode: received an object"],
  [{ ...SERVERS, codec: () => 1 }, "codec must be an object with the functions encode and decode: received a function"],
  [{ ...SERVERS, authTokenFile: 5 }, "authTokenFile must be the name of a file: received 5"],
];

for (const [options, words] of WRONG) {
  Deno.test(`resolveClientOptions() says ${words}`, () => {
    const error = assertThrows(() => resolveClientOptions(options as ClientOptions));
    assert(error instanceof RangeError || error instanceof TypeError);
    assertStringIncludes(error.message, words);
  });
}

Deno.test("resolveClientOptions() shows no secret in an error", () => {
  for (
    const options of [{ authToken: "se cret" }, { tls: { cert: "x", key: 12345 } }, { tls: { cert: "x", key: "" } }]
  ) {
    const { message } = assertThrows(
      () => resolveClientOptions({ ...SERVERS, ...options } as ClientOptions),
      RangeError,
    );
    assert(/(authToken|tls\.key) must be [^"]*("secret"[^"]*"name:secret"[^"]*)?$/.test(message), message);
  }
});

Deno.test("resolveClientOptions() warns once of options that have no effect beside the others", () => {
  const lines = warned(() => {
    for (let i = 0; i < 3; i++) {
      resolveClientOptions({ ...SERVERS, maxSize: 5, renewOnHit: false, timeoutMs: 5 });
      resolveClientOptions({ authToken: "a:12345678", timeoutMs: 5, onError: () => {} });
      resolveClientOptions({ maxSize: 5, renewOnHit: true });
      resolveClientOptions({ ...SERVERS, authToken: "a:12345678" });
      resolveClientOptions({ ...SERVERS, copies: true });
      resolveClientOptions({ ...SERVERS, near: true });
      resolveClientOptions({ near: true });
      resolveClientOptions({ ...SERVERS, copies: false });
      resolveClientOptions({ copies: false });
      resolveClientOptions({ compressOverBytes: 5, codec: CODEC });
      resolveClientOptions({ copies: false, codec: CODEC });
      resolveClientOptions({ copies: true, compressOverBytes: 5, codec: CODEC });
      resolveClientOptions({ ...SERVERS, compressOverBytes: 5, codec: CODEC });
    }
  });
  assertEquals(lines, [
    "OrmucoCacheClient: maxSize and renewOnHit have no effect in a client with servers, which have settings of their own",
    "OrmucoCacheClient: authToken has no effect in a client without servers",
    "OrmucoCacheClient: near has no effect in a client without servers",
    "OrmucoCacheClient: copies: false has no effect in a client with servers, which have settings of their own",
    "OrmucoCacheClient: compressOverBytes and codec have no effect in a client without servers, unless copies is true",
    "OrmucoCacheClient: codec has no effect in a client without servers, unless copies is true",
  ]);
});

Deno.test("resolveClientOptions() completes the limits of near copies, which are off by default", () => {
  const defaults = { maxSize: 1000, maxTotalSize: 64 * 1024 * 1024, maxStaleMs: 1000, copies: false };
  assertEquals(resolveClientOptions(SERVERS).near, undefined);
  assertEquals(resolveClientOptions({ ...SERVERS, near: true }).near, defaults);
  assertEquals(resolveClientOptions({ ...SERVERS, near: { maxStaleMs: 20 } }).near, { ...defaults, maxStaleMs: 20 });
  assertEquals(resolveClientOptions({ ...SERVERS, near: { maxStaleMs: 0 } }).near?.maxStaleMs, 0);
});
