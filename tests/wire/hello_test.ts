/** The greeting, both halves: what each side says of itself, and what the other makes of it. */

import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { CacheError, ProtocolError } from "../../lib/base/errors.ts";
import { MAX_HELLO_BYTES } from "../../lib/base/limits.ts";
import { SOFTWARE } from "../../lib/base/software.ts";
import { type ControlData, readControl, writeControl, writeError } from "../../lib/wire/control.ts";
import { FrameReader, FrameWriter, PEERS, PROTOCOL, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import {
  agreed,
  disagreement,
  DisagreementError,
  FEATURES,
  GOSSIP_VERSION,
  type Hello,
  type HelloRefusal,
  MAX_TOLD_PEERS,
  NEAR,
  PEER_FEATURES,
  type PeerHello,
  readChallenge,
  readGreeting,
  readHello,
  readPeers,
  readScram,
  SERVER_FEATURES,
  type ServerHello,
  writeGreeting,
  writeHello,
  writeLockedGreeting,
  writePeers,
  writeScram,
} from "../../lib/wire/hello.ts";
import { frameOf, written } from "../support/frames.ts";

function helloOf(data: ControlData): Hello | HelloRefusal {
  return readHello(frameOf(written((output) => writeControl(output, REQUEST.hello, data))));
}

/** A greeting that is accepted. */
function acceptedOf(data: ControlData): Hello {
  const hello = helloOf({ protocol: 1, client: "client/1", ...data });
  assert("software" in hello, `not accepted: ${JSON.stringify(hello)}`);
  return hello;
}

function greetingOf(data: ControlData): ServerHello {
  return readGreeting(frameOf(written((output) => {
    writeControl(output, REPLY.data, { protocol: 1, server: "server/1", ...data });
  })));
}

function closing(code: string): FrameReader {
  return frameOf(written((output) => writeError(output, REPLY.closing, { code, message: "why" })));
}

/** The features that a server names in its answer. */
const SERVER_NAMES = [...FEATURES, ...SERVER_FEATURES, ...PEER_FEATURES];
/** What this software says of itself as a peer. */
const OWN = { cluster: "", gossip: GOSSIP_VERSION, features: [...FEATURES, ...PEER_FEATURES], needs: [] };

/** Both halves read features and peers alike. */
const HALVES: Record<string, (data: ControlData) => Hello | ServerHello> = {
  "readHello()": acceptedOf,
  "readGreeting()": greetingOf,
};

Deno.test("readHello() gives back what writeHello() says of a client", () => {
  const frame = frameOf(written((output) => writeHello(output, "client/1")));
  assertStrictEquals(frame.code, REQUEST.hello);
  assertEquals(readControl(frame), { protocol: 1, client: "client/1", features: [...FEATURES] });
  assertEquals(readHello(frame), { software: "client/1", features: [...FEATURES], proves: false, peer: undefined });
});

Deno.test("a client names the features that it is to use, and a server all that it has", () => {
  const hello = frameOf(written((output) => writeHello(output, "client/1", undefined, false, [NEAR])));
  assertEquals((readHello(hello) as Hello).features, [...FEATURES, NEAR]);
  const greeting = frameOf(written((output) => writeGreeting(output, "server/1", { id: 7 }, {})));
  assert(readGreeting(greeting).features.includes(NEAR));
});

Deno.test("readHello() gives back what writeHello() says of a peer, be there a port or not", () => {
  for (const port of [11142, undefined]) {
    const frame = frameOf(written((output) => writeHello(output, "server/1", { id: 7, port })));
    const peer = { ...OWN, id: 7, port };
    assertEquals(readHello(frame), { software: "server/1", features: OWN.features, proves: false, peer });
    assertStrictEquals("port" in readControl(frame), port !== undefined);
  }
});

Deno.test("readGreeting() gives back what writeGreeting() says of a server, whatever its limits are", () => {
  const frame = frameOf(written((output) => writeGreeting(output, "server/1", { id: 7 }, { maxKeyBytes: 4096 })));
  assertStrictEquals(readControl(frame).maxKeyBytes, 4096);
  assertEquals(readGreeting(frame), {
    software: "server/1",
    features: SERVER_NAMES,
    peer: { ...OWN, features: SERVER_NAMES, id: 7, port: undefined },
    wantsToken: false,
    proof: undefined,
  });
});

Deno.test("readGreeting() knows a server that wants to know who connects, which says no more of itself", () => {
  const frame = frameOf(written(writeLockedGreeting));
  assertEquals(readControl(frame), { protocol: 1, server: "ormuco-cache", features: [], auth: "required" });
  assertEquals(readGreeting(frame), {
    software: "ormuco-cache",
    features: [],
    peer: undefined,
    wantsToken: true,
    proof: undefined,
  });
});

Deno.test("readGreeting() reads SCRAM's last message beside what a server says of itself", () => {
  assertStrictEquals(greetingOf({ proof: "v=x" }).proof, "v=x");
  for (const other of [null, 1, {}, Uint8Array.of(1)]) {
    const { wantsToken, proof } = greetingOf({ auth: other, proof: other });
    assertEquals([wantsToken, proof], [false, undefined]);
  }
});

Deno.test("readChallenge() gives back what writeScram() wrote, and throws for any other reply", () => {
  const challenge = (code: number) => frameOf(written((output) => writeScram(output, code, "r=x,s=y,i=1")));
  assertStrictEquals(readChallenge(challenge(REPLY.challenge)), "r=x,s=y,i=1");
  for (const code of [REPLY.ok, REPLY.data, REPLY.refused, 0xc0]) {
    assertThrows(() => readChallenge(challenge(code)), ProtocolError, "does not fit its request");
  }
  assertThrows(() => readChallenge(closing("auth-failed")), CacheError, "(auth-failed): why");
});

Deno.test("readScram() takes no frame with a key, and bytes that are not ASCII for letters that SCRAM does not have", () => {
  const scram = (keyBytes: number) => {
    const bytes = written((output) => writeScram(output, REQUEST.auth, "né"));
    bytes[5] = keyBytes;
    return frameOf(bytes);
  };
  assertStrictEquals(readScram(scram(0)), "n\u00c3\u00a9");
  assertThrows(() => readScram(scram(1)), ProtocolError, "with a key");
});

Deno.test("readHello() refuses another protocol, and says what it received", () => {
  const cases: [ControlData, string][] = [
    [{ protocol: 2 }, "2"],
    [{ protocol: 0 }, "0"],
    [{ protocol: "1" }, "a string"],
    [{ protocol: true }, "a boolean"],
    [{ protocol: 2, peer: 7, gossip: GOSSIP_VERSION + 1 }, "2"],
    [{ client: "client/1" }, "none"],
  ];
  for (const [data, received] of cases) {
    const message = `protocol 1 is spoken here: received ${received}`;
    assertEquals(helloOf(data), { code: "unsupported-version", message });
  }
});

Deno.test("readHello() refuses a body that is no map, or no MessagePack", () => {
  const bodies: [number[], string][] = [[[0x90], "none"], [[1], "none"], [[0xc1], "no MessagePack"], [
    [],
    "no MessagePack",
  ]];
  for (const [body, received] of bodies) {
    const frame = frameOf(written((output) => {
      output.begin(REQUEST.hello);
      output.bytes(Uint8Array.from(body));
      output.end();
    }));
    const message = `protocol 1 is spoken here: received ${received}`;
    assertEquals(readHello(frame), { code: "unsupported-version", message });
  }
});

Deno.test("readHello() and readGreeting() take the name of software that names none as empty", () => {
  assertStrictEquals((helloOf({ protocol: 1 }) as Hello).software, "");
  const nameless = frameOf(written((output) => writeControl(output, REPLY.data, { protocol: 1 })));
  assertEquals(readGreeting(nameless), {
    software: "",
    features: [],
    peer: undefined,
    wantsToken: false,
    proof: undefined,
  });
});

for (const [half, read] of Object.entries(HALVES)) {
  Deno.test(`${half} passes over fields and features that it does not know`, () => {
    const { features, peer } = read({ features: ["later", "", "constructor"], more: { a: 1 }, hasOwnProperty: 1 });
    assertEquals([features, peer], [["later", "", "constructor"], undefined]);
  });

  Deno.test(`${half} takes features that are no list for an empty one, and passes over items that are no text`, () => {
    for (const features of ["text", 5, null, { 0: "a", length: 1 }]) assertEquals(read({ features }).features, []);
    assertEquals(read({}).features, []);
    assertEquals(read({ features: [1, "a", null, ["b"], { c: 1 }, "d"] }).features, ["a", "d"]);
  });

  Deno.test(`${half} takes a number of a peer that is out of range for none`, () => {
    for (const peer of [0, -1, 1.5, 2 ** 32, NaN, "7", null, [7]]) {
      assertStrictEquals(read({ peer, gossip: GOSSIP_VERSION }).peer, undefined, `${peer}`);
    }
    for (const peer of [1, 2 ** 32 - 1]) assertStrictEquals(read({ peer, gossip: GOSSIP_VERSION }).peer?.id, peer);
  });

  Deno.test(`${half} takes a port that is out of range for none`, () => {
    const portOf = (port: unknown) => read({ peer: 7, gossip: GOSSIP_VERSION, port }).peer!.port;
    for (const port of [0, -1, 65536, 80.5, "80", null]) assertStrictEquals(portOf(port), undefined, `${port}`);
    for (const port of [1, 11142, 65535]) assertStrictEquals(portOf(port), port);
  });
}

Deno.test("readHello() refuses a peer that speaks other messages, or names none, and says who it was", () => {
  const cases: [gossip: unknown, read: number, received: string][] = [
    [GOSSIP_VERSION + 1, GOSSIP_VERSION + 1, `${GOSSIP_VERSION + 1}`],
    [undefined, 0, "none"],
    [0, 0, "none"],
    [-1, 0, "none"],
    [1.5, 0, "none"],
    ["1", 0, "none"],
  ];
  for (const [gossip, read, received] of cases) {
    const data: ControlData = gossip === undefined ? {} : { gossip };
    const refused = { id: 7, port: 80, gossip: read, cluster: "", features: [], needs: [] };
    assertEquals(helloOf({ protocol: 1, client: "server/1", peer: 7, port: 80, ...data }), {
      code: "unsupported-gossip",
      message: `gossip ${GOSSIP_VERSION} is spoken here: received ${received}; peers must run builds that agree`,
      peer: refused,
    });
  }
});

Deno.test("readHello() does not ask a client for the version of messages between peers", () => {
  assertStrictEquals(acceptedOf({ gossip: GOSSIP_VERSION + 1 }).peer, undefined);
});

Deno.test("readGreeting() leaves it to the peer to judge another's messages", () => {
  for (const [data, gossip] of [[{ gossip: GOSSIP_VERSION + 1 }, GOSSIP_VERSION + 1], [{}, 0]] as const) {
    const { peer } = greetingOf({ peer: 7, ...data });
    assertEquals(peer, { id: 7, port: undefined, gossip, cluster: "", features: [], needs: [] });
    const received = `received ${gossip === 0 ? "none" : gossip};`;
    assertStrictEquals(disagreement(peer!, "")?.message.includes(received), true);
  }
});

/** A peer that names what is given, and else what this software names; nothing where it is `undefined`. */
function peerOf(terms: ControlData): PeerHello {
  const said = Object.entries({ peer: 7, ...OWN, ...terms }).filter(([, term]) => term !== undefined);
  return greetingOf(Object.fromEntries(said)).peer!;
}

Deno.test("agreed() gives the features that both sides name, whatever else a peer names, and how often", () => {
  assertEquals(agreed(peerOf({ features: ["later", ...PEER_FEATURES, "skip-unknown"] })), [...PEER_FEATURES]);
  assertEquals(agreed(peerOf({ features: ["later", "SKIP-UNKNOWN", ""] })), []);
});

Deno.test("disagreement() is over a feature that a peer needs and this software has not, and over no other", () => {
  for (const needs of [undefined, [], OWN.features, "later"]) {
    assertStrictEquals(disagreement(peerOf({ needs }), ""), undefined);
  }
  assertEquals(disagreement(peerOf({ needs: ["skip-unknown", "later", "latest"] }), ""), {
    code: "unsupported-gossip",
    message: 'one needs the feature "later", the other has it not; peers must run builds that agree',
  });
});

Deno.test("disagreement() is over the cluster unless both have the same name, or none", () => {
  const others: [own: string, theirs: unknown, which: string][] = [
    ["blue", "green", 'one of the two has "blue", the other "green"'],
    ["blue", undefined, 'one of the two has no name, the other "blue"'],
    ["", "blue", 'one of the two has no name, the other "blue"'],
    ["blue", "Blue", 'one of the two has "Blue", the other "blue"'],
    ["7", 7, "has no name, the other"],
  ];
  for (const [own, cluster, which] of others) {
    const why = disagreement(peerOf({ cluster, gossip: GOSSIP_VERSION + 1 }), own);
    assertStrictEquals(why?.code, "other-cluster");
    assert(why!.message.includes(which), why!.message);
  }
  for (const cluster of ["blue", ""]) assertStrictEquals(disagreement(peerOf({ cluster }), cluster), undefined);
  const { length } = disagreement(peerOf({ cluster: "x".repeat(60_000) }), "blue")!.message;
  assert(length < 200, `${length} letters`);
});

Deno.test("readHello() refuses a peer of another cluster, and takes a client of whatever it says", () => {
  const hello = (data: ControlData, cluster: string) => {
    return readHello(
      frameOf(written((output) => writeControl(output, REQUEST.hello, { protocol: 1, ...data }))),
      cluster,
    );
  };
  const refusal = hello({ peer: 7, ...OWN, cluster: "green" }, "blue");
  assertEquals("code" in refusal && [refusal.code, refusal.peer?.id], ["other-cluster", 7]);
  assertStrictEquals("software" in hello({ cluster: "green" }, "blue"), true);
});

Deno.test("writeHello() and writeGreeting() name the cluster, if there is one", () => {
  for (const cluster of ["", "blue"]) {
    const hello = frameOf(written((output) => writeHello(output, "server/1", { id: 7, port: 80, cluster })));
    const greeting = frameOf(written((output) => writeGreeting(output, "server/1", { id: 7, cluster }, {})));
    for (const frame of [hello, greeting]) assertStrictEquals("cluster" in readControl(frame), cluster !== "");
    assertStrictEquals((readHello(hello, cluster) as Hello).peer?.cluster, cluster);
    assertStrictEquals(readGreeting(greeting).peer?.cluster, cluster);
  }
});

Deno.test("writeHello() leaves half of the bytes that a server takes of a stranger for features to come", () => {
  const peer = { id: 2 ** 32 - 1, port: 65535, cluster: "x".repeat(64) };
  const { length } = written((output) => writeHello(output, SOFTWARE, peer, true));
  assert(length <= MAX_HELLO_BYTES / 2, `${length} bytes`);
});

Deno.test("readGreeting() throws DisagreementError when a peer refuses because the two cannot agree", () => {
  for (const code of ["unsupported-gossip", "other-cluster"] as const) {
    const error = assertThrows(() => readGreeting(closing(code)), DisagreementError, "why");
    assertInstanceOf(error, ProtocolError);
    assertEquals([error.name, error.code as string], ["DisagreementError", code]);
  }
});

Deno.test("readGreeting() throws CacheError when a server closes for another reason", () => {
  for (const [code, expected] of [["too-many-connections", "unreachable"], ["unsupported-version", "refused"]]) {
    assertStrictEquals(assertThrows(() => readGreeting(closing(code)), CacheError, "why").code as string, expected);
  }
});

Deno.test("readGreeting() throws ProtocolError when the reply is another, or of another protocol", () => {
  const frame = (code: number, data: ControlData) => frameOf(written((output) => writeControl(output, code, data)));
  const fits = { protocol: 1, server: "server/1" };
  for (const code of [REPLY.ok, REPLY.refused, 0xc0]) {
    assertThrows(() => readGreeting(frame(code, fits)), ProtocolError, "does not fit its request");
  }
  for (const protocol of [2, "1", null]) {
    assertThrows(() => greetingOf({ protocol }), ProtocolError, `the server speaks protocol ${protocol}, not 1`);
  }
  assertThrows(() => readGreeting(frame(REPLY.data, {})), ProtocolError, "the server speaks protocol undefined, not 1");
});

for (const name of [{ toString: 1 }, { toString: null, valueOf: null }, 7, null]) {
  Deno.test(`readHello() and readGreeting() take ${JSON.stringify(name)} for a side without a name`, () => {
    const output = new FrameWriter();
    writeControl(output, REQUEST.hello, { protocol: PROTOCOL, client: name });
    writeControl(output, REPLY.data, { protocol: PROTOCOL, server: name });
    const reader = new FrameReader();
    reader.push(output.taken());
    assert(reader.next());
    const hello = readHello(reader);
    assert("software" in hello);
    assert(reader.next());
    assertEquals([hello.software, readGreeting(reader).software], ["", ""]);
  });
}

Deno.test("readHello() gives back where a peer says that it is to be reached, and passes over what is no such place", () => {
  const of = (advertise: string) => {
    const frame = frameOf(written((output) => writeHello(output, "server/1", { id: 7, port: 1, advertise })));
    return (readHello(frame) as Hello).peer?.advertise;
  };
  for (const place of ["10.0.0.1:7", "[fd00::1]:7", "cache.example:7"]) assertStrictEquals(of(place), place);
  assertStrictEquals(of("cache.example"), "cache.example:11142");
  for (const place of ["", "unix:/x", "10.0.0.1:0", "0.0.0.0:7", "[::]:7", "a b", `${"a".repeat(260)}:11`]) {
    assertStrictEquals(of(place), undefined, place);
  }
});

Deno.test("readPeers() gives back what writePeers() says, and refuses other things", () => {
  const peers = Array.from({ length: MAX_TOLD_PEERS }, (_, i) => `10.0.0.1:${i + 1}`);
  assertEquals(readPeers(frameOf(written((output) => writePeers(output, peers)))), peers);
  assertEquals(readPeers(frameOf(written((output) => writePeers(output, [])))), []);
  for (
    const data of [{}, { peers: "10.0.0.1:1" }, { peers: [1] }, { peers: ["unix:/x"] }, { peers: [...peers, "a"] }]
  ) {
    assertThrows(() => readPeers(frameOf(written((output) => writeControl(output, PEERS, data)))), ProtocolError);
  }
});
