/** The native protocol's requests and replies, as in docs/protocol.md. It knows the store, not how bytes travel. */

import {
  type Allowance,
  type ConnectionContext,
  type HandlerState,
  OUTPUT_BYTES,
  type ProtocolHandler,
  STATS_UNITS,
} from "../wire/protocol_handler.ts";
import type { EntryInput } from "../store/entry.ts";
import { KeyBatch } from "../store/key_batch.ts";
import type { ServerInsight } from "../base/insight.ts";
import type { ServerStats } from "../base/stats.ts";
import { ProtocolError } from "../base/errors.ts";
import { rolesText } from "../base/roles.ts";
import { ANY_ROLE, needsOf } from "../wire/access.ts";
import { type FrameReader, type FrameWriter, LISTED_HEAD_BYTES, REPLY, REQUEST, STATE } from "../wire/frame.ts";
import { type ControlData, writeControl, writeError } from "../wire/control.ts";
import {
  hearsOfStop,
  type Hello,
  type HelloRefusal,
  LEASE,
  NEAR,
  type PeerHello,
  readHello,
  readScram,
  writeGreeting,
  writeLockedGreeting,
  writeScram,
} from "../wire/hello.ts";
import { LISTED_COPY_BYTES } from "../wire/near.ts";
import { MAX_BODY_BYTES, MAX_KEY_BYTES, MAX_KEYS_PER_GET, MAX_VALUE_BYTES } from "../base/limits.ts";
import type { ConnectionAccess } from "./access.ts";
import { type LoginAnswer, NativeLogin } from "./native_login.ts";
import {
  checkKeys,
  checkNoBody,
  entryTooLarge,
  keyOf,
  onlyKeyOf,
  readEntryHead,
  RequestRefusal,
  ttlOf,
  valueTooLarge,
} from "./native_request.ts";
import { NativeEntries } from "./native_entries.ts";
import { type LeaseHost, NativeLeases } from "./native_leases.ts";
import { NativeNear, type NearHost } from "./native_near.ts";
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
export interface NativeHost extends NearHost, LeaseHost {
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
  /** Returns what reads tell, for `INSIGHT`, without the keys for who may not see them. */
  insight(seesKeys: boolean): ServerInsight;
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
  readonly #context: NativeContext;
  /** Set once the client has turned out to keep near copies. */
  #near: NativeNear | undefined;
  /** Set once the client has turned out to ask for leases. */
  #leases: NativeLeases | undefined;
  /** Set once the client has sent one of its requests. */
  #entries: NativeEntries | undefined;
  /** The next three objects are reused by all requests, none of which keeps one. */
  readonly #entry: EntryInput = { flags: 0, marks: 0, value: { bytes: NO_BYTES, from: 0, to: 0 }, ttlMs: undefined };
  readonly #keys: KeyBatch;
  readonly #listed: ByteSpan = { bytes: NO_BYTES, from: 0, to: 0 };
  /** The client's greeting, until it has been answered in full. */
  #hello: Hello | HelloRefusal | undefined;
  #login: NativeLogin | undefined;
  #greeted = false;
  #closing = false;

