/** Listings of keys: complete, in parts, and nobody waits for them. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { KeyListing, type ListingForm } from "../../lib/memcached/key_listing.ts";
import { FrameWriter } from "../../lib/wire/frame.ts";
import { type Allowance, NO_LIMIT, OUTPUT_BYTES } from "../../lib/wire/protocol_handler.ts";
import { sessionOf } from "../support/access.ts";
import { ask, say } from "../support/memcached_talk.ts";
import { sessionHost, type TestHost } from "../support/session_host.ts";

const NOW_SECONDS = 1_800_000_000;
const latin1 = new TextDecoder("latin1");

function hostAt(clock = { now: () => 1000 * NOW_SECONDS }): TestHost {
  return sessionHost({ clock, maxSize: Infinity });
}

/** Stores entries under keys of any bytes, as clients of the native protocol may. */
function store(host: TestHost, ...keys: string[]): void {
  const value = spanOf(new Uint8Array(3));
  for (const key of keys) {
    host.store.set(spanOf(Uint8Array.from(key, (letter) => letter.charCodeAt(0))), { flags: 0, value, ttlMs: 0 });
  }
}

/** The lines of a reply but for its last one, in order; their states and sizes are left out. */
function linesOf(text: string, end: string): string[] {
  assert(text.endsWith(end), text.slice(-100));
  const lines = text.slice(0, -end.length).split("\n").filter((line) => line !== "");
  return lines.map((line) => line.replace(/ cas=\d+/, "").replace(/ size=\d+/, "")).sort();
}

Deno.test("KeyListing tells of each entry what memcached's metadump tells", () => {
  let seconds = NOW_SECONDS;
  const host = hostAt({ now: () => 1000 * seconds });
  const session = sessionOf(host);
  say(session, "set plain 0 0 1\r\na\r\nset a:b/%~\xe9 5 100 1\r\nb\r\nset gone 0 5 1\r\nc\r\nset used 0 0 1\r\nd\r\n");
  seconds += 10;
  const { text: got } = say(session, "gets used\r\n");
  const { text } = say(session, "lru_crawler metadump all\r\n");
  assertEquals(linesOf(text, "END\r\n"), [
    `key=a%3Ab%2F%25~%C3%A9 exp=${NOW_SECONDS + 100} la=${NOW_SECONDS} fetch=no cls=1`,
    `key=plain exp=-1 la=${NOW_SECONDS} fetch=no cls=1`,
    `key=used exp=-1 la=${NOW_SECONDS + 10} fetch=yes cls=1`,
  ]);
  const cas = /VALUE used 0 1 (\d+)/.exec(got)![1];
  assert(text.includes(`key=used exp=-1 la=${NOW_SECONDS + 10} cas=${cas} fetch=yes cls=1 size=`));
  assertEquals(say(session, "me used\r\n").text.match(/size=\d+/)![0], text.match(/key=used .*(size=\d+)/)![1]);
});

Deno.test("KeyListing lists as memcached does: nothing, classes, and commands that are none", () => {
  const [all, none, bad] = ["mg a\r\nEN\r\n", "EN\r\n", "BADCLASS invalid class id\r\n"];
  const dialogues: [asked: string, answer: string][] = [
    ["lru_crawler mgdump all", all],
    ["lru_crawler mgdump hash", all],
    ["lru_crawler mgdump 1", all],
    ["lru_crawler mgdump 3,1,,2", all],
    ["lru_crawler mgdump 63", none],
    ["lru_crawler mgdump 2,3", none],
    ["lru_crawler mgdump 0", bad],
    ["lru_crawler mgdump 1,64", bad],
    ["lru_crawler mgdump x", bad],
    ["lru_crawler mgdump -1", bad],
    ["lru_crawler mgdump ,", "NOTSTARTED no items to crawl\r\n"],
    ["lru_crawler metadump 2", "END\r\n"],
    ["lru_crawler metadump", "ERROR\r\n"],
    ["lru_crawler metadump all x", "ERROR\r\n"],
    ["lru_crawler", "ERROR\r\n"],
    ["lru_crawler crawl 1", "ERROR\r\n"],
    ["stats cachedump", "CLIENT_ERROR bad command line\r\n"],
    ["stats cachedump 1", "CLIENT_ERROR bad command line\r\n"],
    ["stats cachedump 1 x", "CLIENT_ERROR bad command line format\r\n"],
    ["stats cachedump x 1", "CLIENT_ERROR bad command line format\r\n"],
    ["stats cachedump 64 0", "CLIENT_ERROR Illegal slab id\r\n"],
    ["stats cachedump 63 0", "END\r\n"],
    ["stats cachedump 0 0", "END\r\n"],
    ["stats cachedump 1 0", "ITEM a [2 b; 0 s]\r\nEND\r\n"],
    ["stats cachedump 1 5 6", "ITEM a [2 b; 0 s]\r\nEND\r\n"],
  ];
  for (const [asked, answer] of dialogues) {
    const host = hostAt();
    ask("set a 0 0 2\r\nhi\r\n", host);
    assertEquals(ask(`${asked}\r\nmn\r\n`, host), `${answer}MN\r\n`, asked);
  }
});

