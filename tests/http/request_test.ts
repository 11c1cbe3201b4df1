/** Heads of requests, read strictly: what means one thing, and everything else. */

import { assertEquals } from "@std/assert";
import { headEnd, type HttpRequest, MAX_HEAD_BYTES, readHead } from "../../lib/http/request.ts";
import { generator } from "../../lib/simulation/seeded_random.ts";

const bytesOf = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const read = (first: string, ...fields: string[]) => readHead(bytesOf([first, ...fields, "", ""].join("\r\n")));
const HOST = "Host: a";

Deno.test("readHead() reads what a scraper, a browser and a health check send", () => {
  const expected: HttpRequest = {
    method: "GET",
    path: "/metrics",
    host: "127.0.0.1:9100",
    authorization: "Bearer secret-of-all",
    keepsAlive: true,
  };
  assertEquals(
    read(
      "GET /metrics?x=1&y HTTP/1.1",
      "host:127.0.0.1:9100",
      "AUTHORIZATION: \t Bearer secret-of-all \t",
      "Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1",
      "Accept: text/plain",
      "X-Prometheus-Scrape-Timeout-Seconds: 10",
      "Empty:",
      "Name: \xe9",
    ),
    expected,
  );
});

Deno.test("readHead() keeps a connection as HTTP/1.1 does, and ends it where the client says so or speaks HTTP/1.0", () => {
  const keeps = (...args: Parameters<typeof read>) => (read(...args) as HttpRequest).keepsAlive;
  assertEquals(keeps("GET / HTTP/1.1", HOST), true);
  assertEquals(keeps("GET / HTTP/1.1", HOST, "Connection: keep-alive, TE"), true);
  assertEquals(keeps("GET / HTTP/1.1", HOST, "Connection: TE", "Connection: x, Close"), false);
  assertEquals(keeps("GET / HTTP/1.0"), false);
  assertEquals(keeps("GET / HTTP/1.0", "Connection: keep-alive"), false);
});

Deno.test("readHead() refuses what could mean two things, or is no request", () => {
  const refused: [number, string, ...string[]][] = [
    [400, ""],
    [400, "GET"],
    [400, "GET /"],
    [400, "GET / HTTP/1.1 ", HOST],
    [400, "GET  / HTTP/1.1", HOST],
    [400, " GET / HTTP/1.1", HOST],
    [400, "GET a HTTP/1.1", HOST],
    [400, "GET http://a/ HTTP/1.1", HOST],
    [400, "OPTIONS * HTTP/1.1", HOST],
    [400, "GET /\x00 HTTP/1.1", HOST],
    [400, "GET /\xe9 HTTP/1.1", HOST],
    [400, "G\x7fT / HTTP/1.1", HOST],
    [400, "GET / HTTP/11", HOST],
    [400, "GET / http/1.1", HOST],
    [505, "GET / HTTP/2.0", HOST],
    [505, "GET / HTTP/0.9", HOST],
    [400, "GET / HTTP/1.1"],
    [400, "GET / HTTP/1.1", HOST, HOST],
    [400, "GET / HTTP/1.1", HOST, "Authorization: a", "authorization: b"],
    [400, "GET / HTTP/1.1", HOST, "X : a"],
    [400, "GET / HTTP/1.1", HOST, "X"],
    [400, "GET / HTTP/1.1", HOST, ": a"],
    [400, "GET / HTTP/1.1", HOST, "X: a", " folded"],
    [400, "GET / HTTP/1.1", HOST, "X: a\rb"],
    [400, "GET / HTTP/1.1", HOST, "X: a\nY: b"],
    [400, "GET / HTTP/1.1", HOST, "X: a\0"],
    [413, "GET / HTTP/1.1", HOST, "Content-Length: 1"],
    [413, "GET / HTTP/1.1", HOST, "Content-Length: 00"],
    [413, "GET / HTTP/1.1", HOST, "Content-Length: -0"],
    [413, "GET / HTTP/1.1", HOST, "Content-Length:"],
    [413, "POST / HTTP/1.1", HOST, "Transfer-Encoding: chunked"],
    [413, "GET / HTTP/1.1", HOST, "Transfer-Encoding: identity", "Content-Length: 0"],
    [400, "GET / HTTP/1.1", HOST, "Content-Length: 0", "Content-Length: 5"],
  ];
  for (const [status, first, ...fields] of refused) {
    const fault = read(first, ...fields);
    assertEquals<unknown>("status" in fault && fault.status, status, JSON.stringify([first, ...fields]));
  }
  assertEquals("path" in read("GET / HTTP/1.1", HOST, "Content-Length: 0"), true);
});

Deno.test("headEnd() finds the end of the first head, however it comes", () => {
  const two = bytesOf("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
  const end = two.length / 2;
  for (let length = 0; length <= two.length; length++) {
    assertEquals(headEnd(two, length), length < end ? -1 : end, `${length}`);
    for (const before of [0, Math.max(0, length - 1)]) {
      if (before < end) assertEquals(headEnd(two, length, before), length < end ? -1 : end, `${before} ${length}`);
    }
  }
  assertEquals(headEnd(bytesOf("GET / HTTP/1.1\n\n"), 16), -1);
});

Deno.test("readHead() answers whatever bytes there are", () => {
  const random = generator(7);
  const base = bytesOf("GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\nConnection: close\r\n\r\n");
  for (let i = 0; i < 2000; i++) {
    const head = base.slice();
    for (let changes = 0; changes < 3; changes++) head[Math.floor(random() * head.length)] = 256 * random();
    const read = readHead(head);
    assertEquals("path" in read ? read.path.startsWith("/") : read.status >= 400, true);
  }
  for (const letter of [" ", "\t", "a", ":", ",", "\r\n", "a:\r\n"]) {
    const text = `GET / HTTP/1.1\r\nX:${letter.repeat((MAX_HEAD_BYTES - 40) / letter.length)}\x01\r\n\r\n`;
    assertEquals("status" in readHead(bytesOf(text)), true, JSON.stringify(letter));
  }
});
