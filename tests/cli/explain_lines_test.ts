/** What servers tell of a key, in words: what each holds, why it holds nothing, and what it lacks that another has. */

import { assert, assertEquals } from "@std/assert";
import type { KeyExplanation } from "../../lib/base/explanation.ts";
import { type Answer, explainLines, isOlder } from "../../lib/cli/explain_lines.ts";
import { columnsOf } from "../../lib/cli/fitted.ts";

const NAMES = new Map([[1, "10.0.0.1:11142"], [2, "10.0.0.2:11142"]]);
const HELD: KeyExplanation = {
  server: 1,
  state: "held",
  version: 5000,
  origin: 2,
  ageMs: 182_000,
  remainingMs: 60_000,
  valueBytes: 21,
  bytes: 96,
  flags: 0x4f430001,
  marks: ["fixed", "fetched"],
};

function answer(explanation: KeyExplanation): Answer {
  return { address: NAMES.get(explanation.server) ?? "10.0.0.9:11142", explanation, error: "" };
}

function lines(...explanations: KeyExplanation[]): string[] {
  return explainLines(explanations.map(answer), NAMES);
}

Deno.test("explainLines() says of an entry who wrote it and when, until when it lives, and what it takes", () => {
  assertEquals(lines(HELD), [
    "10.0.0.1:11142 holds version 5000",
    "  written 3 min 2 s ago at 10.0.0.2:11142",
    "  expires in 1 min 0 s if it is not used",
    "  value of 21 bytes, 96 bytes in all, flags 0x4f430001, fixed, fetched",
  ]);
  const { remainingMs: _, ...forEver } = { ...HELD, origin: 1, marks: [] };
  assertEquals(lines(forEver), [
    "10.0.0.1:11142 holds version 5000",
    "  written 3 min 2 s ago here",
    "  never expires",
    "  value of 21 bytes, 96 bytes in all, flags 0x4f430001",
  ]);
  assertEquals(lines({ ...HELD, origin: 77 })[1], "  written 3 min 2 s ago at server 77");
});

Deno.test("explainLines() says why a server does not hold a key, and since when", () => {
  const why = (explanation: Partial<KeyExplanation>) =>
    lines({ server: 1, state: "absent", ...explanation }).map((line, i) => i === 0 ? line : line.trim());
  const none = "10.0.0.1:11142 does not hold it";
  const made = { version: 5000, origin: 2, ageMs: 5000 };
  const left = { version: 5000, ageMs: 5000 };
  assertEquals(why({}), [none, "was never here, or left longer ago than is remembered"]);
  assertEquals(why({ state: "evicted", ...left }), [
    none,
    "had to make room for others",
    "what has left was written 5 s ago",
  ]);
  assertEquals(why({ state: "superseded" }), [none, "was dropped or refused: a newer write is elsewhere, or may be"]);
  assertEquals(why({ state: "expired" }), [none, "has expired"]);
  assertEquals(why({ state: "expired", keptMs: 3000, valueBytes: 2, bytes: 64, ...made }), [
    none,
    "has expired, and is kept for 3 s still",
    "it was written 5 s ago at 10.0.0.2:11142",
    "value of 2 bytes, 64 bytes in all, flags 0x0",
  ]);
  assertEquals(why({ state: "deleted", ...made }), [none, "was deleted 5 s ago at 10.0.0.2:11142"]);
  assertEquals(why({ state: "deleted" }), [none, "was deleted at a time that is not known"]);
  assertEquals(why({ state: "cleared" }), [none, "was cleared"]);
  assertEquals(why({ state: "cleared", ...left }), [none, "all keys were cleared 5 s ago"]);
  assertEquals(why({ state: "cleared", ...made, prefix: "user:" }), [
    none,
    'all that begins with "user:" was cleared 5 s ago at 10.0.0.2:11142',
  ]);
  assertEquals(why({ state: "novel" as "absent" }), [none, "novel"], "what a later version says");
});

Deno.test("explainLines() says what one server lacks that another has", () => {
  const lacks = (explanation: Partial<KeyExplanation>, other: Partial<KeyExplanation> = {}) =>
    explainLines([
      answer({ server: 1, state: "absent", ...explanation }),
      answer({ ...HELD, server: 2, ageMs: 3000, ...other }),
    ], NAMES).filter((line) => line.includes("not here yet"));
  const newer = "  10.0.0.2:11142 holds a newer write, 3 s old: not here yet";
  assertEquals(lacks({}), [`${newer}, or has left`]);
  for (const state of ["held", "deleted", "cleared", "evicted", "superseded"] as const) {
    assertEquals(lacks({ state, version: 4999 }), [newer], state);
    assertEquals(lacks({ state, version: 5000 }), [], state);
  }
  assertEquals(lacks({ state: "evicted" }), [], "it may be that very one");
  assertEquals(lacks({ state: "held", version: 4999 }, { state: "deleted" }), [
    "  10.0.0.2:11142 knows of its deletion, 3 s old: not here yet",
  ]);
  assertEquals(lacks({ state: "held", version: 5001 }), [
    "  10.0.0.1:11142 holds a newer write, 0 s old: not here yet",
  ]);
});

Deno.test("explainLines() says which servers did not tell, and why", () => {
  const failed = (error: string) => explainLines([{ address: "a:1", explanation: undefined, error }], NAMES);
  assertEquals(failed("Cannot use server a:1: refused"), ["a:1", "  does not answer: Cannot use server a:1: refused"]);
  const older = 'Cannot explain "k": the server refused (bad-request): unknown request code 25';
  assertEquals(failed(older), ["a:1", "  does not know: its version is older"]);
  assertEquals([isOlder(older), isOlder("the server refused (not-allowed): not allowed for role peer")], [true, false]);
});

Deno.test("explainLines() needs no more columns than there are, whatever servers say", () => {
  const long = "x".repeat(300);
  const address = "[2001:db8:1234:5678:9abc:def0:1234:5678]:11142";
  const answers: Answer[] = [
    { address: `unix:/${long}`, explanation: { ...HELD, origin: 9, marks: [long] }, error: "" },
    { address: "a", explanation: { server: 2, state: "cleared", version: 1, prefix: "人".repeat(300) }, error: "" },
    { address, explanation: undefined, error: `Cannot use server ${address}: it does not answer \u001b[2J` },
  ];
  for (const width of [80, 40]) {
    const all = explainLines(answers, new Map([[9, long]]), width);
    for (const line of all) assert(columnsOf(line) <= width, line);
    assert(all.some((line) => line.includes("…")));
  }
  assertEquals(explainLines(answers.slice(2), new Map(), 40), [
    "[2001:db8:1234:5678:…f0:1234:5678]:11142",
    "  does not answer: Cannot use server",
    "    [2001:db8:1234:567…1234:5678]:11142:",
    "    it does not answer \\u001b[2J",
  ]);
});
