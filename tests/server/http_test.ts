/** A server's port of HTTP: what it answers, its limits, and its end. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MAX_HTTP_CONNECTIONS } from "../../lib/server/http.ts";
import { MAX_LOOKERS } from "../../lib/server/http_events.ts";
import { openRules } from "../support/access.ts";
import { askHttp, HttpTalk, openHttp, requestOf } from "../support/http.ts";
import { readMetrics } from "../support/metrics_format.ts";
import { span } from "../support/store_entries.ts";
import { turn, until } from "../support/waiting.ts";

const LINES = "scraper:reader:secret-of-scraper\nshare:peer:secret-of-share";
const TOKEN = ["Authorization: Bearer scraper:secret-of-scraper"];

Deno.test("health is for everybody, and says nothing else", async () => {
  let isReady = false;
  await using open = await openHttp(LINES);
  const { stats } = open.session;
  Object.assign(open.session, { stats: () => ({ ...stats(), ready: isReady }) });
  const told = async (path: string) => {
    const { status, body } = (await askHttp(open.port, path))!;
    return [status, body];
  };
  assertEquals([await told("/healthz"), await told("/readyz")], [[200, "ok"], [503, "not ready"]]);
  isReady = true;
  assertEquals([await told("/healthz?verbose"), await told("/readyz")], [[200, "ok"], [200, "ok"]]);
});

Deno.test("metrics are Prometheus' text, for whom they are", async () => {
  await using open = await openHttp(LINES);
  using talk = await HttpTalk.with(open.port);
  assertEquals((await talk.ask("/metrics"))?.status, 401);
  assertEquals((await talk.ask("/metrics", ["Authorization: Bearer share:secret-of-share"]))?.status, 403);
  const { status, head, body } = (await talk.ask("/metrics", TOKEN))!;
  assertEquals(status, 200);
  assertStringIncludes(head, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
  const replies = readMetrics(body).get("ormuco_http_replies_total")!.samples;
  assertEquals(replies.map(({ labels, value }) => [labels.status, value]), [["401", 1], ["403", 1]]);
  assert(readMetrics(body).has("memcached_up"));
});

Deno.test("every reply says that it is not to be kept, guessed at or framed", async () => {
  await using open = await openHttp(LINES);
  for (const path of ["/healthz", "/metrics", "/nowhere"]) {
    const { head } = (await askHttp(open.port, path))!;
    for (const field of ["Cache-Control: no-store", "X-Content-Type-Options: nosniff", "frame-ancestors 'none'"]) {
      assertStringIncludes(head, field);
    }
  }
});

Deno.test("what is not there is 404 for everybody, and only GET and HEAD are taken", async () => {
  await using open = await openHttp(LINES);
  using talk = await HttpTalk.with(open.port);
  for (const path of ["/", "/nowhere", "/metrics/", "//metrics", "/%6detrics", "/healthz/../metrics"]) {
    assertEquals((await talk.ask(path))?.status, 404, path);
  }
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"]) {
    const { status, head } = (await talk.ask("/metrics", TOKEN, method))!;
    assertEquals(status, 405, method);
    assertStringIncludes(head, "Allow: GET, HEAD");
  }
  const { status, head, body } = (await talk.ask("/metrics", TOKEN, "HEAD"))!;
  assertEquals([status, body], [200, ""]);
  assert(Number(/Content-Length: (\d+)/.exec(head)![1]) > 1000);
  assertEquals((await talk.ask("/healthz"))?.body, "ok");
});

Deno.test("requests on one connection are answered one after another, however they come", async () => {
  await using open = await openHttp();
  using talk = await HttpTalk.with(open.port);
  const two = requestOf("/healthz") + requestOf("/readyz");
  await talk.send(two + two.slice(0, 30));
  assertEquals([(await talk.next())?.status, (await talk.next())?.status], [200, 200]);
  for (const letter of two.slice(30)) await talk.send(letter);
  assertEquals([(await talk.next())?.status, (await talk.next())?.status], [200, 200]);
  await talk.send(requestOf("/healthz", ["Connection: close"]));
  assertStringIncludes((await talk.next())!.head, "Connection: close");
  assertEquals(await talk.next(), undefined);
});

Deno.test("what is no request is told why, and the connection ends", async () => {
  await using open = await openHttp();
  const sent: [string, number][] = [
    ["get key\r\n\r\n", 400],
    ["\x16\x03\x01\x02\x00\x01\r\n\r\n", 400],
    ["PRI * HTTP/2.0\r\n\r\n", 400],
    [requestOf("/healthz", ["Content-Length: 5"]) + "hello", 413],
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(9000)}\r\n\r\n`, 431],
    ["x".repeat(100_000), 431],
  ];
  for (const [text, status] of sent) {
    using talk = await HttpTalk.with(open.port);
    await talk.send(text).catch(() => {}); // it may have been closed before it has read all
    assertEquals((await talk.next())?.status, status, text.slice(0, 40));
    assertEquals(await talk.next(), undefined);
  }
  await until("all are gone", () => open.http.size === 0);
  assertEquals(open.buffers.bytes, 0);
});

Deno.test("a client that keeps the head of a request, or the next one, back is disconnected, and not before its time", async () => {
  await using open = await openHttp();
  using silent = await HttpTalk.with(open.port);
  using slow = await HttpTalk.with(open.port);
  using idle = await HttpTalk.with(open.port);
  await slow.send("GET /healthz HTTP/1.1\r\nHos");
  assertEquals((await idle.ask("/healthz"))?.status, 200);
  const pass = async (ms: number) => {
    await turn(); // what has been sent is known to have been
    for (let passed = 0; passed < ms; passed += 500) open.http.look(500);
  };
  await pass(5000);
  assertEquals(open.http.size, 3);
  await slow.send("t: a"); // a byte now and then changes nothing
  await pass(1000);
  assertEquals([await silent.next(), await slow.next()], [undefined, undefined]);
  await until("they are gone", () => open.http.size === 1);
  assertEquals(open.lines.length, 1);
  assertStringIncludes(open.lines[0], "is disconnected: it has sent no complete request in 5 s");
  await pass(50_000);
  assertEquals((await idle.ask("/healthz"))?.status, 200);
  await pass(61_000);
  assertEquals(await idle.next(), undefined);
  assertEquals(open.lines.length, 1);
});

Deno.test("when all places are taken, strangers make room, and who is known and asks does not", async () => {
  await using open = await openHttp(LINES);
  const talks: HttpTalk[] = [];
  const more = async () => talks[talks.push(await HttpTalk.with(open.port)) - 1];
  try {
    const known = await more();
    assertEquals((await known.ask("/metrics", TOKEN))?.status, 200);
    const first = await more();
    for (let i = 0; i < 200; i++) await (await more()).send("GET /metrics HTTP/1.1\r\n");
    const scraper = await more();
    assertEquals((await scraper.ask("/metrics", TOKEN))?.status, 200);
    assert(open.http.size <= MAX_HTTP_CONNECTIONS);
    assertEquals(await first.next(), undefined);
    assertEquals((await known.ask("/metrics", TOKEN))?.status, 200);
    for (let i = 0; i < MAX_HTTP_CONNECTIONS - 2; i++) {
      assertEquals((await (await more()).ask("/metrics", TOKEN))?.status, 200);
    }
    const late = await more();
    assertEquals(await late.next(), undefined);
    open.http.look(500);
    open.http.look(1000);
    assertEquals((await (await more()).ask("/healthz"))?.status, 200); // one that was still has made room
  } finally {
    for (const talk of talks) talk[Symbol.dispose]();
  }
  await until("all are gone", () => open.http.size === 0);
  assertEquals(open.buffers.bytes, 0);
});

Deno.test("replies that nobody takes count as buffers, and end in time", async () => {
  const page = "x".repeat(16_000_000);
  await using open = await openHttp("", { page });
  using talk = await HttpTalk.with(open.port);
  await talk.send(requestOf("/").repeat(10));
  await until("a reply waits", () => open.buffers.bytes > page.length);
  assert(open.buffers.bytes < 1.1 * page.length, `${open.buffers.bytes}`);
  for (let passed = 0; passed <= 31_000; passed += 500) open.http.look(500);
  await until("it is gone", () => open.http.size === 0);
  assertEquals(open.buffers.bytes, 0);
  assertStringIncludes(open.lines[0], "has not taken a reply in 30 s");
});

Deno.test("the page comes with a policy that allows what stands in it, for whom it is", async () => {
  const page = "<!doctype html><title>é</title><style>b{}</style><script>let a=1;</script>";
  await using open = await openHttp(LINES, { page });
  assertEquals((await askHttp(open.port, "/"))?.status, 401);
  const { status, head, body } = (await askHttp(open.port, "/", TOKEN))!;
  assertEquals([status, new TextDecoder().decode(Uint8Array.from(body, (c) => c.charCodeAt(0)))], [200, page]);
  assertStringIncludes(head, "Content-Type: text/html; charset=utf-8\r\n");
  const hash = async (text: string) => {
    const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
    return btoa(String.fromCharCode(...bytes));
  };
  assertStringIncludes(head, `script-src 'sha256-${await hash("let a=1;")}'; style-src 'sha256-${await hash("b{}")}'`);
  assertEquals(head.match(/Content-Security-Policy/g)?.length, 1);
});

Deno.test("events tell how the server is, again and again, to eight at the same time", async () => {
  await using open = await openHttp(LINES);
  assertEquals((await askHttp(open.port, "/events"))?.status, 401);
  const talks = await Promise.all(Array.from({ length: MAX_LOOKERS }, () => HttpTalk.with(open.port)));
  try {
    for (const talk of talks) {
      const { status, head } = (await talk.ask("/events", TOKEN))!;
      assertEquals(status, 200);
      assertStringIncludes(head, "Content-Type: text/event-stream\r\n");
      const { timeMs, stats, durations } = JSON.parse((await talk.event())!);
      assert(timeMs > 1.7e12 && durations.counts.length === durations.bounds.length + 1);
      assertEquals(stats.server, open.session.stats().server);
    }
    assertEquals((await askHttp(open.port, "/events", TOKEN))?.status, 503);
    assertEquals((await askHttp(open.port, "/events", TOKEN, "HEAD"))?.status, 200);
    assertEquals((await askHttp(open.port, "/metrics", TOKEN))?.status, 200);
    assertEquals(JSON.parse((await talks[3].event())!).stats.server, open.session.stats().server);
    talks[0].socket.close();
    await until("there is a place", async () => {
      using talk = await HttpTalk.with(open.port);
      return (await talk.ask("/events", TOKEN))?.status === 200;
    });
    await open.http.stop(1000);
    while (await talks[1].event() !== undefined) continue;
    assertEquals(open.http.size, 0);
  } finally {
    for (const talk of talks) talk[Symbol.dispose]();
  }
});

Deno.test("events show keys to those only who may list them", async () => {
  await using open = await openHttp(`${LINES}\nboss:admin:secret-of-boss`);
  open.session.insight(true);
  for (let i = 0; i < 4; i++) open.session.store.get(span("secret:key"));
  using reader = await HttpTalk.with(open.port);
  using admin = await HttpTalk.with(open.port);
  await reader.ask("/events", TOKEN);
  await admin.ask("/events", ["Authorization: Bearer boss:secret-of-boss"]);
  for (const event of ["first", "next"]) {
    const seen = JSON.parse((await reader.event())!).insight.hottestByReads.map(({ key }: { key: string }) => key);
    const unseen = (await admin.event())!;
    assertEquals([event, seen, unseen.includes("secret")], [event, ["secret:key"], false]);
    assertEquals(JSON.parse(unseen).insight.hottestByReads, []);
  }
});

Deno.test("events end with the credential of who looks", async () => {
  const access = openRules(LINES);
  await using open = await openHttp("", { access });
  using talk = await HttpTalk.with(open.port);
  assertEquals((await talk.ask("/events", TOKEN))?.status, 200);
  access.credentials.replace([]);
  while (await talk.event() !== undefined) continue;
  await until("it is gone", () => open.http.size === 0);
});

Deno.test("a stop ends connections that wait for a request, and the port can be opened again", async () => {
  await using open = await openHttp();
  for (let i = 0; i < 2; i++) {
    const { port } = open.http.address as { port: number };
    using talk = await HttpTalk.with(port);
    using silent = await HttpTalk.with(port);
    assertEquals((await talk.ask("/healthz"))?.status, 200);
    await until("both are there", () => open.http.size === 2);
    await open.http.stop(1000);
    assertEquals([await talk.next(), await silent.next(), open.http.size], [undefined, undefined, 0]);
    await open.http.start();
  }
});