Deno.test("KeyListing lists keys that are no words so that no line breaks, and none that memcached's clients could not name", () => {
  const host = hostAt();
  const long = "l".repeat(251);
  store(host, "a b", "a\r\nmg b", "nul\0", "tab\t", "", long, "\xff\x7f");
  ask("ms Y29kZWQ= 1 b\r\n1\r\n", host);
  const listed = (command: string, end: string) => linesOf(ask(`${command}\r\n`, host), end);
  const coded = ["YSBi", "YQ0KbWcgYg==", "Y29kZWQ=", "bnVsAA=="];
  assertEquals(
    listed("lru_crawler mgdump all", "EN\r\n"),
    [...coded.map((key) => `mg ${key} b\r`), "mg \xff\x7f\r", "mg tab\t\r"].sort(),
  );
  assertEquals(listed("stats cachedump 1 0", "END\r\n"), [
    "ITEM tab\t [3 b; 0 s]\r",
    "ITEM \xff\x7f [3 b; 0 s]\r",
  ]);
  const keys = listed("lru_crawler metadump all", "END\r\n").map((line) => /^key=(\S*) /.exec(line)![1]);
  const expected = ["", "%FF%7F", "a%0D%0Amg%20b", "a%20b", "coded", long, "nul%00", "tab%09"];
  assertEquals(keys.sort(), expected.sort());
});

Deno.test("KeyListing ends a cachedump at the number of keys that was asked for, and before 2 MiB", () => {
  const host = hostAt();
  store(host, ...Array.from({ length: 20_000 }, (_, i) => `${i}`.padStart(200, "k")));
  assertEquals(linesOf(ask("stats cachedump 1 7\r\n", host), "END\r\n").length, 7);
  const { length } = ask("stats cachedump 1 0\r\n", host);
  assert(length <= 2 * 1024 * 1024 && length > 2 * 1024 * 1024 - 300, `${length}`);
});

Deno.test("KeyListing meets all that stays, in parts between which the store changes, and keeps little output", () => {
  for (const form of ["metadump", "mgdump"] as ListingForm[]) {
    const host = hostAt();
    const kept = Array.from({ length: 12_000 }, (_, i) => `kept${i}`);
    store(host, ...kept);
    const output = new FrameWriter();
    const listing = new KeyListing(host.memcached, form);
    let [text, parts, passing] = ["", 0, 0];
    for (let isLast = false; !isLast; parts++) {
      isLast = listing.write(output, NO_LIMIT);
      assert(output.length <= OUTPUT_BYTES + 1024, `${output.length}`);
      text += latin1.decode(output.taken());
      output.reset();
      store(host, ...Array.from({ length: 2000 }, () => `passing${passing++}`));
      for (let i = passing - 3000; i < passing - 1000; i++) {
        host.store.delete(spanOf(new TextEncoder().encode(`passing${i}`)));
      }
      host.store.maintain();
    }
    assert(parts > 1, `${parts}`);
    const found = [...text.matchAll(/^(?:key=|mg )(kept\d+)\b/gm)].map(([, key]) => key);
    assertEquals(found.sort(), kept.sort());
  }
});

Deno.test("KeyListing looks whether others have to have their turn after each key, and goes on nevertheless", () => {
  const host = hostAt();
  const keys = Array.from({ length: 3000 }, (_, i) => `k${i}`);
  store(host, ...keys);
  let spent = 0;
  const busy: Allowance = { isOver: true, spend: (units) => spent += units };
  const output = new FrameWriter();
  const listing = new KeyListing(host.memcached, "mgdump");
  let parts = 0;
  while (!listing.write(output, busy)) {
    parts++;
    assert(parts <= keys.length);
  }
  assertEquals(linesOf(latin1.decode(output.taken()), "EN\r\n").length, keys.length);
  assert(parts > keys.length / 2 && spent > 2 * keys.length, `${parts} parts, ${spent} units`);
});
