/** Conversations of strangers with a server that asks who they are, without a socket. */

import { assertEquals } from "@std/assert";
import { ConnectionAccess } from "../../lib/server/access.ts";
import { Session } from "../../lib/server/session.ts";
import { openRules } from "./access.ts";
import { sessionHost, type TestHost } from "./session_host.ts";

const LINES = "web:client:secret-of-web\nread:reader:secret-of-read\nops:admin:secret-of-ops\nmesh:peer:secret-of-mesh";
const latin1 = new TextDecoder("latin1");

/** What a conversation comes to. */
export interface Said {
  readonly text: string;
  readonly closing: boolean;
}

/** A conversation that begins with a stranger. */
export class StrangerTalk {
  readonly host: TestHost = sessionHost();
  readonly access: ConnectionAccess;
  readonly session: Session;

  constructor(lines: string, hostname: string) {
    this.access = new ConnectionAccess(openRules(lines), { remoteAddr: { transport: "tcp", hostname, port: 1 } });
    this.session = new Session(this.host, this.access);
  }

  /** Says something, in pieces of a size. Returns the bytes that answer it. */
  async send(bytes: Uint8Array, size = Infinity): Promise<{ bytes: Uint8Array; closing: boolean }> {
    const answer: number[] = [];
    let closing = false;
    for (let at = 0; at < bytes.length && !closing; at += size) {
      this.session.input.push(bytes.subarray(at, at + size));
      let state = this.session.run();
      for (; state === "waiting" || state === "output-full"; state = this.session.run()) {
        answer.push(...this.session.output.taken());
        this.session.output.reset();
        if (state === "waiting") await this.access.settled();
      }
      answer.push(...this.session.output.taken());
      this.session.output.reset();
      closing = state === "closing";
    }
    return { bytes: Uint8Array.from(answer), closing };
  }

  /** The same with text. */
  async say(text: string, size = Infinity): Promise<Said> {
    const { bytes, closing } = await this.send(Uint8Array.from(text, (letter) => letter.charCodeAt(0)), size);
    return { text: latin1.decode(bytes), closing };
  }
}

/** A stranger, on this machine unless told otherwise, to a server with lines of an AUTH_FILE. */
export function stranger(lines: string = LINES, hostname = "127.0.0.1"): StrangerTalk {
  return new StrangerTalk(lines, hostname);
}

/** Throws unless a stranger is answered like this. */
export async function assertSays(asked: string, answer: string, size?: number): Promise<void> {
  assertEquals((await stranger().say(asked, size)).text, answer, `in pieces of ${size}`);
}

/** Replies in packets, each as its opcode, its status and its body. */
export function saidIn(bytes: Uint8Array): string[] {
  const all: string[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length;) {
    const end = at + 24 + view.getUint32(at + 8);
    all.push(`${bytes[at + 1]} ${view.getUint16(at + 6)} ${latin1.decode(bytes.subarray(at + 24, end))}`);
    at = end;
  }
  return all;
}
