/** memcached's classic commands, in the text protocol. */

import { assertEquals } from "@std/assert";
import { CLASSIC_DIALOGUES } from "../support/memcached_dialogues.ts";
import { assertAnswers, say } from "../support/memcached_talk.ts";
import { sessionHost } from "../support/session_host.ts";
import { sessionOf } from "../support/access.ts";

for (const dialogue of CLASSIC_DIALOGUES) {
  Deno.test(`ClassicCommands answers ${dialogue[0]} as memcached does`, () => assertAnswers(dialogue));
}

Deno.test("ClassicCommands lets entries expire when their client said, and a get does not renew them", () => {
  let now = 1_800_000_000_000;
  const host = sessionHost({ clock: { now: () => now } });
  const session = sessionOf(host);
  say(
    session,
    `set r 0 10 1\r\na\r\nset f 0 0 1\r\nb\r\nset a 0 ${now / 1000 + 20} 1\r\nc\r\nset p 0 ${
      now / 1000 - 1
    } 1\r\nd\r\n`,
  );
  const keys = () => [...say(session, "get r f a p\r\n").text.matchAll(/VALUE (.)/g)].map(([, key]) => key).join("");
  assertEquals(keys(), "rfa");
  now += 9_000;
  assertEquals(keys(), "rfa");
  now += 2_000;
  assertEquals(keys(), "fa");
  say(session, "touch a 60\r\n");
  now += 30_000;
  assertEquals(keys(), "fa");
});

Deno.test("ClassicCommands runs a delayed flush_all when its time has come, and the last one counts", () => {
  const host = sessionHost();
  const session = sessionOf(host);
  say(session, "set k 0 0 1\r\na\r\nflush_all 10\r\n");
  assertEquals([say(session, "get k\r\n").text, host.later?.ms], ["VALUE k 0 1\r\na\r\nEND\r\n", 10_000]);
  say(session, "flush_all 20\r\n");
  assertEquals(host.later?.ms, 20_000);
  host.later!.run();
  assertEquals(say(session, "get k\r\n").text, "END\r\n");
});

Deno.test("ClassicCommands clears nothing for a flush_all of a time before the server's, and undoes one that waits", () => {
  const startSeconds = 1_800_000_000;
  let now = 1000 * startSeconds;
  const host = sessionHost({ clock: { now: () => now } });
  const session = sessionOf(host);
  const gets = (text: string) => say(session, `set k 0 0 1\r\na\r\n${text}\r\nget k\r\n`).text;
  const [here, gone] = ["STORED\r\nOK\r\nVALUE k 0 1\r\na\r\nEND\r\n", "STORED\r\nOK\r\nEND\r\n"];
  now += 10_000;
  gets("flush_all 10");
  // memcached's time begins 61 seconds before it starts.
  for (const seconds of [2_592_001, startSeconds - 61]) {
    assertEquals([gets(`flush_all ${seconds}`), host.later?.ms], [here, Infinity]);
  }
  for (const seconds of [startSeconds - 60, startSeconds + 10, -1, -2_592_001]) {
    assertEquals(gets(`flush_all ${seconds}`), gone, `${seconds}`);
  }
});

Deno.test("ClassicCommands stores once for a cas that has been seen, and leaves it as it is for a touch", () => {
  const host = sessionHost();
  const session = sessionOf(host);
  const seen = () => /VALUE k 0 1 (\d+)/.exec(say(session, "gets k\r\n").text)![1];
  say(session, "set k 0 0 1\r\na\r\n");
  const cas = seen();
  say(session, "touch k 100\r\n");
  assertEquals(seen(), cas);
  assertEquals(say(session, `cas k 0 0 1 ${cas}\r\nb\r\ncas k 0 0 1 ${cas}\r\nc\r\n`).text, "STORED\r\nEXISTS\r\n");
});
