/** What whoever hears of a client's connection is told, and when: by servers of the tests' own. */

import { assert, assertEquals } from "@std/assert";
import { ClientConnection, type ConnectionHearer } from "../../lib/client/connection.ts";
import { parseAddress } from "../../lib/base/address.ts";
import { readYesNo, writeSet } from "../../lib/wire/calls.ts";
import { FrameWriter, REPLY, REQUEST, STOPPING } from "../../lib/wire/frame.ts";
import { NEAR, writeGreeting } from "../../lib/wire/hello.ts";
import { writeAll } from "../../lib/platform/socket.ts";
import { type Answer, FakeServer } from "../support/fake_server.ts";
import { PATIENT_MS } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

/** Keeps what it is told. */
class Heard implements ConnectionHearer {
  readonly features = [NEAR];
  readonly told: string[] = [];
  readonly repliedMs: number[] = [];

  connected(features: readonly string[]): void {
    this.told.push(features.includes(NEAR) ? "connected" : "connected without");
  }

  sent(nowMs: number): void {
    assert(nowMs <= performance.now());
  }

  lost(): void {
    this.told.push("lost");
  }

  replied(givenAtMs: number): void {
    this.told.push("replied");
    this.repliedMs.push(givenAtMs);
  }

  pushed({ code }: { code: number }): void {
    this.told.push(`pushed ${code}`);
  }
}

/** A connection to servers, and what is told of it. */
class Talk implements Disposable {
  readonly heard = new Heard();
  readonly connection: ClientConnection;

  constructor(servers: string[], timeoutMs = PATIENT_MS) {
    this.connection = new ClientConnection({
      servers: servers.map((text) => parseAddress(text)!),
      timeoutMs,
      software: "test/1",
      onQuiet: () => {},
      onError: () => {},
      hearer: this.heard,
    });
  }

  /** Sends a `PING`; resolves to the code of its error, when nothing more is to come of it. */
  ping(): Promise<string | undefined> {
    return new Promise((resolve) => {
      let code: string | undefined;
      this.connection.call((output) => output.empty(REQUEST.ping), {
        read: readYesNo,
        settle: (_, error) => code = error?.code,
        ended: () => resolve(code),
      });
    });
  }

  [Symbol.dispose](): void {
    this.connection.close();
  }
}

const answerOk: Answer = (_, output) => output.empty(REPLY.ok);

Deno.test("who hears of a connection is told of its beginning, replies, pushes and end, in their order", async () => {
  await using server = new FakeServer((_, output, hangUp) => {
    output.empty(0xc3);
    output.empty(REPLY.ok);
    if (server.requestsPerRead.length > 1) hangUp();
  });
  using talk = new Talk([server.address]);
  await talk.ping();
  await talk.ping();
  await until("the end is told", () => talk.heard.told.includes("lost"));
  assertEquals(talk.heard.told, ["connected", "pushed 195", "replied", "pushed 195", "replied", "lost"]);
});

Deno.test("a reply is told with a time before its request left, also of calls made before there was a connection", async () => {
  await using server = new FakeServer(answerOk);
  using talk = new Talk([server.address]);
  const callMs = performance.now();
  const reply = talk.ping();
  await until("a call is made", () => performance.now() > callMs);
  const laterMs = performance.now();
  await until("a greeting is read", () => talk.connection.connectedTo !== undefined);
  await reply;
  const [givenAtMs] = talk.heard.repliedMs;
  assert(givenAtMs >= callMs && givenAtMs < laterMs, "it counts from the end of its own turn");
});

Deno.test("calls that a write under way takes along before their turn ends count from then", async () => {
  await using server = new FakeServer(answerOk);
  using talk = new Talk([server.address]);
  await talk.ping();
  const large = { flags: 0, payload: new Uint8Array(16 * 1024 * 1024) };
  talk.connection.call((output) => writeSet(output, "k", large, 0), { read: readYesNo, settle: () => {} });
  await undefined; // its turn ends, and the write begins
  const { queueMicrotask } = globalThis;
  let endTurn = () => {};
  globalThis.queueMicrotask = (run) => endTurn = run;
  try {
    const callMs = performance.now();
    await talk.ping();
    const [, , givenAtMs] = talk.heard.repliedMs;
    assert(givenAtMs >= callMs && givenAtMs <= performance.now(), `${givenAtMs}`);
  } finally {
    globalThis.queueMicrotask = queueMicrotask;
    endTurn();
  }
});

/** Listens once: greets, says that it stops, and answers the call that has been made when `answer` is called. */
function stoppingServer(): { address: string; answer: () => Promise<void>; served: Promise<void> } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answered = Promise.withResolvers<void>();
  const written = Promise.withResolvers<void>();
  const serve = async () => {
    using socket = await listener.accept();
    listener.close();
    await socket.read(new Uint8Array(1024));
    const say = async (write: (output: FrameWriter) => void) => {
      const output = new FrameWriter();
      write(output);
      await writeAll(socket, output.taken());
    };
    await say((output) => writeGreeting(output, "fake/1", { id: 1 }, {}));
    await socket.read(new Uint8Array(1024));
    await say((output) => output.empty(STOPPING));
    await answered.promise;
    await say((output) => output.empty(REPLY.ok));
    written.resolve();
    while (await socket.read(new Uint8Array(1024)) !== null);
  };
  const answer = () => {
    answered.resolve();
    return written.promise;
  };
  return { address: `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`, answer, served: serve() };
}

Deno.test("a connection whose server stops is left: its replies are told no more", async () => {
  const stopping = stoppingServer();
  await using other = new FakeServer(answerOk);
  using talk = new Talk([stopping.address, other.address]);
  const first = talk.ping();
  await until("it is left", () => talk.heard.told.includes("lost"));
  assertEquals(talk.heard.told, ["connected", "lost"]);
  await talk.ping();
  await stopping.answer();
  assertEquals(await first, undefined, "it is answered all the same");
  assertEquals(talk.heard.told, ["connected", "lost", "connected", "replied"]);
  talk.connection.close();
  assertEquals(talk.heard.told, ["connected", "lost", "connected", "replied", "lost"]);
  await stopping.served;
});

Deno.test("nothing more is to come of a call that is not made", async () => {
  using talk = new Talk(["127.0.0.1:9"]);
  talk.connection.close();
  assertEquals(await talk.ping(), "unreachable");
  assertEquals(talk.heard.told, []);
});
