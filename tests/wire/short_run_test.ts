/** Lists of values that are read together: each value is what it would be alone, whatever its neighbours are. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { ProtocolError } from "../../lib/base/errors.ts";
import { MAX_BODY_BYTES, MAX_DEPTH } from "../../lib/base/limits.ts";
import { LATER, manyReader, MISS, OMITTED, ValueError } from "../../lib/wire/calls.ts";
import { FrameReader, FrameWriter, REPLY, STATE } from "../../lib/wire/frame.ts";
import type { Allowance } from "../../lib/wire/protocol_handler.ts";
import { decodeValue, FLAGS } from "../../lib/wire/values.ts";

const utf8 = new TextEncoder();

/** What is listed: a value by its flags and bytes, or a state without one. */
type Listed = { flags: number; bytes: Uint8Array } | typeof MISS | typeof OMITTED;

const json = (text: string): Listed => ({ flags: FLAGS.json, bytes: utf8.encode(text) });

/** A `VALUES` by hand, at the end of a buffer that has no room for more, or with a part of it missing. */
function frameOf(listed: readonly Listed[], missing = 0): FrameReader {
  const output = new FrameWriter();
  output.begin(REPLY.values);
  output.uint16(listed.length);
  for (const value of listed) {
    if (typeof value === "symbol") {
      output.uint8(value === MISS ? STATE.miss : STATE.omitted);
      continue;
    }
    output.uint8(STATE.hit);
    output.uint32(value.flags);
    output.uint32(value.bytes.length);
    output.bytes(value.bytes);
  }
  output.length -= missing;
  output.end();
  const frame = new FrameReader();
  frame.maxBodyBytes = MAX_BODY_BYTES;
  frame.push(output.taken());
  assert(frame.next());
  return frame;
}

/** What a list is read as, and of which values it is told that they are bad. */
function readOf(listed: readonly Listed[]): { values: unknown; bad: string[] } {
  const bad: string[] = [];
  const values = manyReader(listed.length, (i, error) => {
    assert(error instanceof ValueError);
    bad.push(`${i} ${error.message}`);
  })(frameOf(listed));
  return { values, bad };
}

/** The same, of each value alone. */
function alone(listed: readonly Listed[]): { values: unknown; bad: string[] } {
  const bad: string[] = [];
  const values = listed.map((value, i) => {
    if (typeof value === "symbol") return value;
    try {
      return decodeValue(value.flags, value.bytes);
    } catch (error) {
      bad.push(`${i} ${(error as Error).message}`);
      return MISS;
    }
  });
  return { values, bad };
}

for (
  const [what, texts] of [
    ["all are objects", [`{"a":1}`, `{"a":2,"b":[]}`, ` {"a" : "x" } `]],
    ["some are null, false, 0 or empty", [`null`, `false`, `0`, `""`, `[]`, `null`]],
    ["two broken ones would be JSON together", [`1`, `[2`, `3]`, `4,5`, `6`]],
    ["one would end the list of the others", [`1`, `2],[3`, `4`, `]`, `[`]],
    ["a text goes on in the next one", [`"a`, `b"`, `"c"`, `"`, `"`]],
    ["some have no bytes", [`1`, ``, `2`, ``]],
    ["they have 127 to 300 bytes", [125, 126, 127, 253, 254, 298].map((length) => `"${"x".repeat(length)}"`)],
    ["one is not ASCII", [`"plain"`, `"é€😀"`, `"\ufeffb"`, `"plain, too"`]],
    ["one is long", [`1`, `"${"x".repeat(3000)}"`, `2`, `3`]],
    ["they are nested as deep as they may be, or deeper", [MAX_DEPTH, MAX_DEPTH + 1, 1].map(nested)],
  ] as const
) {
  Deno.test(`manyReader() reads each JSON value as if it were alone where ${what}`, () => {
    const listed = texts.map(json);
    assertEquals(readOf(listed), alone(listed));
  });
}

function nested(levels: number): string {
  return "[".repeat(levels) + "]".repeat(levels);
}

Deno.test("manyReader() reads each text as if it were alone, empty ones and those like JSON too", () => {
  for (
    const texts of [["a", "", "{}", `"`, "\0", "x".repeat(511), "x".repeat(513)], ["", ""], ["é", "a", "\ufeffb", "😀"]]
  ) {
    const listed = texts.map((text) => ({ flags: FLAGS.text, bytes: utf8.encode(text) }));
    assertEquals(readOf(listed), { values: texts, bad: [] });
  }
});

Deno.test("manyReader() refuses JSON that is not UTF-8, and no other beside it", () => {
  const listed: Listed[] = [json(`"a"`), { flags: FLAGS.json, bytes: new Uint8Array([0x22, 0xc3, 0x22]) }, json(`"é"`)];
  const { values, bad } = readOf(listed);
  assertEquals([values, bad.length], [["a", MISS, "é"], 1]);
  assertEquals({ values, bad }, alone(listed));
});

Deno.test("manyReader() reads 20,000 lists of any values as it reads each value alone", () => {
  const random = seeded(24);
  const below = (n: number) => Math.floor(random() * n);
  const pieces = [
    `{"a":1}`,
    `[1,"é"]`,
    `"text"`,
    `12`,
    `null`,
    `[2`,
    `3]`,
    `4,5`,
    `"`,
    `\\`,
    `{`,
    ``,
    ` `,
    `"\ud83d\ude00"`,
  ];
  const some = (): Listed => {
    if (below(8) === 0) return below(2) === 0 ? MISS : OMITTED;
    const text = pieces[below(pieces.length)];
    if (below(6) === 0) return { flags: FLAGS.text, bytes: utf8.encode(text) };
    if (below(12) === 0) return { flags: FLAGS.bytes, bytes: new Uint8Array([below(256), below(256)]) };
    return json(below(9) === 0 ? `"${"y".repeat(below(700))}"` : text);
  };
  for (let i = 0; i < 20_000; i++) {
    const listed = Array.from({ length: 1 + below(12) }, some);
    assertEquals(readOf(listed), alone(listed), `list ${i}`);
  }
});

Deno.test("manyReader() throws for a list of JSON values that ends within one of them, wherever that is", () => {
  const listed = Array.from({ length: 3 }, () => json(`{"a":1}`));
  for (let missing = 1; missing <= 3 * 16; missing++) {
    assertThrows(
      () => manyReader(3, () => {})(frameOf(listed, missing)),
      ProtocolError,
      "a truncated list of values",
    );
  }
});

Deno.test("manyReader() reads 16 KiB of short values in a turn at most, and goes on in the next", () => {
  const listed = Array.from({ length: 200 }, (_, i) => json(`"${String(i).padStart(398, "x")}"`));
  const turn: Allowance & { isOver: boolean } = { isOver: false, spend: (units) => turn.isOver ||= units > 0 };
  const frame = frameOf(listed);
  const read = manyReader(listed.length, () => {});
  let turns = 1;
  for (; read(frame, turn) === LATER; turns++) turn.isOver = false;
  assertEquals(turns, 5, "40 values of 400 bytes and what stands before each");
  assertEquals(read(frame, turn), alone(listed).values);
});
