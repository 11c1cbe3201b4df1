/**
 * Handshakes that go wrong: seeded damage to both halves of the native protocol's authentication, without a socket. Each says whether
 * the half that is attacked has let somebody in, or believed somebody, that it must not.
 */

import { CacheError, ProtocolError } from "../../lib/base/errors.ts";
import type { Token } from "../../lib/base/token.ts";
import { greet } from "../../lib/platform/handshake.ts";
import { ScramClient, ScramServer } from "../../lib/platform/scram.ts";
import type { Socket } from "../../lib/platform/socket.ts";
import type { Verifier } from "../../lib/wire/scram.ts";
import { readClientFirst } from "../../lib/wire/scram.ts";
import { type FrameWriter, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import {
  readChallenge,
  readScram,
  writeGreeting,
  writeHello,
  writeLockedGreeting,
  writeScram,
} from "../../lib/wire/hello.ts";
import { Choices } from "./choices.ts";
import { framesOf, written } from "./frames.ts";
import { LoginTalk } from "./login.ts";
import { joined, mutate } from "./mutate.ts";

const RIGHT: Token = { name: "app", secret: "correct-horse-battery" };
const WRONG: readonly Token[] = [
  { name: "app", secret: "wrong-horse-battery" },
  { name: "nobody", secret: "correct-horse-battery" },
  { name: "app", secret: "secret-of-peers" },
];
const LINES = `app:client:${RIGHT.secret}\nnode:peer:secret-of-peers`;
/** What a false server may ask for: too little work, far too much, and numbers that are none. */
const ITERATIONS = ["1", "0", "4095", "2147483648", "4294967296", "600001", "-1", "1e9", "04096", "9".repeat(300), ""];
const NONCES = ["", "x", "r".repeat(15), "\u00e9".repeat(20), ",".repeat(20), "n".repeat(300)];

type Write = (output: FrameWriter) => void;
const auth = (message: string): Write => (output) => writeScram(output, REQUEST.auth, message);
const hello = (output: FrameWriter) => writeHello(output, "test/1", undefined, true);

/** Makes handshakes that go wrong, and some that do not. */
export class Handshakes extends Choices {
  /** Clients that were let in, and servers that were believed, rightly. */
  letIn = 0;
  believed = 0;
  readonly #talk = new LoginTalk(LINES);
  /** Last messages of exchanges that went well: to be sent again. */
  readonly #recorded: string[] = [];
  #verifier: Verifier | undefined;

  /** Attacks a server. Returns what is wrong with what it did. */
  async againstServer(): Promise<string | undefined> {
    const talk = this.#talk.again();
    const isHonest = this.chance(0.2);
    const token = isHonest ? RIGHT : this.pick(WRONG);
    const scram = new ScramClient(token);
    const first = written(auth(this.chance(0.5) ? scram.first() : this.#first(scram.first())));
    const begun = this.#shuffled([written(hello), first]);
    if (begun[0] !== 0) { // memcached's protocols
      await talk.answer(begun);
      return talk.access.isKnown ? "somebody was let in by another protocol" : undefined;
    }
    const replies = await talk.send(begun);
    const challenge = replies.find(({ code }) => code === REPLY.challenge);
    const honest = challenge && await scram.final(readChallenge(challenge)).catch(() => undefined);
    const final = isHonest && honest !== undefined ? honest : this.#final(honest, replies);
    const ended = this.#shuffled([written(auth(final))]);
    const last = await talk.send(ended);
    const isWhole = honest !== undefined && contains(begun, written(auth(scram.first()))) &&
      contains(ended, written(auth(honest)));
    if (talk.access.isKnown) {
      if (!isHonest || !isWhole) return `somebody was let in by ${final}`;
      this.letIn++;
      if (this.#recorded.length < 100) this.#recorded.push(final);
      return undefined;
    }
    const codes = [...replies, ...last].map(({ code }) => code);
    const isQuiet = codes.every((code) => [REPLY.data, REPLY.challenge, REPLY.closing].some((known) => known === code));
    if (!isQuiet) return `a stranger got the replies ${codes}`;
    return talk.host.stats().entries > 0 ? "a stranger has stored something" : undefined;
  }

  /** Attacks a client. Returns what is wrong with what it did. */
  async againstClient(): Promise<string | undefined> {
    const { credentials } = this.#talk.access.rules;
    this.#verifier ??= (await credentials.proving(RIGHT.name)).verifiers[0];
    const server = new FalseServer(this.#verifier, this);
    try {
      await greet(server as unknown as Socket, { software: "test/1", token: RIGHT });
    } catch (error) {
      const isExpected = error instanceof ProtocolError || error instanceof CacheError || error === ENDED ||
        (error as Error).message === "the server closed the connection";
      return isExpected ? undefined : `a client failed by ${(error as Error).stack}`;
    }
    if (!server.isTrue) return "a client has believed a server that knows no secret";
    this.believed++;
    return undefined;
  }

  /** Bytes of some frames after damage; in half of the cases they are left as they are. */
  damaged(frames: readonly Uint8Array[]): Uint8Array {
    return joined(...frames.map((frame) => this.chance(0.5) ? frame : mutate(frame, (n) => this.below(n))));
  }

  /** A challenge of a false server, made of a true one. */
  challenge(true_: string): string {
    const [, nonce, salt] = /^r=([^,]*),s=([^,]*),i=\d+$/.exec(true_)!;
    const choices = [
      true_,
      `r=${nonce},s=${salt},i=${this.pick(ITERATIONS)}`,
      `r=${this.pick(NONCES)},s=${salt},i=4096`,
      `r=${nonce.slice(0, this.below(nonce.length + 1))},s=${salt},i=4096`,
      `r=${nonce}${this.pick(NONCES)},s=${salt},i=4096`,
      `r=${nonce},s=${btoa("s".repeat(this.below(80)))},i=4096`,
      `m=x,${true_}`,
      `${true_},x=y`,
      true_.slice(0, this.below(true_.length)),
      `r=${"n".repeat(1_000_000)},s=${salt},i=4096`,
    ];
    return this.pick(choices);
  }

  /** True with a probability. */
  override chance(probability: number): boolean {
    return super.chance(probability);
  }

  /** One of some. */
  override pick<T>(choices: readonly T[]): T {
    return super.pick(choices);
  }

  /** A first message that is not quite one. */
  #first(first: string): string {
    const nonce = first.slice(first.indexOf(",r=") + 3);
    return this.pick([
      first,
      first.replace("n,,", this.pick(["y,,", "p=tls-unique,,", "n,a=admin,", "", "n,", ",,"])),
      first.replace(nonce, this.pick(NONCES)),
      `n,,n=${this.pick(["", "=", "=2", "=3d", "a=b", "a,b", "\u00e9", "x".repeat(129)])},r=${nonce}`,
      `n,,n=${"x".repeat(this.chance(0.05) ? 1_000_000 : 900)},r=${nonce}`,
      `n,,m=x,n=app,r=${nonce}`,
      first.slice(0, this.below(first.length)),
    ]);
  }

  /** A last message of one who does not know the secret, or has heard somebody who does. */
  #final(own: string | undefined, replies: readonly { code: number }[]): string {
    const heard = this.#recorded.length === 0 ? "" : this.pick(this.#recorded);
    const nonce = own?.slice(own.indexOf("r=") + 2, own.indexOf(",p=")) ?? "";
    const challenge = replies.find(({ code }) => code === REPLY.challenge) as
      | Parameters<typeof readScram>[0]
      | undefined;
    return this.pick([
      own ?? "",
      heard,
      heard.replace(/r=[^,]*/, `r=${nonce}`),
      `c=biws,r=${nonce},p=${btoa("\0".repeat(32))}`,
      `c=biws,r=${nonce},p=`,
      `c=biws,r=${this.pick(NONCES)},p=${btoa("p".repeat(32))}`,
      `c=eSws,${heard.slice(7)}`,
      challenge === undefined ? "" : readScram(challenge),
      heard.slice(0, this.below(heard.length + 1)),
    ]);
  }

  /** Frames in their order and whole, or twice, without one, the other way round, behind a request, or damaged. */
  #shuffled(frames: Uint8Array[]): Uint8Array {
    switch (this.below(8)) {
      case 0:
        return joined(...frames, ...frames);
      case 1:
        return joined(...frames.slice(1));
      case 2:
        return joined(...frames.toReversed());
      case 3:
        return joined(...frames, written((output) => output.empty(1 + this.below(0x3f))));
      case 4:
        return this.damaged(frames);
      default:
        return joined(...frames);
    }
  }
}

const ENDED = new Error("the false server has ended the connection");

/** A server that knows a verifier, and does not always say what it should. */
class FalseServer {
  readonly #verifier: Verifier;
  readonly #handshakes: Handshakes;
  #waiting: Uint8Array = new Uint8Array(0);
  #scram: ScramServer | undefined;
  #challenge = "";
  #writes = 0;
  /** Whether what it said is what a true server would have said. */
  isTrue = false;

  constructor(verifier: Verifier, handshakes: Handshakes) {
    this.#verifier = verifier;
    this.#handshakes = handshakes;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const frames = framesOf(bytes.slice());
    if (this.#writes++ === 0) this.#begin(readScram(frames[1]));
    else await this.#end(readScram(frames[0]));
    return bytes.length;
  }

  read(target: Uint8Array): Promise<number | null> {
    if (this.#waiting.length === 0) return Promise.resolve(null);
    const part = this.#waiting.subarray(0, target.length);
    target.set(part);
    this.#waiting = this.#waiting.subarray(part.length);
    return Promise.resolve(part.length);
  }

  #begin(first: string): void {
    const handshakes = this.#handshakes;
    this.#scram = new ScramServer(readClientFirst(first), [this.#verifier]);
    this.#challenge = handshakes.challenge(this.#scram.first());
    const greeting = handshakes.pick<Write>([
      writeLockedGreeting,
      writeLockedGreeting,
      writeLockedGreeting,
      (output) => writeGreeting(output, "false/1", { id: 1 }, {}),
    ]);
    const challenge = written((output) =>
      writeScram(output, handshakes.pick([REPLY.challenge, REPLY.challenge, REPLY.data]), this.#challenge)
    );
    this.#waiting = handshakes.chance(0.5)
      ? joined(written(greeting), challenge)
      : handshakes.damaged([written(greeting), challenge]);
  }

  async #end(final: string): Promise<void> {
    const handshakes = this.#handshakes;
    const right = (await this.#scram!.final(final).catch(() => undefined))?.message;
    const proof = handshakes.pick([
      right ?? "",
      right?.replace(/.=$/, "A=") ?? "",
      `v=${final.slice(final.indexOf("p=") + 2)}`,
      `v=${btoa("v".repeat(32))}`,
      "",
      "e=other-error",
    ]);
    const frame = written((output) =>
      writeGreeting(output, "false/1", { id: 1 }, handshakes.chance(0.9) ? { proof } : {})
    );
    const bytes = handshakes.chance(0.5) ? frame : handshakes.damaged([frame]);
    this.isTrue = right !== undefined && contains(bytes, new TextEncoder().encode(right));
    this.#waiting = bytes;
  }
}

/** Whether some bytes stand among others. */
function contains(bytes: Uint8Array, part: Uint8Array): boolean {
  const text = (of: Uint8Array) => new TextDecoder("latin1").decode(of);
  return text(bytes).includes(text(part));
}
