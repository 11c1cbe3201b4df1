/** Random commands of memcached's text protocol, right ones and wrong ones. */

import { Choices } from "./choices.ts";

/** What stands in a command for a state that has been told, by its place among those: each side knows it by another number. */
export const CAS_PLACE = /\u0100(\d+)\u0101/g;

const SECONDS = [
  "0",
  "0",
  "0",
  "100",
  "100",
  "1000",
  "2592000",
  "-1",
  "2592001",
  "2000000000",
  "4000000000",
  "9999999999999999999",
];
/** Odd ones; one that is right is no time to live that could end during a transcript. */
const ODD_SECONDS = [
  "x",
  "1x",
  "-1",
  "-0",
  "+500",
  "00700",
  "4294967295",
  "4294967296",
  "2147483648",
  "\t300",
  "100\t2",
];
/** A time to live of an entry that is over at once. */
const OVER = /^.(-1|2592001|4000000000|4294967295|2147483648)/;
const LONG_KEY = "k".repeat(251);
const NUMBERS = ["0", "1", "7", "99", "100", "9007199254740993"];
const ODD_NUMBERS = ["x", "1x", "-1", "-0", "+5", "007", "4294967295", "4294967296", "2147483648", "\t3", "1\t2"];
/** What memcached reads as a number, or not, by what lies behind it: white space, and what may be 2⁶³ or more. */
const DIFFERENT_NUMBER = /^\s*([+-]?0*[1-9]\d{18,19}(?!\d)|$)/;
const SHAPES = "abcdefghijklmnopqrstuvwxyz0123456789     \r\n\0\x80\xff";

/** A value of a length, which both sides read as the same number or as none. */
export function shapeOf(length: number, pick: <T>(choices: readonly T[]) => T): string {
  const half = length >> 1;
  const value = pick([...SHAPES]).repeat(half) + pick([...SHAPES]).repeat(length - half);
  return DIFFERENT_NUMBER.test(value) ? `x${value}` : value;
}

/**
 * Makes commands of one transcript. `mg` with `N` has keys of its own, since what it promises is an entry to memcached and
 * none to us: there is nothing else that would tell the one from the other.
 */
export class Commands extends Choices {
  readonly #prefix: string;
  readonly #keys: number;
  /** States told so far. */
  casCount = 0;
  /** Whether the batch reads; if not, it counts. memcached pads a number that has become shorter only if no reply holds it. */
  #reads = false;
  /** The key whose state the last batch has asked for at its end, to store for it; "" if there is none. */
  #lastAsked = "";

  constructor(random: () => number, prefix: string) {
    super(random);
    this.#prefix = prefix;
    this.#keys = this.pick([2, 5, 20]);
  }

  /** Some commands that are sent together. */
  batch(most: number): string[] {
    this.#reads = this.chance(0.5);
    if (this.chance(0.02)) {
      return [`${this.pick(["get", "gats 0"])} none nil ${LONG_KEY} void\r\n`];
    }
    const before = this.#lastAsked === "" ? [] : [this.#keepFor(this.#lastAsked)];
    const commands = Array.from({ length: 1 + this.below(most) }, () => this.next());
    this.#lastAsked = this.#reads && this.chance(0.3) ? this.#promisedKey() : "";
    const after = this.#lastAsked === "" ? [] : [`mg ${this.#lastAsked} N100 c\r\n`];
    return [...before, ...commands, ...after];
  }

  /** One command, with its value. */
  next(): string {
    const random = this.random();
    if (random < 0.35) return this.#classic();
    if (random < 0.8) return this.#meta();
    if (random < 0.95) return this.#promised();
    return this.#odd();
  }

