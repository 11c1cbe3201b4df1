/** Arguments of commands: what is read from them, what is refused, and how they rank beside the environment. */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type Arguments,
  bytesFlag,
  clientSettings,
  numberFlag,
  readArguments,
  secondsFlag,
  settings,
  UsageError,
  wholeFlag,
} from "../../lib/cli/arguments.ts";
import { COMMANDS } from "../../lib/cli/command_table.ts";
import { ConfigError, PREFIX, serverOptions, SETTING_NAMES } from "../../lib/base/settings.ts";

/** Reads the words of a command line. */
function read(...words: string[]): Arguments {
  const [name, ...args] = words;
  return readArguments(COMMANDS.find((command) => command.name === name)!, args);
}

function flagsOf(...words: string[]): Record<string, string> {
  return Object.fromEntries(read(...words).flags);
}

/** Runs where no file and only these variables configure the cache, and puts all back. */
async function withEnvironment(env: Record<string, string>, run: () => void): Promise<void> {
  const names = [...SETTING_NAMES, ...SETTING_NAMES.map((name) => PREFIX + name)];
  const before = new Map(names.map((name) => [name, Deno.env.get(name)]));
  const [folder, home] = [await Deno.makeTempDir(), Deno.cwd()];
  try {
    for (const name of names) Deno.env.delete(name);
    for (const [name, text] of Object.entries(env)) Deno.env.set(name, text);
    Deno.chdir(folder);
    run();
  } finally {
    Deno.chdir(home);
    for (const [name, text] of before) text === undefined ? Deno.env.delete(name) : Deno.env.set(name, text);
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("readArguments() returns operands and options in whatever order they come", () => {
  const flags = new Map([["json", "true"], ["ttl", "5"]]);
  const expected = { command: "store", positional: ["k", "v"], flags, json: true };
  assertEquals(read("store", "k", "v", "--ttl", "5", "--json"), expected);
  assertEquals(read("store", "--json", "--ttl=5", "k", "v"), expected);
  assertEquals(read("store", "k", "--ttl", "5", "v", "--json"), expected);
});

Deno.test("readArguments() leaves operands the text that they are", () => {
  for (const text of ["007", "1e3", "0x10", "", "-", "true", "null", "a=b", "a b", "é"]) {
    assertEquals(read("store", text, text).positional, [text, text]);
  }
  assertEquals(read("store", "--", "--json", "-5").positional, ["--json", "-5"]);
  assertStrictEquals(read("store", "--", "k", "--json").json, false);
});

Deno.test("readArguments() takes any value of an option, though it starts with -", () => {
  assertEquals(flagsOf("serve", "--token-file", "-", "--max-size", "-5"), { "token-file": "-", "max-size": "-5" });
});

Deno.test("readArguments() says that a switch was given", () => {
  assertEquals(flagsOf("serve", "--insecure"), { insecure: "true" });
});

Deno.test("readArguments() takes the last value when an option is given twice", () => {
  assertEquals(flagsOf("serve", "--max-size", "1", "--max-size=2"), { "max-size": "2" });
});

Deno.test("readArguments() returns no option that was not given", () => {
  for (const { name, operands } of COMMANDS) {
    const { flags, json, command } = read(name, ...operands);
    assertEquals([[...flags], json, command], [[], false, name]);
  }
});

Deno.test("readArguments() reads a switch as settings are read, with a value and without", () => {
  for (const on of ["", "=true", "=1", "=yes", "=YES"]) {
    assertEquals(flagsOf("serve", `--renew-on-hit${on}`), { "renew-on-hit": "true" });
    assertEquals(flagsOf("serve", `--no-renew-on-hit${on}`), { "renew-on-hit": "false" });
    assertEquals(flagsOf("serve", `--insecure${on}`), { insecure: "true" });
    assertStrictEquals(read("stats", `--json${on}`).json, true);
  }
  for (const off of ["=false", "=0", "=no", "=No"]) {
    assertEquals(flagsOf("serve", `--renew-on-hit${off}`), { "renew-on-hit": "false" });
    assertEquals(flagsOf("serve", `--no-renew-on-hit${off}`), { "renew-on-hit": "true" });
    assertEquals(flagsOf("serve", `--insecure${off}`), {});
    assertStrictEquals(read("stats", `--json${off}`).json, false);
  }
  assertEquals(flagsOf("serve", "--renew-on-hit", "--no-renew-on-hit"), { "renew-on-hit": "false" });
  assertEquals(flagsOf("serve", "--no-renew-on-hit", "--renew-on-hit"), { "renew-on-hit": "true" });
  for (const flag of ["--renew-on-hit", "--no-renew-on-hit", "--insecure", "--no-tls"]) {
    for (const text of ["maybe", "", "on", "2", "null"]) {
      assertThrows(
        () => read("serve", `${flag}=${text}`),
        UsageError,
        `Cannot run serve: ${flag} must be true, false, 1, 0, yes or no: received "${text}"`,
      );
    }
  }
});

Deno.test("readArguments() reads options whose names begin with no-, and switches that stand before operands", () => {
  const command = {
    ...COMMANDS[0],
    operands: ["KEY"],
    flags: [
      { name: "env-file", argument: "FILE", help: "" },
      { name: "no-env-file", help: "" },
      { name: "no-place", argument: "TEXT", help: "" },
    ],
  };
  const flags = (...args: string[]) => [...readArguments(command, args).flags];
  assertEquals(flags("--no-env-file", "true"), [["no-env-file", "true"]]);
  assertEquals(flags("--no-env-file=no", "k"), []);
  assertEquals(flags("k", "--no-place", "false", "--env-file=true"), [["env-file", "true"], ["no-place", "false"]]);
  assertEquals(flags("k", "--env-file", "a=b\n--c"), [["env-file", "a=b\n--c"]]);
});

Deno.test("readArguments() reads an option of one letter, whether its value stands apart or not", () => {
  for (const words of [["-p", "9"], ["-p9"], ["-p=9"], ["--port", "9"], ["--port=9"]]) {
    assertEquals(flagsOf("serve", ...words), { port: "9" });
    assertEquals(flagsOf("retrieve", "k", ...words), { port: "9" });
  }
  assertThrows(() => read("serve", "-p"), UsageError, "--port needs a value");
});

Deno.test("readArguments() names the option that was probably meant", () => {
  const meant: [string, string][] = [
    ["--max-siz", "--max-size"],
    ["--maxsize=5", "--max-size"],
    ["-max-size", "--max-size"],
    ["--listne", "--listen"],
    ["--no-renew", "--no-renew-on-hit"],
    ["--Insecure", "--insecure"],
  ];
  for (const [word, near] of meant) {
    assertThrows(() => read("serve", word), UsageError, `unknown option ${word}: did you mean ${near}?`);
  }
});

Deno.test("readArguments() reads which file has the settings, or that none has", () => {
  assertEquals(flagsOf("serve", "--env-file", "prod.env"), { "env-file": "prod.env" });
  assertEquals(flagsOf("stats", "--env-file=false"), { "env-file": "false" });
  assertEquals(flagsOf("stats", "--no-env-file"), { "no-env-file": "true" });
  for (const words of [["--no-env-file", "--env-file", "a"], ["--env-file", "a", "--no-env-file"]]) {
    assertThrows(() => settings(read("stats", ...words)), UsageError, "--no-env-file has no use beside --env-file a");
  }
});

Deno.test("readArguments() throws a UsageError that names command and fault when the arguments are wrong", () => {
  const wrong: [string[], string][] = [
    [["store", "k"], "Cannot run store: it takes KEY VALUE: received k"],
    [["store", "a", "b", "c"], "Cannot run store: it takes KEY VALUE: received a b c"],
    [["retrieve"], "Cannot run retrieve: it takes KEY: received none"],
    [["serve", "now"], "Cannot run serve: it takes no operands: received now"],
    [["serve", "--colour"], "Cannot run serve: unknown option --colour"],
    [["serve", "-x"], "Cannot run serve: unknown option -x"],
    [["retrieve", "k", "--ttl", "5"], "Cannot run retrieve: unknown option --ttl"],
    [["retrieve", "k", "--no-json"], "Cannot run retrieve: unknown option --no-json"],
    [["store", "k", "-5"], "unknown option -5; put -- before a value that starts with -"],
    [["serve", "--max-size"], "Cannot run serve: --max-size needs a value"],
    [["serve", "--max-size="], "Cannot run serve: --max-size needs a value"],
    [["serve", "--env-file"], "Cannot run serve: --env-file needs a value"],
    [
      ["serve", "--no-env-file=a"],
      'Cannot run serve: --no-env-file must be true, false, 1, 0, yes or no: received "a"',
    ],
    [["token", "--no-env-file"], "Cannot run token: unknown option --no-env-file"],
  ];
  for (const [words, message] of wrong) assertThrows(() => read(...words), UsageError, message);
});

Deno.test("numberFlag() returns the number, or the default when there is none", () => {
  for (const [text, value] of [["0", 0], ["1", 1], ["0.25", 0.25], ["007", 7], ["1000000000000", 1e12]] as const) {
    assertStrictEquals(numberFlag(read("bench", "--ratio", text), "ratio", 9, 0, 1e12), value);
  }
  assertStrictEquals(numberFlag(read("bench"), "ratio", 9, 10, 20), 9);
});

Deno.test("numberFlag() throws a UsageError that shows bounds and text when the text is no number within them", () => {
  for (const text of ["0", "1.1", "x", "1e1", "-1", "+1", "0x1", "1.", ".5", "NaN", "Infinity"]) {
    assertThrows(
      () => numberFlag(read("bench", `--ratio=${text}`), "ratio", 0.9, 0.1, 1),
      UsageError,
      `Cannot run bench: --ratio must be a number from 0.1 to 1: received "${text}"`,
    );
  }
});

Deno.test("secondsFlag() and bytesFlag() read numbers with units, and throw a UsageError when the text is none", () => {
  for (const [text, value] of [["15", 15], ["15s", 15], ["0.25m", 15], ["1h", 3600], ["1 D", 86_400]] as const) {
    assertStrictEquals(secondsFlag(read("bench", "--duration", text), "duration", 9, 10, 100_000), value);
  }
  for (const [text, value] of [["15", 15], ["2k", 2048], ["2KB", 2048], ["1.5MiB", 1_572_864]] as const) {
    assertStrictEquals(bytesFlag(read("bench", "--value-size", text), "value-size", 9, 10, 2 ** 24), value);
  }
  for (const text of ["9", "101", "1w", "15ms", "s", "-15", "1e1", "x"]) {
    assertThrows(
      () => secondsFlag(read("bench", `--duration=${text}`), "duration", 9, 10, 100),
      UsageError,
      `--duration must be seconds from 10 to 100, such as "90", "10m", "1h" or "1d": received "${text}"`,
    );
    assertThrows(
      () => bytesFlag(read("bench", `--value-size=${text}`), "value-size", 9, 10, 100),
      UsageError,
      `--value-size must be a number of bytes from 10B to 100B: received "${text}"`,
    );
  }
});

Deno.test("wholeFlag() returns a whole number, and throws a UsageError when it is none", () => {
  assertStrictEquals(wholeFlag(read("bench", "--keys", "20"), "keys", 1, 1, 20), 20);
  assertStrictEquals(wholeFlag(read("bench", "--keys", "2.0"), "keys", 1, 1, 20), 2);
  assertStrictEquals(wholeFlag(read("bench"), "keys", 7, 1, 20), 7);
  assertThrows(() => wholeFlag(read("bench", "--keys", "1.5"), "keys", 1, 1, 20), UsageError, "a whole number");
  assertThrows(() => wholeFlag(read("bench", "--keys", "21"), "keys", 1, 1, 20), UsageError, "from 1 to 20");
});

Deno.test("settings() ranks options above the environment, and tells where each text is from", () =>
  withEnvironment({ CACHE_MAX_SIZE: "33", CACHE_EXPIRATION: "22" }, () => {
    const found = settings(read("serve", "--max-size", "44", "--no-renew-on-hit"));
    assertEquals(Object.fromEntries(found), {
      CACHE_EXPIRATION: { text: "22", from: "environment", isPrefixed: false },
      CACHE_MAX_SIZE: { text: "44", from: "--max-size" },
      CACHE_RENEW_ON_HIT: { text: "false", from: "--renew-on-hit" },
    });
  }));

Deno.test("settings() puts --port in place of the port of LISTEN_ON, whatever says where to listen", async () => {
  const listenOf = (...words: string[]) => serverOptions(settings(read("serve", ...words))).listen;
  const cases: [string[], string][] = [
    [["-p", "0"], "0"],
    [["--listen", "0.0.0.0", "-p", "9"], "0.0.0.0:9"],
    [["--port=9", "--listen=[::1]"], "[::1]:9"],
  ];
  for (const LISTEN_ON of ["", "7"]) {
    await withEnvironment({ LISTEN_ON }, () => {
      for (const [words, listen] of cases) assertStrictEquals(listenOf(...words), listen);
    });
  }
  await withEnvironment({ LISTEN_ON: "10.0.0.1:7" }, () => assertStrictEquals(listenOf("-p9"), "10.0.0.1:9"));
  await withEnvironment({ LISTEN_ON: "a:b" }, () => assertThrows(() => listenOf("-p9"), ConfigError, 'received "a:b"'));
  const wrong: [string[], string][] = [
    [["-p", "65536"], '--port must be a whole number from 0 to 65535: received "65536"'],
    [["-p", "a"], '--port must be a whole number from 0 to 65535: received "a"'],
    [["-p", "9", "--listen", "8"], '--port needs a --listen without a port beside it: received "9"'],
    [["-p", "9", "--listen", "a:9"], '--port needs a --listen without a port beside it: received "9"'],
    [["-p", "9", "--listen", "unix:/a"], '--port has no use beside unix:/a (--listen): received "9"'],
  ];
  await withEnvironment({}, () => {
    for (const [words, message] of wrong) assertThrows(() => listenOf(...words), UsageError, message);
  });
});
Deno.test("settings() takes the file that --env-file names in place of .env, and none with --no-env-file", () =>
  withEnvironment({ CACHE_EXPIRATION: "22" }, () => {
    Deno.writeTextFileSync(".env", "PEERS=wrong\n");
    Deno.writeTextFileSync("prod.env", "CACHE_MAX_SIZE=33\nCACHE_EXPIRATION=44\n");
    const inEnvironment = { CACHE_EXPIRATION: { text: "22", from: "environment", isPrefixed: false } };
    assertEquals(Object.fromEntries(settings(read("serve", "--env-file", "prod.env"))), {
      ...inEnvironment,
      CACHE_MAX_SIZE: { text: "33", from: "prod.env", isPrefixed: false },
    });
    assertEquals(Object.fromEntries(settings(read("serve", "--no-env-file"))), inEnvironment);
  }));

Deno.test("settings() refuses a file of --env-file that cannot be read, and one with lines that nobody can", () =>
  withEnvironment({}, () => {
    assertThrows(
      () => settings(read("stats", "--env-file", "prod.env")),
      ConfigError,
      "Cannot read settings from prod.env: ",
    );
    assertThrows(() => settings(read("stats", "--env-file", ".")), ConfigError, "Cannot read settings from .: ");
    assertThrows(() => settings(read("stats", "--env-file", ".env")), ConfigError, "Cannot read settings from .env: ");
    Deno.writeTextFileSync("prod.env", "AUTH_TOKEN=pa$word\n");
    assertThrows(
      () => settings(read("stats", "--env-file", "prod.env")),
      ConfigError,
      "prod.env, line 1: AUTH_TOKEN: variables are not expanded",
    );
  }));

Deno.test("clientSettings() names the server of the option, else of the environment, else of this machine", async () => {
  const serversOf = (...words: string[]) => clientSettings(read(...words)).servers;
  await withEnvironment({}, () => {
    assertEquals(serversOf("stats"), ["127.0.0.1:11142"]);
    assertEquals(serversOf("stats", "--server", "a,b:7"), ["a:11142", "b:7"]);
    assertEquals(serversOf("stats", "--server", "a,b:7", "-p", "9"), ["a:9", "b:7"]);
    assertEquals(serversOf("stats", "-p9"), ["127.0.0.1:9"]);
  });
  await withEnvironment({ SERVER_PORT: "9" }, () => assertEquals(serversOf("stats"), ["127.0.0.1:9"]));
  await withEnvironment({ SERVER_HOST: "c", SERVER_PORT: "9" }, () => {
    assertEquals(serversOf("stats"), ["c:9"]);
    assertEquals(serversOf("stats", "--server", "a"), ["a:9"]);
  });
  const both = { SERVER_HOST: "c", ORMUCO_SERVER_HOST: "d", ORMUCO_CACHE_EXPIRATION: "5" };
  await withEnvironment(both, () => {
    assertEquals(clientSettings(read("stats")), { ...clientSettings(read("stats", "--server", "d")), ttlMs: 5000 });
    assertEquals(serversOf("stats", "--server", "a"), ["a:11142"]);
  });
});

Deno.test("clientSettings() never leaves a command without a server", async () => {
  await withEnvironment({}, () => {
    for (const server of [",", " , ", "a:0"]) {
      assertThrows(
        () => clientSettings(read("store", "k", "v", "--server", server)),
        ConfigError,
        "SERVER_HOST (--server)",
      );
    }
    assertThrows(
      () => clientSettings(read("store", "k", "v", "--server", " ")),
      UsageError,
      "--server names no server",
    );
    assertThrows(() => serverOptions(settings(read("serve", "--peers", ","))), ConfigError, "PEERS (--peers)");
  });
  await withEnvironment({ SERVER_HOST: "," }, () => {
    assertThrows(() => clientSettings(read("store", "k", "v")), ConfigError, "SERVER_HOST (environment)");
  });
  await withEnvironment({ SERVER_HOST: " " }, () => {
    assertEquals(clientSettings(read("store", "k", "v")).servers, ["127.0.0.1:11142"]);
  });
});

Deno.test("clientSettings() reads the time-out as seconds", () =>
  withEnvironment({ NETWORK_TIMEOUT: "3" }, () => {
    assertStrictEquals(clientSettings(read("stats")).timeoutMs, 3000);
    assertStrictEquals(clientSettings(read("stats", "--timeout", "0.5")).timeoutMs, 500);
  }));
