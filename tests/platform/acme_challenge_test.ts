import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { answerChallenge } from "../../lib/platform/acme_challenge.ts";
import { freePort } from "../support/ports.ts";

const hostname = "127.0.0.1";
const PATH = "/.well-known/acme-challenge/tok_en-1";

function answering() {
  const port = freePort();
  return { port, stop: answerChallenge({ hostname, port, token: "tok_en-1", answer: "tok_en-1.thumb" }) };
}

/** What is sent back, until the connection ends. */
async function said(port: number, request: string): Promise<string> {
  using conn = await Deno.connect({ hostname, port });
  await conn.write(new TextEncoder().encode(request));
  const bytes = new Uint8Array(1000);
  let length = 0;
  for (let count: number | null; (count = await conn.read(bytes.subarray(length)).catch(() => null)) !== null;) {
    length += count;
  }
  return new TextDecoder().decode(bytes.subarray(0, length));
}

Deno.test("the challenge is answered, and nothing else is", async () => {
  const { port, stop } = answering();
  try {
    const found = await said(port, `GET ${PATH} HTTP/1.1\r\nHost: cache.example.com\r\n\r\n`);
    assertStringIncludes(found, "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n");
    assertEquals(found.split("\r\n\r\n")[1], "tok_en-1.thumb");
    for (
      const request of [
        `POST ${PATH} HTTP/1.1`,
        `HEAD ${PATH} HTTP/1.1`,
        "GET / HTTP/1.1",
        "GET /.well-known/acme-challenge/ HTTP/1.1",
        `GET ${PATH}/../x HTTP/1.1`,
        `GET ${PATH}2 HTTP/1.1`,
        `GET http://cache.example.com${PATH} HTTP/1.1`,
        "nonsense",
        `GET ${PATH} HTTP/1.1\r\nX: ${"x".repeat(5000)}`,
      ]
    ) {
      const answer = await said(port, `${request}\r\n\r\n`);
      const isCut = answer === "" && request.length > 4096; // unread bytes may take the answer with them
      assertEquals(
        isCut || answer.startsWith("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"),
        true,
        request.slice(0, 80),
      );
    }
    assertThrows(() => answerChallenge({ hostname, port, token: "a", answer: "b" }), Deno.errors.AddrInUse);
  } finally {
    stop();
  }
});

Deno.test("connections that say nothing are few, and are closed when the challenge is over", async () => {
  const { port, stop } = answering();
  const silent = await Promise.all(Array.from({ length: 64 }, () => Deno.connect({ hostname, port })));
  assertEquals(await said(port, `GET ${PATH} HTTP/1.1\r\n\r\n`), "", "there is no place");
  silent[0].close();
  let answer = "";
  for (let i = 0; answer === "" && i < 1000; i++) answer = await said(port, `GET ${PATH} HTTP/1.1\r\n\r\n`);
  assertStringIncludes(answer, "tok_en-1.thumb");
  stop();
  for (const conn of silent.slice(1)) {
    assertEquals(await conn.read(new Uint8Array(1)).catch(() => null), null);
    conn.close();
  }
});
