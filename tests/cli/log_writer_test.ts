/** A log whose reader is slow, absent or broken. */

import { assert, assertEquals } from "@std/assert";
import { LogWriter } from "../../lib/cli/log_writer.ts";

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

Deno.test("LogWriter writes lines in their order, one part after another", async () => {
  const output = new SlowOutput();
  const log = new LogWriter(output);
  for (const line of ["a", "b", "c"]) log.say(line);
  output.goOn();
  log.say("d");
  const ended = log.end();
  while (output.written !== "a\nb\nc\nd\n") {
    output.goOn();
    await undefined;
  }
  await ended;
});

Deno.test("LogWriter keeps a bounded number of lines for who takes none, and says how many it has left out", async () => {
  const output = new SlowOutput();
  const log = new LogWriter(output);
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
  assertEquals(lines.at(-2), `${1000 - (lines.length - 3)} lines of the log were left out: nobody took them`);
});

Deno.test("LogWriter goes on after a line that cannot be written", async () => {
  const output = new SlowOutput();
  const log = new LogWriter(output);
  output.fails = true;
  log.say("lost");
  output.goOn();
  await log.end();
  output.fails = false;
  log.say("kept");
  output.goOn();
  await log.end();
  assertEquals(output.written, "kept\n");
});
