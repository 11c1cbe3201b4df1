/** A client that keeps near copies, without a socket: what it asks, and all that is said to it, as short texts. */

import { readControl } from "../../lib/wire/control.ts";
import { type FrameReader, type FrameWriter, INVALID, REPLY, REQUEST, STATE } from "../../lib/wire/frame.ts";
import { NEAR, writeHello } from "../../lib/wire/hello.ts";
import {
  COPY_HEAD_BYTES,
  LISTED_COPY_BYTES,
  readInvalid,
  readLeft,
  readTerms,
  slotOfText,
} from "../../lib/wire/near.ts";
import { writeKeyed, writeKeyList, writeSet } from "../../lib/wire/calls.ts";
import { writeIncrement, writeKeys, writeSetIf, writeSetMany } from "../../lib/wire/entry_calls.ts";
import { encodeValue } from "../../lib/wire/values.ts";
import type { Session, SessionOptions } from "../../lib/server/session.ts";
import { sessionOf } from "./access.ts";
import { framesOf, written } from "./frames.ts";
import type { TestHost } from "./session_host.ts";

/** A request. */
export type Asked = (output: FrameWriter) => void;

/** Requests that tests make. */
export const ask = {
  get: (key: string): Asked => (output) => writeKeyed(output, REQUEST.get, key),
  getMany: (...keys: string[]): Asked => (output) => writeKeyList(output, REQUEST.getMany, keys),
  set: (key: string, value: unknown, ttlMs?: number, isFixed = false): Asked => (output) =>
    writeSet(output, key, encodeValue(value), ttlMs, isFixed),
  delete: (key: string): Asked => (output) => writeKeyed(output, REQUEST.delete, key),
  touch: (key: string): Asked => (output) => {
    output.begin(REQUEST.touch);
    output.key(key);
    output.ttl(undefined);
    output.end();
  },
  entry: (key: string): Asked => (output) => writeKeyed(output, REQUEST.entry, key),
  take: (key: string): Asked => (output) => writeKeyed(output, REQUEST.take, key),
  increment: (key: string, by: bigint, initial?: bigint): Asked => (output) =>
    writeIncrement(output, key, by, initial, undefined),
  setIf: (key: string, onlyIf: "absent" | "present" | number, value: unknown): Asked => (output) =>
    writeSetIf(output, key, onlyIf, encodeValue(value), undefined, false),
  setMany: (key: string, value: unknown): Asked => (output) =>
    writeSetMany(output, [{ key, value: encodeValue(value) }], undefined, false),
  deleteMany: (...keys: string[]): Asked => (output) => writeKeyList(output, REQUEST.deleteMany, keys),
  keys: (prefix: string): Asked => (output) => writeKeys(output, prefix, 0),
  clearPrefix: (prefix: string): Asked => (output) => writeKeyed(output, REQUEST.clearPrefix, prefix),
  explain: (key: string): Asked => (output) => writeKeyed(output, REQUEST.explain, key),
  insight: ((output) => output.empty(REQUEST.insight)) as Asked,
  has: (key: string): Asked => (output) => writeKeyed(output, REQUEST.has, key),
  use: (key: string): Asked => (output) => writeKeyed(output, REQUEST.use, key),
  clear: ((output) => output.empty(REQUEST.clear)) as Asked,
  ping: ((output) => output.empty(REQUEST.ping)) as Asked,
  stats: ((output) => output.empty(REQUEST.stats)) as Asked,
  unknown: ((output) => output.empty(0x3f)) as Asked,
};

/** How the push of some keys is told. */
export function invalid(...keys: string[]): string {
  return `INVALID ${keys.map(slotOfText).join()}`;
}

/** One client's conversation. */
export class NearTalk {
  readonly session: Session;

  /** @param features What the client names beyond what all do; by default that it keeps near copies. */
  constructor(host: TestHost, options?: SessionOptions, features: readonly string[] = [NEAR]) {
    this.session = sessionOf(host, options);
    this.say((output) => writeHello(output, "test/1", undefined, false, features));
  }

  /** Has requests arrive, all in one read, and returns what is said then. */
  say(...asked: Asked[]): string[] {
    this.session.input.push(written((output) => asked.forEach((write) => write(output))));
    this.session.run();
    return this.heard();
  }

  /** What has been said since the last call. */
  heard(): string[] {
    const bytes = this.session.output.taken().slice();
    this.session.output.reset();
    return framesOf(bytes).map(textOf);
  }
}

const NAMES = new Map<number, string>(Object.entries(REPLY).map(([name, code]) => [code, name.toUpperCase()]));

function textOf(frame: FrameReader): string {
  const { code, start, end } = frame;
  const name = NAMES.get(code) ?? `${code}`;
  if (code === INVALID) return invalidText(frame);
  if (code === REPLY.refused) return `${name} ${readControl(frame).code}`;
  if (code === REPLY.value) return `${name} ${frame.buffer.toString("utf8", start + 4, end)}`;
  if (code === REPLY.copy) {
    return `${name} ${termsText(frame, start)}: ${frame.buffer.toString("utf8", start + COPY_HEAD_BYTES, end)}`;
  }
  if (code === REPLY.left) {
    const { freshMs, ttlMs } = readLeft(frame)!;
    return `${name} ${freshMs} of ${ttlMs}`;
  }
  return code === REPLY.values ? `${name} ${listTexts(frame).join("; ")}` : name;
}

function invalidText(frame: FrameReader): string {
  const said: unknown[] = [];
  readInvalid(frame, (slot) => said.push(slot), () => said.push("all"));
  return `INVALID ${said.join()}`;
}

function termsText(frame: FrameReader, at: number): string {
  const { marks, freshMs, ttlMs } = readTerms(frame, at);
  return `${marks} ${freshMs} of ${ttlMs}`;
}

function listTexts(frame: FrameReader): string[] {
  const texts: string[] = [];
  for (let at = frame.start + 2; at < frame.end;) {
    const state = frame.uint8(at);
    if (state === STATE.miss || state === STATE.omitted) {
      texts.push(state === STATE.miss ? "miss" : "omitted");
      at++;
      continue;
    }
    const from = at + (state === STATE.copy ? LISTED_COPY_BYTES : 9);
    const to = from + frame.uint32(from - 4);
    const value = frame.buffer.toString("utf8", from, to);
    texts.push(state === STATE.copy ? `${termsText(frame, at + 1)}: ${value}` : value);
    at = to;
  }
  return texts;
}
