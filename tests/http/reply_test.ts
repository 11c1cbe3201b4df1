/** Replies, who a request says that it comes from, and what a browser may do with a page. */

import { assertEquals } from "@std/assert";
import { readAuthorization } from "../../lib/http/authorization.ts";
import { partsOf, policyOf } from "../../lib/http/policy.ts";
import { eventText, replyBytes } from "../../lib/http/reply.ts";

const date = "Fri, 27 Nov 2026 20:09:34 GMT";
const text = (...args: Parameters<typeof replyBytes>) => new TextDecoder().decode(replyBytes(...args));

Deno.test("replyBytes() says how long a reply is in bytes, and that none is to be kept, guessed at or framed", () => {
  assertEquals(
    text({ status: 200, body: "é\n" }, { date }),
    [
      "HTTP/1.1 200 OK",
      `Date: ${date}`,
      "Content-Type: text/plain; charset=utf-8",
      "Content-Length: 3",
      "Cache-Control: no-store",
      "X-Content-Type-Options: nosniff",
      "Referrer-Policy: no-referrer",
      "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
      "",
      "é\n",
    ].join("\r\n"),
  );
});

Deno.test("replyBytes() gives the head alone to who asks for that, with the length that the body would have", () => {
  const reply = text({ status: 404, body: "not found\n" }, { date, isHead: true });
  assertEquals([reply.includes("Content-Length: 10\r\n"), reply.endsWith("\r\n\r\n")], [true, true]);
});

Deno.test("replyBytes() says when the connection ends, and gives no length to what has no end", () => {
  const ends = (how: Parameters<typeof replyBytes>[1]) =>
    text({ status: 200, body: "x" }, how).includes("Connection: close");
  assertEquals([ends({ date }), ends({ date, closes: true }), ends({ date, isEndless: true })], [false, true, true]);
  const endless = text({ status: 200, type: "text/event-stream", body: eventText("{}") }, { date, isEndless: true });
  assertEquals([endless.includes("Content-Length"), endless.endsWith("\r\n\r\ndata: {}\n\n")], [false, true]);
});

Deno.test("a page's policy stands in place of the one that forbids all", () => {
  const policy = ["Content-Security-Policy", "default-src 'self'"] as const;
  const reply = text({ status: 200, fields: [policy], body: "" }, { date });
  assertEquals(
    reply.match(/Content-Security-Policy: .*/g),
    ["Content-Security-Policy: default-src 'self'"],
  );
});

Deno.test("readAuthorization() reads a token as the settings have it, or a name and a secret", () => {
  const basic = (said: string) => `Basic ${btoa(said)}`;
  const read: [string, string, string][] = [
    ["Bearer secret-of-all", "default", "secret-of-all"],
    ["bearer   web:secret-of-web", "web", "secret-of-web"],
    [basic("web:secret-of-web"), "web", "secret-of-web"],
    [basic("web:a:b"), "web", "a:b"],
    [basic(":secret"), "", "secret"],
    [basic("secret"), "default", "secret"],
  ];
  for (const [said, name, secret] of read) assertEquals(readAuthorization(said), { name, secret }, said);
  for (const said of ["", "Bearer", "Bearer ", "Basic !!", "Digest abc", "secret-of-all", "Bearer a b", "Basic a"]) {
    assertEquals(readAuthorization(said), undefined, said);
  }
});

Deno.test("policyOf() names the scripts and styles of a page by their hashes, and allows nothing else", () => {
  const page = "<style>a{}</style><script>1</script>\n<script>\n2</script><script src=x>3</script>";
  assertEquals([partsOf(page, "script"), partsOf(page, "style")], [["1", "\n2"], ["a{}"]]);
  assertEquals(
    policyOf({ script: ["AA=", "BB="], style: [] }),
    "default-src 'none'; script-src 'sha256-AA=' 'sha256-BB='; style-src 'none'; connect-src 'self'; img-src data:; " +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
});
