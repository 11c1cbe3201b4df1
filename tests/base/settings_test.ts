/** Settings as text: what each accepts and becomes, and what the error says when it does not. */

import { assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import {
  CLIENT_SETTING_NAMES,
  clientOptions,
  ConfigError,
  ownSettings,
  serverOptions,
  SETTING_NAMES,
  type Settings,
} from "../../lib/base/settings.ts";

function settings(texts: Record<string, string>, from = "environment"): Settings {
  return new Map(Object.entries(texts).map(([name, text]) => [name, { text, from }]));
}

const NO_CLIENT_SETTINGS = {
  servers: [],
  ttlMs: undefined,
  maxSize: undefined,
  renewOnHit: undefined,
};
const NO_SERVER_SETTINGS = {
  listen: undefined,
  http: undefined,
  peers: undefined,
  cluster: undefined,
  advertise: undefined,
  peerLookupIntervalMs: undefined,
  gossipIntervalMs: undefined,
  readyAfterMs: undefined,
  snapshotFile: undefined,
  snapshotIntervalMs: undefined,
  snapshotMaxAgeMs: undefined,
  maxSize: undefined,
  maxBytes: undefined,
  maxItemBytes: undefined,
  maxForgotten: undefined,
  maxBuffers: undefined,
  maxConnections: undefined,
  maxConnectionsPerAddress: undefined,
  idleTimeoutMs: undefined,
  ttlMs: undefined,
  renewOnHit: undefined,
  authToken: undefined,
  authTokenFile: undefined,
  authFile: undefined,
  peerToken: undefined,
  peerTokenFile: undefined,
  tls: undefined,
};

Deno.test("SETTING_NAMES lists every variable", () => {
  assertEquals(
    [...SETTING_NAMES].sort(),
    [
      ...["CACHE_EXPIRATION", "CACHE_MAX_BYTES", "CACHE_MAX_SIZE", "CACHE_RENEW_ON_HIT", "GOSSIP_INTERVAL"],
      ...["CACHE_MAX_ITEM_BYTES", "CACHE_MAX_FORGOTTEN", "CACHE_MAX_BUFFERS", "CACHE_IDLE_TIMEOUT"],
      ...["CACHE_MAX_CONNECTIONS", "CACHE_MAX_CONNECTIONS_PER_ADDRESS"],
      ...[
        "AUTH_TOKEN",
        "AUTH_TOKEN_FILE",
        "AUTH_FILE",
        "PEER_TOKEN",
        "PEER_TOKEN_FILE",
        "PEER_LOOKUP_INTERVAL",
        "ADVERTISE",
      ],
      ...["TLS", "TLS_CERT", "TLS_KEY", "TLS_CA", "TLS_CLIENT_CA"],
      ...["ACME_HOST", "ACME_EMAIL", "ACME_DIRECTORY", "ACME_FOLDER", "ACME_LISTEN_ON"],
      ...[
        "LOG_FORMAT",
        "LOG_LEVEL",
        "LISTEN_ON",
        "NETWORK_TIMEOUT",
        "PEERS",
        "CLUSTER",
        "READY_AFTER",
        "SNAPSHOT_FILE",
        "SNAPSHOT_INTERVAL",
        "SNAPSHOT_MAX_AGE",
        "SERVER_HOST",
        "SERVER_PORT",
        "HTTP_ON",
      ],
    ].sort(),
  );
});

Deno.test("clientOptions() and serverOptions() leave every option to its default when settings are absent or blank", () => {
  for (const blank of ["", " ", "\t\n "]) {
    const blanks = settings(Object.fromEntries(SETTING_NAMES.map((name) => [name, blank])));
    for (const found of [settings({}), blanks]) {
      assertEquals(clientOptions(found), NO_CLIENT_SETTINGS);
      assertEquals(serverOptions(found), NO_SERVER_SETTINGS);
    }
  }
});

Deno.test("clientOptions() and serverOptions() take every setting of theirs when all are given", () => {
  const all = settings({
    CACHE_MAX_SIZE: "500",
    CACHE_MAX_BYTES: "1MiB",
    CACHE_MAX_ITEM_BYTES: "2MiB",
    CACHE_MAX_FORGOTTEN: "1000",
    CACHE_MAX_BUFFERS: "64MiB",
    CACHE_MAX_CONNECTIONS: "5000",
    CACHE_MAX_CONNECTIONS_PER_ADDRESS: "50",
    CACHE_IDLE_TIMEOUT: "300",
    CACHE_EXPIRATION: "60",
    CACHE_RENEW_ON_HIT: "no",
    NETWORK_TIMEOUT: "2.5",
    SERVER_HOST: "cache-1,cache-2:7",
    SERVER_PORT: "9",
    LISTEN_ON: "0.0.0.0:9",
    HTTP_ON: "10",
    PEERS: "a,b:7",
    CLUSTER: "blue",
    ADVERTISE: "cache.example:7",
    PEER_LOOKUP_INTERVAL: "60",
    GOSSIP_INTERVAL: "0.5",
    READY_AFTER: "45",
    SNAPSHOT_FILE: "snapshot",
    SNAPSHOT_INTERVAL: "60",
    SNAPSHOT_MAX_AGE: "1d",
    AUTH_TOKEN: "web:secret-of-web",
    AUTH_TOKEN_FILE: "/run/secrets/token",
    AUTH_FILE: "auth",
    PEER_TOKEN: "secret-of-peers",
    PEER_TOKEN_FILE: "peers",
    TLS: "true",
    TLS_CERT: "/cert.pem",
    TLS_KEY: "/key.pem",
    TLS_CA: "/ca.pem",
    TLS_CLIENT_CA: "/clients.pem",
  });
  const files = { caFile: "/ca.pem", certFile: "/cert.pem", keyFile: "/key.pem" };
  const token = { authToken: "web:secret-of-web", authTokenFile: "/run/secrets/token" };
  const shared = { maxSize: 500, ttlMs: 60_000, renewOnHit: false, ...token };
  assertEquals(clientOptions(all), {
    ...token,
    ttlMs: 60_000,
    servers: ["cache-1:9", "cache-2:7"],
    timeoutMs: 2500,
    tlsFiles: files,
  });
  assertEquals(serverOptions(all), {
    ...shared,
    listen: "0.0.0.0:9",
    http: "10",
    peers: ["a", "b:7"],
    cluster: "blue",
    advertise: "cache.example:7",
    peerLookupIntervalMs: 60_000,
    gossipIntervalMs: 500,
    readyAfterMs: 45_000,
    snapshotFile: "snapshot",
    snapshotIntervalMs: 60_000,
    snapshotMaxAgeMs: 86_400_000,
    maxBytes: 2 ** 20,
    maxItemBytes: 2 ** 21,
    maxForgotten: 1000,
    maxBuffers: 2 ** 26,
    maxConnections: 5000,
    maxConnectionsPerAddress: 50,
    idleTimeoutMs: 300_000,
    authFile: "auth",
    peerToken: "secret-of-peers",
    peerTokenFile: "peers",
    tls: { ...files, acme: undefined, clientCaFile: "/clients.pem", required: true },
  });
});

interface Row {
  name: string;
  allowed: string;
  /** Texts that are accepted, and what they become. */
  good: [text: string, value: unknown][];
  bad: string[];
}

const NO_NUMBERS = ["-1", "+5", "1e3", "0x10", "1_000", "1,5", ".5", "5.", "5 5", "Infinity", "NaN", "five", "٣"];

function withSnapshot(found: Settings) {
  return serverOptions(new Map([...found, ["SNAPSHOT_FILE", { text: "snapshot", from: "" }]]));
}

/** Option of each setting, in the server's options or the client's. */
const OPTIONS: Record<string, (found: Settings) => unknown> = {
  CACHE_MAX_SIZE: (found) => serverOptions(found).maxSize,
  CACHE_MAX_BYTES: (found) => serverOptions(found).maxBytes,
  CACHE_MAX_ITEM_BYTES: (found) => serverOptions(found).maxItemBytes,
  CACHE_MAX_FORGOTTEN: (found) => serverOptions(found).maxForgotten,
  CACHE_MAX_BUFFERS: (found) => serverOptions(found).maxBuffers,
  CACHE_MAX_CONNECTIONS: (found) => serverOptions(found).maxConnections,
  CACHE_MAX_CONNECTIONS_PER_ADDRESS: (found) => serverOptions(found).maxConnectionsPerAddress,
  CACHE_IDLE_TIMEOUT: (found) => serverOptions(found).idleTimeoutMs,
  CACHE_EXPIRATION: (found) => serverOptions(found).ttlMs,
  CACHE_RENEW_ON_HIT: (found) => clientOptions(found).renewOnHit,
  NETWORK_TIMEOUT: (found) => clientOptions(new Map([...found, ["SERVER_HOST", { text: "h", from: "" }]])).timeoutMs,
  SERVER_PORT: (found) => clientOptions(new Map([...found, ["SERVER_HOST", { text: "h", from: "" }]])).servers,
  SERVER_HOST: (found) => clientOptions(found).servers,
  LISTEN_ON: (found) => serverOptions(found).listen,
  HTTP_ON: (found) => serverOptions(found).http,
  PEERS: (found) => serverOptions(found).peers,
  TLS: (found) => clientOptions(new Map([...found, ["SERVER_HOST", { text: "h", from: "" }]])).tlsFiles,
  CLUSTER: (found) => serverOptions(found).cluster,
  ADVERTISE: (found) => serverOptions(found).advertise,
  PEER_LOOKUP_INTERVAL: (found) => serverOptions(found).peerLookupIntervalMs,
  GOSSIP_INTERVAL: (found) => serverOptions(found).gossipIntervalMs,
  READY_AFTER: (found) => serverOptions(found).readyAfterMs,
  SNAPSHOT_INTERVAL: (found) => withSnapshot(found).snapshotIntervalMs,
  SNAPSHOT_MAX_AGE: (found) => withSnapshot(found).snapshotMaxAgeMs,
};

const ROWS: Row[] = [
  {
    name: "TLS",
    allowed: "true, false, 1, 0, yes or no",
    good: [["no", undefined], ["1", { caFile: undefined, certFile: undefined, keyFile: undefined }]],
    bad: ["on", "required"],
  },
  {
    name: "CACHE_MAX_SIZE",
    allowed: "a whole number of entries from 1 to 16777215 (CACHE_MAX_BYTES limits their memory)",
    good: [["1", 1], ["16777215", 16_777_215], [" 128\n", 128], ["007", 7]],
    bad: ["0", "16777216", "1.5", "64MB", ...NO_NUMBERS],
  },
  {
    name: "CACHE_MAX_ITEM_BYTES",
    allowed: 'a number of bytes from 1KiB to 16MiB, such as "2048" or "2KiB"',
    good: [["1024", 1024], ["1kib", 1024], ["16MiB", 2 ** 24]],
    bad: ["1023", "16777217", "17MiB", "1 KiBs"],
  },
  {
    name: "CACHE_MAX_BYTES",
    allowed: 'a number of bytes from 64KiB to 16GiB, such as "131072" or "128KiB"',
    good: [["65536", 65536], ["64KiB", 65536], ["64MB", 2 ** 26], ["1.5g", 1.5 * 2 ** 30], ["16GiB", 2 ** 34]],
    bad: ["0", "65535", "63.9KiB", "17179869185", "16.1GiB", "1TiB", "1 XB", "9999TiB", ...NO_NUMBERS],
  },
  {
    name: "CACHE_MAX_FORGOTTEN",
    allowed: "a whole number of writes from 0 to 1469644",
    good: [["0", 0], ["1", 1], ["1469644", 1_469_644]],
    bad: ["1469645", "0.5", "1MiB", ...NO_NUMBERS],
  },
  {
    name: "CACHE_MAX_BUFFERS",
    allowed: 'a number of bytes from 18MiB to 16GiB, such as "37748736" or "36MiB"',
    good: [["18MiB", 18 * 2 ** 20], ["37748736", 36 * 2 ** 20], ["16GiB", 2 ** 34]],
    bad: ["0", "17.9MiB", "16.1GiB", ...NO_NUMBERS],
  },
  {
    name: "CACHE_MAX_CONNECTIONS",
    allowed: "a whole number of connections from 1 to 1000000",
    good: [["1", 1], ["1000000", 1_000_000]],
    bad: ["0", "1000001", "1.5", ...NO_NUMBERS],
  },
  {
    name: "CACHE_MAX_CONNECTIONS_PER_ADDRESS",
    allowed: "a whole number of connections from 0 (no limit) to 1000000",
    good: [["0", undefined], ["1", 1], ["1000000", 1_000_000]],
    bad: ["1000001", "1.5", ...NO_NUMBERS],
  },
  {
    name: "CACHE_IDLE_TIMEOUT",
    allowed: '0 (never), or seconds from 1 to 1000000, such as "90", "10m", "1h" or "1d"',
    good: [["0", undefined], ["0s", undefined], ["1", 1000], ["1.5", 1500], ["1000000", 1e9], ["5m", 300_000], [
      "2H",
      7.2e6,
    ]],
    bad: ["0.9", "1000001", "12d", "5min", "5ms", ...NO_NUMBERS],
  },
  {
    name: "CACHE_EXPIRATION",
    allowed: 'seconds from 0 (never) to 1000000000, such as "90", "10m", "1h" or "1d"',
    good: [["0", 0], ["3600", 3_600_000], ["0.5", 500], ["1000000000", 1e12], ["90s", 90_000], ["1.5 h", 5.4e6], [
      "30D",
      2.592e9,
    ]],
    bad: ["1000000001", "1000000000.1", "11575d", "1w", "h", "1h30m", ...NO_NUMBERS],
  },
  {
    name: "CACHE_RENEW_ON_HIT",
    allowed: "true, false, 1, 0, yes or no",
    good: [["true", true], ["1", true], [" Yes ", true], ["FALSE", false], ["0", false], ["no", false]],
    bad: ["on", "off", "y", "n", "2", "t", "00", "truefalse", "null"],
  },
  {
    name: "NETWORK_TIMEOUT",
    allowed: 'seconds from 0.001 to 1000000, such as "90", "10m", "1h" or "1d"',
    good: [["0.001", 1], ["1.0", 1000], ["1s", 1000], ["1000000", 1e9]],
    bad: ["0", "0.0009", "1000001", "1ms", ...NO_NUMBERS],
  },
  {
    name: "SERVER_PORT",
    allowed: "a port from 1 to 65535",
    good: [["1", ["h:1"]], ["65535", ["h:65535"]]],
    bad: ["0", "65536", "80.5", "http", ...NO_NUMBERS],
  },
  {
    name: "SERVER_HOST",
    allowed: 'hosts as "host", "host:port", "[ipv6]:port" or "unix:/path", separated by commas',
    good: [
      ["localhost", ["localhost:11142"]],
      ["a.example , b:5,, [::1],[fe80::1]:6,", ["a.example:11142", "b:5", "[::1]:11142", "[fe80::1]:6"]],
      ["unix:/run/cache.sock,10.0.0.1", ["unix:/run/cache.sock", "10.0.0.1:11142"]],
    ],
    bad: [
      ",",
      " , ,",
      "a:0",
      "a,b:0",
      "a:b",
      "a:70000",
      "http://a",
      "::1",
      "11142",
      "a b",
      "user@a",
      "a:",
      ":5",
      "unix:",
      "[::1",
      "good,b:ad",
      "a;b",
    ],
  },
  {
    name: "LISTEN_ON",
    allowed: '"port" (0 to 65535), "host:port", "[ipv6]:port" or "unix:/path"',
    good: ["11142", "0", "0.0.0.0:5", "[::]:5", "localhost", "unix:/run/cache.sock", " 7 "].map((
      text,
    ) => [text, text.trim()]),
    bad: ["65536", ":5", "a:99999", "unix:", "::1", "a:b", "tcp://a:5"],
  },
  {
    name: "HTTP_ON",
    allowed: '"port" (0 to 65535), "host:port", "[ipv6]:port" or "unix:/path"',
    good: ["9100", "0", "0.0.0.0:5", "localhost", "unix:/run/http.sock"].map((text) => [text, text]),
    bad: ["on", "true ", "65536", ":5", "unix:", "http://a:5"],
  },
  {
    name: "PEERS",
    allowed: 'peers as "host", "host:port" or "[ipv6]:port", separated by commas',
    good: [["a", ["a"]], [" a , b:1 ,[::1]:2,", ["a", "b:1", "[::1]:2"]]],
    bad: [",", ",,", "a:0", "unix:/run/cache.sock", "a,unix:/x", "a:b", "11142", "a,:5"],
  },
  {
    name: "CLUSTER",
    allowed: "the name of a cluster (a name has 1 to 64 letters, digits, and characters of ._@-)",
    good: [["blue", "blue"], [" eu-1.blue ", "eu-1.blue"], ["x".repeat(64), "x".repeat(64)]],
    bad: ["a b", "é", "a,b", "x".repeat(65)],
  },
  {
    name: "ADVERTISE",
    allowed: 'where others reach it, as "host", "host:port" or "[ipv6]:port"',
    good: [["a", "a"], [" [::1]:2 ", "[::1]:2"], ["10.0.0.1:7", "10.0.0.1:7"]],
    bad: [",", "a,", "a,b", "a:0", "unix:/run/cache.sock", "a:b", "11142", ":5", "0.0.0.0:7", "[::]"],
  },
  {
    name: "PEER_LOOKUP_INTERVAL",
    allowed: 'seconds from 1 to 1000000, such as "90", "10m", "1h" or "1d"',
    good: [["1", 1000], ["30.5", 30_500], ["1000000", 1e9]],
    bad: ["0", "0.9", "1000001", ...NO_NUMBERS],
  },
  {
    name: "GOSSIP_INTERVAL",
    allowed: 'seconds from 0.01 to 1000000, such as "90", "10m", "1h" or "1d"',
    good: [["0.01", 10], ["1.0", 1000], ["1000000", 1e9]],
    bad: ["0", "0.009", "1000001", ...NO_NUMBERS],
  },
  {
    name: "READY_AFTER",
    allowed: "seconds from 0 to 1000000",
    good: [["0", 0], ["2.5", 2500], ["1000000", 1e9]],
    bad: ["1000001", ...NO_NUMBERS],
  },
  {
    name: "SNAPSHOT_INTERVAL",
    allowed: '0 (at a stop only), or seconds from 1 to 1000000, such as "90", "10m", "1h" or "1d"',
    good: [["0", Infinity], ["1", 1000], ["5m", 300_000]],
    bad: ["0.5", "1000001", ...NO_NUMBERS],
  },
  {
    name: "SNAPSHOT_MAX_AGE",
    allowed: '0 (any age), or seconds from 1 to 1000000000, such as "90", "10m", "1h" or "1d"',
    good: [["0", Infinity], ["1", 1000], ["1d", 86_400_000]],
    bad: ["0.5", "1000000001", ...NO_NUMBERS],
  },
];

const HOST = settings({ SERVER_HOST: "a" });
/** Like `clientOptions`, where there is a server. */
const withServer = (found: Settings) => clientOptions(found);
/** Who refuses a bad setting, if not servers alone; the others pass over it, since it may be another program's. */
const READERS: Record<string, ((found: Settings) => unknown)[]> = {
  SERVER_HOST: [clientOptions],
  SERVER_PORT: [withServer],
  NETWORK_TIMEOUT: [withServer],
  TLS: [withServer, serverOptions],
  CACHE_EXPIRATION: [clientOptions, withServer, serverOptions],
  CACHE_MAX_SIZE: [clientOptions, serverOptions],
  CACHE_RENEW_ON_HIT: [clientOptions, serverOptions],
};

Deno.test("clientOptions() and serverOptions() pass over what only the other, or a client with a server, looks at", () => {
  const bad = "\0";
  const texts = Object.fromEntries(SETTING_NAMES.map((name) => [name, bad]));
  const without = (...names: string[]) =>
    settings({ ...texts, ...Object.fromEntries(names.map((name) => [name, ""])) });
  const alone = ["SERVER_HOST", "CACHE_EXPIRATION", "CACHE_MAX_SIZE", "CACHE_RENEW_ON_HIT"];
  assertEquals(clientOptions(without(...alone)), NO_CLIENT_SETTINGS);
  const ofClients = CLIENT_SETTING_NAMES.filter((name) =>
    !["SERVER_HOST", "CACHE_MAX_SIZE", "CACHE_RENEW_ON_HIT"].includes(name)
  );
  assertEquals(clientOptions(new Map([...without(...ofClients), ...HOST])).servers, ["a:11142"]);
  const notOfServers = ["SERVER_HOST", "SERVER_PORT", "NETWORK_TIMEOUT"];
  const onlyThose = settings(Object.fromEntries(notOfServers.map((name) => [name, bad])));
  assertEquals(serverOptions(onlyThose), NO_SERVER_SETTINGS);
});

Deno.test("ownSettings() takes those without the prefix for the program's own where one has it", () => {
  const plain = settings({ SERVER_HOST: "0.0.0.0", SERVER_PORT: "http", PEERS: "x" });
  assertEquals(ownSettings(plain), { own: plain, others: [] });
  const own = new Map([["NETWORK_TIMEOUT", { text: "2", from: ".env", isPrefixed: true }]]);
  assertEquals(ownSettings(new Map([...plain, ...own])), { own, others: ["SERVER_HOST", "SERVER_PORT"] });
});

Deno.test("ConfigError names a setting as it is called where it was found", () => {
  const found = new Map([["CACHE_EXPIRATION", { text: "x", from: ".env", isPrefixed: true }]]);
  for (const read of [clientOptions, serverOptions]) {
    assertThrows(() => read(found), ConfigError, "Cannot use ORMUCO_CACHE_EXPIRATION (.env): it must be seconds");
  }
});

for (const { name, allowed, good, bad } of ROWS) {
  Deno.test(`${name} becomes its option when the text is allowed`, () => {
    for (const [text, value] of good) assertEquals(OPTIONS[name](settings({ [name]: text })), value, `"${text}"`);
  });

  Deno.test(`${name} is a ConfigError that names variable, source, value and what is allowed when it is not`, () => {
    for (const text of bad) {
      for (const from of ["environment", ".env", "--flag"]) {
        for (const read of READERS[name] ?? [serverOptions]) {
          const found = new Map([...(read === withServer ? HOST : []), ...settings({ [name]: text }, from)]);
          const error = assertThrows(() => read(found), ConfigError);
          assertStrictEquals(error.message, `Cannot use ${name} (${from}): it must be ${allowed}: received "${text}"`);
          assertStrictEquals(error.name, "ConfigError");
          assertInstanceOf(error, RangeError);
        }
      }
    }
  });
}

Deno.test("PEERS takes a host when its name ends in unix", () => {
  assertEquals(serverOptions(settings({ PEERS: "munix:11142" })).peers, ["munix:11142"]);
});

Deno.test("ConfigError shows the text as it was found when it has blanks around it", () => {
  const error = assertThrows(() => serverOptions(settings({ CACHE_MAX_SIZE: " many " })), ConfigError);
  assertStrictEquals(
    error.message,
    'Cannot use CACHE_MAX_SIZE (environment): it must be a whole number of entries from 1 to 16777215 (CACHE_MAX_BYTES limits their memory): received " many "',
  );
});

Deno.test("clientOptions() gives SERVER_PORT to the hosts without a port when both are set", () => {
  const found = settings({ SERVER_HOST: "a,b:1,[::1],[::1]:2,unix:/x", SERVER_PORT: "5" });
  assertEquals(clientOptions(found).servers, ["a:5", "b:1", "[::1]:5", "[::1]:2", "unix:/x"]);
  assertEquals(clientOptions(settings({ SERVER_PORT: "5" })).servers, []);
});

Deno.test("serverOptions() shows no token that it refuses", () => {
  for (const name of ["AUTH_TOKEN", "PEER_TOKEN"]) {
    for (const text of ["SECRET", "SECRET SECRET", "SECRET:SECRET:SECRET", "SECRET:é", `S${"X".repeat(300)}`]) {
      const error = assertThrows(() => serverOptions(settings({ [name]: text })), ConfigError, `Cannot use ${name} (`);
      assertEquals(error.message.includes("SECRET") || error.message.includes("XX"), false, error.message);
    }
  }
});

Deno.test("clientOptions() reads a token where there are servers, and passes over those of other programs where there are none", () => {
  const { authToken, authTokenFile } = clientOptions(settings({ SERVER_HOST: "a", AUTH_TOKEN: "secret-of-all" }));
  assertEquals([authToken, authTokenFile], ["secret-of-all", undefined]);
  assertEquals(clientOptions(settings({ SERVER_HOST: "a", AUTH_TOKEN_FILE: "/t" })).authTokenFile, "/t");
  assertEquals("authToken" in clientOptions(settings({ AUTH_TOKEN: "x y", PEER_TOKEN: "x y" })), false);
  assertThrows(() => clientOptions(settings({ SERVER_HOST: "a", AUTH_TOKEN: "x y" })), ConfigError);
});
