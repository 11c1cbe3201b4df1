/** Sockets: where one listens and what is said if it cannot, what is written, and which errors are the end of a peer. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { parseAddress } from "../../lib/base/address.ts";
import { connect } from "../../lib/platform/connect.ts";
import {
  boundAddress,
  closeQuietly,
  isDisconnection,
  listen,
  remoteAddress,
  removeSocketFile,
  writeAll,
} from "../../lib/platform/socket.ts";
import { portOf } from "../support/ports.ts";

const ANY_PORT = parseAddress("127.0.0.1:0")!;
const hasNoUnixSockets = Deno.build.os === "windows";

/** Gives a path in a folder of its own. */
async function withPath(use: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(`${folder}/a.sock`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const never = new AbortController().signal;

Deno.test("listen() and connect() make two ends of a connection, and boundAddress() tells the port", async () => {
  using listener = await listen(ANY_PORT);
  const address = boundAddress(ANY_PORT, listener);
  assert(address.transport === "tcp" && address.port > 0);
  assertStrictEquals(address.hostname, "127.0.0.1");
  const [near, far] = await Promise.all([connect(address, never), listener.accept()]);
  assertStrictEquals(remoteAddress(near), `127.0.0.1:${address.port}`);
  assertStrictEquals(remoteAddress(far), `127.0.0.1:${portOf(remoteAddress(far))}`);
  await writeAll(near, Uint8Array.of(1, 2, 3));
  const bytes = new Uint8Array(3);
  assertStrictEquals(await far.read(bytes), 3);
  assertEquals(bytes, Uint8Array.of(1, 2, 3));
  near.close();
  far.close();
});

Deno.test("listen() rejects with the error's own class and names the address when the port is taken", async () => {
  using listener = await listen(ANY_PORT);
  const address = boundAddress(ANY_PORT, listener);
  const words = `Cannot listen on 127.0.0.1:${(listener.addr as Deno.NetAddr).port}: `;
  await assertRejects(() => listen(address), Deno.errors.AddrInUse, words);
});

Deno.test("connect() rejects when nobody listens, and when it is called off", async () => {
  const listener = await listen(ANY_PORT);
  const address = boundAddress(ANY_PORT, listener);
  listener.close();
  await assertRejects(() => connect(address, never), Deno.errors.ConnectionRefused);
  using other = await listen(ANY_PORT);
  await assertRejects(() => connect(boundAddress(ANY_PORT, other), AbortSignal.abort(new Error("called off"))));
});

Deno.test({
  name: "listen() makes a unix socket that only its user may open, and leaves the umask as it was",
  ignore: hasNoUnixSockets,
  fn: () =>
    withPath(async (path) => {
      const address = parseAddress(`unix:${path}`)!;
      const umask = Deno.umask();
      using listener = await listen(address);
      assertStrictEquals(Deno.umask(), umask);
      assertStrictEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
      assertEquals(boundAddress(address, listener), address);
      const [near, far] = await Promise.all([connect(address, never), listener.accept()]);
      assertEquals([remoteAddress(near), remoteAddress(far)], ["unix", "unix"]);
      near.close();
      far.close();
    }),
});

Deno.test({
  name: "listen() takes the place of a unix socket where nobody answers, and of nothing else",
  ignore: hasNoUnixSockets,
  fn: () =>
    withPath(async (path) => {
      const address = parseAddress(`unix:${path}`)!;
      Deno.listen({ transport: "unix", path }).close(); // leaves its file, as a killed server does
      const umask = Deno.umask();
      const listener = await listen(address);
      const accepted: Deno.Conn[] = [];
      const accepting = (async () => {
        for await (const socket of listener) accepted.push(socket);
      })();
      await assertRejects(() => listen(address), Deno.errors.AddrInUse, `Cannot listen on unix:${path}: `);
      assertStrictEquals((await Deno.stat(path)).isSocket, true, "the one that answers stays");
      listener.close();
      await accepting;
      for (const socket of accepted) socket.close();
      removeSocketFile(path);
      await Deno.writeTextFile(path, "mine");
      await assertRejects(() => listen(address), Deno.errors.AddrInUse, "Cannot listen on unix:");
      assertStrictEquals(await Deno.readTextFile(path), "mine");
      assertStrictEquals(Deno.umask(), umask, "also where it fails");
    }),
});

Deno.test("removeSocketFile() removes a file, and has no effect when there is none", () =>
  withPath(async (path) => {
    await Deno.writeTextFile(path, "");
    removeSocketFile(path);
    await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
    removeSocketFile(path);
  }));

Deno.test("writeAll() writes every byte, in order, when one write takes a part", async () => {
  for (const most of [1, 7, 100, 1000]) {
    const written: number[] = [];
    const socket = {
      write(bytes: Uint8Array): Promise<number> {
        const part = bytes.subarray(0, most);
        written.push(...part);
        return Promise.resolve(part.length);
      },
    } as Deno.Conn;
    const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
    await writeAll(socket, bytes);
    assertEquals(written, [...bytes]);
    await writeAll(socket, new Uint8Array(0));
    assertStrictEquals(written.length, 100);
  }
});

Deno.test("writeAll() rejects when the other side is gone", async () => {
  using listener = await listen(ANY_PORT);
  const [near, far] = await Promise.all([connect(boundAddress(ANY_PORT, listener), never), listener.accept()]);
  far.close();
  const error = await assertRejects(() => writeAll(near, new Uint8Array(50_000_000)));
  assert(isDisconnection(error), `${error}`);
  near.close();
});

Deno.test("isDisconnection() tells errors that end a connection from all others", () => {
  const { errors } = Deno;
  for (
    const type of [
      ...[errors.BadResource, errors.BrokenPipe, errors.ConnectionAborted, errors.ConnectionReset],
      ...[errors.Interrupted, errors.NotConnected, errors.TimedOut],
    ]
  ) assert(isDisconnection(new type("gone")), type.name);
  const others = [new Error("BadResource"), new TypeError("x"), new errors.AddrInUse("x"), new errors.NotCapable("x")];
  for (const other of [...others, new errors.ConnectionRefused("x"), undefined, null, "BrokenPipe", 5, {}]) {
    assert(!isDisconnection(other), String(other));
  }
});

Deno.test("closeQuietly() closes, and has no effect when that was done before", async () => {
  const listener = await listen(ANY_PORT);
  closeQuietly(listener);
  closeQuietly(listener);
  await assertRejects(() => listener.accept(), Deno.errors.BadResource);
});
