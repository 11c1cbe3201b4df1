/** Attacks on the way in, by strangers to a server that asks for a token: guesses, crowds, and logins of others said again. */

import type { Token } from "../../../lib/base/token.ts";
import { ScramClient } from "../../../lib/platform/scram.ts";
import { generator } from "../../../lib/simulation/seeded_random.ts";
import { writeKeyList } from "../../../lib/wire/calls.ts";
import { REQUEST as FRAME } from "../../../lib/wire/frame.ts";
import { writeHello, writeScram } from "../../../lib/wire/hello.ts";
import { binaryLogin, connectTo, proveTo, textLogin } from "../../support/door.ts";
import { written } from "../../support/frames.ts";
import { packetOf, REQUEST } from "../../support/memcached_packets.ts";
import { joined, mutate } from "../../support/mutate.ts";
import { type Attacks, inParallel, type Scene } from "./scene.ts";
import { crowd } from "./strangers.ts";

const text = new TextEncoder();
const latin1 = new TextDecoder("latin1");
const [GET, SASL_AUTH] = [0x00, 0x21];
/** What stands in every entry of others, and in no refusal. */
const LOOT = "value of other";

const hello = () => written((output) => writeHello(output, "stranger", undefined, true));
const first = (token: Token) => written((output) => writeScram(output, FRAME.auth, new ScramClient(token).first()));

/** The beginning of a login in each protocol, which stops before it says what would let one in. */
function begun(i: number): Uint8Array {
  const token = { name: "member", secret: "not-the-secret" };
  switch (i % 3) {
    case 0:
      return joined(hello(), first(token));
    case 1:
      return text.encode("set a 0 0 100\r\nmember ");
    default:
      return packetOf(REQUEST, SASL_AUTH, { key: "PLAIN" });
  }
}

/** A whole login with a wrong token. */
async function guess(scene: Scene, i: number): Promise<void> {
  const token = { name: i % 2 === 0 ? "member" : `nobody${i}`, secret: `guess-number-${i}` };
  if (i % 3 === 1) return void await scene.pour(text.encode(textLogin(token)));
  if (i % 3 === 2) return void await scene.pour(binaryLogin(token));
  const socket = await scene.connect();
  await proveTo(socket, token, hello()).catch(() => {}); // the server hangs up
  scene.close(socket);
}

/** A login, and the request for what is to be had, each in pieces that can be left out. */
async function recorded(scene: Scene, token: Token): Promise<Uint8Array[][]> {
  const said: Uint8Array[] = [];
  const socket = await connectTo(scene.victim.door);
  const write = (bytes: Uint8Array) => {
    said.push(bytes.slice());
    return socket.write(bytes);
  };
  await proveTo({ read: (space) => socket.read(space), write }, token, hello());
  socket.close();
  return [
    [...said, written((output) => writeKeyList(output, FRAME.getMany, ["other:1", "other:2"]))],
    [text.encode(textLogin(token)), text.encode("get other:1 other:2\r\n")],
    [binaryLogin(token), packetOf(REQUEST, GET, { key: "other:1" })],
  ];
}

export const LOGINS: Attacks = {
  "strangers who never prove themselves": { run: (scene) => crowd(scene, begun) },
  "guesses in a loop": {
    run: async (scene) => {
      await scene.many(scene.of(100, Infinity), 100, (i) => guess(scene, i));
      await using client = scene.client(1000);
      if (!await client.store("in", 1)) throw new Error("an honest client does not get in");
    },
  },
  "logins of others, said again and damaged": {
    mayClear: true, // some still hold the secret, and a request that has become another one
    run: async (scene) => {
      const random = generator(20261127);
      const below = (n: number) => Math.floor(n * random());
      const token = scene.victim.door.token!;
      const all = await recorded(scene, token);
      const count = scene.of(150, 30_000);
      let letIn = 0;
      await inParallel(count, 8, async (i) => {
        const said = joined(...all[i % 3].map((piece) => below(3) === 0 ? mutate(piece, below) : piece));
        const showsSecret = latin1.decode(said).includes(token.secret);
        if (!(await scene.ask(said)).includes(LOOT)) return;
        if (!showsSecret) throw new Error(`let in by ${latin1.decode(said)}`);
        letIn++;
      });
      if (letIn === 0) throw new Error("the attack has not worked: not even the secret itself lets in");
      return `${count} logins, ${letIn} with the secret`;
    },
  },
};
