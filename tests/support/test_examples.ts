/** Examples as tests: each is loaded, prints what it says, and leaves nothing open. */

import { assertEquals } from "@std/assert";
import { OrmucoCacheClient } from "../../client.ts";

/** An example: a module that does what it shows while it is loaded. */
export interface LoadedExample {
  /** Where it stands. */
  readonly name: string;
  /** The lines that it says it prints; none if it says nothing of that. */
  readonly said: readonly string[];
  /** Loads it. */
  readonly load: () => Promise<unknown>;
}

/** Makes a test of each example; the server that they may use is empty when one begins. */
export function testExamples(address: string, examples: readonly LoadedExample[]): void {
  for (const { name, said, load } of examples) {
    Deno.test({ name, sanitizeOps: true, sanitizeResources: true }, async () => {
      await emptied(address);
      const printed = await printedBy(load);
      if (said.length > 0) assertEquals(printed, said);
    });
  }
}

async function emptied(address: string): Promise<void> {
  await using client = new OrmucoCacheClient({ servers: [address], timeoutMs: 10_000 });
  await client.clear();
}

/** What `console.log` shows while something is done. */
async function printedBy(act: () => Promise<unknown>): Promise<string[]> {
  const { log } = console;
  const printed: string[] = [];
  const shown = (value: unknown) => typeof value === "string" ? value : Deno.inspect(value);
  console.log = (...values: unknown[]) => void printed.push(values.map(shown).join(" "));
  try {
    await act();
  } finally {
    console.log = log;
  }
  return printed;
}
