/** Logins to a session without a socket: a client's frames in, what the server answers out. */

import type { Token } from "../../lib/base/token.ts";
import { ScramClient } from "../../lib/platform/scram.ts";
import { ConnectionAccess } from "../../lib/server/access.ts";
import { Session } from "../../lib/server/session.ts";
import { type FrameReader, type FrameWriter, REQUEST } from "../../lib/wire/frame.ts";
import { readChallenge, writeHello, writeScram } from "../../lib/wire/hello.ts";
import { openRules } from "./access.ts";
import { framesOf, written } from "./frames.ts";
import { sessionHost, type TestHost } from "./session_host.ts";

/** A session of a stranger to a server with credentials. */
export class LoginTalk {
  readonly host: TestHost = sessionHost();
  /** Why credentials were not good, as the server's log has it. */
  readonly denied: string[] = [];
  access: ConnectionAccess;
  session: Session;

  /** @param lines Of an AUTH_FILE. */
  constructor(lines: string) {
    const onDenied = (_address: string, why: string) => void this.denied.push(why);
    this.access = new ConnectionAccess({ ...openRules(lines), onDenied });
    this.session = new Session(this.host, this.access);
  }

  /** Begins another session with the same server. */
  again(): this {
    this.access = new ConnectionAccess(this.access.rules);
    this.session = new Session(this.host, this.access);
    return this;
  }

  /** Sends bytes. Returns those that answer them. */
  async answer(bytes: Uint8Array): Promise<Uint8Array> {
    const { session } = this;
    session.input.push(bytes);
    while (true) {
      const state = session.run();
      if (state === "waiting") await this.access.settled();
      else if (state !== "output-full") break;
    }
    const answer = session.output.taken().slice();
    session.output.reset();
    return answer;
  }

  /** Sends bytes. Returns the frames that answer them. */
  async send(bytes: Uint8Array): Promise<FrameReader[]> {
    return framesOf(await this.answer(bytes));
  }

  /** Says something. Returns the frames that answer it. */
  say(write: (output: FrameWriter) => void): Promise<FrameReader[]> {
    return this.send(written(write));
  }

  /** Greets and shows a token as a client does. Returns the last answer, or that which is no challenge. */
  async login(token: Token, peer?: { id: number; port: number | undefined }): Promise<FrameReader> {
    const scram = new ScramClient(token);
    const [, challenge] = await this.say((output) => {
      writeHello(output, "test/1", peer, true);
      writeScram(output, REQUEST.auth, scram.first());
    });
    const final = await scram.final(readChallenge(challenge));
    const [answer] = await this.say((output) => writeScram(output, REQUEST.auth, final));
    return answer;
  }
}