  constructor(host: NativeHost, context: NativeContext) {
    const { input, output, allowance, access, onlyPeers } = context;
    this.#context = context;
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

  /** Takes note that the connection has ended. */
  end(): void {
    this.#near?.end();
    this.#leases?.end();
  }

  #answerAll(): HandlerState {
    const [input, allowance] = [this.#input, this.#allowance];
    if (allowance.isOver) return "output-full";
    if (this.#login?.answer !== undefined) this.#sayLogin(this.#login.answer);
    if (this.#closing) return "closing";
    if (this.peer !== undefined) return "peer";
    this.#leases?.say();
    while (input.next()) {
      this.#host.counters.requests++;
      if (this.#greeted) this.#answer();
      else if (this.#hello === undefined) this.#greet();
      else if (this.#goesOn()) return "waiting";
      if (this.#closing) return "closing";
      if (this.peer !== undefined) return "peer";
      if (this.#output.collectedBytes >= OUTPUT_BYTES || allowance.isOver) return "output-full";
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
    if (peer === undefined && hello.features.includes(NEAR)) {
      this.#near = new NativeNear(this.#host, this.#context);
    }
    if (peer === undefined && hello.features.includes(LEASE)) {
      this.#leases = new NativeLeases(this.#host, this.#context, this.#near);
    }
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
      this.#sayRefused(error);
    }
  }

  /** Refuses a request that the client's roles do not allow. */
  #refuseRole(): void {
    this.#sayRefused({ code: "not-allowed", message: `not allowed for ${rolesText(this.#access.roles)}` });
  }

  #sayRefused(why: { code: string; message: string }): void {
    this.#host.counters.refusals++;
    this.#begin();
    writeError(this.#output, REPLY.refused, why);
  }

  /** Begins a reply: what has changed is told before it. */
  #begin(): void {
    if (this.#near !== undefined) this.#near.say();
  }

  /** Replies without a body, once what was asked for has been done. */
  #say(code: number): void {
    this.#begin();
    this.#output.empty(code);
  }

  #dispatch(): void {
    const { store } = this.#host;
    switch (this.#input.code) {
      case REQUEST.get:
        return this.#get();
      case REQUEST.set:
        return this.#set();
      case REQUEST.getMany:
        return this.#getMany();
      case REQUEST.delete:
        return this.#say(store.delete(onlyKeyOf(this.#input)) ? REPLY.ok : REPLY.miss);
      case REQUEST.has:
        return this.#say(store.has(onlyKeyOf(this.#input)) ? REPLY.ok : REPLY.miss);
      case REQUEST.touch:
        return this.#say(store.touch(keyOf(this.#input, 8), ttlOf(this.#input)) ? REPLY.ok : REPLY.miss);
      case REQUEST.clear:
        checkNoBody(this.#input);
        store.clear();
        return this.#say(REPLY.ok);
      case REQUEST.stats:
        return this.#sayStats();
      case REQUEST.insight:
        return this.#sayInsight();
      case REQUEST.forget:
        return this.#say(this.#forget() ? REPLY.ok : REPLY.miss);
      case REQUEST.ping:
        checkNoBody(this.#input);
        return this.#say(REPLY.ok);
      case REQUEST.use:
        if (this.#near !== undefined) return this.#near.use(onlyKeyOf(this.#input));
        throw new RequestRefusal("bad-request", `USE is for clients that have named the feature ${NEAR}`);
      case REQUEST.lease:
        return this.#leased().lease();
      case REQUEST.fill:
        return this.#leased().fill();
      case REQUEST.give:
        return this.#leased().give();
      case REQUEST.auth:
        throw new RequestRefusal("bad-request", "this server asks for no token, or knows the client already");
      default:
        this.#entries ??= new NativeEntries(store, this.#context, this.#near);
        return this.#entries.answer();
    }
  }

  #leased(): NativeLeases {
    if (this.#leases !== undefined) return this.#leases;
    throw new RequestRefusal("bad-request", `this request is for clients that have named the feature ${LEASE}`);
  }

  /** Replies with the statistics, with the peers for those only who may see them. */
  #sayStats(): void {
    checkNoBody(this.#input);
    this.#allowance.spend(STATS_UNITS);
    const stats = this.#host.stats();
    this.#begin();
    writeControl(this.#output, REPLY.data, this.#access.has("admin") ? { ...stats } : { ...stats, peers: [] });
  }

  /** Replies with what reads tell. */
  #sayInsight(): void {
    checkNoBody(this.#input);
    this.#allowance.spend(STATS_UNITS);
    const insight = this.#host.insight(true);
    this.#begin();
    writeControl(this.#output, REPLY.data, { ...insight });
  }

  #get(): void {
    const { store } = this.#host;
    const output = this.#output;
    if (this.#near !== undefined) return this.#near.get(onlyKeyOf(this.#input));
    const position = store.get(onlyKeyOf(this.#input));
    if (position === 0) return output.empty(REPLY.miss);
    const { reader } = store;
    const valueBytes = reader.valueBytes(position);
    const at = output.value(reader.flags(position), valueBytes, output.copiedBytes(valueBytes));
    output.giveValue(reader, position, valueBytes, at);
  }

  /** Writes an entry into a list: the value goes from the store's memory straight into the output. */
  #list(position: number, valueBytes: number): void {
    if (this.#near !== undefined) return this.#near.list(position, valueBytes);
    const { reader } = this.#host.store;
    const at = this.#output.listedValue(reader.flags(position), valueBytes);
    reader.copyValue(position, this.#output.buffer, at, this.#output.view);
  }

  /** Forgets a peer. Returns whether there was one. */
  #forget(): boolean {
    const { from, to } = onlyKeyOf(this.#input);
    const address = this.#input.buffer.toString("utf8", from, to);
    const outcome = this.#host.forgetPeer(address);
    if (outcome === "connected") {
      throw new RequestRefusal("connected", `the peer ${address} is connected: stop it first`);
    }
    return outcome === "forgotten";
  }

  #set(): void {
    const input = this.#input;
    const { store } = this.#host;
    const valueBytes = input.end - input.start - input.keyBytes - 12;
    if (valueBytes < 0) throw new RequestRefusal("bad-request", "a SET has 12 bytes or more after its key");
    if (valueBytes > MAX_VALUE_BYTES) {
      store.delete(keyOf(input, 12 + valueBytes));
      throw valueTooLarge(valueBytes);
    }
    const key = keyOf(input, 12 + valueBytes);
    const entry = this.#entry;
    readEntryHead(input, key.to, entry);
    entry.value.bytes = key.bytes;
    entry.value.from = key.to + 12;
    entry.value.to = input.end;
    if (!store.set(key, entry)) throw entryTooLarge(store, key, valueBytes);
    this.#say(REPLY.ok);
  }

  /** Checks the whole list before the first lookup, so that a bad list has no effect. */
  #getMany(): void {
    const [input, output] = [this.#input, this.#output];
    const { store } = this.#host;
    const count = checkKeys(input, 0);
    this.#allowance.spend(count);
    const { bytes } = input.key;
    const headBytes = this.#near === undefined ? LISTED_HEAD_BYTES : this.#register(count);
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
      } else if (output.bodyBytes + valueBytes + headBytes + count > input.maxBodyBytes) {
        output.uint8(STATE.omitted);
      } else {
        if (output.growth(valueBytes + headBytes) > 0) this.#makeRoom(valueBytes + headBytes, i, count);
        this.#list(position, valueBytes);
      }
    }
    output.end();
  }

  /** Registers all keys of a list before the reply is begun. Returns the bytes before a value in it. */
  #register(count: number): number {
    const key = this.#listed;
    key.bytes = this.#input.key.bytes;
    for (let i = 0, at = this.#input.start + 2; i < count; i++) {
      key.from = at + 3;
      key.to = at = key.from + this.#input.uint16(at);
      this.#near!.register(key);
    }
    this.#begin();
    return LISTED_COPY_BYTES;
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
}
