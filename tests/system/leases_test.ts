/** Leases between connections of a server: who computes, and who is told when to ask again. */

import { assert, assertEquals } from "@std/assert";
import type { OrmucoCacheServer } from "../../server.ts";
import { AGAIN, type FrameReader, type FrameWriter, REPLY } from "../../lib/wire/frame.ts";
import { LEASE, writeHello } from "../../lib/wire/hello.ts";
import {
  type Leased,
  type LeaseToken,
  readAgain,
  readIsValid,
  readLeased,
  writeFill,
  writeLease,
} from "../../lib/wire/leases.ts";
import { encodeValue } from "../../lib/wire/values.ts";
import { written } from "../support/frames.ts";
import { NativeSocket } from "../support/native_socket.ts";
import { clientOf, startedServer } from "../support/servers.ts";

/** Longer than any test. */
const LONG_MS = 60_000;
/** Longer than two requests take. */
const SHORT_MS = 300;

/** A connection that asks for leases. */
class Client {
  readonly #socket: NativeSocket;

  private constructor(socket: NativeSocket) {
    this.#socket = socket;
  }

  static async of(server: OrmucoCacheServer): Promise<Client> {
    const client = new Client(await NativeSocket.to(server));
    const greeting = await client.ask((output) => writeHello(output, "client/1", undefined, false, [LEASE]));
    assertEquals(greeting.code, REPLY.data);
    return client;
  }

  async next(): Promise<FrameReader> {
    const frame = await this.#socket.next();
    assert(frame !== undefined);
    return frame;
  }

  async ask(write: (output: FrameWriter) => void): Promise<FrameReader> {
    await this.#socket.write(written(write));
    return await this.next();
  }

  async lease(leaseMs = LONG_MS): Promise<Leased> {
    return readLeased(await this.ask((output) => writeLease(output, "k", leaseMs, false)));
  }

  async token(leaseMs = LONG_MS): Promise<LeaseToken> {
    const leased = await this.lease(leaseMs);
    assert(leased.state === "compute", leased.state);
    return leased.token;
  }

  async fill(token: LeaseToken, value: string): Promise<boolean> {
    const filling = { token, ttlMs: 0, isFixed: true, staleMs: 0 };
    return readIsValid(await this.ask((output) => writeFill(output, "k", encodeValue(value), filling)));
  }

  /** Waits until the server says that it is to ask again. */
  async again(): Promise<void> {
    const frame = await this.next();
    assertEquals([frame.code, readAgain(frame)], [AGAIN, "k"]);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

Deno.test("who waits is told to ask again when the one who computes has filled the value in, also where a plain client stores it", async () => {
  for (const isPlain of [false, true]) {
    await using server = await startedServer();
    await using plain = clientOf(server);
    using a = await Client.of(server);
    using b = await Client.of(server);
    const token = await a.token();
    assertEquals(await b.lease(), { state: "wait" });
    if (isPlain) await plain.store("k", "value");
    else assertEquals(await a.fill(token, "value"), true);
    await b.again();
    assertEquals(await b.lease(), { state: "fresh", value: "value" });
    assertEquals(await a.fill(token, "late"), false);
    assertEquals(await plain.retrieve("k"), "value");
  }
});

Deno.test("who waits is told at once when the connection of the one who computes ends, long before its lease", async () => {
  await using server = await startedServer();
  using b = await Client.of(server);
  {
    using a = await Client.of(server);
    await a.token();
    assertEquals(await b.lease(), { state: "wait" });
  }
  await b.again();
  const token = await b.token();
  assertEquals(await b.fill(token, "value"), true);
  assertEquals(server.stats().leasesHandedOver, 1);
});

Deno.test("who waits is told after the lease of one that is stuck, whose value is lost once another has asked", async () => {
  await using server = await startedServer();
  using a = await Client.of(server);
  using b = await Client.of(server);
  const stuck = await a.token(SHORT_MS);
  assertEquals(await b.lease(), { state: "wait" });
  await b.again();
  const token = await b.token();
  assertEquals([await a.fill(stuck, "late"), await b.fill(token, "value")], [false, true]);
  assertEquals(await a.lease(), { state: "fresh", value: "value" });
  const { leasesGiven, leasesLost, leasesHandedOver, leaseWaits } = server.stats();
  assertEquals([leasesGiven, leasesLost, leasesHandedOver, leaseWaits], [2, 1, 1, 0]);
});

Deno.test("a server stops though somebody waits, and after a start who waits is told at the time of a lease as before", async () => {
  await using server = await startedServer();
  {
    using a = await Client.of(server);
    using b = await Client.of(server);
    await a.token();
    assertEquals(await b.lease(), { state: "wait" });
    await server.stop();
    assertEquals(server.stats().leaseWaits, 0);
  }
  await server.startServer();
  using a = await Client.of(server);
  using b = await Client.of(server);
  await a.token(LONG_MS);
  assertEquals(await b.lease(), { state: "wait" });
  await server.cache.remove("k");
  await b.again();
  await a.token(SHORT_MS);
  assertEquals(await b.lease(), { state: "wait" });
  await b.again();
});
