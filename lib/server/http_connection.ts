/**
 * One connection to a server's port of HTTP, from its first byte to its end: it reads heads of requests, has them answered, and
 * writes the replies, within limits of bytes and time. It does not know what is asked.
 */

import { eventText, type HttpReply, replyBytes } from "../http/reply.ts";
import { headEnd, type HttpFault, type HttpRequest, MAX_HEAD_BYTES, readHead } from "../http/request.ts";
import type { ByteStream } from "../platform/byte_stream.ts";
import { closeQuietly, isDisconnection, remoteAddress, setUp } from "../platform/socket.ts";
import { needsOf } from "../wire/access.ts";
import { unitsOf } from "../wire/protocol_handler.ts";
import type { ConnectionAccess } from "./access.ts";
import type { BufferHolder, Buffers, HeldBuffers } from "./buffers.ts";
import type { Encryption } from "./encryption.ts";
import type { HttpEvents } from "./http_events.ts";
import type { HttpSite } from "./http_site.ts";
import { awake, pause, type Pausing } from "./pausing.ts";
import { TLS } from "./protocols.ts";
import { WASTE } from "./refusal.ts";
import type { Turns } from "./turns.ts";

/** The roles, as bits, that may see keys. */
const SEES_KEYS = needsOf("native").get("keys")!;

/** The part of a server that a connection needs. */
export interface HttpHost {
  readonly site: HttpSite;
  readonly events: HttpEvents;
  /** Accepts clients that encrypt; `undefined` where none may. */
  readonly encryption?: Encryption;
  readonly turns: Turns;
  readonly buffers: Buffers;
  /** Told of each reply. */
  readonly onReply: (status: number) => void;
  /** Called with what went wrong, the client's address, and a line. */
  readonly log: (kind: string, address: string, line: string) => void;
}

/** What a connection waits for: the rest of a head, another request, the client to take a reply; or it works, or tells events. */
type Wait = "head" | "idle" | "output" | "nothing";

/** Milliseconds that a client may let it wait: the whole head of a request, the next request, a whole reply. */
export const HTTP_LIMITS_MS: Readonly<Record<Wait, number>> = {
  head: 5000,
  idle: 60_000,
  output: 30_000,
  nothing: Infinity,
};
/** Milliseconds between a reply and the next request: however fast one asks, there is time left for the cache. */
const PAUSE_MS = 50;
/** Milliseconds after which one makes room for another though it is known. */
const STILL_MS = 1000;
/** Bounds on reading after the last reply: unread input would cut it off. */
const PARTING_LIMIT_MS = 500;
const PARTING_READS = 16;
/** Units of work that a request costs, another that gathers figures, and a handshake: about as many as microseconds. */
const REQUEST_UNITS = 32;
const FIGURES_UNITS = 512;
const HANDSHAKE_UNITS = 1024;

/** A connection. */
export class HttpConnection implements BufferHolder, Pausing {
  wake = awake;
  readonly remoteAddress: string;
  readonly #host: HttpHost;
  readonly #held: HeldBuffers;
  readonly #bytes = new Uint8Array(MAX_HEAD_BYTES);
  #length = 0;
  #stream: ByteStream;
  #wait: Wait = "head";
  /** When a look first saw it wait for that, and for how long it has when it was last looked at. */
  #sinceMs: number | undefined;
  #waitedMs = 0;
  /** Whether the gate has let the last request through. */
  #isKnown = false;
  readonly #ended = new AbortController();
  #isLast = false;
  #isEvents = false;

  constructor(stream: ByteStream, host: HttpHost) {
    this.remoteAddress = remoteAddress(stream);
    this.#host = host;
    this.#stream = stream;
    this.#held = host.buffers.of(this);
    this.#held.changed(MAX_HEAD_BYTES);
  }

  /** Milliseconds that the client has let it wait, when it was last looked at. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  get isStill(): boolean {
    return this.#wait !== "nothing" && this.#waitedMs >= STILL_MS;
  }

  /** Whether it makes room when all places are taken: nobody knows who is there, or the client lets it wait. */
  get mayGo(): boolean {
    return !this.#isKnown || this.isStill;
  }

  /** Looks whether the client has let it wait for too long. Returns for what, if so. */
  look(nowMs: number): Wait | undefined {
    this.#sinceMs ??= nowMs;
    this.#waitedMs = nowMs - this.#sinceMs;
    return this.#waitedMs > HTTP_LIMITS_MS[this.#wait] ? this.#wait : undefined;
  }

