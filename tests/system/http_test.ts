/** Health and metrics by HTTP of whole servers: at the start, over sockets and TLS, beside a busy cache, and at the end. */

import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { partsOf } from "../../lib/http/policy.ts";
import { writeAll } from "../../lib/platform/socket.ts";
import type { ServerOptions } from "../../server.ts";
import { Authority, hasOpenssl } from "../support/certificates.ts";
import { askHttp, HttpTalk, requestOf } from "../support/http.ts";
import { readMetrics } from "../support/metrics_format.ts";
import { portOf } from "../support/ports.ts";
import { run, serve } from "../support/processes.ts";
import { hasPromtool, promtool } from "../support/promtool.ts";
import { clientOf, madeServer, reportingClient, startedServer } from "../support/servers.ts";
import { exchange } from "../support/text_socket.ts";
import { turn, until } from "../support/waiting.ts";

const TOKEN = "secret-of-all";
const BEARER = [`Authorization: Bearer ${TOKEN}`];
const HTTP: ServerOptions = { http: "127.0.0.1:0" };

const httpPort = ({ httpAddress }: { httpAddress: string | undefined }) => portOf(httpAddress!);

/** A number of the metrics, by name and labels as they are written. */
async function metric(port: number, name: string, fields?: string[]): Promise<number> {
  const { body } = (await askHttp(port, "/metrics", fields))!;
  return Number(body.split("\n").find((line) => line.startsWith(`${name} `))?.slice(name.length));
}

Deno.test("HTTP is off unless it is asked for", async () => {
  await using server = await startedServer();
  assertEquals(server.httpAddress, undefined);
  await using asked = await startedServer(HTTP);
  assertMatch(asked.httpAddress!, /^127\.0\.0\.1:\d+$/);
  await asked.stop();
  assertEquals(asked.httpAddress, undefined);
  await asked.startServer();
  assertEquals((await askHttp(httpPort(asked), "/readyz"))?.status, 200);
});

Deno.test("a server does not start where others could read its metrics or tokens by HTTP, and names the ways out", async () => {
  const ways = "have HTTP_ON listen on 127.0.0.1 or a unix socket, or say --insecure (option insecure)";
  const open =
    "Cannot start server: whoever reaches 0.0.0.0:0 (HTTP_ON) could read this cache's metrics. Set AUTH_TOKEN";
  const plain = "Cannot start server: tokens and metrics could be read on their way to and from 0.0.0.0:0 (HTTP_ON). " +
    "Set TLS_CERT and TLS_KEY, or ACME_HOST, or ";
  for (const [options, words] of [[{}, open], [{ authToken: TOKEN }, plain]] as const) {
    await using server = madeServer({ ...options, http: "0.0.0.0:0" });
    const error = await assertRejects(() => server.startServer(), RangeError, words);
    assertStringIncludes((error as Error).message, ways);
    assertEquals([server.address, server.httpAddress], [undefined, undefined]);
  }
  const { status, err } = await run("cli.ts", ["serve", "--check", "--http", "0.0.0.0:0"]);
  const local = await run("cli.ts", ["serve", "--check", "--http", "9200"]);
  assertStringIncludes(
    local.out,
    "\n  http        127.0.0.1:9200, the status page and /metrics for any user of this machine, without a token;",
  );
  assertEquals(status, 2);
  assertStringIncludes(err, open);
});

Deno.test("the start-up lines say where HTTP is and for whom", async () => {
  const everybody = "; /healthz and /readyz for everybody";
  const said: [ServerOptions, string, boolean][] = [
    [{}, "any user of this machine, without a token", false],
    [{ authToken: TOKEN }, "whoever shows a token with the role reader, client or admin", false],
    [{ peerToken: "secret-of-peers" }, "nobody: no credential has the role reader, client or admin", false],
    [{ http: "0.0.0.0:0", insecure: true }, "anyone who reaches this address, without a token", true],
    [
      { http: "0.0.0.0:0", insecure: true, authToken: TOKEN },
      "whoever shows a token with the role reader, client or admin",
      true,
    ],
  ];
  for (const [options, who, warns] of said) {
    const lines: string[] = [];
    await using server = await startedServer({ ...HTTP, ...options, log: (line) => lines.push(line) });
    assert(
      lines.includes(`  http        ${server.httpAddress}, the status page and /metrics for ${who}${everybody}`),
      lines.join("\n"),
    );
    assertEquals(
      lines.some((line) => line.startsWith("Warning: --insecure") && line.includes(server.httpAddress!)),
      warns,
    );
  }
});

Deno.test("a port that is taken stops the start, and nothing is left open", async () => {
  await using one = await startedServer(HTTP);
  await using other = madeServer({ http: one.httpAddress });
  await assertRejects(() => other.startServer(), Deno.errors.AddrInUse, "Cannot listen on ");
  assertEquals([other.address, other.httpAddress], [undefined, undefined]);
});

