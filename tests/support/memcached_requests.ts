/** Random requests of memcached's binary protocol, right ones and wrong ones. */

import { Choices } from "./choices.ts";
import { shapeOf } from "./memcached_commands.ts";
import type { CasNumbers } from "./memcached_oracle.ts";
import { hex, type Packet, packetOf, REQUEST, u32, u64 } from "./memcached_packets.ts";
import { joined } from "./mutate.ts";

/** A request whose condition may be a state that has been told: each side knows it by another number. */
export interface Request extends Packet {
  opcode: number;
  opaque: number;
  /** The first byte, if it is to be a wrong one. */
  magic?: number;
  /** The place of that state. */
  place?: number;
  /** Bytes that memcached takes for a part of this request, and loses; they are sent to it alone. */
  lostBytes?: number;
}

/** Requests that are sent together. */
export interface Batch {
  requests: Request[];
  /** Whether the last one ends the conversation. */
  isLast: boolean;
}

/** The bytes of a request, for a side that knows states by these numbers. */
export function bytesOfRequest(request: Request, cas: CasNumbers, isReal: boolean): Uint8Array {
  const { magic = REQUEST, opcode, place, lostBytes = 0 } = request;
  const bytes = packetOf(magic, opcode, place === undefined ? request : { ...request, cas: BigInt(cas.at(place)) });
  return isReal && lostBytes > 0 ? joined(bytes, new Uint8Array(lostBytes)) : bytes;
}

/** A request, to be read by people. */
export function wordsOf({ opcode, opaque, key, extras, value, place, cas, bodyBytes }: Request): string {
  const state = place === undefined ? cas : `#${place}`;
  const words = { opaque: hex(opaque), cas: state, key, extras, value, body: bodyBytes };
  const given = Object.entries(words).filter(([, word]) => word !== undefined && word !== "");
  return [`opcode ${hex(opcode)}`, ...given.map(([name, word]) => `${name} ${word}`)].join(" ");
}

const [GET, SET, ADD, REPLACE, DELETE, INCREMENT, DECREMENT, QUIT, FLUSH, GETQ] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const [NOOP, VERSION, GETK, GETKQ, APPEND, PREPEND, STAT] = [0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10];
const [SETQ, ADDQ, REPLACEQ, DELETEQ, INCREMENTQ, DECREMENTQ] = [0x11, 0x12, 0x13, 0x14, 0x15, 0x16];
const [QUITQ, FLUSHQ, APPENDQ, PREPENDQ, VERBOSITY] = [0x17, 0x18, 0x19, 0x1a, 0x1b];
const [TOUCH, GAT, GATQ, SASL_MECHANISMS, SASL_AUTH, SASL_STEP] = [0x1c, 0x1d, 0x1e, 0x20, 0x21, 0x22];
const [GATK, GATKQ] = [0x23, 0x24];
/** Those that store, each with the one that does not tell of its success. */
const QUIET_OF = new Map([
  [SET, SETQ],
  [ADD, ADDQ],
  [REPLACE, REPLACEQ],
  [INCREMENT, INCREMENTQ],
  [DECREMENT, DECREMENTQ],
]);
/** Opcodes that are nobody's here. */
const UNKNOWN = [VERBOSITY, 0x1f, 0x25, 0x30, 0x31, 0x3c, 0x40, 0x45, 0x55, 0x7f, 0x80, 0x81, 0xfe, 0xff];

const SECONDS = [0, 0, 0, 0, 100, 1000, 2_592_000, 2_000_000_000, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1];
/** Seconds since 1970 that are over. */
const OVER = [2_592_001, 1_000_000_000];
/** An expiration of an addition that makes no entry. */
const NO_CREATION = 2 ** 32 - 1;
const FLAGS = [0, 0, 1, 5, 0xdeadbeef, 0xffffffff];
/** Conditions that no entry fulfils: memcached's first number is a flush's. */
const NEVER = [1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 53n + 1n, 2n ** 62n + 12345n];
const DELTAS = [0n, 1n, 1n, 7n, 100n, 2n ** 32n, 2n ** 53n + 1n];
const INITIALS = [0n, 1n, 99n, 10n ** 15n, 2n ** 53n + 1n, 2n ** 62n];
const NUMBERS = ["0", "1", "7", "99", "100", "9007199254740993", `${10n ** 18n - 1n}`, "000123", `${2n ** 64n}`];
const ODD_NUMBERS = [..."x+-", "", "5 ", "12   ", " 5", "99\0", "99\0x", "+5", "-5", "-0", "1x", "\t3", "1\t2", " +1"];
/** What is added to a value never makes a number of it that is longer, nor white space of nothing. */
const ADDITIONS = ["x", "", "\0", "yy"];
const [MOST_BYTES, MOST_BYTES_AT_END] = [2000, 300];
const MOST_AT_END = 5;

