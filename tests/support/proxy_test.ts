/** The network of the tests' own: that its delay and its rate are those of a line, and not a pause between reads. */

import { assert, assertEquals } from "@std/assert";
import { portOf } from "./ports.ts";
import { type ProxyOptions, type ProxyTime, TcpProxy } from "./proxy.ts";
import { turn, until } from "./waiting.ts";

/** Time that passes when a test says so. */
class OwnTime implements ProxyTime {
  readonly #later = new Set<{ atMs: number; run: () => void }>();
  #nowMs = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  runAt(atMs: number, run: () => void): () => void {
    const one = { atMs, run };
    this.#later.add(one);
    return () => this.#later.delete(one);
  }

  async goOnTo(nowMs: number): Promise<void> {
    this.#nowMs = nowMs;
    for (const { run } of [...this.#later].filter(({ atMs }) => atMs <= nowMs)) run();
    await turn();
  }
}

/** A proxy between two ends, with a time of its own. */
class Line implements AsyncDisposable {
  readonly time: OwnTime;
  readonly proxy: TcpProxy;
  readonly near: Deno.TcpConn;
  readonly far: Deno.TcpConn;
  /** What has arrived at the far end. */
  arrived = "";
  isEnded = false;
  readonly #reading: Promise<void>;

  private constructor(proxy: TcpProxy, time: OwnTime, near: Deno.TcpConn, far: Deno.TcpConn) {
    [this.proxy, this.time, this.near, this.far] = [proxy, time, near, far];
    this.#reading = this.#read();
  }

  static async open(options: ProxyOptions): Promise<Line> {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const time = new OwnTime();
    const proxy = new TcpProxy(listener.addr.port, { time, ...options });
    const [near, far] = await Promise.all([connect(proxy), listener.accept()]);
    return new Line(proxy, time, near, far);
  }

  async send(text: string): Promise<void> {
    await this.near.write(new TextEncoder().encode(text));
  }

  async hasInFlight(chunks: number): Promise<void> {
    await until(`${chunks} chunks are in flight`, () => this.proxy.chunksInFlight === chunks);
  }

  async hasArrived(text: string): Promise<void> {
    await until(`"${text}" has arrived`, () => this.arrived === text);
  }

  async #read(): Promise<void> {
    const bytes = new Uint8Array(64 * 1024);
    for (let count: number | null = 0; count !== null;) {
      count = await this.far.read(bytes).catch(() => null);
      this.arrived += new TextDecoder().decode(bytes.subarray(0, count ?? 0));
    }
    this.isEnded = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.#reading;
    this.near.close();
    this.far.close();
  }
}

function connect(proxy: TcpProxy): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port: portOf(proxy.address) });
}

Deno.test("TcpProxy has two chunks in flight at once when they are sent 10 ms apart, and each arrives a delay later", async () => {
  await using line = await Line.open({ delayMs: 100 });
  await line.send("a");
  await line.hasInFlight(1);
  await line.time.goOnTo(10);
  await line.send("b");
  await line.hasInFlight(2);
  await line.time.goOnTo(99);
  assertEquals([line.arrived, line.proxy.chunksInFlight, line.proxy.bytesInFlight], ["", 2, 2]);
  await line.time.goOnTo(100);
  await line.hasArrived("a");
  await line.time.goOnTo(109);
  assertEquals([line.arrived, line.proxy.chunksInFlight], ["a", 1]);
  await line.time.goOnTo(110);
  await line.hasArrived("ab");
  await line.hasInFlight(0);
});

Deno.test("TcpProxy delays replies as long as requests", async () => {
  await using line = await Line.open({ delayMs: 100 });
  await line.far.write(new TextEncoder().encode("reply"));
  await line.hasInFlight(1);
  const reply = new Uint8Array(5);
  const reading = line.near.read(reply);
  await line.time.goOnTo(99);
  assertEquals(line.proxy.chunksInFlight, 1);
  await line.time.goOnTo(100);
  assertEquals([await reading, new TextDecoder().decode(reply)], [5, "reply"]);
});

