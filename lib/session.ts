/**
 * One client's conversation without its socket: request bytes in, reply bytes out, in the protocol that the first byte
 * tells. It knows which protocols there are, not what they say.
 */

import type { Conversation, SessionState } from "./conversation.ts";
import { FrameReader, FrameWriter } from "./frame.ts";
import type { Memcached } from "./memcached.ts";
import { MemcachedBinary, REQUEST_MAGIC } from "./memcached_binary.ts";
import { MemcachedText } from "./memcached_text.ts";
import type { MemcachedHost } from "./memcached_stats.ts";
import { Native, type NativeHost, type PeerHello } from "./native.ts";

/** What a session needs from the server it belongs to. */
export interface SessionHost extends NativeHost, MemcachedHost {
  /** memcached's commands on the store. */
  readonly memcached: Memcached;
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
  #conversation: Conversation | undefined;
  #closing = false;

  constructor(host: SessionHost) {
    this.#host = host;
  }

  /** Set once the client has turned out to be a peer. */
  get peer(): PeerHello | undefined {
    return this.#conversation instanceof Native ? this.#conversation.peer : undefined;
  }

  /** Whether the client has begun to say something and not come to an end of its greeting. */
  get isGreeting(): boolean {
    return this.#conversation instanceof Native && !this.#conversation.isGreeted;
  }

  /** Answers what has arrived. Never throws for what a client sent. */
  run(): SessionState {
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

  #begin(): Conversation | undefined {
    const { input, output } = this;
    switch (input.firstByte()) {
      case -1:
        return undefined;
      case NATIVE:
        return this.#native();
      case REQUEST_MAGIC:
        return new MemcachedBinary(this.#host, input, output);
      case TLS:
        this.#host.counters.protocolErrors++;
        this.close("unsupported-protocol", "this port does not speak TLS");
        return this.#conversation;
      default:
        return new MemcachedText(this.#host, input, output);
    }
  }

  #native(): Native {
    return new Native(this.#host, this.input, this.output);
  }
}
