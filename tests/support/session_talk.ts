/** Talks with a session, without a socket: requests by hand, so that they do not depend on the code that clients use, and replies. */

import { assertEquals } from "@std/assert";
import { decode, encode } from "@std/msgpack";
import { MAX_BODY_BYTES } from "../../lib/base/limits.ts";
import type { Session } from "../../lib/server/session.ts";
import { FrameReader, type FrameWriter, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { sessionOf } from "./access.ts";
import { joined } from "./mutate.ts";
import { sessionHost } from "./session_host.ts";

const utf8 = new TextEncoder();

/** A frame that a session has said. */
export interface Reply {
  code: number;
  body: Uint8Array;
}

/** Request bytes by hand, so that they do not depend on the code that clients use. */
export function frame(code: number, key: string | Uint8Array = "", rest: Uint8Array = new Uint8Array(0)): Uint8Array {
  const keyBytes = typeof key === "string" ? utf8.encode(key) : key;
  const bytes = new Uint8Array(8 + keyBytes.length + rest.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, keyBytes.length + rest.length);
  view.setUint16(4, keyBytes.length);
  view.setUint8(6, code);
  bytes.set(keyBytes, 8);
  bytes.set(rest, 8 + keyBytes.length);
  return bytes;
}

/** A number of 64 bits. */
export function uint64(high: number, low: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, high);
  new DataView(bytes.buffer).setUint32(4, low);
  return bytes;
}

/** A ttl for ever. */
export const NEVER = uint64(0, 0);
/** A ttl that is the server's default, or the entry's own. */
export const DEFAULT = uint64(0xffffffff, 0xffffffff);

/** A `SET`. */
export function set(key: string | Uint8Array, value: string | Uint8Array, ttl = DEFAULT, flags = 7): Uint8Array {
  const valueBytes = typeof value === "string" ? utf8.encode(value) : value;
  return frame(REQUEST.set, key, joined(new Uint8Array([0, 0, 0, flags]), ttl, valueBytes));
}

/** A `GET_MANY`. */
export function getMany(...keys: string[]): Uint8Array {
  const listed = keys.map((key) => joined(new Uint8Array([key.length >> 8, key.length & 255, 0]), utf8.encode(key)));
  return frame(REQUEST.getMany, "", joined(new Uint8Array([keys.length >> 8, keys.length & 255]), ...listed));
}

/** A greeting. */
export const HELLO = frame(REQUEST.hello, "", encode({ protocol: 1, client: "test" }));
/** All that a session says, in as many writes as it asks for. */
export function outputOf(session: Session): { bytes: Uint8Array; closing: boolean } {
  const parts: Uint8Array[] = [];
  for (let writes = 0; writes < 100_000; writes++) {
    const state = session.run();
    parts.push(session.output.taken().slice());
    session.output.reset();
    if (state !== "output-full") return { bytes: joined(...parts), closing: state === "closing" };
  }
  throw new Error("The session has more and more to say");
}

/** The frames of some bytes. */
export function repliesIn(bytes: Uint8Array): Reply[] {
  const reader = new FrameReader();
  reader.maxBodyBytes = 2 * MAX_BODY_BYTES;
  reader.push(bytes);
  const replies: Reply[] = [];
  while (reader.next()) replies.push({ code: reader.code, body: reader.slice(reader.start, reader.end).slice() });
  assertEquals(reader.pendingBytes, 0, "replies must be whole frames");
  return replies;
}

/** A greeted session, and a function that asks it. */
export function greeted(
  server = sessionHost(),
  output?: FrameWriter,
): { session: Session; ask: (...frames: Uint8Array[]) => Reply[] } {
  const session = sessionOf(server, { output });
  const ask = (...frames: Uint8Array[]) => {
    session.input.push(joined(...frames));
    return repliesIn(outputOf(session).bytes);
  };
  assertEquals(ask(HELLO).map(({ code }) => code), [REPLY.data]);
  return { session, ask };
}

/** The codes of replies. */
export function codes(replies: Reply[]): number[] {
  return replies.map(({ code }) => code);
}

/** What a `REFUSED` or `CLOSING` says. */
export function errorOf({ body }: Reply): { code: string; message: string } {
  return decode(body) as { code: string; message: string };
}
