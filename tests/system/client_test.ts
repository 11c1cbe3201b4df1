import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { encode } from "@std/msgpack";
import {
  type CacheError,
  type ClientOptions,
  OrmucoCacheClient,
  OrmucoCacheServer,
  type ServerOptions,
} from "../../mod.ts";
import { FrameReader, FrameWriter, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { MAX_BODY_BYTES, MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { writeSet } from "../../lib/wire/calls.ts";
import { writeHello } from "../../lib/wire/hello.ts";
import { run } from "../support/processes.ts";

/** Long enough that only a fault reaches it. */
const PATIENT_MS = 10_000;
/** For calls that must time out. */
const HASTY_MS = 50;

async function started(options: ServerOptions = {}): Promise<OrmucoCacheServer> {
  const server = new OrmucoCacheServer({ listen: "127.0.0.1:0", log: () => {}, ...options });
  await server.startServer();
  return server;
}

/** A client that keeps what it reports. */
function clientOf(servers: string[], options: ClientOptions = {}): { client: OrmucoCacheClient; errors: CacheError[] } {
  const errors: CacheError[] = [];
  const client = new OrmucoCacheClient({
    servers,
    timeoutMs: PATIENT_MS,
    onError: (error) => errors.push(error),
    ...options,
  });
  return { client, errors };
}

/** What a server of the test's own says to one request; `undefined`: nothing. */
type Answer = (code: number, output: FrameWriter, socket: Deno.Conn) => void;

/** A server that greets as ours does, and then does as the test says. */
class FakeServer implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #sockets: Deno.Conn[] = [];
  readonly #serving: Promise<void>[] = [];
  /** Requests in each read. */
  readonly requestsPerRead: number[] = [];
  readonly #accepting: Promise<void>;
  connections = 0;

  constructor(answer: Answer, { greets = true } = {}) {
    this.#accepting = this.#accept(greets ? greeting(answer) : answer);
  }

  get address(): string {
    return `127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}`;
  }

  async #accept(answer: Answer): Promise<void> {
    for await (const socket of this.#listener) {
      this.connections++;
      this.#sockets.push(socket);
      this.#serving.push(this.#serve(socket, answer).catch(() => {}));
    }
  }

  async #serve(socket: Deno.Conn, answer: Answer): Promise<void> {
    const reader = new FrameReader();
    reader.maxBodyBytes = MAX_BODY_BYTES;
    for (let count = await socket.read(reader.space()); count !== null; count = await socket.read(reader.space())) {
      reader.received(count);
      const output = new FrameWriter();
      let requests = 0;
      for (; reader.next(); requests++) answer(reader.code, output, socket);
      this.requestsPerRead.push(requests);
      for (let at = 0; at < output.length;) at += await socket.write(output.taken().subarray(at));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const socket of this.#sockets) close(socket);
    await this.#accepting;
    await Promise.all(this.#serving);
  }
}

function close(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch {
    // Closed before.
  }
}

function greeting(answer: Answer): Answer {
  return (code, output, socket) => {
    if (code !== REQUEST.hello) return answer(code, output, socket);
    data(output, { protocol: 1 });
  };
}

function data(output: FrameWriter, map: Record<string, unknown>, code: number = REPLY.data): void {
  output.begin(code);
  output.bytes(encode(map as Record<string, string>));
  output.end();
}

Deno.test("OrmucoCacheClient stand-alone keeps the values themselves", async () => {
  await using cache = new OrmucoCacheClient({});
  const value = { when: new Date(), run: () => 1 };
  assertEquals(await cache.store("k", value), true);
  assert(await cache.retrieve("k") === value);
  assertEquals([await cache.has("k"), await cache.has("other")], [true, false]);
  await cache.store("nothing", undefined);
  assertEquals(
    await cache.retrieveMany(["k", "other", "nothing"]),
    new Map<string, unknown>([["k", value], ["nothing", undefined]]),
  );
  assertEquals([await cache.remove("k"), await cache.remove("k")], [true, false]);
  assertEquals(await cache.clear(), true);
  assertEquals(await cache.has("nothing"), false);
});

Deno.test("OrmucoCacheClient stand-alone holds 128 entries unless told otherwise", async () => {
  for (const [options, expected] of [[{}, 128], [{ maxSize: 5 }, 5]] as [ClientOptions, number][]) {
    await using cache = new OrmucoCacheClient(options);
    for (let i = 0; i < 200; i++) await cache.store(`key:${i}`, i);
    assertEquals((await cache.stats()).entries, expected);
    assertEquals([await cache.retrieve("key:199"), await cache.retrieve("key:0")], [199, undefined]);
  }
});

Deno.test("OrmucoCacheClient stand-alone expires by the call's ttl, else the client's, and renews on hit", async () => {
  const RealDate = Date;
  let now = 1_000_000;
  globalThis.Date = class extends RealDate {
    static override now = () => now;
  } as DateConstructor;
  try {
    await using cache = new OrmucoCacheClient({ ttlMs: 100 });
    await cache.store("client's", 1);
    await cache.store("own", 2, { ttlMs: 250 });
    await cache.store("never", 3, { ttlMs: 0 });
    now += 99;
    assertEquals(await cache.retrieve("client's"), 1);
    now += 99;
    assertEquals(await cache.retrieve("client's"), 1);
    now += 100;
    assertEquals([await cache.has("client's"), await cache.has("own"), await cache.has("never")], [false, false, true]);
    now += 1e12;
    assertEquals(await cache.retrieve("never"), 3);
  } finally {
    globalThis.Date = RealDate;
  }
});

Deno.test("OrmucoCacheClient counts hits, misses and stores", async () => {
  await using server = await started();
  for (const cache of [new OrmucoCacheClient({}), clientOf([server.address!]).client]) {
    await cache.store("k", 1);
    await cache.retrieve("k");
    await cache.retrieve("other");
    await cache.retrieveMany(["k", "other", "more"]);
    const { hits, misses, stores } = await cache.stats();
    assertEquals([hits, misses, stores], [2, 3, 1]);
    await cache.close();
  }
});

Deno.test("OrmucoCacheClient with a server stores, retrieves, tells, removes and clears", async () => {
  await using server = await started();
  await using cache = clientOf([server.address!]).client;
  assertEquals(await cache.retrieve("k"), undefined);
  assertEquals(await cache.store("k", { a: [1, undefined, new Map([["x", -0]])] }), true);
  assertEquals(await cache.retrieve("k"), { a: [1, undefined, new Map([["x", -0]])] });
  assertEquals([await cache.has("k"), await cache.has("other")], [true, false]);
  await cache.store("nothing", undefined);
  assertEquals(await cache.retrieveMany(["k2", "nothing"]), new Map([["nothing", undefined]]));
  assertEquals([await cache.remove("k"), await cache.remove("k")], [true, false]);
  assertEquals([await cache.clear(), await cache.has("nothing")], [true, false]);
  assertEquals((await cache.stats()).server!.entries, 0);
});

Deno.test("OrmucoCacheClient matches every reply to its call, however many are in flight", async () => {
  await using server = await started({ maxSize: 10_000 });
  await using cache = clientOf([server.address!]).client;
  const keys = Array.from({ length: 3000 }, (_, i) => `ключ:${i}`);
  const stored = await Promise.all(keys.map((key, i) => cache.store(key, "x".repeat(i % 700) + i)));
  assert(stored.every((ok) => ok));
  const all = await Promise.all(keys.flatMap((key, i) => [cache.retrieve(key), cache.has(`no:${i}`)]));
  assertEquals(all, keys.flatMap((_, i) => ["x".repeat(i % 700) + i, false]));
  const many = await cache.retrieveMany([...keys, "other", keys[0]]);
  assertEquals([...many.keys()], keys);
  assertEquals(many.get(keys[2999]), "x".repeat(2999 % 700) + 2999);
});

Deno.test("OrmucoCacheClient.retrieveMany() asks again for values too large for one reply", async () => {
  await using server = await started();
  await using cache = clientOf([server.address!]).client;
  for (const key of ["a", "b", "c"]) await cache.store(key, new Uint8Array(7_000_000).fill(key.charCodeAt(0)));
  const found = await cache.retrieveMany<Uint8Array>(["a", "b", "c"]);
  assertEquals([...found.values()].map((bytes) => [bytes.length, bytes[6_999_999]]), [
    [7_000_000, 97],
    [7_000_000, 98],
    [7_000_000, 99],
  ]);
});

Deno.test("OrmucoCacheClient writes all calls of one turn at once", async () => {
  await using server = new FakeServer((_code, output) => output.empty(REPLY.miss));
  await using cache = clientOf([server.address]).client;
  await cache.retrieve("first");
  await Promise.all(Array.from({ length: 100 }, (_, i) => cache.retrieve(`key:${i}`)));
  assertEquals(server.requestsPerRead, [1, 1, 100]);
});

Deno.test("OrmucoCacheClient sends the ttl of the call, else its own, else leaves it to the server", async () => {
  await using server = await started({ ttlMs: 1 });
  await using without = clientOf([server.address!]).client;
  await using withOwn = clientOf([server.address!], { ttlMs: 3_600_000 }).client;
  await without.store("server's", 1);
  await withOwn.store("client's", 2);
  await without.store("call's", 3, { ttlMs: 0.5 + 3_600_000 });
  await without.store("never", 4, { ttlMs: Infinity });
  const living = async () => [...(await without.retrieveMany(["server's", "client's", "call's", "never"])).keys()];
  await eventually(async () => (await living()).length === 3);
  assertEquals(await living(), ["client's", "call's", "never"]);
});

Deno.test("OrmucoCacheClient rejects misuse, and goes on", async () => {
  await using server = await started();
  for (const cache of [new OrmucoCacheClient({}), clientOf([server.address!]).client]) {
    for (const key of ["", "k".repeat(4097), "é".repeat(2049), "\ud800"]) {
      await assertRejects(() => cache.store(key, 1), RangeError, "1 to 4096 bytes");
      await assertRejects(() => cache.retrieve(key), RangeError, "1 to 4096 bytes");
      await assertRejects(() => cache.retrieveMany(["fine", key]), RangeError, "1 to 4096 bytes");
      await assertRejects(() => cache.has(key), RangeError, "1 to 4096 bytes");
      await assertRejects(() => cache.remove(key), RangeError, "1 to 4096 bytes");
    }
    for (const ttlMs of [-1, NaN, 2 ** 60]) {
      await assertRejects(() => cache.store("k", 1, { ttlMs }), RangeError, "ttlMs");
    }
    for (const key of ["k".repeat(4096), "é".repeat(2048), "0"]) {
      assertEquals([await cache.store(key, key), await cache.retrieve(key)], [true, key]);
    }
    await cache.close();
  }
});

Deno.test("OrmucoCacheClient matches replies to calls after a key that is no text was refused", async () => {
  await using server = await started();
  await using cache = clientOf([server.address!]).client;
  await cache.store("ada", "Ada's");
  await cache.store("bob", "Bob's");
  for (const key of [undefined, null, 5, ["a"], { length: 3 }, new Uint8Array(3)]) {
    await assertRejects(() => cache.retrieve(key as string), RangeError, "Cannot use key");
    await assertRejects(() => cache.store(key as string, 1), RangeError, "Cannot use key");
    assertEquals(await Promise.all(["x", "ada", "bob"].map((key) => cache.retrieve(key))), [
      undefined,
      "Ada's",
      "Bob's",
    ]);
  }
});

Deno.test("OrmucoCacheClient.store() rejects a promise, stand-alone or not", async () => {
  await using server = await started();
  for (const cache of [new OrmucoCacheClient({}), clientOf([server.address!]).client]) {
    await assertRejects(() => cache.store("k", Promise.resolve(1)), TypeError, "await it first");
    await cache.close();
  }
});

Deno.test("OrmucoCacheClient's first call reaches the next server when the first cannot be reached", async () => {
  await using server = await started();
  await using silent = new FakeServer(() => {}, { greets: false });
  for (const first of [freeAddress(), silent.address]) {
    const { client, errors } = clientOf([first, server.address!], { timeoutMs: 1000 });
    await using cache = client;
    assertEquals([await cache.store("k", 1), await cache.retrieve("k")], [true, 1]);
    assertEquals(errors.length, 1, "the failure of the first is told");
    assertEquals((await cache.stats()).failures, { unreachable: 0, timeout: 0, refused: 0, protocol: 0, busy: 0 });
  }
});

Deno.test("OrmucoCacheClient says which key a refusal concerns, and what the limit is", async () => {
  await using server = await started({ maxBytes: 64 * 1024 });
  const { client, errors } = clientOf([server.address!]);
  await using cache = client;
  assertEquals(await cache.store("page", new Uint8Array(65_536)), false);
  assertMatch(
    errors[0].message,
    /^Cannot store "page": the server refused \(too-large\): .* \d+ bytes of at most \d+$/,
  );
});

Deno.test("OrmucoCacheClient with a server rejects a value that cannot be sent, naming the path", async () => {
  await using server = await started();
  await using cache = clientOf([server.address!]).client;
  const error = await assertRejects(
    () => cache.store("k", { items: [1, 2, 3, { callback() {} }] }),
    TypeError,
    "data.items[3].callback",
  );
  assertStringIncludes(error.message, "a function");
  assertEquals(await cache.has("k"), false);
});

Deno.test("OrmucoCacheClient refuses options out of range, naming them", () => {
  for (
    const [options, words] of [
      [{ servers: ["a b"] }, 'servers must be "host"'],
      [{ servers: ["a:70000"] }, "port 0 to 65535"],
      [{ servers: ["11142"] }, 'received "11142"'],
      [{ servers: ["a"], timeoutMs: 0 }, "timeoutMs must be"],
      [{ servers: ["a"], timeoutMs: 2 ** 31 }, "timeoutMs must be"],
      [{ ttlMs: -1 }, "ttlMs"],
      [{ maxSize: 1.5 }, "maxSize"],
    ] as [ClientOptions, string][]
  ) {
    assertThrows(() => new OrmucoCacheClient(options), RangeError, words);
  }
});

Deno.test("OrmucoCacheClient counts a value larger than a server takes as not stored", async () => {
  await using server = await started();
  const { client, errors } = clientOf([server.address!]);
  await using cache = client;
  assertEquals(await cache.store("k", new Uint8Array(MAX_VALUE_BYTES + 5000)), false);
  assertEquals(await cache.store("k", new Uint8Array(MAX_VALUE_BYTES + 1)), false);
  assertEquals(errors.map(({ code }) => code), ["refused", "refused"]);
  assertEquals(await cache.store("k", new Uint8Array(MAX_VALUE_BYTES)), true);
  assertEquals((await cache.retrieve<Uint8Array>("k"))!.length, MAX_VALUE_BYTES);
});

Deno.test("OrmucoCacheClient makes a miss of a server that is not there, tells once, and then fails at once", async () => {
  const { client, errors } = clientOf([freeAddress()]);
  await using cache = client;
  const results = await Promise.all([cache.retrieve("k"), cache.store("k", 1), cache.has("k"), cache.clear()]);
  assertEquals(results, [undefined, false, false, false]);
  assertEquals(await cache.retrieve("k"), undefined);
  assertEquals((await cache.retrieveMany(["k"])).size, 0);
  assertEquals(errors.map(({ code }) => code).slice(0, 1), ["unreachable"]);
  assertStringIncludes(errors[0].message, "Cannot use server 127.0.0.1:");
  assert((await cache.stats()).failures.unreachable >= 6);
});

Deno.test("OrmucoCacheClient makes a miss of a server that accepts and says nothing", async () => {
  await using server = new FakeServer(() => {}, { greets: false });
  const { client, errors } = clientOf([server.address], { timeoutMs: HASTY_MS });
  await using cache = client;
  assertEquals([await cache.retrieve("k"), await cache.store("k", 1)], [undefined, false]);
  assertEquals(errors[0].code, "timeout");
});

Deno.test("OrmucoCacheClient makes a miss of a server that greets and then says nothing, and drops it", async () => {
  await using server: FakeServer = new FakeServer((_code, output) => {
    if (server.connections >= 2) output.empty(REPLY.miss);
  });
  const { client, errors } = clientOf([server.address], { timeoutMs: HASTY_MS });
  await using cache = client;
  assertEquals(await Promise.all([cache.retrieve("k"), cache.store("k", 1)]), [undefined, false]);
  assertEquals(errors[0].code, "timeout");
  await eventually(async () => {
    await cache.has("k");
    return server.connections >= 2;
  });
  const before = errors.length;
  assertEquals([await cache.has("k"), errors.length], [false, before], "the new connection works");
});

Deno.test("OrmucoCacheClient.retrieveMany() makes a miss of one value that cannot be read, and finds the others", async () => {
  await using server = await started();
  const { client, errors } = clientOf([server.address!]);
  await using cache = client;
  await cache.store("good", 1);
  const [flags, value] = [0x4f430002, "{not JSON"];
  using socket = await Deno.connect({ port: Number(server.address!.split(":")[1]) });
  const output = new FrameWriter();
  writeHello(output, "test");
  writeSet(output, "bad", { flags, payload: value }, undefined);
  await socket.write(output.taken());
  await eventually(() => cache.has("bad"));
  assertEquals(await cache.retrieveMany(["bad", "good"]), new Map([["good", 1]]));
  assertMatch(errors[0].message, /^Cannot retrieve "bad": Cannot decode value/);
});

Deno.test("OrmucoCacheClient.close() waits for all calls, however many", async () => {
  await using server = await started();
  const { client } = clientOf([server.address!], { timeoutMs: 60_000 });
  await client.store("k", 1);
  const found = Array.from({ length: 100_000 }, () => client.retrieve("k"));
  await client.close();
  assert((await Promise.all(found)).every((value) => value === 1));
});

Deno.test("OrmucoCacheClient is not disturbed by an onError that rejects, or calls it again", async () => {
  const cache: OrmucoCacheClient = new OrmucoCacheClient({
    servers: [freeAddress()],
    onError: async () => {
      await cache.retrieve("again");
      await cache.close();
      throw new Error("mine");
    },
  });
  assertEquals(await cache.retrieve("k"), undefined);
  await cache.close();
});

Deno.test("OrmucoCacheClient drops a server that trickles", async () => {
  // One byte of a reply for each request, never a whole one.
  await using server = new FakeServer((_code, output) => output.uint8(0));
  const { client, errors } = clientOf([server.address], { timeoutMs: HASTY_MS });
  await using cache = client;
  await eventually(async () => {
    await cache.retrieve("k");
    return server.connections > 1;
  });
  assert(errors.every(({ code }) => code === "timeout" || code === "unreachable" || code === "protocol"));
});

const HOSTILE: [string, Answer][] = [
  ["rubbish", (_code, output) => output.bytes(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"))],
  ["a length out of bounds", (_code, output) => output.bytes(new Uint8Array(8).fill(0xff))],
  ["a reply that does not fit", (_code, output) => output.empty(REPLY.ok)],
  ["an unknown reply", (_code, output) => output.empty(0x8a)],
  ["a VALUE without flags", (_code, output) => output.empty(REPLY.value)],
  ["more replies than requests", (_code, output) => (output.empty(REPLY.miss), output.empty(REPLY.miss))],
  ["control data that is none", (_code, output) => {
    output.begin(REPLY.refused);
    output.bytes(new Uint8Array([0xc1]));
    output.end();
  }],
  ["control data nested without end", (_code, output) => {
    output.begin(REPLY.refused);
    output.bytes(new Uint8Array(1_000_000).fill(0x91));
    output.end();
  }],
  ["the end of the connection", (_code, _output, socket) => close(socket)],
];

for (const [what, answer] of HOSTILE) {
  Deno.test(`OrmucoCacheClient makes a miss of a server that sends ${what}, and fails over`, async () => {
    await using hostile = new FakeServer(answer);
    await using good = await started();
    await using direct = clientOf([good.address!]).client;
    await direct.store("k", "v");
    const { client, errors } = clientOf([hostile.address, good.address!]);
    await using cache = client;
    await cache.retrieve("k"); // a miss, but for a second reply too many: that shows only afterwards
    await eventually(async () => await cache.retrieve("k") === "v");
    assert(errors.length >= 1);
    assertEquals((await cache.stats()).connectedTo, good.address);
  });
}

Deno.test("OrmucoCacheClient makes a miss of a server that is none of ours", async () => {
  await using server = new FakeServer((_code, output) => output.bytes(new Uint8Array(2000).fill(0x20)), {
    greets: false,
  });
  const { client, errors } = clientOf([server.address]);
  await using cache = client;
  assertEquals(await cache.retrieve("k"), undefined);
  assertEquals(errors.map(({ code }) => code), ["protocol"]);
});

Deno.test("OrmucoCacheClient makes a miss of a value that cannot be read, and keeps the connection", async () => {
  await using server = new FakeServer((_code, output) => {
    output.begin(REPLY.value);
    output.uint32(0x4f430002);
    output.text("{not JSON");
    output.end();
  });
  const { client, errors } = clientOf([server.address]);
  await using cache = client;
  assertEquals(await Promise.all([cache.retrieve("a"), cache.retrieve("b")]), [undefined, undefined]);
  assertEquals(errors.map(({ code }) => code), ["protocol", "protocol"]);
  assertEquals([await cache.retrieve("c"), errors.length, server.connections], [undefined, 3, 1]);
});

Deno.test("OrmucoCacheClient passes over pushes", async () => {
  await using server = new FakeServer((_code, output) => {
    output.empty(0xc0);
    output.begin(0xff);
    output.bytes(new Uint8Array(10_000));
    output.end();
    output.empty(REPLY.miss);
  });
  const { client, errors } = clientOf([server.address]);
  await using cache = client;
  assertEquals([await cache.retrieve("k"), await cache.has("k"), errors.length], [undefined, false, 0]);
});

Deno.test("OrmucoCacheClient uses the next server when one stops, and comes back when that one does", async () => {
  const [first, second] = [await started(), await started()];
  const addresses = [first.address!, second.address!];
  const { client } = clientOf(addresses);
  await using cache = client;
  await cache.store("k", 1);
  assertEquals((await cache.stats()).connectedTo, addresses[0]);
  await first.stop();
  await eventually(async () => await cache.store("k", 2));
  assertEquals((await cache.stats()).connectedTo, addresses[1]);
  const again = await started({ listen: addresses[0] });
  await second.stop();
  await eventually(async () => await cache.store("k", 3));
  assertEquals((await cache.stats()).connectedTo, addresses[0]);
  await again.stop();
});

Deno.test("OrmucoCacheClient finds a server again that was restarted", async () => {
  let server = await started();
  const listen = server.address!;
  await using cache = clientOf([listen]).client;
  await cache.store("k", 1);
  await server.stop();
  assertEquals(await cache.store("k", 2), false);
  server = await started({ listen });
  await eventually(async () => await cache.store("k", 3));
  assertEquals(await cache.retrieve("k"), 3);
  await server.stop();
});

Deno.test("OrmucoCacheClient fails calls at once when too much waits", async () => {
  await using server = new FakeServer(() => {});
  const { client, errors } = clientOf([server.address], { timeoutMs: 1000 });
  await using cache = client;
  const chunk = new Uint8Array(15_000_000);
  const stores = Array.from({ length: 8 }, (_, i) => cache.store(`key:${i}`, chunk));
  await Promise.all(stores);
  assert(errors.some(({ code }) => code === "busy"), errors.map(({ code }) => code).join());
});

Deno.test("OrmucoCacheClient.close() waits for calls under way; later ones fail", async () => {
  await using server = await started();
  const { client, errors } = clientOf([server.address!]);
  const stored = client.store("k", "v");
  await client.close();
  assertEquals(await stored, true);
  assertEquals([await client.retrieve("k"), await client.store("k", 1)], [undefined, false]);
  assertStringIncludes(errors[0].message, "closed");
  await client.close(); // has no effect
});

Deno.test("OrmucoCacheClient is not disturbed by an onError that throws", async () => {
  await using cache = new OrmucoCacheClient({
    servers: [freeAddress()],
    onError: () => {
      throw new Error("mine");
    },
  });
  assertEquals(await cache.retrieve("k"), undefined);
});

Deno.test("OrmucoCacheClient needs no permission but the network, and lets the process end without close()", async () => {
  await using server = await started();
  const ended = await run("tests/support/fixtures/store_and_retrieve.ts", [server.address!], {
    permissions: ["--no-prompt", `--allow-net=${server.address}`],
  });
  assertEquals(ended, { status: 0, out: "true [ 1, 2n ]\n", err: "" });
});

Deno.test("OrmucoCacheClient without options reads the environment, and .env below it", async () => {
  await using server = await started();
  const [host, port] = server.address!.split(":");
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/.env`, `SERVER_HOST=${host}\nSERVER_PORT=1\n`);
    const ended = await run("tests/support/fixtures/store_and_retrieve.ts", [], {
      env: { SERVER_PORT: port },
      cwd: folder,
    });
    assertEquals(ended, { status: 0, out: "true [ 1, 2n ]\n", err: "" });
    assertEquals(server.stats().stores, 1);
    const denied = await run("tests/support/fixtures/store_and_retrieve.ts", [], {
      permissions: ["--no-prompt", "--allow-net"],
      cwd: folder,
    });
    assertStringIncludes(
      denied.err,
      "Cannot read settings from .env: run with --allow-read=.env --allow-env=CACHE_MAX_SIZE,",
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function freeAddress(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
}

/** Tries until it holds: a client backs off, and how long is not what these tests are about. */
async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + PATIENT_MS;
  while (!await holds()) {
    if (performance.now() > endMs) throw new Error("it never held");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
