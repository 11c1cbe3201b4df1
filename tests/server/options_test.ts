/** Checks of a server's options: what each takes, and what its error names. */

import { assert, assertEquals, assertStrictEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { DEFAULT_PORT, formatAddress } from "../../lib/base/address.ts";
import {
  MAX_FORGOTTEN,
  MAX_ITEM_BYTES,
  MAX_STORE_BYTES,
  MIN_BUFFERS,
  MIN_ITEM_BYTES,
  MIN_STORE_BYTES,
} from "../../lib/base/limits.ts";
import { resolveServerOptions, type ServerOptions } from "../../lib/server/options.ts";
import { fingerprintBytes, MAX_FINGERPRINTS, mostFingerprints } from "../../lib/store/fingerprint_size.ts";
import { isOldDeno } from "../support/deno_version.ts";

const listenOf = (listen: string | number) => resolveServerOptions({ listen }).listen;
const peerOf = (peer: string) => resolveServerOptions({ peers: [peer] }).peers[0];

Deno.test("resolveServerOptions() listens at an address when it is given a port, a host, both or a file", () => {
  const cases: [string | number, string][] = [
    [0, "127.0.0.1:0"],
    [65535, "127.0.0.1:65535"],
    ["8000", "127.0.0.1:8000"],
    ["0.0.0.0", `0.0.0.0:${DEFAULT_PORT}`],
    ["a.example.com:1", "a.example.com:1"],
    ["[::1]:2", "[::1]:2"],
    ["unix:/run/x", "unix:/run/x"],
  ];
  for (const [listen, address] of cases) assertStrictEquals(formatAddress(listenOf(listen)), address);
});

Deno.test("resolveServerOptions() speaks HTTP where it is told to, and at port 9100 of a host without one", () => {
  const cases: [string | number, string][] = [
    [9200, "127.0.0.1:9200"],
    ["0", "127.0.0.1:0"],
    ["localhost", "localhost:9100"],
    ["[::]:5", "[::]:5"],
    ["unix:/run/http.sock", "unix:/run/http.sock"],
  ];
  for (const [http, address] of cases) assertStrictEquals(formatAddress(resolveServerOptions({ http }).http!), address);
  assertThrows(() => resolveServerOptions({ http: "http://a" }), RangeError, "http must be a port (0 to 65535)");
});

Deno.test("resolveServerOptions() throws a RangeError that shows what it received when listen is no place to listen", () => {
  for (
    const listen of [-1, 1.5, 65536, 1e21, "", " ", "65536", "-1", "a:65536", "a b", "::1", "unix:"]
  ) {
    assertThrows(
      () => listenOf(listen),
      RangeError,
      `Cannot create server: listen must be a port (0 to 65535), "host:port", "[ipv6]:port" or "unix:/path": ` +
        `received ${JSON.stringify(listen)}`,
    );
  }
});

Deno.test("resolveServerOptions() knows a peer by its address when it is given a host, with a port or without", () => {
  assertEquals(peerOf("a"), { transport: "tcp", hostname: "a", port: DEFAULT_PORT });
  assertEquals(peerOf("10.0.0.1:5"), { transport: "tcp", hostname: "10.0.0.1", port: 5 });
  assertEquals(peerOf("[::1]:5"), { transport: "tcp", hostname: "::1", port: 5 });
});

Deno.test("resolveServerOptions() throws a RangeError when nobody can be reached where a peer is said to be", () => {
  for (const peer of ["", "5", "a:0", "a:65536", "a b", "::1", "unix:/x", "a,b"]) {
    assertThrows(() => peerOf(peer), RangeError, `"[ipv6]:port": received "${peer}"`);
  }
});

Deno.test("resolveServerOptions() takes the name of a cluster, and throws a RangeError for what is none", () => {
  assertStrictEquals(resolveServerOptions({ cluster: "eu-1.blue" }).cluster, "eu-1.blue");
  for (const cluster of ["", "a b", "é", "x".repeat(65), "a:b"]) {
    assertThrows(() => resolveServerOptions({ cluster }), RangeError, "a name has 1 to 64 letters");
  }
});

Deno.test("resolveServerOptions() has a default for everything", () => {
  const { log, ...options } = resolveServerOptions({}, 2 ** 40);
  assertEquals(options, {
    listen: { transport: "tcp", hostname: "127.0.0.1", port: DEFAULT_PORT },
    http: undefined,
    peers: [],
    cluster: "",
    maxSize: 128,
    maxBytes: undefined,
    limitBytes: MAX_STORE_BYTES,
    isGuess: false,
    maxForgotten: MAX_FORGOTTEN,
    ttlMs: 3_600_000,
    renewOnHit: true,
    advertise: undefined,
    peerLookupIntervalMs: 30_000,
    gossipIntervalMs: 1000,
    readyAfterMs: 30_000,
    snapshots: undefined,
    maxConnections: 1000,
    maxConnectionsPerAddress: Infinity,
    maxBuffers: 36 * 1024 * 1024,
    idleTimeoutMs: Infinity,
    maxItemBytes: 1024 * 1024,
    credentials: [],
    insecure: false,
    tls: undefined,
    unref: false,
    near: undefined,
    compressOverBytes: undefined,
    onEvent: undefined,
  });
  assertStrictEquals(typeof log, "function");
});

Deno.test("resolveServerOptions() completes when snapshots are made where there is a file for them", () => {
  const { snapshots } = resolveServerOptions({ snapshotFile: "a" });
  assertEquals(snapshots, { path: "a", intervalMs: 300_000, maxAgeMs: 3_600_000 });
  const given = { snapshotFile: "a", snapshotIntervalMs: Infinity, snapshotMaxAgeMs: Infinity };
  assertEquals(resolveServerOptions(given).snapshots, { path: "a", intervalMs: Infinity, maxAgeMs: Infinity });
});

Deno.test("resolveServerOptions() completes the limits of near copies where they are asked for", () => {
  const defaults = { maxSize: 1000, maxTotalSize: 64 * 1024 * 1024, copies: false };
  assertEquals(resolveServerOptions({ near: true }).near, defaults);
  assertEquals(resolveServerOptions({ near: { copies: true, maxSize: 5 } }).near, {
    ...defaults,
    copies: true,
    maxSize: 5,
  });
});

Deno.test("resolveServerOptions() lets entries take half of the memory that there is where maxBytes does not say", () => {
  const limitOf = (memoryBytes: number | undefined, maxBytes?: number) => {
    const { limitBytes, isGuess } = resolveServerOptions({ maxBytes, maxForgotten: 0 }, memoryBytes);
    return [limitBytes, isGuess];
  };
  assertEquals(limitOf(2 ** 40), [MAX_STORE_BYTES, false]);
  assertEquals(limitOf(2 ** 30 + 1), [2 ** 29, false]);
  assertEquals(limitOf(1000), [MIN_STORE_BYTES, false]);
  assertEquals(limitOf(2 ** 30, 2 ** 33), [2 ** 33, false]);
  assertEquals(resolveServerOptions({ maxBytes: 2 ** 26 }).isGuess, false);
});

Deno.test("resolveServerOptions() limits entries by number only where memory is not limited", () => {
  assertStrictEquals(resolveServerOptions({ maxBytes: 1e6 }).maxSize, Infinity);
  assertStrictEquals(resolveServerOptions({ maxBytes: 1e6, maxSize: 5 }).maxSize, 5);
});

Deno.test("resolveServerOptions() keeps as many fingerprints as memory allows unless it is told how many", () => {
  assertStrictEquals(MAX_FORGOTTEN, MAX_FINGERPRINTS);
  for (const [mib, most] of [[76, MAX_FORGOTTEN], [38, 734_822], [4, 367_411]]) { // as documented
    assertStrictEquals(resolveServerOptions({ maxBytes: mib * 2 ** 20 }).maxForgotten, most);
    assert(resolveServerOptions({ maxBytes: (mib - 1) * 2 ** 20 }).maxForgotten < most);
  }
  for (let maxBytes = MIN_STORE_BYTES; maxBytes <= MAX_STORE_BYTES; maxBytes *= 2) {
    assertStrictEquals(resolveServerOptions({ maxBytes }).maxForgotten, mostFingerprints(maxBytes));
    assertStrictEquals(resolveServerOptions({ maxBytes, maxForgotten: 5 }).maxForgotten, 5);
  }
});

Deno.test("resolveServerOptions() names maxForgotten and maxBytes when fingerprints would leave too little for entries", () => {
  const [maxForgotten, bytes] = [100_000, fingerprintBytes(100_000)];
  const least = Math.ceil(bytes / 0.6);
  assertStrictEquals(resolveServerOptions({ maxForgotten, maxBytes: least }).maxForgotten, maxForgotten);
  const { message } = assertThrows(() => resolveServerOptions({ maxForgotten, maxBytes: least - 1 }), RangeError);
  assertStrictEquals(
    message,
    `Cannot create server: the fingerprints of maxForgotten (100000) must take 60 % of maxBytes (${
      least - 1
    }) at most: ` +
      `they would take ${bytes} bytes`,
  );
});

Deno.test("resolveServerOptions() makes a log that never throws", () => {
  const lines: string[] = [];
  const { log } = resolveServerOptions({
    log: (line) => {
      lines.push(line);
      throw new Error("no");
    },
  });
  log("one");
  assertEquals(lines, ["one"]);
});

const BOUNDS: [
  option: keyof ServerOptions & keyof ReturnType<typeof resolveServerOptions>,
  least: number,
  most: number,
  allowed: string,
][] = [
  ["maxBytes", MIN_STORE_BYTES, MAX_STORE_BYTES, `${MIN_STORE_BYTES} to ${MAX_STORE_BYTES}`],
  ["maxItemBytes", MIN_ITEM_BYTES, MAX_ITEM_BYTES, `${MIN_ITEM_BYTES} to ${MAX_ITEM_BYTES}`],
  ["maxForgotten", 0, MAX_FORGOTTEN, `a whole number from 0 to ${MAX_FORGOTTEN}`],
  ["peerLookupIntervalMs", 1000, 2 ** 31 - 1, `1000 to ${2 ** 31 - 1}`],
  ["gossipIntervalMs", 10, 2 ** 31 - 1, `10 to ${2 ** 31 - 1}`],
  ["readyAfterMs", 0, Infinity, "0 or more"],
  ["maxConnections", 1, Infinity, "a whole number of 1 or more, or Infinity"],
  ["maxConnectionsPerAddress", 1, Infinity, "a whole number of 1 or more, or Infinity"],
  ["maxBuffers", MIN_BUFFERS, Infinity, `${MIN_BUFFERS} or more`],
  ["idleTimeoutMs", 1000, Infinity, "1000 or more"],
];

for (const [option, least, most, allowed] of BOUNDS) {
  Deno.test(`resolveServerOptions() takes ${option} within its bounds and names it with them otherwise`, () => {
    for (const value of [least, Math.min(most, 2 * least), most]) {
      assertStrictEquals(resolveServerOptions({ [option]: value })[option], value);
    }
    for (const value of [least - 1, most + 1, NaN, -Infinity]) {
      if (value >= least && value <= most) continue;
      const words = `Cannot create server: ${option} must be ${allowed}: received ${value}`;
      assertThrows(() => resolveServerOptions({ [option]: value }), RangeError, words);
    }
  });
}

const WRONG: [unknown, string][] = [
  [{ ttlMs: "60000" }, 'ttlMs must be 0 to 9007199254740991, or Infinity: received "60000"'],
  [{ maxSize: 1.5 }, "maxSize must be a whole number of 1 or more, or Infinity: received 1.5"],
  [{ maxSize: "128" }, 'maxSize must be a whole number of 1 or more, or Infinity: received "128"'],
  [{ maxBytes: "64MiB" }, 'maxBytes must be 65536 to 17179869184: received "64MiB"'],
  [{ maxConnections: 1.5 }, "maxConnections must be a whole number of 1 or more, or Infinity: received 1.5"],
  [{ renewOnHit: "false" }, 'renewOnHit must be true or false: received "false"'],
  [{ insecure: "no" }, 'insecure must be true or false: received "no"'],
  [{ peers: "a" }, 'peers must be an array of text: received "a"'],
  [{ peers: ["a:0"] }, 'peers must be "host", "host:port" or "[ipv6]:port": received "a:0"'],
  [{ peers: [5] }, 'peers must be "host", "host:port" or "[ipv6]:port": received 5'],
  [{ log: "x" }, 'log must be a function: received "x"'],
  [{ listen: true }, '"[ipv6]:port" or "unix:/path": received true'],
  [{ authToken: 12345678 }, "authToken must be text"],
  [{ authFile: "" }, 'authFile must be the name of a file: received ""'],
  [{ tls: true }, "tls must be an object: received true"],
  [{ tls: { certFile: 5 } }, "tls.certFile must be the name of a file: received 5"],
  [{ tls: { certFile: "a" } }, "tls needs keyFile, or acme"],
  [{ tls: { acme: { host: "a.b", email: 5 } } }, "tls.acme.email must be text: received 5"],
  [{ tls: { acme: { host: "a b" } } }, 'tls.acme.host must be the name of a host: received "a b"'],
  [{ tls: { acme: {} } }, "tls.acme needs host"],
  [{ tls: { acme: { hosts: "a" } } }, "unknown option tls.acme.hosts: did you mean tls.acme.host?"],
  [{ snapshotFile: "" }, 'snapshotFile must be the name of a file: received ""'],
  [
    { snapshotFile: "a", snapshotIntervalMs: 999 },
    "snapshotIntervalMs must be 1000 or more, or Infinity: received 999",
  ],
  [{ snapshotFile: "a", snapshotMaxAgeMs: 0 }, "snapshotMaxAgeMs must be 1 or more, or Infinity: received 0"],
  [{ snapshotIntervalMs: 5000 }, "snapshotIntervalMs and snapshotMaxAgeMs need snapshotFile"],
  [{ snapshotMaxAgeMs: 5000 }, "and snapshotMaxAgeMs need snapshotFile"],
  [{ near: false }, "near must be true or an object: received false"],
  [{ near: { maxSize: 0 } }, "near.maxSize must be a whole number from 1 to 16777215, or Infinity: received 0"],
  [{ near: { maxTotalSize: -1 } }, "near.maxTotalSize must be a number greater than 0: received -1"],
  [{ near: { copies: 1 } }, "near.copies must be true or false: received 1"],
  [{ near: { maxStaleMs: 20 } }, "unknown option near.maxStaleMs: "],
  [{ maxsize: 5 }, "unknown option maxsize: did you mean maxSize?"],
  [{ port: 5 }, "unknown option port: there are listen, http, peers, cluster, maxSize"],
];

for (const [options, words] of WRONG) {
  Deno.test({
    name: `resolveServerOptions() says ${words}`,
    ignore: isOldDeno && words.startsWith("tls"), // which says that first
    fn: () => {
      const error = assertThrows(() => resolveServerOptions(options as ServerOptions));
      assert(error instanceof RangeError || error instanceof TypeError);
      assertStringIncludes(error.message, words);
    },
  });
}
