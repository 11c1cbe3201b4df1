/** Looking ahead for keys: what is found, and that nothing is read again and again for it. */

import { assert, assertEquals } from "@std/assert";
import { Lookahead } from "../../lib/memcached/lookahead.ts";
import { KeyBatch } from "../../lib/store/key_batch.ts";
import type { Store } from "../../lib/store/store.ts";

const utf8 = new TextEncoder();

/** Looks at every command, which begin at `froms`. Returns where keys of a `get` end, and how many bytes have been read for it. */
function look(text: string, froms: number[]): { ends: number[]; reads: number; hashes: number } {
  let [reads, hashes] = [0, 0];
  const bytes = new Proxy(utf8.encode(text), {
    get: (target, at) => {
      reads++;
      return target[at as unknown as number];
    },
  });
  const store = { order: { size: 0 }, hash: () => ++hashes };
  const ahead = new Lookahead(new KeyBatch(store as unknown as Store));
  const ends = froms.map((from) => ahead.get(bytes, from, text.length));
  return { ends, reads, hashes };
}

/** Places of commands that follow each other. */
function placesOf(commands: string[]): number[] {
  let at = 0;
  return commands.map(({ length }) => (at += length) - length);
}

Deno.test("Lookahead finds the gets among gets and sets, and reads each byte of a line once or twice", () => {
  const commands = Array.from(
    { length: 100 },
    (_, i) => i % 3 === 2 ? `set k${i} 0 0 5\r\nhello\r\n` : `get k${i}\r\n`,
  );
  const froms = placesOf(commands);
  const text = commands.join("");
  const { ends, reads, hashes } = look(text, froms);
  assertEquals(ends, froms.map((from, i) => i % 3 === 2 ? 0 : from + commands[i].length - 2));
  assertEquals(hashes, commands.length);
  assert(reads < 2 * text.length, `${reads} reads of ${text.length} bytes`);
});

for (
  const [what, rest] of [
    ["keys without end", `get ${"k".repeat(30_000)}\r\n`],
    ["lines without end", `set k ${"0".repeat(30_000)}\r\n`],
    ["many commands", "get k\r\n".repeat(5000)],
  ]
) {
  Deno.test(`Lookahead cannot be led to ${what} again and again by lengths that are none`, () => {
    // To memcached these have no value; by the word at the end of their line, one that reaches to what follows all of them.
    const bytes = "set k 0 0 0 00000\r\n\r\n".length;
    const lengths = Array.from({ length: 1000 }, (_, i) => bytes * (1000 - i) - bytes);
    const commands = lengths.map((length) => `set k 0 0 0 ${String(length).padStart(5, "0")}\r\n\r\n`);
    const { ends, reads, hashes } = look(commands.join("") + rest, placesOf(commands));
    assert(ends.every((end) => end === 0));
    assert(hashes < 2 * commands.length, `${hashes} hashes for ${commands.length} commands`);
    assert(reads < 100 * bytes * commands.length, `${reads} reads of ${bytes * commands.length} bytes`);
  });
}
