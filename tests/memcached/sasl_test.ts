import { assertEquals } from "@std/assert";
import { packetOf, REQUEST } from "../support/memcached_packets.ts";
import { joined } from "../support/mutate.ts";
import { saidIn, stranger, type StrangerTalk } from "../support/strangers.ts";

const [GET, SETQ, QUIT, NOOP, VERSION] = [0, 0x11, 7, 0x0a, 0x0b];
const [MECHANISMS, AUTH, STEP, UNKNOWN] = [0x20, 0x21, 0x22, 0x70];
const GOOD = "\0web\0secret-of-web";
const BAD = "\0web\0x";

function packet(opcode: number, key = "", value = "", extras = new Uint8Array(0)): Uint8Array {
  return packetOf(REQUEST, opcode, { key, value, extras });
}

function auth(message: string, mechanism = "PLAIN"): Uint8Array {
  return packet(AUTH, mechanism, message);
}

async function said(talk: StrangerTalk, packets: readonly Uint8Array[], size?: number): Promise<string[]> {
  const { bytes, closing } = await talk.send(joined(...packets), size);
  return [...saidIn(bytes), ...(closing ? ["the end"] : [])];
}

const [READY, FAILED] = ["33 0 Authenticated", "33 32 Auth failure."];
const [DONE, LEFT_OUT] = ["10 0 ", "10 32 Auth failure."];

/** What memcached 1.6.18 with -S answers, in one connection for each. */
const DIALOGUES: Record<string, [packets: Uint8Array[], answers: string[]]> = {
  "asks for mechanisms": [[packet(MECHANISMS)], ["32 0 PLAIN"]],
  "shows a good token": [[auth(GOOD), packet(NOOP)], [READY, DONE]],
  "shows a bad token": [[auth(BAD)], [FAILED]],
  "shows a bad token and goes on": [[auth(BAD), packet(NOOP)], [FAILED, LEFT_OUT, "the end"]],
  "shows a bad token, then a good one": [[auth(BAD), auth(GOOD), packet(NOOP)], [FAILED, READY, DONE]],
  "shows a good token, then a bad one": [[auth(GOOD), auth(BAD), packet(NOOP)], [READY, FAILED, LEFT_OUT, "the end"]],
  "asks to be whom it is": [[auth(`web${GOOD}`)], [READY]],
  "asks to be another": [[auth(`ops${GOOD}`)], [FAILED]],
  "names the mechanism alone": [[auth("")], ["33 33 "]],
  "shows the token in a second step": [
    [auth(""), packet(STEP, "PLAIN", GOOD), packet(NOOP)],
    ["33 33 ", "34 0 Authenticated", DONE],
  ],
  "takes the second step first": [[packet(STEP, "PLAIN", GOOD)], ["34 32 Auth failure."]],
  "sends something else": [[auth("web secret-of-web")], [FAILED]],
  "names another mechanism": [[auth("x", "NONE")], [FAILED]],
  "writes the mechanism small": [[auth(GOOD, "plain")], [READY]],
  "names no mechanism": [[auth("x", "")], ["33 4 Invalid arguments", "the end"]],
  "names a long mechanism": [[auth("x", "N".repeat(40)), packet(MECHANISMS)], ["33 4 Invalid arguments", "32 0 PLAIN"]],
  "asks for mechanisms with a key": [[packet(MECHANISMS, "k")], ["32 4 Invalid arguments", "the end"]],
  "retrieves": [[packet(GET, "k"), packet(MECHANISMS)], ["0 32 Auth failure.", "the end"]],
  "stores": [[packet(SETQ, "k", "v", new Uint8Array(8)), packet(MECHANISMS)], ["17 32 Auth failure.", "the end"]],
  "does nothing": [[packet(NOOP)], [LEFT_OUT, "the end"]],
  "leaves": [[packet(QUIT)], ["7 32 Auth failure.", "the end"]],
  "sends an unknown command": [[packet(UNKNOWN), packet(MECHANISMS)], ["112 32 Auth failure.", "the end"]],
  "sends an unknown command once known": [[auth(GOOD), packet(UNKNOWN)], [READY, "112 129 Unknown command"]],
  // memcached tells its version.
  "asks for the version": [[packet(VERSION)], ["11 32 Auth failure.", "the end"]],
};

for (const [what, [packets, answers]] of Object.entries(DIALOGUES)) {
  Deno.test(`a stranger who ${what} is answered as by memcached -S, in pieces too`, async () => {
    assertEquals(await said(stranger(), packets), answers);
    for (const size of [1, 7, 24, 30]) {
      assertEquals(await said(stranger(), packets, size), answers, `pieces of ${size}`);
    }
  });
}

Deno.test("where nobody is asked, SASL is an unknown command", async () => {
  assertEquals(await said(stranger(""), [packet(MECHANISMS), auth(GOOD)]), [
    "32 129 Unknown command",
    "33 129 Unknown command",
  ]);
});

Deno.test("where others can read along, no mechanism is offered and no secret taken", async () => {
  const talk = stranger("web:client:secret-of-web", "192.0.2.1");
  assertEquals(await said(talk, [packet(MECHANISMS), auth(GOOD), packet(NOOP)]), [
    "32 0 ",
    FAILED,
    LEFT_OUT,
    "the end",
  ]);
});

Deno.test("a stranger may send 1 KiB of packets in all, and none that announces more", async () => {
  assertEquals(await said(stranger(), [auth("x".repeat(996)).subarray(0, 24)]), [FAILED, "the end"]);
  assertEquals(await said(stranger(), [packetOf(REQUEST, GET, { bodyBytes: 2 ** 32 - 1 })]), [
    "0 32 Auth failure.",
    "the end",
  ]);
  const longHead = packetOf(REQUEST, GET, { key: "k".repeat(60_000), bodyBytes: 0 }).subarray(0, 24);
  assertEquals(await said(stranger(), [longHead]), ["0 32 Auth failure.", "the end"]);
  const answers = await said(stranger(), new Array(100).fill(packet(MECHANISMS)));
  assertEquals(answers, [...new Array(42).fill("32 0 PLAIN"), "32 32 Auth failure.", "the end"]);
});