  /** Serves the client until it or the server ends the connection. */
  async serve(): Promise<void> {
    try {
      setUp(this.#stream);
      if (await this.#begin()) await this.#serve();
    } catch (error) {
      if (!isDisconnection(error)) {
        this.#host.log(
          "http",
          this.remoteAddress,
          `Cannot go on with a connection by HTTP: ${(error as Error).message}`,
        );
      }
    } finally {
      this.close();
    }
  }

  /** Ends the connection: at once if it waits for a request, else behind the reply. */
  dismiss(): void {
    this.#isLast = true;
    if (this.#isEvents || this.#wait === "head" || this.#wait === "idle") this.close();
  }

  /** Ends the connection and gives up what it holds, though a write may be under way, which earlier versions of Deno do not end. */
  close(): void {
    this.#ended.abort();
    closeQuietly(this.#stream);
    this.#held.close();
  }

  cut(): void {
    this.close();
  }

  /** Reads the first bytes, and makes the handshake of a client that encrypts. Returns whether there is one. */
  async #begin(): Promise<boolean> {
    if (!await this.#read()) return false;
    const { encryption, turns } = this.#host;
    if (encryption === undefined || this.#bytes[0] !== TLS) return true;
    turns.spend(HANDSHAKE_UNITS);
    if (turns.isOver) await turns.next();
    const first = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    const stream = await encryption.accept(this.#stream, first, this.#held);
    if (stream === undefined) return false;
    this.#stream = stream;
    this.#waitFor("nothing");
    return true;
  }

  async #serve(): Promise<void> {
    const { site, turns } = this.#host;
    for (let answered = 0; true; answered++) {
      const request = await this.#next(answered === 0);
      if (request === undefined) return;
      this.#waitFor("nothing");
      if ("why" in request) {
        await this.#say({ status: request.status, body: `${request.why}\n` }, { closes: true });
        return await this.#part();
      }
      const { reply, access, isEvents } = await site.answer(request, this.#stream);
      this.#isKnown = access !== undefined;
      const isHead = request.method === "HEAD";
      if (isEvents && !isHead) return await this.#tellEvents(access!);
      const closes = this.#isLast || !request.keepsAlive;
      await this.#say(reply, { closes, isHead });
      turns.spend(REQUEST_UNITS + (this.#isKnown ? FIGURES_UNITS : 0));
      if (closes || this.#isLast) return await this.#part();
      this.#waitFor("idle");
      await pause(this, PAUSE_MS, this.#ended.signal);
      if (turns.isOver) await turns.next();
    }
  }

  /** Reads the next head; `undefined` at the end. */
  async #next(isFirst: boolean): Promise<HttpRequest | HttpFault | undefined> {
    for (let from = 0; true;) {
      const end = headEnd(this.#bytes, this.#length, from);
      if (end >= 0) {
        const head = readHead(this.#bytes.subarray(0, end));
        this.#bytes.copyWithin(0, end, this.#length);
        this.#length -= end;
        return head;
      }
      if (this.#length === MAX_HEAD_BYTES) {
        return { status: 431, why: `the head of a request has ${MAX_HEAD_BYTES} bytes at most` };
      }
      from = this.#length;
      this.#waitFor(this.#length === 0 && !isFirst ? "idle" : "head");
      if (!await this.#read()) return undefined;
    }
  }

  async #read(): Promise<boolean> {
    const count = await this.#stream.read(this.#bytes.subarray(this.#length));
    this.#length += count ?? 0;
    return count !== null;
  }

  /** Tells what happens until the client leaves, or may look no more. What it has not taken in time is not told. */
  async #tellEvents(access: ConnectionAccess): Promise<void> {
    const joined = this.#host.events.join((data) => {
      if (access.isWithdrawn) this.close();
      else if (this.#wait === "nothing") this.#write(eventText(data)).catch(() => this.close());
    }, (access.allowed & SEES_KEYS) !== 0);
    if (joined === undefined) {
      await this.#say({ status: 503, fields: [["Retry-After", "10"]], body: "too many look already\n" }, {
        closes: true,
      });
      return await this.#part();
    }
    this.#isEvents = true;
    try {
      await this.#say({ status: 200, type: "text/event-stream", body: eventText(joined.first) }, { isEndless: true });
      while (!this.#isLast && await this.#stream.read(WASTE) !== null) continue;
    } finally {
      joined.leave();
    }
  }

  async #say(reply: HttpReply, how: { closes?: boolean; isHead?: boolean; isEndless?: boolean }): Promise<void> {
    this.#host.onReply(reply.status);
    await this.#write(replyBytes(reply, { ...how, date: new Date().toUTCString() }));
  }

  async #write(bytes: Uint8Array | string): Promise<void> {
    const all = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    this.#host.turns.spend(unitsOf(all.length));
    this.#held.changed(all.length);
    this.#waitFor("output");
    try {
      for (let at = 0; at < all.length;) at += await this.#stream.write(all.subarray(at));
    } finally {
      this.#held.changed(-all.length);
      this.#waitFor("nothing");
    }
  }

  /** Gives the client a moment to read the last reply. */
  async #part(): Promise<void> {
    const timer = setTimeout(() => this.close(), PARTING_LIMIT_MS);
    try {
      await this.#stream.closeWrite();
      for (let reads = 0; reads < PARTING_READS; reads++) if (await this.#stream.read(WASTE) === null) return;
    } finally {
      clearTimeout(timer);
    }
  }

  #waitFor(what: Wait): void {
    if (what === this.#wait) return;
    this.#wait = what;
    this.#sinceMs = undefined;
    this.#waitedMs = 0;
  }
}
