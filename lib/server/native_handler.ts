/** The native protocol's requests and replies, as in docs/protocol.md. It knows the store, not how bytes travel. */

import {
  type Allowance,
  type ConnectionContext,
  type HandlerState,
  OUTPUT_BYTES,
  type ProtocolHandler,
  STATS_UNITS,
} from "../wire/protocol_handler.ts";
import { type EntryInput, MARK } from "../store/entry.ts";
import { KeyBatch } from "../store/key_batch.ts";
import type { ServerStats } from "../base/stats.ts";
import { ProtocolError } from "../base/errors.ts";
import { rolesText } from "../base/roles.ts";
import { ANY_ROLE, needsOf } from "../wire/access.ts";
import { type FrameReader, type FrameWriter, REPLY, REQUEST, STATE, TTL_DEFAULT, TTL_FIXED } from "../wire/frame.ts";
import { type ControlData, writeControl, writeError } from "../wire/control.ts";
import {
  hearsOfStop,
  type Hello,
  type HelloRefusal,
  type PeerHello,
  readHello,
  readScram,
  writeGreeting,
  writeLockedGreeting,
  writeScram,
} from "../wire/hello.ts";
import { MAX_BODY_BYTES, MAX_KEY_BYTES, MAX_KEYS_PER_GET, MAX_TTL_MS, MAX_VALUE_BYTES } from "../base/limits.ts";
import type { ConnectionAccess } from "./access.ts";
import { type LoginAnswer, NativeLogin } from "./native_login.ts";
import type { Store } from "../store/store.ts";
import type { ByteSpan } from "../base/byte_span.ts";

/** What has come of the wish that a peer be forgotten. */
export type Forgetting = "forgotten" | "unknown" | "connected";

/** A peer that cannot be used, and the reason that it is given. */
export interface RefusedPeer {
  readonly peer: PeerHello;
  readonly code: string;
  readonly message: string;
}

/** One connection, as the native protocol sees it. */
export interface NativeContext extends ConnectionContext {
  readonly access: ConnectionAccess;
  /** Returns why a client is refused, if only a peer may come in. */
  readonly onlyPeers?: () => string;
}

/** The part of a server that the native protocol needs. */
export interface NativeHost {
  /** The entries. */
  readonly store: Store;
  /** Name and version for the greeting. */
  readonly software: string;
  /** This server's number among peers. */
  readonly id: number;
  /** The name of this server's cluster; empty if it has none. */
  readonly cluster: string;
  /** Has this server connect to a peer no more, unless it is connected. */
  forgetPeer(address: string): Forgetting;
  /** Returns the statistics for `STATS`. */
  stats(): ServerStats;
  /** Whether this server uses a nonce at the moment, as a client of others. */
  isOwnNonce(nonce: string): boolean;
  /** Counters that all connections share. */
  readonly counters: { requests: number; refusals: number; protocolErrors: number };
}

const NEEDS_BY_NAME = needsOf("native");
/** The roles, as bits, that may send each request. Unknown ones any role may send. */
const NEEDS: Uint8Array = new Uint8Array(256).fill(ANY_ROLE);
for (const [name, code] of Object.entries(REQUEST)) NEEDS[code] = NEEDS_BY_NAME.get(name) ?? ANY_ROLE;

const NO_BYTES = new Uint8Array(0);
/** What a stranger is told that asks for something. */
const AUTH_REQUIRED = [
  "auth-required",
  "this server wants to know who connects, and the client has shown no token",
] as const;

/** The refusal of one request; the connection goes on. */
class RequestRefusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Answers one client in the native protocol. */
export class NativeHandler implements ProtocolHandler {
  /** Set once the client has turned out to be a peer. */
  peer: PeerHello | undefined;
  /** Set once the client has turned out to be a peer that cannot be used. */
  refusedPeer: RefusedPeer | undefined;
  /** Set once the client may make requests, if it goes elsewhere when it is told that the server stops. */
  hearsOfStop = false;
  readonly #host: NativeHost;
  readonly #input: FrameReader;
  readonly #output: FrameWriter;
  readonly #access: ConnectionAccess;
  readonly #allowance: Allowance;
  readonly #onlyPeers: (() => string) | undefined;
  /** The next three objects are reused by all requests, none of which keeps one. */
  readonly #entry: EntryInput = { flags: 0, marks: 0, value: { bytes: NO_BYTES, from: 0, to: 0 }, ttlMs: undefined };
  readonly #keys: KeyBatch;
  readonly #listed: ByteSpan = { bytes: NO_BYTES, from: 0, to: 0 };
  /** The client's greeting, until it has been answered in full. */
  #hello: Hello | HelloRefusal | undefined;
  #login: NativeLogin | undefined;
  #greeted = false;
  #closing = false;

