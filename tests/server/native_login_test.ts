/** The native protocol's handshake as a server's session answers it. */

import { assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { makeVerifier, ScramClient } from "../../lib/platform/scram.ts";
import { writeKeyed, writeSet } from "../../lib/wire/calls.ts";
import { readControl, readError, writeControl } from "../../lib/wire/control.ts";
import { type FrameReader, type FrameWriter, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { GOSSIP_VERSION, readChallenge, readGreeting, writeHello, writeScram } from "../../lib/wire/hello.ts";
import { encodeValue } from "../../lib/wire/values.ts";
import { formatVerifier, writeClientFirst } from "../../lib/wire/scram.ts";
import { LoginTalk } from "../support/login.ts";
import { OWN_NONCE } from "../support/session_host.ts";

const SECRET = "correct-horse-battery";
const LINES = `app:client:${SECRET}\napp:client:another-secret\nnode:peer:secret-of-peers`;
const APP = { name: "app", secret: SECRET };

const hello = (output: FrameWriter) => writeHello(output, "test/1");
const get = (output: FrameWriter) => writeKeyed(output, REQUEST.get, "k");
const auth = (message: string) => (output: FrameWriter) => writeScram(output, REQUEST.auth, message);

/** The code of the only answer, which is the end of the connection. */
function closed(answers: FrameReader[]): string {
  assertEquals(answers.map(({ code }) => code), [REPLY.closing]);
  return readError(answers[0]).code;
}

for (const secret of [SECRET, "another-secret"]) {
  Deno.test(`a client that proves that it knows a secret is let in: ${secret}`, async () => {
    const talk = new LoginTalk(LINES);
    const greeting = readGreeting(await talk.login({ name: "app", secret }));
    assertStrictEquals(greeting.software, "test/1");
    assertMatch(greeting.proof ?? "", /^v=/);
    assertEquals([talk.access.name, talk.access.roles], ["app", ["client"]]);
    assertEquals((await talk.say(get)).map(({ code }) => code), [REPLY.miss]);
    assertEquals(talk.denied, []);
  });
}

Deno.test("a client is let in by the verifier of its secret", async () => {
  const talk = new LoginTalk(`app:client:${formatVerifier(await makeVerifier(SECRET))}`);
  assertMatch(readGreeting(await talk.login(APP)).proof ?? "", /^v=/);
});

Deno.test("a lone token lets in whoever knows it, by any name", async () => {
  for (const name of ["default", "app", "x"]) {
    const talk = new LoginTalk(`default:client,peer,admin:${SECRET}`);
    assertStrictEquals((await talk.login({ name, secret: SECRET })).code, REPLY.data);
  }
});

Deno.test("a client that is known already is let in at once, or by its token where it says that it has one", async () => {
  for (const proves of [false, true]) {
    const talk = new LoginTalk(LINES);
    talk.access.grant(talk.access.rules.credentials.ofName("node")[0]);
    const scram = new ScramClient(APP);
    const [greeting] = await talk.say((output) => writeHello(output, "test/1", undefined, proves));
    assertStrictEquals(readGreeting(greeting).wantsToken, proves);
    if (!proves) continue;
    const [challenge] = await talk.say(auth(scram.first()));
    await talk.say(auth(await scram.final(readChallenge(challenge))));
    assertStrictEquals(talk.access.name, "app");
  }
});

Deno.test("a stranger is told no more than the protocol's name", async () => {
  const talk = new LoginTalk(LINES);
  const [greeting] = await talk.say(hello);
  assertEquals(readControl(greeting), { protocol: 1, server: "ormuco-cache", features: [], auth: "required" });
});

const REQUESTS: Record<string, (output: FrameWriter) => void> = {
  "GET": get,
  "SET of more bytes than a stranger may send": (output) =>
    writeSet(output, "k", encodeValue("x".repeat(10_000)), undefined),
  "STATS": (output) => output.empty(REQUEST.stats),
  "PING": (output) => output.empty(REQUEST.ping),
  "CLEAR": (output) => output.empty(REQUEST.clear),
  "a second HELLO": hello,
  "an unknown request": (output) => output.empty(0x3f),
};

for (const [name, write] of Object.entries(REQUESTS)) {
  Deno.test(`a stranger gets no answer to ${name}, before and in the middle of its login`, async () => {
    const before = new LoginTalk(LINES);
    const [greeting, ...rest] = await before.say((output) => {
      hello(output);
      write(output);
      get(output);
    });
    assertStrictEquals(greeting.code, REPLY.data);
    assertStrictEquals(closed(rest), "auth-required");
    const during = new LoginTalk(LINES);
    await during.say(hello);
    const [challenge, ...others] = await during.say((output) => {
      auth(new ScramClient(APP).first())(output);
      write(output);
    });
    assertStrictEquals(challenge.code, REPLY.challenge);
    assertStrictEquals(closed(others), "auth-required");
    assertEquals([before, during].map(({ host }) => host.stats().entries), [0, 0]);
  });
}

Deno.test("a wrong secret and an unknown name are refused alike, and the log knows the difference", async () => {
  const answers: Record<string, unknown>[] = [];
  const challenges: string[] = [];
  for (const token of [{ name: "app", secret: "wrong-secret" }, { name: "nobody", secret: SECRET }]) {
    const talk = new LoginTalk(LINES);
    const answer = await talk.login(token);
    assertStrictEquals(answer.code, REPLY.closing);
    answers.push(readControl(answer));
    assertEquals(await talk.say(get), [], "the session is over");
    challenges.push(...talk.denied);
  }
  assertEquals(answers[0], answers[1]);
  assertEquals(answers[0].code, "auth-failed");
  assertEquals(challenges, ['the token is not that of "app"', 'nobody has the name "nobody"']);
});

Deno.test("a name that nobody has gets the same salt each time, as a known one does", async () => {
  const saltOf = (challenge: FrameReader) => /,s=([^,]+),i=4096$/.exec(readChallenge(challenge))![1];
  const talks = new LoginTalk(LINES);
  const salts: string[] = [];
  for (const name of ["nobody", "nobody", "app", "app", "other"]) {
    const talk = talks.again();
    await talk.say(hello);
    const [challenge] = await talk.say(auth(new ScramClient({ name, secret: SECRET }).first()));
    salts.push(saltOf(challenge));
  }
  assertStrictEquals(salts[0], salts[1]);
  assertStrictEquals(salts[2], salts[3]);
  assertStrictEquals(new Set(salts).size, 3);
});

Deno.test("a proof of another connection, and a second login, are refused", async () => {
  const [one, other] = [new LoginTalk(LINES), new LoginTalk(LINES)];
  const scram = new ScramClient(APP);
  for (const talk of [one, other]) await talk.say(hello);
  const [[challenge]] = [await one.say(auth(scram.first())), await other.say(auth(scram.first()))];
  const final = await scram.final(readChallenge(challenge));
  assertStrictEquals(closed(await other.say(auth(final))), "auth-failed");
  const [answer] = await one.say(auth(final));
  assertStrictEquals(answer.code, REPLY.data);
  const [again] = await one.say(auth(scram.first()));
  assertEquals([again.code, readError(again).code], [REPLY.refused, "bad-request"]);
  assertStrictEquals(one.access.name, "app");
});

Deno.test("messages that are none of SCRAM's, or come in the wrong order, are refused", async () => {
  const scram = new ScramClient(APP);
  for (const first of ["", "n,,", "y,,n=app,r=" + "n".repeat(20), "c=biws,r=x,p=y", `n,,n=${"a".repeat(900)},r=x`]) {
    const talk = new LoginTalk(LINES);
    await talk.say(hello);
    assertStrictEquals(closed(await talk.say(auth(first))), "auth-failed", first);
    assertMatch(talk.denied.join(), /client's first of SCRAM that cannot be used/);
  }
  for (const last of ["", scram.first(), "c=biws,r=x", `c=biws,r=x,p=${btoa("x".repeat(32))}`]) {
    const talk = new LoginTalk(LINES);
    await talk.say(hello);
    await talk.say(auth(scram.first()));
    assertStrictEquals(closed(await talk.say(auth(last))), "auth-failed", last);
  }
});

Deno.test("a frame with a key, or over 1,024 bytes, ends a stranger's connection", async () => {
  for (
    const frame of [
      (output: FrameWriter) => writeKeyed(output, REQUEST.auth, "n,,"),
      auth(`n,,n=${"a".repeat(1_000_000)},r=x`),
    ]
  ) {
    const talk = new LoginTalk(LINES);
    await talk.say(hello);
    assertStrictEquals(closed(await talk.say(frame)), "auth-required");
    assertStrictEquals(talk.host.counters.protocolErrors, 1);
  }
});

Deno.test("a server does not answer a handshake that it has begun itself", async () => {
  const talk = new LoginTalk(LINES);
  await talk.say(hello);
  assertStrictEquals(closed(await talk.say(auth(writeClientFirst({ name: "app", nonce: OWN_NONCE })))), "reflected");
});

Deno.test("a credential that is withdrawn during a login lets nobody in", async () => {
  const talk = new LoginTalk(LINES);
  const scram = new ScramClient(APP);
  await talk.say(hello);
  const [challenge] = await talk.say(auth(scram.first()));
  talk.access.rules.credentials.replace([]);
  assertStrictEquals(closed(await talk.say(auth(await scram.final(readChallenge(challenge))))), "auth-failed");
});

Deno.test("a peer is taken with the role peer, once it has proven itself, and refused without", async () => {
  const self = { id: 7, port: 80 };
  const talk = new LoginTalk(LINES);
  assertStrictEquals(readGreeting(await talk.login({ name: "node", secret: "secret-of-peers" }, self)).peer?.id, 1);
  assertEquals(talk.session.peer, { ...self, gossip: GOSSIP_VERSION, tells: true });
  for (const [token, code] of [[APP, "not-allowed"], [{ name: "node", secret: SECRET }, "auth-failed"]] as const) {
    const refused = new LoginTalk(LINES);
    const answer = await refused.login(token, self);
    assertStrictEquals(readError(answer).code, code);
    assertEquals(refused.session.peer, undefined);
    assertEquals([refused.session.refusedPeer?.code, refused.session.refusedPeer?.peer.id], [code, 7]);
  }
});

Deno.test("a peer that speaks other messages is told so when it has proven itself, and not before", async () => {
  const other = { protocol: 1, client: "other/2", peer: 7, port: 80, gossip: GOSSIP_VERSION + 1 };
  const talk = new LoginTalk(LINES);
  const scram = new ScramClient({ name: "node", secret: "secret-of-peers" });
  const [greeting, challenge] = await talk.say((output) => {
    writeControl(output, REQUEST.hello, other);
    auth(scram.first())(output);
  });
  assertStrictEquals(readGreeting(greeting).peer, undefined);
  const answer = await talk.say(auth(await scram.final(readChallenge(challenge))));
  assertStrictEquals(closed(answer), "unsupported-gossip");
  assertStrictEquals(talk.session.refusedPeer?.peer.id, 7);
});

Deno.test("a server without credentials refuses AUTH and goes on", async () => {
  const talk = new LoginTalk("");
  const [greeting, refusal] = await talk.say((output) => {
    hello(output);
    auth(new ScramClient(APP).first())(output);
  });
  assertStrictEquals(readGreeting(greeting).wantsToken, false);
  assertEquals([refusal.code, readError(refusal).code], [REPLY.refused, "bad-request"]);
  assertEquals((await talk.say(get)).map(({ code }) => code), [REPLY.miss]);
});
