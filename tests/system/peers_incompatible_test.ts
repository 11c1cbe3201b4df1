/** Builds that speak different messages: they part at the greeting, and say so. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encode } from "@std/msgpack";
import { GOSSIP_VERSION } from "../../lib/wire/hello.ts";
import { REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { readError, writeControl, writeError } from "../../lib/wire/control.ts";
import { type Node, startedNode } from "../support/cluster.ts";
import { FakeServer } from "../support/fake_server.ts";
import { frameOf, NativeSocket } from "../support/native_socket.ts";
import { freeAddress } from "../support/ports.ts";
import { run } from "../support/processes.ts";
import { until } from "../support/waiting.ts";

const OTHER = GOSSIP_VERSION + 1;

/** The greeting of a peer of another build. */
function helloOf(gossip: number | undefined): Uint8Array {
  const version: { gossip?: number } = gossip === undefined ? {} : { gossip };
  return frameOf(REQUEST.hello, encode({ protocol: 1, client: "other/2", features: [], peer: 7, port: 7, ...version }));
}

for (const gossip of [OTHER, undefined]) {
  const name = gossip === undefined ? "names no version" : "speaks another version";
  Deno.test(`a peer that ${name} of gossip gets one CLOSING and nothing else, and is shown`, async () => {
    await using node = await startedNode();
    await node.cache.store("k", 1);
    using socket = await NativeSocket.to(node);
    await socket.write(helloOf(gossip));
    assertEquals(await socket.codesUntilClosed(), [REPLY.closing]);
    using again = await NativeSocket.to(node);
    await again.write(helloOf(gossip));
    assertEquals(await again.codesUntilClosed(), [REPLY.closing]);
    const rows = node.server.stats().peers;
    assertEquals(rows.map(({ state, id, address }) => [state, id, address]), [["incompatible", 7, "127.0.0.1:7"]]);
    assertMatch(rows[0].error, /gossip \d is spoken here: received (\d|none); peers must run builds that agree/);
    assertEquals(node.lines.filter((line) => line.includes("cannot be used")).length, 1, "it is told once");
  });
}

Deno.test("a peer that needs a feature that is unknown here gets one CLOSING, and both sides can say why", async () => {
  await using node = await startedNode();
  using socket = await NativeSocket.to(node);
  const hello = { protocol: 1, client: "other/2", features: ["skip-unknown", "later"], needs: ["later"] };
  await socket.write(frameOf(REQUEST.hello, encode({ ...hello, peer: 7, port: 7, gossip: GOSSIP_VERSION })));
  const why = 'one needs the feature "later", the other has it not; peers must run builds that agree';
  const reply = await socket.next();
  assertEquals(readError(reply!), { code: "unsupported-gossip", message: why });
  assertEquals(await socket.codesUntilClosed(), []);
  const [{ state, error }] = node.server.stats().peers;
  assertEquals([state, error], ["incompatible", why]);
  assertEquals(node.lines.filter((line) => line.includes("cannot be used")), [
    `Peer 127.0.0.1:7 cannot be used: ${why}`,
  ]);
});

/** Waits until a node has given up its only listed peer as incompatible. */
async function rowOf(node: Node) {
  await until("it is incompatible", () => node.server.stats().peers[0].state === "incompatible");
  const [row] = node.server.stats().peers;
  return row;
}

Deno.test("a listed peer whose reply names another version of gossip is incompatible, and hears nothing", async () => {
  const heard: number[] = [];
  const greet = { protocol: 1, server: "other/2", features: [], peer: 9, gossip: OTHER };
  await using other = new FakeServer((code, output) => {
    heard.push(code);
    writeControl(output, REPLY.data, greet);
  }, { greets: false });
  await using node = await startedNode({ peers: [other.address] });
  const { error, id } = await rowOf(node);
  assertMatch(error, new RegExp(`gossip ${GOSSIP_VERSION} is spoken here: received ${OTHER}`));
  assertEquals([id, heard], [9, [REQUEST.hello]]);
});

