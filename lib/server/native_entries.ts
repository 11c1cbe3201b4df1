/**
 * The native protocol's requests beyond reading and storing one value: entries with what is known of them, numbers, conditions,
 * many entries at once, keys and prefixes. It knows the store, not the other requests.
 */

import type { ByteSpan } from "../base/byte_span.ts";
import { MAX_KEYS_PER_GET, MAX_VALUE_BYTES } from "../base/limits.ts";
import type { Unsigned } from "../base/unsigned.ts";
import type { EntryInput } from "../store/entry.ts";
import { type Condition, fits, increment, isMet } from "../store/steps.ts";
import type { Store } from "../store/store.ts";
import {
  CONDITION,
  INCREMENT_MARK,
  KEYS_END,
  LISTED_ENTRY_BYTES,
  SET_IF_HEAD_BYTES,
  writeDone,
  writeEntry,
} from "../wire/entry_calls.ts";
import { writeControl } from "../wire/control.ts";
import { type FrameReader, type FrameWriter, REPLY, REQUEST } from "../wire/frame.ts";
import { msAt } from "../wire/near.ts";
import type { ConnectionContext } from "../wire/protocol_handler.ts";
import type { NativeNear } from "./native_near.ts";
import {
  checkEntries,
  checkKeys,
  entryTooLarge,
  keyOf,
  onlyKeyOf,
  prefixOf,
  readEntryHead,
  RequestRefusal,
  ttlOf,
  valueTooLarge,
} from "./native_request.ts";
import { KeysPage } from "./keys_page.ts";

/** What these requests need of the connection. */
export type EntriesContext = Pick<ConnectionContext, "input" | "output" | "allowance">;

const NO_BYTES = new Uint8Array(0);
/** Units of work that a clear of a prefix costs: each may have to erase a part of what others have cleared. */
const CLEAR_UNITS = 512;
const ANY_MARKS: number = INCREMENT_MARK.subtracts | INCREMENT_MARK.makes;

/** Answers these requests of one connection. */
export class NativeEntries {
  readonly #store: Store;
  readonly #context: EntriesContext;
  readonly #near: NativeNear | undefined;
  readonly #input: FrameReader;
  readonly #output: FrameWriter;
  /** Reused by all requests, none of which keeps them. */
  readonly #entry: EntryInput = { flags: 0, marks: 0, value: { bytes: NO_BYTES, from: 0, to: 0 }, ttlMs: undefined };
  readonly #listed: ByteSpan = { bytes: NO_BYTES, from: 0, to: 0 };
  readonly #done = new Uint8Array(MAX_KEYS_PER_GET);

  /** @param near What is told before each reply, if the client keeps near copies. */
  constructor(store: Store, context: EntriesContext, near: NativeNear | undefined) {
    this.#store = store;
    this.#context = context;
    this.#near = near;
    this.#input = context.input;
    this.#output = context.output;
  }

  /** Answers a request. */
  answer(): void {
    switch (this.#input.code) {
      case REQUEST.entry:
        return this.#sayEntry();
      case REQUEST.take:
        return this.#take();
      case REQUEST.increment:
        return this.#increment();
      case REQUEST.setIf:
        return this.#setIf();
      case REQUEST.setMany:
        return this.#setMany();
      case REQUEST.deleteMany:
        return this.#deleteMany();
      case REQUEST.keys:
        return this.#keys();
      case REQUEST.clearPrefix:
        return this.#clearPrefix();
      case REQUEST.explain:
        return this.#explain();
      default:
        throw new RequestRefusal("bad-request", `unknown request code ${this.#input.code}`);
    }
  }