/** What a request has to have. */
interface Form {
  opcodes: number[];
  extras: number;
  hasKey: boolean;
  /** Whether nothing may follow. */
  isWhole: boolean;
}

const FORMS: Form[] = [
  { opcodes: [SET, SETQ, ADD, ADDQ, REPLACE, REPLACEQ], extras: 8, hasKey: true, isWhole: false },
  { opcodes: [APPEND, APPENDQ, PREPEND, PREPENDQ, SASL_AUTH, SASL_STEP], extras: 0, hasKey: true, isWhole: false },
  { opcodes: [TOUCH, GAT, GATQ, GATK, GATKQ], extras: 4, hasKey: true, isWhole: false },
  { opcodes: [INCREMENT, INCREMENTQ, DECREMENT, DECREMENTQ], extras: 20, hasKey: true, isWhole: true },
  { opcodes: [GET, GETQ, GETK, GETKQ, DELETE, DELETEQ], extras: 0, hasKey: true, isWhole: true },
  { opcodes: [FLUSH, FLUSHQ], extras: 4, hasKey: false, isWhole: true },
  { opcodes: [QUIT, QUITQ, NOOP, VERSION, SASL_MECHANISMS], extras: 0, hasKey: false, isWhole: true },
];

/** Makes requests of one transcript. */
export class Requests extends Choices {
  readonly #prefix: string;
  readonly #keys: number;
  /** Whether a flush clears, or is one that waits or clears nothing: in memcached that would bring back what another cleared. */
  readonly #clears: boolean;
  /** The state last told of each key. */
  readonly #told = new Map<string, number>();
  /** The key that each request of the batch is about. */
  #asked = new Map<number, string>();
  #batch: Request[] = [];
  /** Whether replies hold entries: memcached pads a number that has become shorter only if no reply that is to be sent does. */
  #isHeld = false;
  #mostBytes = MOST_BYTES;
  #states = 0;
  /** Whether the conversation is known to be one in packets. */
  #isOpen = false;

  constructor(random: () => number, prefix: string) {
    super(random);
    this.#prefix = prefix;
    this.#keys = this.pick([1, 2, 5, 20]);
    this.#clears = this.chance(0.7);
  }

  /** Takes note of a state that a reply has told, so that it can be a condition. */
  told(opaque: number, place: number): void {
    this.#states = Math.max(this.#states, place + 1);
    const key = this.#asked.get(opaque);
    if (key !== undefined) this.#told.set(key, place);
  }

  /** What clears, to begin with. */
  first(): Batch {
    this.#isOpen = true;
    return { requests: [{ opcode: FLUSH, opaque: 0 }], isLast: false };
  }

  /** Some requests that are sent together. */
  batch(most: number): Batch {
    this.#batch = [];
    this.#asked = new Map();
    this.#isHeld = false;
    if (this.#isOpen && this.chance(0.01)) return this.#rubbish();
    const isLast = this.chance(0.05);
    this.#mostBytes = isLast ? MOST_BYTES_AT_END : MOST_BYTES;
    for (let count = 1 + this.below(isLast ? MOST_AT_END : most); count > 0; count--) this.#next();
    if (isLast) this.#end();
    this.#isOpen = !isLast;
    return { requests: this.#batch, isLast };
  }

  /** No request at all. It stands alone: memcached forgets what it has not sent. */
  #rubbish(): Batch {
    this.#isOpen = false;
    return { requests: [{ magic: this.pick([0, 1, 0x67, 0x7f, 0x81, 0xff]), opcode: NOOP, opaque: 0 }], isLast: true };
  }

  #bits64(): bigint {
    return BigInt(this.below(2 ** 32)) << 32n | BigInt(this.below(2 ** 32));
  }

  #opaque(): number {
    for (let tries = 0; tries < 1000; tries++) {
      const opaque = this.chance(0.1) ? this.pick([0, 1, 0xffffffff, 0x80818081]) : this.below(2 ** 32);
      if (!this.#asked.has(opaque)) return opaque;
    }
    throw new Error("Cannot find a number for a request: all that were tried are in use");
  }

