/** Conversations in memcached's text protocol with a session, without a socket. */

import { assertEquals } from "@std/assert";
import type { Session } from "../../lib/server/session.ts";
import type { Dialogue } from "./memcached_dialogues.ts";
import { sessionHost, type TestHost } from "./session_host.ts";
import { sessionOf } from "./access.ts";

const utf8 = new TextEncoder();
const latin1 = new TextDecoder("latin1");

/** Writes that a piece of input is answered in, at most. */
const MAX_TURNS = 1000;

/** Gives a session bytes, in pieces of a size, and returns what it says. */
export function say(session: Session, bytes: string | Uint8Array, size = Infinity): { text: string; closing: boolean } {
  const all = typeof bytes === "string" ? utf8.encode(bytes) : bytes;
  let [text, closing] = ["", false];
  for (let at = 0; at < all.length; at += size) {
    session.input.push(all.subarray(at, at + size));
    let state = session.run();
    for (let turn = 0; true; turn++) {
      text += latin1.decode(session.output.taken());
      session.output.reset();
      if (state !== "output-full") break;
      if (turn === MAX_TURNS) throw new Error(`more than ${MAX_TURNS} writes for one piece`);
      state = session.run();
    }
    closing ||= state === "closing";
  }
  return { text, closing };
}

/** What a new session answers. */
export function ask(text: string, host: TestHost = sessionHost()): string {
  return say(sessionOf(host), text).text;
}

/** Throws unless a new session answers as the dialogue says, whole and in pieces of a few bytes. */
export function assertAnswers([, asked, answer]: Dialogue): void {
  assertEquals(ask(asked), answer);
  if (asked.length > 10_000) return;
  for (let size = 1; size < 9; size++) {
    assertEquals(say(sessionOf(sessionHost()), asked, size).text, answer, `in pieces of ${size}`);
  }
}
