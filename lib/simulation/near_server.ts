/**
 * A server of near clients in a simulation: a store, who has read which slots, and connections, each with an order. It stands in
 * for what answers frames, and so takes care of the order in which marks and replies leave.
 */

import { type ByteSpan, spanOf } from "../base/byte_span.ts";
import { type SlotReader, Slots } from "../near/slots.ts";
import { Gossip } from "../replication/gossip.ts";
import { MAX_BODY_BYTES } from "../base/limits.ts";
import { MARK } from "../store/entry.ts";
import { Store } from "../store/store.ts";
import { CAUSE, type Cause, type StoreListener } from "../store/store_listener.ts";
import { FrameReader, FrameWriter } from "../wire/frame.ts";
import { COPY_MARK, readInvalid, type Remaining, slotOf } from "../wire/near.ts";
import type { Events } from "./near_events.ts";
import type { NearLink as LinkOf } from "./near_link.ts";
import type { NearRequest, NearRule, NearWords, SentCopy } from "./near_rules.ts";
import { NearTruth } from "./near_truth.ts";
import { keyName, numberOf, START_MS } from "./trace.ts";

/** A connection of a client with a near tier. */
export type Link = LinkOf<NearRequest, NearWords>;

/** What a simulated server needs. */
export interface NearServerOptions {
  readonly events: Events;
  /** The rule that does not hold, if any. */
  readonly without: NearRule | undefined;
  /** A number that no other start of a server has. */
  readonly origin: number;
  /** The keys that a clear is about. */
  readonly keys: readonly number[];
  readonly maxSize: number;
  /** Sends a message to the other server. */
  readonly sendPeer: (bytes: Uint8Array) => void;
}

/** Words that may wait for a client; then nothing is answered, and marks wait. */
const MOST_WAITING = 6;
/** Milliseconds after which who gets no reply is told what has changed. */
const TOLD_AFTER_MS = 5;
/** The same where nothing is told before replies. */
const LATE_MS = 60;
/** The link to the other server. */
const PEER = 1;
/** Bytes of a value: its number. */
const VALUE_BYTES = 8;

/** A connection at the server's end. */
interface Connected {
  readonly reader: SlotReader;
  /** Requests that have not been answered. */
  readonly requests: NearRequest[];
  /** Clears that the client has been told of. */
  clears: number;
}

/** What a reply holds. */
interface Answer {
  readonly copies?: readonly SentCopy[];
  readonly left?: Remaining;
}

/** One start of a server. */
export class NearServer implements StoreListener {
  readonly causes: number = CAUSE.written | CAUSE.deleted | CAUSE.applied | CAUSE.cleared;
  readonly truth = new NearTruth();
  readonly store: Store;
  readonly gossip: Gossip;
  /** Whether it does nothing for a while. */
  isFrozen = false;
  readonly #options: NearServerOptions;
  readonly #slots: Slots;
  readonly #connected = new Map<Link, Connected>();
  readonly #changed = new Set<number>();
  /** Keys that are written beside those. */
  readonly #others = new Set<number>();
  readonly #value = new Uint8Array(VALUE_BYTES);
  readonly #view = new DataView(this.#value.buffer);
  #values: number;
  #turnIsDue = false;
  /** Whether the key that is being removed is not here. */
  #wasAbsent = false;
  #clears = 0;

  constructor(options: NearServerOptions) {
    this.#options = options;
    const { events, origin, maxSize } = options;
    this.#values = origin * 1e6;
    this.store = new Store({
      maxSize,
      ttlMs: 0,
      renewOnHit: true,
      hashKey: [origin, 1],
      clock: { now: () => START_MS + events.nowMs },
      origin,
      replicates: true,
    });
    this.gossip = new Gossip({ store: this.store, origin, send: (_, bytes) => options.sendPeer(bytes) });
    this.gossip.connect(PEER);
    const slots: Slots = this.#slots = new Slots({ listen: () => this.store.listen(heard) });
    const heard: StoreListener = {
      causes: slots.causes,
      changed: (cause, key) => this.#isLeftOut(cause) || slots.changed(cause, key),
      overtaken: (hash) => this.#holds("of peers too") && slots.overtaken(hash),
    };
    this.store.listen(this);
  }