Deno.test({
  name: "metrics are told on a unix socket too",
  ignore: Deno.build.os === "windows", // it has no unix sockets
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/http.sock`;
    try {
      await using _server = await startedServer({ http: `unix:${path}` });
      using socket = await Deno.connect({ transport: "unix", path });
      await writeAll(socket, new TextEncoder().encode(requestOf("/metrics", ["Connection: close"])));
      assertStringIncludes(await new Response(socket.readable).text(), "\nmemcached_up 1\n");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "promtool finds nothing to complain of in the metrics of servers with peers, entries and traffic",
  ignore: !hasPromtool,
  fn: async () => {
    await using one = await startedServer(HTTP);
    await using two = await startedServer({ ...HTTP, peers: [one.address!] });
    await until("they are peers", () => two.stats().peers.some(({ state, ready }) => state === "connected" && ready));
    await one.cache.store("key", 1);
    await exchange(portOf(one.address!), "get a\r\nset b 0 0 1\r\nx\r\nmn\r\n", (reply) => reply.endsWith("MN\r\n"));
    for (const server of [one, two]) {
      const text = (await askHttp(httpPort(server), "/metrics"))!.body;
      assert(readMetrics(text).get("ormuco_peer_lag_writes")!.samples.length === 1);
      assertEquals(await promtool(["check", "metrics"], text), "");
    }
  },
});

Deno.test("requests are counted with the time that they took, each of those that were read together", async () => {
  await using server = await startedServer(HTTP);
  const pipelined = `${"get a\r\n".repeat(20)}mn\r\n`;
  const large = `set b 0 0 900000\r\n${"x".repeat(900_000)}\r\n`;
  for (const asked of [pipelined, large, "get b b b b b b b b\r\nmn\r\n"]) {
    await exchange(portOf(server.address!), asked, (reply) => /(MN|STORED)\r\n$/.test(reply));
  }
  await using client = clientOf(server);
  await client.store("c", 1);
  await client.retrieve("c");
  const port = httpPort(server);
  const counted = () => metric(port, "ormuco_request_duration_seconds_count");
  await until("all are counted", async () => await counted() === server.stats().requests);
  assert(await counted() >= 25);
  assert(await metric(port, "ormuco_request_duration_seconds_sum") > 0);
});

Deno.test("a server that stops says until its end that it is not ready", async () => {
  await using server = await startedServer({ ...HTTP, maxBytes: 2 ** 26 });
  await server.cache.store("large", new Uint8Array(8_000_000));
  using probe = await HttpTalk.with(httpPort(server));
  assertEquals((await probe.ask("/readyz"))?.status, 200);
  using slow = await Deno.connect({ hostname: "127.0.0.1", port: portOf(server.address!) });
  await writeAll(slow, new TextEncoder().encode("get large\r\n"));
  await until("its reply waits", () => server.stats().bufferBytes > 200_000);
  const stopping = server.stop(); // which waits a second for the reply to be taken
  await until("it is not ready", () => !server.stats().ready);
  const { status, body } = (await probe.ask("/readyz"))!;
  assertEquals([status, body, (await probe.ask("/healthz"))?.status], [503, "not ready", 200]);
  await stopping;
  assertEquals(await probe.next(), undefined);
});

Deno.test("cli serve tells its health and metrics with --http, and ends at SIGTERM though somebody looks", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0", "--http", "0"], { env: { AUTH_TOKEN: TOKEN } });
  const line = server.lines.find((line) => line.startsWith("http "))!;
  const [, address] = /^http {8}(127\.0\.0\.1:\d+), the status page and \/metrics for whoever shows a token/.exec(
    line,
  )!;
  const told = async (path: string, authorization?: string) => {
    const reply = await fetch(`http://${address}${path}`, { headers: authorization ? { authorization } : {} });
    return [reply.status, await reply.text()] as const;
  };
  assertEquals([await told("/healthz"), await told("/readyz")], [[200, "ok"], [200, "ok"]]);
  assertEquals((await told("/metrics"))[0], 401);
  assertEquals((await told("/metrics", `Basic ${btoa(`any:${TOKEN}`)}`))[0], 200);
  readMetrics((await told("/metrics", `Bearer ${TOKEN}`))[1]);
  using talk = await HttpTalk.with(portOf(address));
  assertEquals((await talk.ask("/events", BEARER))?.status, 200);
  const { status, out, err } = await server.stop("SIGTERM");
  assertEquals([status, err], [0, ""]);
  assertStringIncludes(out, "Server stopped");
  while (await talk.event() !== undefined) continue;
});

