/** What stats, peers, explain and top show on terminals of 80 and of 40 columns, and what top does with a terminal, as tmux has one. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { KeyExplanation } from "../../lib/base/explanation.ts";
import { writeControl } from "../../lib/wire/control.ts";
import { REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { FakeServer } from "../support/fake_server.ts";
import { peerStats } from "../support/peer_stats.ts";
import { freeAddress } from "../support/ports.ts";
import { denoArguments, run, serve } from "../support/processes.ts";
import { distinctStats } from "../support/server_stats.ts";
import { hasTmux, type Terminal, Tmux } from "../support/tmux.ts";
import { until } from "../support/waiting.ts";

const cli = (...args: string[]) => [Deno.execPath(), ...denoArguments("cli.ts"), ...args];

function tmuxTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !hasTmux, fn });
}

const PEERS = Array.from({ length: 10 }, (_, i) => {
  const address = `[2001:db8:1234:5678:9abc:def0:1234:${i}678]:11142`;
  const error = i % 3 === 0 ? `Cannot use server ${address}: Network is unreachable (os error 101)` : "";
  const state = i % 3 === 0 ? "waiting" : i % 3 === 1 ? "other-cluster" : "connected";
  return peerStats({
    address,
    state,
    ready: i > 5,
    error,
    lag: i * 1_234_567,
    lagMs: i * 98_765,
    entriesSent: 123_456_789,
  });
});

const EXPLAINED: KeyExplanation = {
  ...{ server: 5, state: "cleared", version: 375_798_829_633_536, origin: 77, ageMs: 123_456_789 },
  prefix: `人口:${"long-".repeat(30)}`,
};

/** A server with long names and large numbers, which does a million things a second. */
function busyServer(): FakeServer {
  const large = Object.entries(distinctStats()).map((
    [name, value],
  ) => [name, Number.isFinite(value) ? Number(value) * 12_345_678 : value]);
  let looks = 0;
  return new FakeServer((code, output) => {
    const done = 1e6 * ++looks;
    const counted = { uptimeMs: 1000 * looks, requests: done, hits: done, misses: done, evictions: done };
    const missesByReason = { absent: done, expired: done, evicted: 0, deleted: 0, cleared: 0, superseded: 0 };
    const stats = { ...Object.fromEntries(large), ...counted, missesByReason, server: "s".repeat(100), peers: PEERS };
    writeControl(output, REPLY.data, code === REQUEST.stats ? stats : { ...EXPLAINED });
  });
}

tmuxTest("stats, peers, explain and top need no line that a terminal has to wrap", async () => {
  await using server = busyServer();
  await using tmux = await Tmux.start();
  const at = ["--server", `${server.address},${freeAddress()}`];
  for (const columns of [80, 40]) {
    const shown = await Promise.all([["stats"], ["peers"], ["explain", "k"]].map(async (command) => {
      const terminal = await tmux.run(cli(...command, ...at), columns);
      assertEquals(await terminal.end(), 0);
      const [lines, printed] = [await terminal.lines(), await terminal.printed()];
      assertEquals(printed, lines, `${command} in ${columns}`);
      for (const line of printed) assert(line.length <= columns, line);
      return printed.join("\n");
    }));
    assertStringIncludes(shown[0], "peers            3 connected of 10");
    assertStringIncludes(shown[1], "9678]:11142");
    assertMatch(shown[2], /^127\.0\.0\.1:\d+ does not hold it\n {2}all that begins with/);
    const terminal = await tmux.run(cli("top", ...at), columns, 30);
    const lines = await terminal.shows(/every 1 s/);
    assertEquals([await terminal.printed(), lines.length], [await terminal.lines(), 30]);
    assertMatch(lines.join("\n"), /^127\.0\.0\.1:\d+ +ready +1,000,000\b/m);
    assertMatch(lines.join("\n"), /^127\.0\.0\.1:\d+ +no answer/m);
    assertMatch(lines.at(-1)!, /^… \d+ more lines$/);
    await terminal.type("q");
    assertEquals(await terminal.end(), 0);
  }
});