  #holds(rule: NearRule): boolean {
    return this.#options.without !== rule;
  }

  #isLeftOut(cause: Cause): boolean {
    if (cause === CAUSE.cleared) this.#clears++;
    if (cause === CAUSE.cleared) return !this.#holds("clears too");
    if (cause === CAUSE.applied) return !this.#holds("of peers too");
    return cause === CAUSE.deleted && !this.#holds("absent too") && this.#wasAbsent;
  }

  /** Takes note of a change, for the truth. */
  changed(_: Cause, key: ByteSpan | undefined): void {
    const { keys } = this.#options;
    if (key !== undefined) this.#changed.add(numberOf(key));
    else for (const key of [...keys, ...this.#others]) this.#changed.add(key);
  }

  /** Takes a connection. */
  connect(link: Link): void {
    this.#connected.set(link, {
      reader: this.#slots.newReader(() => this.#turnSoon()),
      requests: [],
      clears: this.#clears,
    });
  }

  /** Takes note that a connection has ended. */
  ended(link: Link): void {
    this.#connected.get(link)?.reader.end();
    this.#connected.delete(link);
  }

  /** Takes a request. */
  ask(link: Link, request: NearRequest): void {
    this.#connected.get(link)?.requests.push(request);
    this.#turnSoon();
  }

  /** Does what others than near clients ask for, in a turn of its own. */
  do(act: (store: Store) => void): void {
    act(this.store);
    this.#note();
    this.#turnSoon();
  }

  /** Removes a key. */
  remove(key: number): void {
    const span = spanOf(keyName(key));
    this.#wasAbsent = !this.store.has(span);
    this.store.delete(span);
  }

  /** Stores a value that no key has had. */
  write(key: number, ttlMs: number, isFixed: boolean): void {
    if (!this.#options.keys.includes(key)) this.#others.add(key);
    this.#view.setFloat64(0, ++this.#values);
    const marks = isFixed ? MARK.fixed : 0;
    this.store.set(spanOf(keyName(key)), { flags: 0, marks, value: spanOf(this.#value), ttlMs });
  }

  /** Lets there be a turn; in it all that has come is answered, and at its end all are told what has changed. */
  #turnSoon(): void {
    if (this.#turnIsDue) return;
    this.#turnIsDue = true;
    this.#options.events.at(this.#options.events.nowMs, () => this.turn());
  }

  /** Has a turn, unless it is frozen. */
  turn(): void {
    this.#turnIsDue = false;
    if (this.isFrozen) return;
    for (const [link, connected] of this.#connected) this.#answerAll(link, connected);
    this.gossip.flush();
    const { events } = this.#options;
    const afterMs = this.#holds("marks before replies") ? TOLD_AFTER_MS : LATE_MS;
    for (const [link, connected] of this.#connected) {
      if (!connected.reader.hasMarks) continue;
      events.at(events.nowMs + afterMs, () => {
        if (!this.isFrozen && link.waiting < MOST_WAITING) this.#tell(link, connected);
      });
    }
  }

  #answerAll(link: Link, connected: Connected): void {
    const { reader, requests } = connected;
    while (requests.length > 0 && link.waiting < MOST_WAITING) {
      const request = requests.shift()!;
      const words = this.#answer(reader, request);
      this.#note();
      const isWrite = request.kind === "set" || request.kind === "delete";
      const own = isWrite && !this.#holds("writer too") ? slotOf(spanOf(keyName(request.key))) : undefined;
      if (this.#holds("marks before replies")) this.#tell(link, connected, own);
      link.say({ kind: "reply", ...words });
    }
  }

  /** Says what has changed, but not of a slot that is `own`. */
  #tell(link: Link, connected: Connected, own?: number): void {
    const { reader } = connected;
    if (!reader.hasMarks) return;
    const slots = slotsIn(reader)?.filter((slot) => slot !== own);
    const isClear = connected.clears !== this.#clears;
    connected.clears = this.#clears;
    if (slots === undefined && !isClear && !this.#holds("too many are all")) return;
    link.say({ kind: "invalid", slots });
  }

  #answer(reader: SlotReader, request: NearRequest): Answer {
    switch (request.kind) {
      case "get":
      case "getMany": {
        const { keys } = request;
        const registered = this.#holds("all that are listed") ? keys : keys.slice(0, 1);
        for (const key of registered) reader.register(spanOf(keyName(key)));
        return { copies: keys.map((key) => this.#copy(key)) };
      }
      case "set":
        this.write(request.key, request.ttlMs, request.isFixed);
        return {};
      case "delete":
        this.remove(request.key);
        return {};
      case "clear":
        this.store.clear();
        return {};
      case "use":
        return this.#use(reader, request.key);
      case "ping":
        return {};
    }
  }

  #copy(key: number): SentCopy {
    const position = this.store.get(spanOf(keyName(key)));
    if (position === 0) return { key, value: 0, terms: undefined };
    const { reader, nowMs } = this.store;
    this.#changed.add(key); // its deadline is another one
    const renews = (reader.marks(position) & MARK.fixed) === 0;
    const freshMs = reader.deadlineMs(position) - nowMs;
    const terms = { marks: COPY_MARK.kept, freshMs, ttlMs: renews ? reader.ttlMs(position) : 0 };
    return { key, value: this.#valueAt(position), terms };
  }

  #use(reader: SlotReader, key: number): Answer {
    reader.register(spanOf(keyName(key)));
    const { terms } = this.#copy(key);
    return terms === undefined ? {} : { left: terms };
  }

  #valueAt(position: number): number {
    this.store.reader.copyValue(position, this.#value, 0);
    return this.#view.getFloat64(0);
  }

  /** Notes the values of keys that have changed. */
  #note(): void {
    const { nowMs } = this.#options.events;
    for (const key of this.#changed) {
      const position = this.store.peek(spanOf(keyName(key)));
      if (position === 0) this.truth.note(key, nowMs, 0, 0);
      else this.truth.note(key, nowMs, this.#valueAt(position), this.store.reader.deadlineMs(position) - START_MS);
    }
    this.#changed.clear();
  }

  /** Has a round of replication. */
  round(random: () => number): void {
    this.gossip.round(random);
    this.#note();
    this.#turnSoon();
  }

  /** Takes a message of the other server. */
  receive(bytes: Uint8Array): void {
    this.gossip.receive(PEER, bytes);
    this.#note();
    this.#turnSoon();
  }
}

/** The slots that have been marked for a reader, as they are written; `undefined` for all. */
function slotsIn(reader: SlotReader): number[] | undefined {
  const [output, input] = [new FrameWriter(), new FrameReader()];
  reader.write(output);
  input.maxBodyBytes = MAX_BODY_BYTES;
  const bytes = output.taken();
  input.push(bytes);
  input.next();
  let slots: number[] | undefined = [];
  readInvalid(input, (slot) => slots!.push(slot), () => slots = undefined);
  input.release();
  output.release();
  return slots;
}
