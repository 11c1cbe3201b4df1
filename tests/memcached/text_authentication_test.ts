import { assertEquals } from "@std/assert";
import { assertSays, stranger } from "../support/strangers.ts";

/** What memcached 1.6.18 with -Y answers, in one connection for each. */
const AUTH = "set a 0 0 17\r\nweb secret-of-web\r\n";
const UNKNOWN = "CLIENT_ERROR unauthenticated\r\n";
const DIALOGUES: [asked: string, answer: string][] = [
  ["get a\r\n", UNKNOWN],
  ["version\r\n", UNKNOWN],
  ["quit\r\n", UNKNOWN],
  ["\r\n", UNKNOWN],
  ["mn\r\n", UNKNOWN],
  ["ms a S17\r\nweb secret-of-web\r\n", UNKNOWN + UNKNOWN],
  ["set a 0 0\r\n", UNKNOWN],
  ["set a 0 0 x\r\n", UNKNOWN],
  ["set a 0 0 -1\r\n", UNKNOWN],
  ["set a 0 0 17x\r\n", UNKNOWN],
  [AUTH, "STORED\r\n"],
  [AUTH + "get a\r\nversion\r\n", "STORED\r\nEND\r\nVERSION 1.6.18\r\n"],
  [AUTH + AUTH + "get a\r\n", "STORED\r\nSTORED\r\nVALUE a 0 17\r\nweb secret-of-web\r\nEND\r\n"],
  ["set a 0 0 9\r\nweb wrong\r\n", "CLIENT_ERROR authentication failure\r\n"],
  ["set a 0 0 9\r\nweb wrong\r\n" + AUTH, "CLIENT_ERROR authentication failure\r\nSTORED\r\n"],
  ["set a 0 0 17\r\nxyz secret-of-web\r\n", "CLIENT_ERROR authentication failure\r\n"],
  ["set a 0 0 3\r\nweb\r\n", "CLIENT_ERROR bad authentication token format\r\n"],
  ["set a 0 0 0\r\n\r\n", "CLIENT_ERROR bad authentication token format\r\n"],
  ["set a 0 0 19\r\nweb secret-of-web\r\n\r\n", "CLIENT_ERROR authentication failure\r\n"],
  ["set a 0 0 3\r\nwebxx", "CLIENT_ERROR bad command line termination\r\n"],
  ["set a x y 17 noreply\r\nweb secret-of-web\r\nget q\r\n", "STORED\r\nEND\r\n"],
  ["set a 0 0 18\r\nweb  secret-of-web\r\n", "STORED\r\n"],
  ["set a 0 0 22\r\nweb secret-of-web more\r\n", "STORED\r\n"],
  ["set a 0 0 17 \nweb secret-of-web\r\n", "STORED\r\n"],
  [" set a 0 0 17\r\nweb secret-of-web\r\n", "STORED\r\n"],
];

for (const [asked, answer] of DIALOGUES) {
  Deno.test(`a stranger who says ${JSON.stringify(asked)} is answered as by memcached -Y, in pieces too`, async () => {
    await assertSays(asked, answer);
    for (let size = 1; size < 6; size++) await assertSays(asked, answer, size);
  });
}

Deno.test("a name is not looked at where the token has none", async () => {
  for (const name of ["web", "default", "x"]) {
    const talk = stranger("default:client:secret-of-all");
    const asked = `set a 0 0 ${name.length + 14}\r\n${name} secret-of-all\r\n`;
    assertEquals(await talk.say(asked), { text: "STORED\r\n", closing: false }, name);
  }
});

Deno.test("a stranger may send 1 KiB in all: a line, a value or many of them that are longer end the connection", async () => {
  for (
    const [asked, answers] of [
      ["x".repeat(1024), 0],
      ["set a 0 0 1023\r\n", 0],
      ["set a 0 0 4000000000\r\nweb", 0],
      ["get a\r\n".repeat(1000), 147],
    ] as const
  ) {
    const { text, closing } = await stranger().say(asked);
    assertEquals([text, closing], [UNKNOWN.repeat(answers), true], asked.slice(0, 20));
  }
});

Deno.test("where others can read along, no secret is taken, and what is right is refused like what is wrong", async () => {
  for (const secret of ["secret-of-web", "secret-of-xxx"]) {
    const talk = stranger("web:client:secret-of-web", "192.0.2.1");
    const { text } = await talk.say(`set a 0 0 17\r\nweb ${secret}\r\nget a\r\n`);
    assertEquals(text, `CLIENT_ERROR authentication failure: a secret is taken over TLS only\r\n${UNKNOWN}`);
  }
});
