/** A log whose reader is slow, absent or broken. */

import { assert, assertEquals } from "@std/assert";
import { type LogOptions, LogWriter } from "../../lib/cli/log_writer.ts";

/** An output that takes nothing until it is told to. */
class SlowOutput {
  written = "";
  goOn = () => {};
  fails = false;

  async write(bytes: Uint8Array): Promise<number> {
    await new Promise<void>((resolve) => this.goOn = resolve);
    if (this.fails) throw new Deno.errors.BrokenPipe();
    this.written += new TextDecoder().decode(bytes);
    return bytes.length;
  }
}

const AT = new Date("2026-01-02T03:04:05.006Z");

function logTo(output: SlowOutput): LogWriter {
  return new LogWriter({ format: "text", level: "info" }, output, new SlowOutput(), () => AT);
}

/** Lines as they are written when they tell of something. */
function told(...lines: string[]): string {
  return lines.map((line) => `2026-01-02T03:04:05.006Z INFO  ${line}\n`).join("");
}

/** What two outputs are given that take all at once. */
async function written(options: Partial<LogOptions>, say: (log: LogWriter) => void): Promise<[string, string]> {
  const texts: [string, string] = ["", ""];
  const [out, err] = [0, 1].map((i) => ({
    write: (bytes: Uint8Array) => {
      texts[i] += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
  }));
  const log = new LogWriter({ format: "text", level: "info", ...options }, out, err, () => AT);
  say(log);
  await log.end();
  return texts;
}

Deno.test("LogWriter writes time and level, and warnings and errors to an output of their own", async () => {
  const [out, err] = await written({}, ({ say }) => {
    say("  told");
    say("seen to", "warn");
    say("over", "error");
  });
  assertEquals(out, told("  told"));
  assertEquals(err, "2026-01-02T03:04:05.006Z WARN  seen to\n2026-01-02T03:04:05.006Z ERROR over\n");
});

Deno.test("LogWriter writes an object a line when JSON is asked for, whatever the line holds", async () => {
  const [out, err] = await written({ format: "json" }, ({ say }) => {
    say('  address     "é"\u2028\\');
    say("seen to", "warn");
  });
  assertEquals(JSON.parse(out), { time: AT.toISOString(), level: "info", message: 'address     "é"\u2028\\' });
  assertEquals(JSON.parse(err), { time: AT.toISOString(), level: "warn", message: "seen to" });
});

Deno.test("LogWriter leaves out what is below its level", async () => {
  const say = ({ say }: LogWriter) => (["info", "warn", "error"] as const).forEach((level) => say(level, level));
  const levels = async (level: LogOptions["level"]) =>
    (await written({ level }, say)).join("").split("\n").slice(0, -1).map((line) => line.split(" ").at(-1));
  assertEquals(await levels("info"), ["info", "warn", "error"]);
  assertEquals(await levels("warn"), ["warn", "error"]);
  assertEquals(await levels("error"), ["error"]);
});

Deno.test("LogWriter writes lines in their order, one part after another", async () => {
  const output = new SlowOutput();
  const log = logTo(output);
  for (const line of ["a", "b", "c"]) log.say(line);
  output.goOn();
  log.say("d");
  const ended = log.end();
  while (output.written !== told("a", "b", "c", "d")) {
    output.goOn();
    await undefined;
  }
  await ended;
});

Deno.test("LogWriter keeps a bounded number of lines for who takes none, and says how many it has left out", async () => {
  const output = new SlowOutput();
  const log = logTo(output);
  log.say("first");
  const line = "x".repeat(999);
  for (let i = 0; i < 1000; i++) log.say(line);
  const ended = log.end();
  for (let turns = 0; turns < 1000 && !output.written.includes("left out"); turns++) {
    output.goOn();
    await undefined;
  }
  await ended;
  const lines = output.written.split("\n");
  assert(lines.length < 70, `${lines.length} lines were kept`);
  assertEquals(
    lines.at(-2),
    `2026-01-02T03:04:05.006Z WARN  ${1000 - (lines.length - 3)} lines of the log were left out: nobody took them`,
  );
});

Deno.test("LogWriter goes on after a line that cannot be written", async () => {
  const output = new SlowOutput();
  const log = logTo(output);
  output.fails = true;
  log.say("lost");
  output.goOn();
  await log.end();
  output.fails = false;
  log.say("kept");
  output.goOn();
  await log.end();
  assertEquals(output.written, told("kept"));
});
