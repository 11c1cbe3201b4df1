/** A connection of a server with itself, by which the event loop looks at all sockets. */

import { assert, assertEquals } from "@std/assert";
import { OwnConnection } from "../../lib/server/own_connection.ts";
import { settled } from "../support/memory_stream.ts";
import { turn } from "../support/waiting.ts";

const BYTE = Uint8Array.of(1);
const ROUNDS = 50;

Deno.test("OwnConnection.look() has the event loop read what has arrived, though somebody can always go on", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = { transport: "tcp", hostname: "127.0.0.1", port: listener.addr.port } as const;
  const own = (await OwnConnection.to(address))!;
  assert(own.meets(await listener.accept()));
  const pairs: Deno.TcpConn[][] = [];
  for (let i = 0; i < 20; i++) pairs.push(await Promise.all([Deno.connect(address), listener.accept()]));
  assert(pairs.every(([, far]) => !own.meets(far)), "another's connection is not its own");
  const full = pairs.shift()!;
  let isOver = false;
  const goingOn = (async () => {
    while (!isOver) await full[0].write(BYTE); // a write that there is room for is ready at once
  })();
  let looks = 0;
  for (let round = 0; round < ROUNDS; round++) {
    let arrived = 0;
    const reads = pairs.map(([, far]) => far.read(new Uint8Array(1)).then(() => arrived++));
    for (const [near] of pairs) await near.write(BYTE);
    for (; arrived < pairs.length && looks < 2 * ROUNDS; looks++) {
      await own.look();
      await settled();
    }
    await Promise.all(reads);
  }
  assert(looks < 2 * ROUNDS, `${looks} looks`);
  isOver = true;
  await goingOn;
  own.close();
  await own.look(); // otherwise, then
  for (const socket of [listener, ...full, ...pairs.flat()]) socket.close();
});

Deno.test("OwnConnection.look() is made otherwise where its byte does not come from one closeIfStuck() to the next", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const own = (await OwnConnection.to({ transport: "tcp", hostname: "127.0.0.1", port: listener.addr.port }))!;
  const far = await listener.accept();
  const { promise: closed, reject } = Promise.withResolvers<never>();
  const close = () => (far.close(), reject(new Error("closed")));
  assert(
    own.meets({ ...far, remoteAddr: far.remoteAddr, read: () => closed, close, setNoDelay() {}, setKeepAlive() {} }),
  );
  own.closeIfStuck();
  let looks = 0;
  const looking = own.look().then(() => looks++);
  await settled();
  own.closeIfStuck();
  await turn();
  assertEquals(looks, 0, "it may have begun just now");
  own.closeIfStuck();
  await looking;
  await own.look();
  listener.close();
});

Deno.test("OwnConnection.to() makes none to a unix socket, or where nobody listens", async () => {
  assertEquals(await OwnConnection.to({ transport: "unix", path: "socket" }), undefined);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  assertEquals(await OwnConnection.to({ transport: "tcp", hostname: "127.0.0.1", port }), undefined);
});