  /** Replies without a body, once what was asked for has been done. */
  #say(code: number): void {
    this.#near?.say();
    this.#output.empty(code);
  }

  #sayEntry(): void {
    const { reader } = this.#store;
    const position = this.#store.get(onlyKeyOf(this.#input));
    if (position === 0) return this.#say(REPLY.miss);
    const valueBytes = reader.valueBytes(position);
    const remainingMs = Math.max(0, reader.freshUntilMs(position) - this.#store.nowMs);
    const entry = { version: reader.h(position), remainingMs, flags: reader.flags(position) };
    this.#near?.say();
    const at = writeEntry(this.#output, entry, valueBytes);
    this.#output.giveValue(reader, position, valueBytes, at);
  }

  #explain(): void {
    const explanation = this.#store.explain(onlyKeyOf(this.#input));
    this.#near?.say();
    writeControl(this.#output, REPLY.data, { ...explanation });
  }

  /** Gives a value and removes its entry: it is copied while it is there, and what has changed is told before the reply. */
  #take(): void {
    const [store, output] = [this.#store, this.#output];
    const key = onlyKeyOf(this.#input);
    const position = store.get(key);
    if (position === 0) return this.#say(REPLY.miss);
    const { reader } = store;
    const [flags, valueBytes] = [reader.flags(position), reader.valueBytes(position)];
    if (this.#near === undefined) {
      const at = output.value(flags, valueBytes);
      reader.copyValue(position, output.buffer, at);
      store.delete(key);
      return;
    }
    const value = new Uint8Array(valueBytes);
    reader.copyValue(position, value, 0);
    store.delete(key);
    this.#near.say();
    const at = output.value(flags, valueBytes);
    output.buffer.set(value, at);
  }

  #increment(): void {
    const [input, store] = [this.#input, this.#store];
    const key = keyOf(input, 25);
    const marks = input.uint8(key.to);
    if (marks > ANY_MARKS) throw bad(`marks of an INCREMENT are at most ${ANY_MARKS}: received ${marks}`);
    const makes = (marks & INCREMENT_MARK.makes) !== 0;
    const [initial, ttlMs] = [unsignedAt(input, key.to + 9), ttlOf(input, key.to + 17)];
    if (!makes && (initial !== 0 || ttlMs !== 0)) {
      throw bad("an INCREMENT that makes no entry has no initial and no ttl");
    }
    const isDown = (marks & INCREMENT_MARK.subtracts) !== 0;
    const by = unsignedAt(input, key.to + 1);
    const value = increment(store, key, { by, isDown, initial: makes ? initial : undefined, ttlMs });
    if (value === "not-found") return this.#say(REPLY.miss);
    if (value === "not-a-number") throw new RequestRefusal(value, "the entry holds something else than a number");
    if (value === "too-large") throw entryTooLarge(store, key, String(initial).length);
    this.#near?.say();
    const digits = String(value);
    let at = this.#output.value(0, digits.length);
    for (let i = 0; i < digits.length; i++) this.#output.buffer[at++] = digits.charCodeAt(i);
  }

  #setIf(): void {
    const [input, store] = [this.#input, this.#store];
    const valueBytes = input.end - input.key.to - SET_IF_HEAD_BYTES;
    if (valueBytes < 0) throw bad(`a SET_IF has ${SET_IF_HEAD_BYTES} bytes or more after its key`);
    const key = keyOf(input, SET_IF_HEAD_BYTES + valueBytes);
    const condition = conditionAt(input, key.to);
    const value = this.#readEntry(key.to + 9, key.to + SET_IF_HEAD_BYTES, input.end);
    // What is too large changes nothing: whoever gives the version of what is there does not want to lose that.
    if (valueBytes > MAX_VALUE_BYTES) throw valueTooLarge(valueBytes);
    if (!fits(store, key, valueBytes)) throw entryTooLarge(store, key, valueBytes);
    if (!isMet(store, key, condition)) return this.#say(REPLY.miss);
    store.set(key, value);
    this.#say(REPLY.ok);
  }

  /** Checks the whole list before the first entry is stored, so that a bad list has no effect. */
  #setMany(): void {
    const [input, store] = [this.#input, this.#store];
    const count = checkEntries(input);
    this.#context.allowance.spend(count);
    for (let i = 0, at = input.start + 2; i < count; i++) {
      const from = at + LISTED_ENTRY_BYTES + input.uint16(at);
      const to = from + input.uint32(at + 14);
      const key = this.#keyAt(at + LISTED_ENTRY_BYTES, from);
      const isTooLarge = to - from > MAX_VALUE_BYTES;
      if (isTooLarge) store.delete(key);
      this.#done[i] = !isTooLarge && store.set(key, this.#readEntry(at + 2, from, to)) ? 1 : 0;
      at = to;
    }
    this.#sayDone(count);
  }

  #deleteMany(): void {
    const input = this.#input;
    const count = checkKeys(input, 1);
    this.#context.allowance.spend(count);
    for (let i = 0, at = input.start + 2; i < count; i++) {
      const to = at + 3 + input.uint16(at);
      this.#done[i] = this.#store.delete(this.#keyAt(at + 3, to)) ? 1 : 0;
      at = to;
    }
    this.#sayDone(count);
  }

  #clearPrefix(): void {
    const prefix = onlyKeyOf(this.#input);
    this.#context.allowance.spend(CLEAR_UNITS);
    this.#store.clearPrefix(prefix);
    this.#say(REPLY.ok);
  }

  #sayDone(count: number): void {
    this.#near?.say();
    writeDone(this.#output, this.#done.subarray(0, count));
  }

  #keys(): void {
    const input = this.#input;
    const prefix = prefixOf(input, 8);
    const from = msAt(input, prefix.to);
    if (from > KEYS_END) throw bad(`places of keys are at most ${KEYS_END}: received ${from}`);
    this.#near?.say();
    new KeysPage(this.#store, this.#context, prefix).write(from);
  }

  /** Returns the key of a list between two indexes. */
  #keyAt(from: number, to: number): ByteSpan {
    const key = this.#listed;
    key.bytes = this.#input.bytes;
    key.from = from;
    key.to = to;
    return key;
  }

  /** Returns what is to be stored: flags and ttl from index `head` on, and the value between two others. */
  #readEntry(head: number, from: number, to: number): EntryInput {
    const entry = this.#entry;
    readEntryHead(this.#input, head, entry);
    entry.value.bytes = this.#input.bytes;
    entry.value.from = from;
    entry.value.to = to;
    return entry;
  }
}

function conditionAt(input: FrameReader, at: number): Condition {
  const [condition, version] = [input.uint8(at), msAt(input, at + 1)];
  if (condition === CONDITION.version) return version;
  if (version !== 0) throw bad(`a SET_IF without a condition on the version has the version 0: received ${version}`);
  if (condition === CONDITION.absent) return "absent";
  if (condition === CONDITION.present) return "present";
  throw bad(`the condition of a SET_IF is 1 to 3: received ${condition}`);
}

function unsignedAt(input: FrameReader, at: number): Unsigned {
  const [high, low] = [input.uint32(at), input.uint32(at + 4)];
  return high < 2 ** 21 ? high * 2 ** 32 + low : BigInt(high) << 32n | BigInt(low);
}

function bad(message: string): RequestRefusal {
  return new RequestRefusal("bad-request", message);
}