  constructor(host: NativeHost, { input, output, allowance, access, onlyPeers }: NativeContext) {
    this.#host = host;
    this.#onlyPeers = onlyPeers;
    this.#access = access;
    this.#keys = new KeyBatch(host.store);
    this.#input = input;
    this.#output = output;
    this.#allowance = allowance;
  }

  /** Answers the frames that have arrived. Never throws for what a client sent. */
  run(): HandlerState {
    try {
      return this.#answerAll();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // A request of more bytes than a stranger may send is told what it lacks.
      if (this.#login === undefined || this.#greeted) this.close("bad-frame", error.message);
      else this.close(...AUTH_REQUIRED);
      this.#host.counters.protocolErrors++;
      return "closing";
    }
  }

  /** Sends the reason why the connection is about to end. */
  close(code: string, message: string): void {
    this.#closing = true;
    writeError(this.#output, REPLY.closing, { code, message });
  }

  #answerAll(): HandlerState {
    const [input, allowance] = [this.#input, this.#allowance];
    if (allowance.isOver) return "output-full";
    if (this.#login?.answer !== undefined) this.#sayLogin(this.#login.answer);
    if (this.#closing) return "closing";
    if (this.peer !== undefined) return "peer";
    while (input.next()) {
      this.#host.counters.requests++;
      if (this.#greeted) this.#answer();
      else if (this.#hello === undefined) this.#greet();
      else if (this.#goesOn()) return "waiting";
      if (this.#closing) return "closing";
      if (this.peer !== undefined) return "peer";
      if (this.#output.length >= OUTPUT_BYTES || allowance.isOver) return "output-full";
    }
    return "needs-input";
  }

  #greet(): void {
    const input = this.#input;
    if (input.code !== REQUEST.hello) {
      this.#host.counters.protocolErrors++;
      return this.close("no-hello", "the first request must be HELLO");
    }
    this.#hello = readHello(input, this.#host.cluster);
    if (this.#onlyPeers !== undefined && this.#hello.peer === undefined) {
      return this.close("too-many-connections", this.#onlyPeers());
    }
    const { isKnown, rules: { credentials } } = this.#access;
    const isUnsupported = "code" in this.#hello && this.#hello.peer === undefined;
    const comesIn = isKnown && !("proves" in this.#hello && this.#hello.proves);
    if (!credentials.isRequired || isUnsupported || comesIn) return this.#welcome(this.#hello);
    this.#login = new NativeLogin(this.#access, this.#host.isOwnNonce);
    writeLockedGreeting(this.#output);
  }

  /** Goes on with the login of a client that has greeted. Returns whether its message is being looked at. */
  #goesOn(): boolean {
    if (this.#input.code === REQUEST.auth) this.#login!.take(readScram(this.#input));
    else this.close(...AUTH_REQUIRED);
    return !this.#closing;
  }

  /** Answers the greeting of a client that may come in. */
  #welcome(hello: Hello | HelloRefusal, more: ControlData = {}): void {
    if ("code" in hello) return this.#refuse(hello.code, hello.message, hello.peer);
    const { peer } = hello;
    if (peer !== undefined && !this.#access.has("peer")) {
      return this.#refuse("not-allowed", `not allowed for ${rolesText(this.#access.roles)}: to be a peer`, peer);
    }
    this.#greeted = true;
    this.peer = peer;
    this.hearsOfStop = peer === undefined && hearsOfStop(hello.features);
    this.#input.maxBodyBytes = MAX_BODY_BYTES;
    writeGreeting(this.#output, this.#host.software, this.#host, {
      maxKeyBytes: MAX_KEY_BYTES,
      maxValueBytes: MAX_VALUE_BYTES,
      maxKeysPerGet: MAX_KEYS_PER_GET,
      ...more,
    });
  }

  /** Goes on with a login whose last message has been looked at. */
  #sayLogin(answer: LoginAnswer): void {
    const login = this.#login!;
    login.answer = undefined;
    if ("challenge" in answer) writeScram(this.#output, REPLY.challenge, answer.challenge);
    else if ("proof" in answer) this.#welcome(this.#hello!, { proof: answer.proof });
    else this.#refuse(answer.refusal, answer.message, this.#hello!.peer);
  }

  /** Ends the connection of a client, which may be a peer. */
  #refuse(code: string, message: string, peer: PeerHello | undefined): void {
    if (peer !== undefined) this.refusedPeer = { peer, code, message };
    this.close(code, message);
  }

  #answer(): void {
    if ((this.#access.allowed & NEEDS[this.#input.code]) === 0) return this.#refuseRole();
    try {
      this.#dispatch();
    } catch (error) {
      if (!(error instanceof RequestRefusal)) throw error;
      this.#host.counters.refusals++;
      writeError(this.#output, REPLY.refused, error);
    }
  }

  /** Refuses a request that the client's roles do not allow. */
  #refuseRole(): void {
    this.#host.counters.refusals++;
    const message = `not allowed for ${rolesText(this.#access.roles)}`;
    writeError(this.#output, REPLY.refused, { code: "not-allowed", message });
  }

  #dispatch(): void {
    const output = this.#output;
    const { store } = this.#host;
    switch (this.#input.code) {
      case REQUEST.get:
        return this.#get();
      case REQUEST.set:
        return this.#set();
      case REQUEST.getMany:
        return this.#getMany();
      case REQUEST.delete:
        return output.empty(store.delete(this.#onlyKey()) ? REPLY.ok : REPLY.miss);
      case REQUEST.has:
        return output.empty(store.has(this.#onlyKey()) ? REPLY.ok : REPLY.miss);
      case REQUEST.touch:
        return output.empty(store.touch(this.#key(8), this.#ttl()) ? REPLY.ok : REPLY.miss);
      case REQUEST.clear:
        this.#noBody();
        store.clear();
        return output.empty(REPLY.ok);
      case REQUEST.stats:
        this.#noBody();
        this.#allowance.spend(STATS_UNITS);
        return writeControl(output, REPLY.data, this.#stats());
      case REQUEST.forget:
        return output.empty(this.#forget() ? REPLY.ok : REPLY.miss);
      case REQUEST.ping:
        this.#noBody();
        return output.empty(REPLY.ok);
      case REQUEST.auth:
        throw new RequestRefusal("bad-request", "this server asks for no token, or knows the client already");
      default:
        throw new RequestRefusal("bad-request", `unknown request code ${this.#input.code}`);
    }
  }

  /** The statistics, with the peers for those only who may see them. */
  #stats(): ControlData {
    const stats = this.#host.stats();
    return this.#access.has("admin") ? { ...stats } : { ...stats, peers: [] };
  }

  #get(): void {
    const { store } = this.#host;
    const output = this.#output;
    const position = store.get(this.#onlyKey());
    if (position === 0) return output.empty(REPLY.miss);
    const { reader } = store;
    const valueBytes = reader.valueBytes(position);
    const at = output.value(reader.flags(position), valueBytes);
    reader.copyValue(position, output.buffer, at);
  }

  /** Copies a value from the store's memory straight into the output. */
  #writeValue(position: number, valueBytes: number): void {
    const output = this.#output;
    const at = output.room(valueBytes);
    this.#host.store.reader.copyValue(position, output.buffer, at);
  }

  /** Forgets a peer. Returns whether there was one. */
  #forget(): boolean {
    const { from, to } = this.#onlyKey();
    const address = this.#input.buffer.toString("utf8", from, to);
    const outcome = this.#host.forgetPeer(address);
    if (outcome === "connected") {
      throw new RequestRefusal("connected", `the peer ${address} is connected: stop it first`);
    }
    return outcome === "forgotten";
  }

  #set(): void {
    const [input, output] = [this.#input, this.#output];
    const { store } = this.#host;
    const valueBytes = input.end - input.start - input.keyBytes - 12;
    if (valueBytes < 0) throw new RequestRefusal("bad-request", "a SET has 12 bytes or more after its key");
    if (valueBytes > MAX_VALUE_BYTES) {
      store.delete(this.#key(12 + valueBytes));
      throw new RequestRefusal("too-large", `a value has at most ${MAX_VALUE_BYTES} bytes: received ${valueBytes}`);
    }
    const key = this.#key(12 + valueBytes);
    const entry = this.#entry;
    const isFixed = isTurned(input.uint32(key.to + 4));
    entry.ttlMs = this.#ttl(key.to + 4, isFixed);
    entry.marks = isFixed ? MARK.fixed : 0;
    entry.flags = input.uint32(key.to);
    entry.value.bytes = key.bytes;
    entry.value.from = key.to + 12;
    entry.value.to = input.end;
    if (!store.set(key, entry)) {
      const bytes = store.reader.entryBytes(input.keyBytes, valueBytes);
      throw new RequestRefusal(
        "too-large",
        `the entry takes ${bytes} bytes of at most ${Math.floor(store.maxEntryBytes)}`,
      );
    }
    output.empty(REPLY.ok);
  }

  /** Checks the whole list before the first lookup, so that a bad list has no effect. */
  #getMany(): void {
    const [input, output] = [this.#input, this.#output];
    const { store } = this.#host;
    const count = this.#checkKeys();
    this.#allowance.spend(count);
    const { bytes } = input.key;
    output.begin(REPLY.values);
    output.uint16(count);
    const keys = this.#keys;
    for (let i = 0, at = input.start + 2, ahead = 0; i < count; i++, ahead++) {
      const key = this.#listed;
      key.bytes = bytes;
      if (i === 0 || ahead === keys.count) ahead = this.#fetchAhead(at, count - i);
      key.from = at + 3;
      key.to = at = key.from + input.uint16(at);
      const position = store.get(key, keys.hashes[ahead]);
      const valueBytes = position === 0 ? 0 : store.reader.valueBytes(position);
      if (position === 0) {
        output.uint8(STATE.miss);
      } else if (output.bodyBytes + valueBytes + 9 + count > input.maxBodyBytes) {
        output.uint8(STATE.omitted);
      } else {
        if (output.growth(valueBytes + 9) > 0) this.#makeRoom(valueBytes + 9, i, count);
        output.uint8(STATE.hit);
        output.uint32(store.reader.flags(position));
        output.uint32(valueBytes);
        this.#writeValue(position, valueBytes);
      }
    }
    output.end();
  }

  /**
   * Makes room for `bytes` bytes of the `i`th key, and for the keys after it, which are taken to be like those before: to
   * grow by doubling would copy all again and again, and take up to three times the memory.
   */
  #makeRoom(bytes: number, i: number, count: number): void {
    const output = this.#output;
    const likely = Math.ceil(1.1 * (output.bodyBytes + bytes) / (i + 1) * (count - i - 1));
    output.ensure(Math.min(bytes + likely, MAX_BODY_BYTES - output.bodyBytes));
  }

  /** Prefetches the memory that lookups of a list's next keys read. Returns 0, the place of the first of them. */
  #fetchAhead(at: number, left: number): 0 {
    const key = this.#listed;
    const keys = this.#keys;
    keys.count = 0;
    for (; left > 0 && !keys.isFull; left--) {
      key.from = at + 3;
      key.to = at = key.from + this.#input.uint16(at);
      keys.add(key);
    }
    keys.prefetch();
    return 0;
  }

  /** Checks the list of keys, and returns their number. */
  #checkKeys(): number {
    const input = this.#input;
    const bad = (why: string) => new RequestRefusal("bad-request", `a GET_MANY must list its keys: ${why}`);
    if (input.keyBytes !== 0 || input.end - input.start < 2) throw bad("no count");
    const count = input.uint16(input.start);
    if (count > MAX_KEYS_PER_GET) throw bad(`at most ${MAX_KEYS_PER_GET}: received ${count}`);
    let at = input.start + 2;
    for (let i = 0; i < count; i++) {
      if (at + 3 > input.end) throw bad("truncated");
      const keyBytes = input.uint16(at);
      if (input.uint8(at + 2) !== 0) throw bad("no zero before a key");
      at += 3;
      if (at + keyBytes > input.end) throw bad("truncated");
      checkKeyBytes(keyBytes);
      at += keyBytes;
    }
    if (at !== input.end) throw bad("bytes after the last key");
    return count;
  }

  #onlyKey(): ByteSpan {
    return this.#key(0);
  }

  /** Returns the frame's key, if exactly `bytesAfter` bytes come after it. */
  #key(bytesAfter: number): ByteSpan {
    const input = this.#input;
    checkKeyBytes(input.keyBytes);
    if (input.end - input.key.to !== bytesAfter) {
      throw new RequestRefusal(
        "bad-request",
        `expected ${bytesAfter} bytes after the key: received ${input.end - input.key.to}`,
      );
    }
    return input.key;
  }

  /** Returns a time to live; `undefined` is the default. */
  #ttl(at: number = this.#input.key.to, isFixed = false): number | undefined {
    const first = this.#input.uint32(at);
    const high = isFixed ? (first ^ TTL_FIXED) >>> 0 : first;
    const low = this.#input.uint32(at + 4);
    if (high === TTL_DEFAULT && low === TTL_DEFAULT) return undefined;
    const ttlMs = high * 2 ** 32 + low;
    if (ttlMs > MAX_TTL_MS) throw new RequestRefusal("bad-ttl", `a ttl is at most ${MAX_TTL_MS} ms: received ${ttlMs}`);
    return ttlMs;
  }

  #noBody(): void {
    const input = this.#input;
    if (input.start !== input.end) throw new RequestRefusal("bad-request", "expected no body");
  }
}

/** Whether the flag is turned over in the upper half of a ttl; "the default", which alone has the upper bit, has it set. */
function isTurned(high: number): boolean {
  return ((high & TTL_FIXED) !== 0) !== (high > 0x7fffffff);
}

function checkKeyBytes(keyBytes: number): void {
  if (keyBytes >= 1 && keyBytes <= MAX_KEY_BYTES) return;
  throw new RequestRefusal("bad-key", `a key has 1 to ${MAX_KEY_BYTES} bytes: received ${keyBytes}`);
}
