/**
 * How a client of memcached's text protocol says who it is, before anything else and as memcached's option -Y has it: with a
 * `set` of any key, whose value is `user password`. It knows no other command, and keeps nothing of what a stranger sends.
 */

import type { ByteSpan } from "../base/byte_span.ts";
import { type ConnectionContext, type HandlerState, STRANGER_BYTES } from "../wire/protocol_handler.ts";
import { TextLine } from "./text_line.ts";

const [CR, LF] = [13, 10];
const DENIED = "CLIENT_ERROR authentication failure";
const UNWELCOME = "CLIENT_ERROR authentication failure: a secret is taken over TLS only";

/** The first part of a conversation in which the client has to say who it is. */
export class TextAuthentication {
  readonly #context: ConnectionContext;
  readonly #line = new TextLine();
  /** Bytes that the client has sent in vain. */
  #spent = 0;
  /** Bytes of the value that is arriving, with what ends it; -1 while a line is. */
  #valueBytes = -1;
  #isChecking = false;

  constructor(context: ConnectionContext) {
    this.#context = context;
  }

  /** Answers what has arrived. Returns what must happen next; `undefined` once the client is known. */
  run(): HandlerState | undefined {
    const { access, input } = this.#context;
    while (true) {
      if (this.#isChecking) {
        if (access.attempt === "checking") return "waiting";
        this.#isChecking = false;
        if (access.isKnown) return this.#say("STORED");
        this.#say(access.attempt === "unwelcome" ? UNWELCOME : DENIED);
      }
      if (this.#spent > STRANGER_BYTES) return "closing";
      const { from } = input;
      const state = this.#valueBytes < 0 ? this.#takeLine() : this.#takeValue();
      this.#spent += input.from - from;
      if (state !== undefined) return state;
    }
  }

  #takeLine(): HandlerState | undefined {
    const { input } = this.#context;
    const { bytes, from } = input;
    const to = Math.min(input.to, from + STRANGER_BYTES);
    let at = from;
    while (at < to && bytes[at] !== LF) at++;
    if (at === to) return to - from === STRANGER_BYTES ? "closing" : "needs-input";
    const line = this.#line;
    line.split(bytes, from, at > from && bytes[at - 1] === CR ? at - 1 : at);
    input.from = at + 1;
    const length = line.count < 5 || !line.is(0, "set") ? undefined : line.uint32(4);
    if (length === undefined) return this.#say("CLIENT_ERROR unauthenticated");
    this.#valueBytes = length + 2;
  }

  #takeValue(): HandlerState | undefined {
    const { input, access } = this.#context;
    const length = this.#valueBytes;
    if (length > STRANGER_BYTES) return "closing";
    const { bytes, from } = input;
    if (input.to - from < length) return "needs-input";
    const end = input.from = from + length;
    this.#valueBytes = -1;
    if (bytes[end - 2] !== CR || bytes[end - 1] !== LF) {
      return this.#say("CLIENT_ERROR bad command line termination");
    }
    const line = this.#line;
    line.split(bytes, from, end - 2);
    if (line.count < 2) return this.#say("CLIENT_ERROR bad authentication token format");
    access.authenticate(textOf(line, 0), textOf(line, 1));
    this.#isChecking = true;
  }

  #say(reply: string): undefined {
    this.#context.output.text(`${reply}\r\n`);
  }
}

/** A word, whole. Bytes that are no ASCII fit no secret. */
function textOf(line: TextLine, word: number): string {
  const span: ByteSpan = { bytes: line.bytes, from: 0, to: 0 };
  line.span(word, span);
  return String.fromCharCode(...span.bytes.subarray(span.from, span.to));
}