  /** Adds a request, with what means nothing at random. */
  #push(opcode: number, packet: Omit<Request, "opcode" | "opaque"> = {}): void {
    const opaque = this.#opaque();
    this.#asked.set(opaque, packet.key ?? "");
    const noise = this.chance(0.1) ? { kind: this.below(256), status: this.below(65536) } : {};
    this.#batch.push({ opcode, opaque, ...noise, ...packet });
  }

  #key(): string {
    if (this.chance(0.98)) return `${this.#prefix}${this.below(this.#keys)}`;
    const tail = this.pick(["", " ", "\0", "\r\n", "\xff\x80", "k".repeat(250)]);
    return `${this.#prefix}${tail}`.slice(0, 250);
  }

  /** A condition, or none. */
  #condition(key: string, probability = 0.25): { cas?: bigint; place?: number } {
    if (!this.chance(probability)) return {};
    if (this.chance(0.1)) return { cas: this.pick(NEVER) };
    const place = this.#told.get(key);
    if (place !== undefined && this.chance(0.8)) return { place };
    return this.#states === 0 ? {} : { place: this.#states - 1 - this.below(Math.min(this.#states, 8)) };
  }

  #value(): string {
    if (this.chance(0.3)) return this.pick(NUMBERS);
    if (this.chance(0.1)) return this.pick(ODD_NUMBERS);
    const length = this.chance(0.3) ? this.below(this.#mostBytes + 1) : this.below(60);
    return shapeOf(length, (choices) => this.pick(choices));
  }

  #next(): void {
    const random = this.random();
    if (random < 0.28) this.#read();
    else if (random < 0.52) this.#store();
    else if (random < 0.64) this.#extend();
    else if (random < 0.72) this.#delete();
    else if (random < 0.88) this.#count();
    else this.#rare();
  }

  #read(): void {
    const key = this.#key();
    this.#isHeld = true;
    if (this.chance(0.5)) {
      return this.#push(this.pick([GET, GETQ, GETK, GETKQ]), { key, ...this.#condition(key, 0.05) });
    }
    const extras = u32(this.chance(0.15) ? this.pick(OVER) : this.pick(SECONDS));
    const opcode = this.pick([TOUCH, TOUCH, GAT, GATQ, GATK, GATKQ]);
    this.#push(opcode, {
      key,
      extras,
      ...this.#condition(key, 0.05),
      ...this.#announcement(extras.length + key.length),
    });
  }

  /** Of a value that does not come: what follows is the next request, where none is expected. */
  #announcement(bytes: number): { bodyBytes?: number } {
    return this.chance(0.03) ? { bodyBytes: bytes + this.below(2000) } : {};
  }

  /** What is over as soon as it is stored has no state with us that could be told: such requests are quiet. */
  #expiring(opcode: number): [opcode: number, seconds: number] {
    if (this.chance(0.06)) return [QUIET_OF.get(opcode)!, this.pick(OVER)];
    return [this.chance(0.3) ? QUIET_OF.get(opcode)! : opcode, this.pick(SECONDS)];
  }

  /** A value of more than an item holds, now and then. */
  #tooLarge(): string | undefined {
    return this.#mostBytes === MOST_BYTES && this.chance(0.0005) ? "v".repeat(2 ** 20 + this.below(100)) : undefined;
  }

  #store(): void {
    const key = this.#key();
    const [opcode, seconds] = this.#expiring(this.pick([SET, SET, ADD, REPLACE]));
    const extras = u32(this.pick(FLAGS), seconds);
    this.#push(opcode, { key, extras, value: this.#tooLarge() ?? this.#value(), ...this.#condition(key) });
  }

  #extend(): void {
    const key = this.#key();
    const isBehind = this.chance(0.5);
    const opcode = this.pick(isBehind ? [APPEND, APPENDQ] : [PREPEND, PREPENDQ]);
    this.#push(opcode, { key, value: this.#tooLarge() ?? this.#addition(isBehind), ...this.#condition(key) });
  }

  #addition(isBehind: boolean): string {
    if (this.chance(0.3)) {
      return isBehind ? this.pick([" 1", "\t", "\r\n2"]) + "9" : "9" + this.pick(["1 ", "\t", "2\n"]);
    }
    if (this.chance(0.3)) return this.pick(ADDITIONS);
    return this.pick([..."abcxyz\0\xff"]).repeat(1 + this.below(this.chance(0.2) ? this.#mostBytes : 60));
  }

  #delete(): void {
    const key = this.#key();
    this.#push(this.pick([DELETE, DELETE, DELETEQ]), { key, ...this.#condition(key) });
  }

  /** Before one that counts, memcached is made to send what it has to say. */
  #letGo(): void {
    if (this.#isHeld) this.#push(NOOP);
    this.#isHeld = false;
  }

  #count(): void {
    this.#letGo();
    if (this.chance(0.06)) return this.#countFar();
    const key = this.#key();
    const isDown = this.chance(0.4);
    const [opcode, seconds] = this.#expiring(isDown ? DECREMENT : INCREMENT);
    const delta = isDown && this.chance(0.1) ? this.#bits64() : this.pick(DELTAS);
    const extras = joined(u64(delta, this.pick(INITIALS)), u32(this.chance(0.3) ? NO_CREATION : seconds));
    this.#push(opcode, { key, extras, ...this.#condition(key, 0.15) });
  }

  /** To numbers of 64 bits, which are not counted on. */
  #countFar(): void {
    const key = `${this.#prefix}far`;
    const [opcode, delta] = [this.pick([INCREMENT, INCREMENTQ]), this.#bits64()];
    if (this.chance(0.7)) {
      this.#push(SETQ, { key, extras: u32(0, 0), value: this.pick(["0", "1", "999999999999999999"]) });
    }
    this.#push(opcode, { key, extras: joined(u64(delta, this.#bits64()), u32(0)) });
    this.#push(GET, { key });
    this.#push(DELETE, { key });
    this.#isHeld = true;
  }

  #rare(): void {
    switch (this.below(7)) {
      case 0:
      case 1:
        return this.#push(NOOP);
      case 2:
        return this.#push(VERSION);
      case 3:
        return this.#flush();
      case 4:
        return this.#stat();
      case 5:
        return this.#unknown();
      default:
        if (this.chance(0.3)) return this.#push(SASL_MECHANISMS);
        return this.#push(this.pick([SASL_AUTH, SASL_STEP]), { key: "PLAIN", value: this.#value() });
    }
  }

  #stat(): void {
    const key = this.pick(["reset", "nonsense", "resemblance"]);
    this.#push(STAT, { key, ...this.#announcement(key.length) });
  }

  #flush(): void {
    const seconds = this.#clears ? 0 : this.pick([...OVER, 1000, 2_000_000_000, 2 ** 32 - 1]);
    const extras = this.#clears && this.chance(0.5) ? undefined : u32(seconds);
    this.#push(this.chance(0.5) ? FLUSH : FLUSHQ, { extras });
  }

  /** memcached loses as many bytes behind it as there are extras and a key. */
  #unknown(): void {
    const opcode = this.pick(UNKNOWN);
    const hasHead = this.chance(0.5);
    const extras = hasHead ? new Uint8Array(this.pick([0, 4, 8, 255])) : undefined;
    const key = hasHead ? this.#key() : "";
    const lostBytes = key.length + (extras?.length ?? 0);
    this.#push(opcode, { key, extras, value: this.chance(0.5) ? this.#value() : "", lostBytes });
  }

  /** A request that ends the conversation. */
  #end(): void {
    const random = this.random();
    if (random < 0.2) return this.#push(this.pick([QUIT, QUITQ]));
    if (random < 0.3) return this.#contradict();
    const value = this.#value();
    if (random < 0.4) {
      const key = "k".repeat(251 + this.below(this.chance(0.2) ? 2000 : 2));
      return this.#push(this.below(256), { key, extras: new Uint8Array(this.pick([0, 4, 8, 20])), value });
    }
    const form = this.pick(FORMS);
    const opcode = this.pick(form.opcodes);
    const key = form.hasKey ? this.#key() : "";
    const extras = new Uint8Array(form.extras);
    const wrong: Packet[] = [form.hasKey ? { extras, value } : { extras, key: this.#key() }];
    if (form.isWhole) wrong.push({ key, extras, value: `x${value}` });
    const isRight = (count: number) => count === form.extras || (count === 0 && form.opcodes.includes(FLUSH));
    const counts = [0, 4, 8, 19, 20, 21, 255].filter((count) => !isRight(count));
    wrong.push({ key, extras: new Uint8Array(this.pick(counts)) });
    this.#push(opcode, this.pick(wrong));
  }

  /** Lengths that contradict each other. */
  #contradict(): void {
    const [key, extras] = [this.#key(), new Uint8Array(this.pick([0, 4, 8, 20]))];
    this.#push(this.below(256), { key, extras, bodyBytes: this.below(key.length + extras.length) });
  }
}