/** Runs `top` in a shell, as somebody does who goes on working afterwards. */
function topInShell(tmux: Tmux, ...args: string[]): Promise<Terminal> {
  return tmux.run(["sh", "-c", 'echo before; "$@"; echo "status $?"; exec cat', "sh", ...cli("top", ...args)], 80);
}

/** The process that the shell of a terminal runs. */
async function childOf(terminal: Terminal): Promise<number> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "pid=", "--ppid", await terminal.is("pane_pid")] })
    .output();
  return Number(new TextDecoder().decode(stdout));
}

async function settingsOf(terminal: Terminal): Promise<string> {
  const { stdout } = await new Deno.Command("stty", { args: ["-F", await terminal.is("pane_tty"), "-a"] }).output();
  return new TextDecoder().decode(stdout);
}

tmuxTest("top gives the terminal back as it was, by whatever it ends", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  await using tmux = await Tmux.start();
  const ends: [string, (terminal: Terminal) => Promise<void>][] = [
    ["q", (terminal) => terminal.type("q")],
    ["Ctrl-C", (terminal) => terminal.type("C-c")],
    ["SIGTERM", async (terminal) => Deno.kill(await childOf(terminal), "SIGTERM")],
    ["SIGINT", async (terminal) => Deno.kill(await childOf(terminal), "SIGINT")],
  ];
  for (const [name, end] of ends) {
    const terminal = await topInShell(tmux, "--server", server.address, "--interval", "0.1");
    await terminal.shows(/every 0\.1 s/);
    assertEquals([await terminal.is("alternate_on"), await terminal.is("cursor_flag")], ["1", "0"], name);
    assertMatch(await settingsOf(terminal), / -icanon.* -echo /s);
    await end(terminal);
    assertEquals(await terminal.shows(/status/), ["before", "status 0"], name);
    assertEquals([await terminal.is("alternate_on"), await terminal.is("cursor_flag")], ["0", "1"], name);
    assertMatch(await settingsOf(terminal), / icanon.* echo /s);
  }
  const counted = await topInShell(tmux, "--server", freeAddress(), "--count", "1");
  assertEquals(await counted.shows(/status/), ["before", "status 3"], "nobody has answered");
});

tmuxTest(
  "a terminal that top has taken is given back also where an error ends the process that nobody caught",
  async () => {
    await using tmux = await Tmux.start();
    const screen = import.meta.resolve("../../lib/cli/screen.ts");
    const code =
      `import { Screen } from "${screen}"; new Screen().open(() => {}); setTimeout(() => { throw new Error("fault"); });`;
    const words = [Deno.execPath(), "eval", "--quiet", "--no-config", code];
    const terminal = await tmux.run(["sh", "-c", '"$@"; echo "status $?"; exec cat', "sh", ...words], 80);
    assertMatch((await terminal.shows(/status/)).join("\n"), /fault[^]*status 1$/);
    assertEquals([await terminal.is("alternate_on"), await terminal.is("cursor_flag")], ["0", "1"]);
    assertMatch(await settingsOf(terminal), / icanon.* echo /s);
  },
);

tmuxTest("top follows the size of the terminal", async () => {
  await using server = busyServer();
  await using tmux = await Tmux.start();
  const terminal = await tmux.run(cli("top", "--server", server.address, "--interval", "60"), 80);
  const wide = await terminal.shows(/evicted\/s +connections/);
  await terminal.resize(40, 10);
  const narrow = await terminal.shows(/^… \d+ more lines$/m).then(() => terminal.shows(/requests\/s$/m));
  assertEquals([wide.length, narrow.length], [24, 10]);
  await terminal.resize(120, 50);
  await terminal.shows(/9678\]:11142: Cannot use server/);
});