Deno.test("TcpProxy lets bytes set out at its rate, whether they are sent together or not", async () => {
  await using line = await Line.open({ delayMs: 50, rateBytesPerSecond: 1000 });
  await line.send("a".repeat(100)); // sets out until 100 ms
  await line.hasInFlight(1);
  await line.send("b".repeat(100)); // until 200 ms
  await line.hasInFlight(2);
  await line.time.goOnTo(149);
  assertEquals(line.proxy.chunksInFlight, 2);
  await line.time.goOnTo(150);
  await line.hasArrived("a".repeat(100));
  await line.time.goOnTo(249);
  assertEquals(line.proxy.chunksInFlight, 1);
  await line.time.goOnTo(250);
  await line.hasInFlight(0);
  await line.send("c"); // the line was free: 1 ms, and the delay
  await line.hasInFlight(1);
  await line.time.goOnTo(300);
  assertEquals(line.proxy.chunksInFlight, 1);
  await line.time.goOnTo(301);
  await line.hasArrived(`${"a".repeat(100)}${"b".repeat(100)}c`);
});

Deno.test("TcpProxy reads no more than may be in flight", async () => {
  await using line = await Line.open({ delayMs: 100, maxBytesInFlight: 1000 });
  await line.send("x".repeat(2500));
  await until("it is full", () => line.proxy.bytesInFlight === 1000);
  await turn();
  assertEquals(line.proxy.bytesInFlight, 1000);
  await line.time.goOnTo(100);
  await until("it is full again", () => line.arrived.length === 1000 && line.proxy.bytesInFlight === 1000);
  line.proxy.heal();
  await line.hasArrived("x".repeat(2500));
});

Deno.test("TcpProxy.hold() keeps bytes and connections until heal()", async () => {
  await using line = await Line.open({ delayMs: 100 });
  await line.send("a");
  await line.hasInFlight(1);
  line.proxy.hold();
  await line.time.goOnTo(1000);
  await line.send("b");
  await line.hasInFlight(2);
  assertEquals([line.arrived, line.isEnded], ["", false]);
  line.proxy.heal();
  await line.hasArrived("ab");
});

Deno.test("TcpProxy.cut() loses what is in flight and lets no connection live until heal()", async () => {
  await using line = await Line.open({ delayMs: 100 });
  await line.send("a");
  await line.hasInFlight(1);
  line.proxy.cut();
  await until("the far end is told", () => line.isEnded);
  assertEquals([line.arrived, line.proxy.chunksInFlight], ["", 0]);
  assertEquals(await line.near.read(new Uint8Array(1)).catch(() => null), null);
  using refused = await connect(line.proxy);
  assertEquals(await refused.read(new Uint8Array(1)).catch(() => null), null);

  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  line.proxy.target = listener.addr.port;
  line.proxy.heal();
  using again = await connect(line.proxy);
  using other = await listener.accept();
  await again.write(Uint8Array.of(7));
  const byte = new Uint8Array(1);
  assertEquals([await other.read(byte), byte[0]], [1, 7]);
});

Deno.test("TcpProxy passes the end of one direction on, behind what was sent before it, and leaves the other", async () => {
  await using line = await Line.open({ delayMs: 100 });
  await line.send("last");
  await line.near.closeWrite();
  await line.hasInFlight(1);
  await line.time.goOnTo(99);
  assert(!line.isEnded);
  await until("the end is there", async () => {
    await line.time.goOnTo(200);
    return line.isEnded;
  });
  assertEquals(line.arrived, "last");
  line.proxy.heal();
  await line.far.write(new TextEncoder().encode("reply"));
  const reply = new Uint8Array(5);
  assertEquals([await line.near.read(reply), new TextDecoder().decode(reply)], [5, "reply"]);
});