  #key(): string {
    if (this.chance(0.01)) {
      return this.pick(["k".repeat(250), LONG_KEY, "\x01\x7f", "\xe9\xff", "a\tb", "noreply"]);
    }
    return `${this.#prefix}k${this.below(this.#keys)}`;
  }

  #end(): string {
    return this.chance(0.05) ? "\n" : "\r\n";
  }

  #noreply(): string {
    if (this.chance(0.03)) return this.pick([" Noreply", " noreply ", " x", " 0", " noreply x"]);
    return this.chance(0.1) ? " noreply" : "";
  }

  #seconds(): string {
    return this.chance(0.03) ? this.pick(ODD_SECONDS) : this.pick(SECONDS);
  }

  #number(): string {
    return this.chance(0.05) ? this.pick(ODD_NUMBERS) : this.pick(NUMBERS);
  }

  #clientFlags(): string {
    return this.chance(0.1) ? this.#number() : this.pick(["0", "0", "5", "4294967295"]);
  }

  #cas(): string {
    const { casCount } = this;
    if (casCount > 0 && this.chance(0.8)) return `\u0100${casCount - 1 - this.below(Math.min(casCount, 8))}\u0101`;
    return this.chance(0.1) ? this.pick(["x", "1x", "-1", "+5", "007"]) : this.pick(["0", "1", "9007199254740991"]);
  }

  #value(): string {
    if (this.chance(0.3)) return this.#number();
    if (this.chance(0.05)) return this.pick(["5 ", "12   ", " 5", "", "99\0", "1".repeat(18), "9".repeat(20)]);
    const length = this.chance(0.3) ? this.below(2001) : this.below(60);
    return shapeOf(length, (choices) => this.pick(choices));
  }

  /** A line that ends with the length of the value that follows. */
  #withValue(line: (length: string) => string): string {
    const isRight = this.chance(0.98);
    const value = this.#value();
    const head = line(`${value.length}`);
    if (isRight) return `${head}${this.#end()}${value}\r\n`;
    // A length that is wrong: too small or too large by a little, or none at all.
    const length = this.pick([
      `${value.length + 1 + this.below(5)}`,
      `${Math.max(0, value.length - 3)}`,
      "-1",
      "x",
    ]);
    const flat = value.replace(/[\r\n]/g, "-");
    return `${line(this.chance(0.2) ? "2147483647" : length)}${this.#end()}${flat}\r\n`.replace(" 2147483647", " -2");
  }

  #classic(): string {
    const key = this.#key();
    const end = this.#end();
    switch (this.#reads ? this.below(12) : 4 + this.below(10)) {
      case 0:
      case 1:
      case 2:
        return `${this.pick(["get", "gets", "gets", "bget"])} ${this.#keyList()}${end}`;
      case 3:
        return `${this.pick(["gat", "gats"])} ${this.#seconds()} ${this.#keyList()}${end}`;
      case 4:
      case 5:
        return this.#store("set", key);
      case 6:
        return this.#store(this.pick(["add", "replace"]), key);
      case 7:
        return this.#store(this.pick(["append", "prepend"]), key);
      case 8:
        return this.#store("cas", key);
      case 12:
      case 13:
        return `${this.pick(["incr", "decr"])} ${key} ${this.#number()}${this.#noreply()}${end}`;
      case 9:
        return `touch ${key} ${this.#seconds()}${this.#noreply()}${end}`;
      case 10:
        return `delete ${key}${this.#noreply()}${end}`;
      default:
        return this.#rare() + end;
    }
  }

  /** Keys of a retrieval: none is too long. */
  #keyList(): string {
    const count = this.chance(0.3) ? 1 + this.below(30) : 1;
    return Array.from({ length: count }, () => this.#key().slice(0, 250)).join(" ");
  }

  #store(name: string, key: string): string {
    const cas = name === "cas" ? ` ${this.#cas()}` : "";
    const before = `${name} ${key} ${this.#clientFlags()} ${this.#seconds()}`;
    const noreply = this.#noreply();
    return this.#withValue((length) => `${before} ${length}${cas}${noreply}`);
  }

  #rare(): string {
    if (this.chance(0.3)) {
      return this.pick(["mn", "mn x", "version", "version x", "verbosity 1", "verbosity", "verbosity x"]);
    }
    if (this.chance(0.7)) return "mn";
    const seconds = this.pick(["", "", " 0", " -1", " x", " 0 0", " 0 0 0"]);
    return `flush_all${seconds}${this.#noreply()}`;
  }

  #meta(): string {
    const name = this.pick([...this.#reads ? ["mg", "mg", "mg"] : ["ma", "ma"], "ms", "ms", "md"]);
    const isBinary = this.chance(0.15);
    let key = this.#key();
    if (isBinary && !this.chance(0.05)) key = btoa(key);
    const flags = this.#flags(name).filter((flag) => name !== "mg" || flag[0] !== "N");
    if (isBinary) flags.splice(this.below(flags.length + 1), 0, "b");
    const tail = flags.map((flag) => ` ${flag}`).join("");
    if (name === "ms") return this.#withValue((length) => `ms ${key} ${length}${tail}`);
    return `${name} ${key}${tail}${this.#end()}`;
  }

  /** About a key that may be promised: who asks for it says `N`, who stores it needs no entry, and who removes one has stored it. */
  #promised(): string {
    const key = this.#promisedKey();
    switch (this.#reads ? this.below(9) : 5 + this.below(4)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return this.#promise(key);
      case 5:
        return this.#store(this.pick(["set", "cas"]), key);
      case 6:
      case 7:
        return this.#keep(key);
      default: {
        const flags = this.#flags("md").map((flag) => ` ${flag}`).join("");
        // A value that is too short may take some of what comes behind it, but not of the `set`.
        return `mn ahead of a set\r\nset ${key} 0 0 1\r\n1\r\n${
          this.pick([`delete ${key}`, `md ${key}${flags}`])
        }${this.#end()}`;
      }
    }
  }

  #promisedKey(): string {
    return `${this.#prefix}n${this.below(this.#keys)}`;
  }

  /** Stores for the state that was told last. */
  #keepFor(key: string): string {
    const cas = `\u0100${this.casCount - 1}\u0101`;
    return this.chance(0.5) ? `ms ${key} 1 C${cas} c\r\n5\r\n` : `cas ${key} 0 0 1 ${cas}\r\n5\r\n`;
  }

  /** `mg` with `N`, and without `T`. */
  #promise(key: string): string {
    const flags = this.#flags("mg").filter((flag) => !"NT".includes(flag[0]));
    const seconds = this.#seconds();
    // What is over at once is no promise: memcached tells of a state and a time to live.
    const told = OVER.test(`N${seconds}`) ? flags.filter((flag) => !"ct".includes(flag[0])) : flags;
    told.splice(this.below(told.length + 1), 0, `N${seconds}`);
    const isBinary = !told.some((flag) => flag[0] === "b") && this.chance(0.15);
    if (isBinary) told.splice(this.below(told.length + 1), 0, "b");
    return `mg ${isBinary ? btoa(key) : key} ${told.join(" ")}${this.#end()}`;
  }

  /** `ms` that stores in any case, or for a state; of a promise we keep no stale value. */
  #keep(key: string): string {
    const flags = this.#flags("ms").filter((flag) => !"MI".includes(flag[0]));
    if (this.chance(0.5)) flags.push("MS");
    return this.#withValue((length) => `ms ${[key, length, ...flags].join(" ")}`);
  }

  #flags(name: string): string[] {
    const letters = { mg: "cfhklqstuvNRTO", ms: "ckqIFTMCO", md: "kqITCO", ma: "kqtcvNJDMCO" }[name]! + "";
    const flags: string[] = [];
    for (const letter of letters) {
      // Of N and T memcached takes the later one, and we T.
      if (letter === "T" && flags.some((flag) => flag[0] === "N")) continue;
      if (this.chance("cvk".includes(letter) ? 0.4 : 0.15)) flags.push(this.#flag(letter, name));
    }
    if (this.chance(0.02)) {
      const letter = this.pick([..."bRlOPLktcfvhuqFCMJDIaZ0!\x7f\x80"]);
      if (name !== "mg" || letter !== "C") flags.push(this.#flag(letter, name));
    }
    // What is over as soon as it is stored has no state and no time to live that could be told.
    const isOver = flags.some((flag) => flag[0] === "N" || flag[0] === "T" ? OVER.test(flag) : false);
    if (isOver) return flags.filter((flag) => flag[0] !== "c" && flag[0] !== "t");
    for (let i = flags.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [flags[i], flags[j]] = [flags[j], flags[i]];
    }
    return flags;
  }

  #flag(letter: string, name: string): string {
    switch (letter) {
      case "N":
      case "T":
        return letter + this.#seconds();
      case "R":
        return `R${this.pick(["0", "50", "500", "5000", "-1", "x", "2592001"])}`;
      case "F":
        return `F${this.#clientFlags()}`;
      case "C":
        return `C${this.#cas()}`;
      case "J":
      case "D":
        return letter + this.#number();
      case "M":
        if (this.chance(0.04)) return this.pick(["M", "MX", "MSS", "Ms"]);
        return `M${this.pick([...(name === "ms" ? "SAPRESAPREsapre" : "ID+-id")])}`;
      case "O":
        return `O${"ms md".includes(name) && this.chance(0.03) ? "o".repeat(30 + this.below(4)) : this.below(100)}`;
      default:
        return letter + (this.chance(0.02) ? "x" : "");
    }
  }

  /** Lines that are hardly commands. */
  #odd(): string {
    const key = this.#key().slice(0, 250);
    const line = this.pick([
      "",
      " ",
      "g",
      "get",
      "gets ",
      "gat",
      "gat 0",
      `get  ${key}  ${key} `,
      ` get ${key}`,
      `GET ${key}`,
      `get ${key}\0x`,
      "set",
      `set ${key}`,
      `set ${key} 0`,
      `set ${key} 0 0`,
      `cas ${key} 0 0 x`,
      "incr",
      `incr ${key}`,
      `incr ${key} 1 2 3`,
      "touch",
      `touch ${key}`,
      "delete",
      `delete ${key} 0`,
      `delete ${key} 1`,
      `delete ${key} 0 noreply`,
      `delete ${key} noreply 0`,
      "mg",
      "ms",
      "md",
      "ma",
      "mx",
      "m",
      `mz ${key}`,
      `ms ${key}`,
      `ms ${key} x`,
      `ms ${key} S`,
      `mg ${key}${" v k".repeat(10)}`,
      `md ${key} ${"k ".repeat(20)}`,
      `ma ${key} ${"t ".repeat(20)}`,
      `mg ${LONG_KEY} v`,
      `mg ${key}  v   t`,
      `mg ${key} v\tk`,
      `mg !!!! b k`,
      `mg QQ== b k`,
      `mg QQ=  b k`,
      `mg QQ b k v`,
      `mg ${btoa("k".repeat(187))} b k`,
      `ma ${key} N0 J13 v`,
      `ma ${key} N0 J13 v t c k O1`,
      `md ${key} I T100`,
      `md ${key} q`,
      "nonsense",
      "\t",
      "stats nonsense",
      `mg ${key} v O${"o".repeat(32)}`,
    ]);
    return (this.#isOfBatch(line) ? line : "mn") + this.#end();
  }

  /** Whether a line is one that may come in this batch. */
  #isOfBatch(line: string): boolean {
    return !(this.#reads ? /^ *(ma|incr|decr) / : /^ *(mg|gets?|gat) /).test(line);
  }
}