tmuxTest("top says that a server has gone, that it is back, and that it was started again", async () => {
  await using tmux = await Tmux.start();
  const at = freeAddress();
  const first = await serve(["--listen", at]);
  await run("cli.ts", ["store", "k", "v", "--server", at]);
  const terminal = await tmux.run(cli("top", "--server", at, "--interval", "0.1"), 80);
  await terminal.shows(/ ready .*every 0\.1 s|every 0\.1 s.* ready /s);
  await first.stop();
  await terminal.shows(new RegExp(`${at} +no answer +- [^]*Cannot use server ${at}: `));
  await using _again = await serve(["--listen", at]);
  const lines = await terminal.shows(/was started again \d+ s ago/);
  assertMatch(lines.join("\n"), new RegExp(`${at} +ready `));
});

tmuxTest("top colours what is not well, unless NO_COLOR asks for none", async () => {
  const at = freeAddress();
  for (const [env, coloured] of [[{ NO_COLOR: "1" }, false], [{ NO_COLOR: "" }, true]] as const) {
    await using tmux = await Tmux.start(env);
    const terminal = await tmux.run(cli("top", "--server", at), 80);
    await terminal.shows(/no answer/);
    const row = (await terminal.coloured()).find((line) => line.includes("no answer"))!;
    assertEquals(row.includes("\u001b[31m"), coloured, row);
  }
});

Deno.test("top prints blocks of lines where there is no terminal, and with --json an object a line", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  await run("cli.ts", ["retrieve", "k", "--server", server.address]);
  const gone = freeAddress();
  const args = ["top", "--server", `${server.address},${gone}`, "--interval", "0.1", "--count", "2"];
  const { status, out, err } = await run("cli.ts", args);
  assertEquals([status, err], [0, ""]);
  const blocks = out.trimEnd().split(/\n\n(?=\d{4}-)/);
  assertEquals(blocks.length, 2);
  assertMatch(blocks[0], /^\S+Z 2 servers, since their start\n\nserver +state +requests\/s/);
  assertMatch(blocks[1], /^\S+Z 2 servers, every 0\.1 s\n/);
  assertStringIncludes(blocks[1], `Cannot use server ${gone}: `);
  const json = (await run("cli.ts", [...args, "--json"])).out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(json.length, 2);
  const [{ address, state, hitRatio, perSecond, stats, restarts }, other] = json[0].servers;
  assertEquals([address, state, hitRatio, stats.misses, restarts], [server.address, "ready", 0, 1, 0]);
  assert(perSecond.absent > 0 && perSecond.requests > 0 && !("hitRatio" in json[1].servers[0]));
  assertEquals([other.address, other.state, "stats" in other], [gone, "no answer", false]);
});

Deno.test("top ends without a word when nobody reads on, or at a signal", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  const child = new Deno.Command(cli()[0], {
    args: [...cli("top", "--json", "--interval", "0.1", "--server", server.address).slice(1)],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  const [{ code }, said] = await Promise.all([child.status, new Response(child.stderr).text()]);
  assertEquals([code, said], [0, ""]);
  const signalled = new Deno.Command(cli()[0], {
    args: cli("top", "--server", server.address).slice(1),
    stdout: "piped",
  }).spawn();
  const lines = signalled.stdout.getReader();
  await until("it has begun", async () => new TextDecoder().decode((await lines.read()).value).includes("server"));
  signalled.kill("SIGTERM");
  assertEquals((await signalled.status).code, 0);
  await lines.cancel();
});

Deno.test("top refuses intervals and counts that are none", async () => {
  for (const wrong of [["--interval", "0"], ["--interval", "x"], ["--count", "0"], ["--count", "1.5"], ["more"]]) {
    const { status, out } = await run("cli.ts", ["top", ...wrong]);
    assertEquals([status, out], [2, ""], wrong.join(" "));
  }
});
