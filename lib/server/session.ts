/**
 * One client's conversation without its socket: request bytes in, reply bytes out, in the protocol that the first byte
 * tells. It knows which protocols there are, not what they say.
 */

import type { HandlerState, ProtocolHandler } from "../wire/protocol_handler.ts";
import { FrameReader, FrameWriter } from "../wire/frame.ts";
import type { MemcachedCommands } from "../memcached/commands.ts";
import { BinaryHandler, REQUEST_MAGIC } from "../memcached/binary.ts";
import { TextHandler } from "../memcached/text.ts";
import type { MemcachedHost } from "../memcached/statistics.ts";
import type { PeerHello } from "../wire/hello.ts";
import { NativeHandler, type NativeHost } from "./native_handler.ts";

/** What a session needs from the server it belongs to. */
export interface SessionHost extends NativeHost, MemcachedHost {
  /** memcached's commands on the store. */
  readonly memcached: MemcachedCommands;
}

const NATIVE = 0;
const TLS = 0x16;

/** One client's conversation. Put bytes into `input`, call `run`, write `output`. */
export class Session {
  /** Bytes from the client. */
  readonly input: FrameReader = new FrameReader();
  /** Replies; the caller writes and resets it. */
  readonly output: FrameWriter = new FrameWriter();
  readonly #host: SessionHost;
  #conversation: ProtocolHandler | undefined;
  #closing = false;

  constructor(host: SessionHost) {
    this.#host = host;
  }

  /** Set once the client has turned out to be a peer. */
  get peer(): PeerHello | undefined {
    return this.#conversation instanceof NativeHandler ? this.#conversation.peer : undefined;
  }

  /** Whether the client has begun to say something and not come to an end of its greeting. */
  get isGreeting(): boolean {
    return this.#conversation instanceof NativeHandler && !this.#conversation.isGreeted;
  }

  /** Answers what has arrived. Never throws for what a client sent. */
  run(): HandlerState {
    if (this.#closing) return "closing";
    this.#conversation ??= this.#begin();
    if (this.#conversation === undefined) return "needs-input";
    const state = this.#closing ? "closing" : this.#conversation.run();
    this.#closing = state === "closing";
    return state;
  }

  /** Says why the connection is about to end. */
  close(code: string, message: string): void {
    this.#closing = true;
    this.#conversation ??= this.#native();
    this.#conversation.close(code, message);
  }

  #begin(): ProtocolHandler | undefined {
    const { input, output } = this;
    switch (input.firstByte()) {
      case -1:
        return undefined;
      case NATIVE:
        return this.#native();
      case REQUEST_MAGIC:
        return new BinaryHandler(this.#host, input, output);
      case TLS:
        this.#host.counters.protocolErrors++;
        this.close("unsupported-protocol", "this port does not speak TLS");
        return this.#conversation;
      default:
        return new TextHandler(this.#host, input, output);
    }
  }

  #native(): NativeHandler {
    return new NativeHandler(this.#host, this.input, this.output);
  }
}