Deno.test("a listed peer that refuses this server's version of gossip is incompatible", async () => {
  await using other = new FakeServer((_code, output, hangUp) => {
    writeError(output, REPLY.closing, { code: "unsupported-gossip", message: "gossip 5 is spoken here: received 1" });
    hangUp();
  }, { greets: false });
  await using node = await startedNode({ peers: [other.address] });
  const { error } = await rowOf(node);
  assertEquals(error, "gossip 5 is spoken here: received 1");
  assertEquals(node.lines.filter((line) => line.includes("cannot be used")), [
    `Peer ${other.address} cannot be used: ${error}`,
  ]);
});

Deno.test("a listed peer that has refused this server is shown so until something else comes of a call", async () => {
  let greetings = 0;
  await using other = new FakeServer((_code, output, hangUp) => {
    if (++greetings === 2) return; // this call is not answered
    writeError(output, REPLY.closing, { code: "not-allowed", message: "not allowed for role client: to be a peer" });
    hangUp();
  }, { greets: false });
  await using node = await startedNode({ peers: [other.address] });
  await until("it is called again", () => greetings === 2);
  const [{ state, error }] = node.server.stats().peers;
  assertEquals([state, error], [
    "refused",
    "the server closed the connection (not-allowed): not allowed for role client: to be a peer",
  ]);
  await until("that call has failed for another reason", () => node.server.stats().peers[0].error !== error);
  const { state: next, error: why } = node.server.stats().peers[0];
  assertEquals([next, why], ["waiting", "no connection and greeting within 5000 ms"]);
});

Deno.test("a listed peer that was incompatible is shown once, as connected, when it comes back in another build", async () => {
  const listen = freeAddress();
  const greet = { protocol: 1, server: "other/2", features: [], peer: 9, gossip: OTHER };
  const other = new FakeServer((_code, output) => writeControl(output, REPLY.data, greet), { greets: false, listen });
  await using node = await startedNode({ peers: [listen] });
  await rowOf(node);
  await other[Symbol.asyncDispose]();
  await using upgraded = await startedNode({ listen, peers: [node.address] });
  await until("it is connected", () => node.server.stats().peers.some(({ state }) => state === "connected"));
  assertEquals(node.server.stats().peers.map(({ address, state, error }) => [address, state, error]), [
    [listen, "connected", ""],
  ]);
  await upgraded.cache.store("k", 1);
  await until("it is there", () => node.cache.has("k"));
});

Deno.test("many incompatible peers are shown up to a limit", async () => {
  await using node = await startedNode();
  for (let port = 1; port <= 40; port++) {
    using socket = await NativeSocket.to(node);
    const hello = { protocol: 1, client: "other/2", peer: 1000 + port, port, gossip: OTHER };
    await socket.write(frameOf(REQUEST.hello, encode(hello)));
    assertEquals(await socket.codesUntilClosed(), [REPLY.closing]);
  }
  const ids = node.server.stats().peers.map(({ id }) => id);
  assert(ids.length <= 16 && ids.includes(1040) && !ids.includes(1001), ids.join());
});

Deno.test("what a stranger says of himself cannot move the cursor of who looks at peers", async () => {
  await using node = await startedNode();
  const terms: Record<string, string | string[]>[] = [{ needs: ["\x1b[2J\r\nPeer"] }, {
    cluster: "\u202e\x1b]0;title\x07",
  }];
  for (const [i, term] of terms.entries()) {
    using stranger = await NativeSocket.to(node);
    const hello = { protocol: 1, client: "x", features: [], peer: 7 + i, gossip: GOSSIP_VERSION, ...term };
    await stranger.write(frameOf(REQUEST.hello, encode(hello)));
    assertEquals((await stranger.next())?.code, REPLY.closing);
  }
  const { out } = await run("cli.ts", ["peers", "--server", node.address]);
  assertStringIncludes(out, '"\\u001b[2J\\u000d\\u000aPeer"');
  assertEquals(out.match(/[^\n\x20-\x7e]/g), null);
  await using other = new FakeServer((_code, output, hangUp) => {
    writeError(output, REPLY.closing, { code: "not-allowed", message: "\x1b[2J" });
    hangUp();
  }, { greets: false });
  const { err } = await run("cli.ts", ["peers", "--server", other.address]);
  assertStringIncludes(err, "\\u001b[2J");
  assertEquals(err.match(/[^\n\x20-\x7e]/g), null);
});