Deno.test({
  name:
    "HTTP is encrypted with the certificate of the cache, which is renewed there too, and health needs no encryption",
  ignore: !hasOpenssl,
  fn: async () => {
    await using authority = await Authority.make();
    const files = await authority.files();
    await using server = await startedServer({ ...HTTP, authToken: TOKEN, tls: { ...files, required: true } });
    const port = httpPort(server);
    const door = { port, ca: authority.ca };
    assertEquals((await askHttp(door, "/metrics"))?.status, 401);
    assertEquals((await askHttp(door, "/healthz"))?.body, "ok");
    using kept = await HttpTalk.with(door);
    const expiry = async () => {
      const { body } = (await kept.ask("/metrics", BEARER))!;
      return readMetrics(body).get("ormuco_certificate_expiry_timestamp_seconds")!.samples[0].value;
    };
    const before = await expiry();
    assertEquals((await askHttp(port, "/healthz"))?.body, "ok");
    assertEquals((await askHttp(port, "/readyz"))?.status, 200);
    assertEquals((await askHttp(port, "/metrics", BEARER))?.body, "this server takes connections with TLS only\n");
    const other = await authority.issue("localhost", { days: 10 });
    await Deno.writeTextFile(files.certFile, other.cert);
    await Deno.writeTextFile(files.keyFile, other.key);
    await server.reload();
    assert(await expiry() < before); // on the connection of before
    const client = Deno.createHttpClient({ caCerts: [authority.ca] });
    try {
      const reply = await fetch(`https://localhost:${port}/metrics`, {
        client,
        headers: { authorization: BEARER[0].slice(15) },
      });
      assertEquals(reply.status, 200);
      readMetrics(await reply.text());
    } finally {
      client.close();
    }
    using talk = await HttpTalk.with(door);
    assertEquals((await talk.ask("/events", BEARER))?.status, 200);
    assert(JSON.parse((await talk.event())!).stats.tlsHandshakes > 0);
    await server.stop();
    while (await talk.event() !== undefined) continue;
  },
});

Deno.test("hostile clients of HTTP cost the cache nothing: it answers, and their memory is bounded", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0", "--http", "0"], { env: { AUTH_TOKEN: TOKEN } });
  const [, address] = /http {8}(127\.0\.0\.1:\d+),/.exec(server.lines.join("\n"))!;
  const port = portOf(address);
  await using client = reportingClient([server.address], { authToken: TOKEN }).client;
  const bufferBytes = async () => (await client.stats()).server!.bufferBytes!;
  const talks: HttpTalk[] = [];
  let goesOn = true;
  const attacks: ((talk: HttpTalk) => Promise<void>)[] = [
    () => Promise.resolve(), // it says nothing
    (talk) => talk.send("GET /metrics HTTP/1.1\r\nX: "),
    async (talk) => {
      for (; goesOn; await turn()) await talk.send("x"); // it never ends
    },
    async (talk) => {
      for (; goesOn; await turn()) await talk.send(requestOf("/healthz").repeat(500)); // it reads nothing
    },
    (talk) => talk.send(requestOf("/metrics", ["Authorization: Bearer wrong-secret"]).repeat(100)),
  ];
  const attacking: Promise<void>[] = [];
  try {
    for (let i = 0; i < 200; i++) {
      const talk = await HttpTalk.with(port);
      talks.push(talk);
      attacking.push(attacks[i % attacks.length](talk).catch(() => {}));
      if (i % 10 > 0) continue;
      assertEquals([await client.store(`${i}`, i), await client.retrieve(`${i}`)], [true, i]);
      assert(await bufferBytes() < 2 ** 20, `${await bufferBytes()}`);
    }
    assertEquals((await askHttp(port, "/metrics", BEARER))?.status, 200);
    assertEquals(await client.retrieve("190"), 190);
  } finally {
    goesOn = false;
    for (const talk of talks) talk[Symbol.dispose]();
    await Promise.all(attacking);
  }
  const resting = await bufferBytes();
  await until("nothing of theirs is left", async () => await bufferBytes() <= Math.min(resting, 200_000));
  assertEquals((await server.stop()).status, 0);
});

Deno.test("the status page is there for those who may see metrics, may use what stands in it, and nothing else", async () => {
  await using server = await startedServer({ ...HTTP, authToken: TOKEN, peerToken: "share:secret-of-peers" });
  const port = httpPort(server);
  const ask = (fields?: string[], method?: string) => askHttp(port, "/", fields, method);
  assertEquals((await ask())?.status, 401);
  assertEquals((await ask(["Authorization: Bearer share:secret-of-peers"]))?.status, 403);
  const { status, head, body } = (await ask(BEARER))!;
  assertEquals(status, 200);
  const hashes = [];
  for (const element of ["script", "style"] as const) {
    const text = Uint8Array.from(partsOf(body, element)[0], (letter) => letter.charCodeAt(0));
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
    hashes.push(`${element}-src 'sha256-${btoa(String.fromCharCode(...hash))}'`);
  }
  const policy = `default-src 'none'; ${hashes.join("; ")}; connect-src 'self'; img-src data:; base-uri 'none'; ` +
    "form-action 'none'; frame-ancestors 'none'";
  assert(head.split("\r\n").includes(`Content-Security-Policy: ${policy}`), head);
  for (const field of ["X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer"]) {
    assertStringIncludes(head, field);
  }
  assertEquals((await ask(BEARER, "HEAD"))?.status, 200);
  using talk = await HttpTalk.with(port);
  await talk.ask("/events", BEARER);
  const { address, id, maxConnections, residentBytes } = JSON.parse((await talk.event())!);
  assertEquals([address, maxConnections], [server.address, 1000]);
  assert(id > 0 && residentBytes > 1e6);
});
