/** The real memcached, as a child process, and replies made comparable: for tests of our own answers against its. */

import { assert } from "@std/assert";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { sessionHost } from "./session_host.ts";
import { sessionOf } from "./access.ts";

/** Whether memcached is on the PATH. */
export function hasMemcached(): boolean {
  try {
    return new Deno.Command("memcached", { args: ["-V"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** The real one has this long for a reply; ours are there at once. */
const ANSWER_LIMIT_MS = 10_000;

/** What is sent together. */
export interface Question {
  bytes: Uint8Array;
  /** Where the reply ends; without it, with the conversation. */
  end?: Uint8Array;
  /** In how many writes it is sent, where there are writes. */
  writes?: number;
}

/** What comes back, and whether that was the end of the conversation. */
export interface Answer {
  reply: Uint8Array;
  hasEnded: boolean;
}

/** One who answers a batch of commands. */
export interface Side {
  /** Sends bytes and returns the reply, or all there is of it if the conversation ends before. */
  ask(question: Question): Promise<Answer>;
}

/** A side with the states that it has told. */
export interface Answering {
  readonly side: Side;
  readonly cas: CasNumbers;
}

/** The real one, and ours. */
export type Sides = readonly [real: Answering, ours: Answering];

/** What is compared, and how. */
export interface Comparison {
  /** What is asked, in the plural. */
  what: string;
  /** How many, if MEMCACHED_COMMANDS does not say. */
  count: number;
  /** Asks both sides some that belong together; throws if the answers differ. Returns how many it has asked. */
  transcript: (seed: number, sides: Sides) => Promise<number>;
}

/** Registers a test that compares one transcript after the other; MEMCACHED_SEED is the first one's seed. */
export function compareAtRandom({ what, count, transcript }: Comparison): void {
  const least = Number(Deno.env.get("MEMCACHED_COMMANDS") ?? count);
  const firstSeed = Number(Deno.env.get("MEMCACHED_SEED") ?? 1);
  const ignore = !hasMemcached();
  if (ignore) console.log(`Random ${what} are not compared with memcached: that needs apt's package memcached`);
  Deno.test({
    name: `${least} random ${what} are answered as by memcached`,
    ignore,
    fn: async () => {
      await using memcached = await RealMemcached.start();
      const ours = new OurSession(generator(firstSeed));
      let asked = 0;
      for (let seed = firstSeed; asked < least; seed++) {
        try {
          asked += await transcript(seed, [answering(memcached), answering(ours)]);
        } catch (error) {
          throw new Error(`seed ${seed}: ${(error as Error).message}`);
        }
      }
      assert(asked >= least);
      console.log(`${asked} ${what} without a difference`);
    },
  });
}

export function answering(side: Side): Answering {
  return { side, cas: new CasNumbers() };
}

/** A real memcached on a free port of the loopback. */
export class RealMemcached implements Side, AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #port: number;
  #connection: Deno.TcpConn | undefined;
  readonly #buffer = new Uint8Array(256 * 1024);

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
  }

  /** Starts one and waits until it listens. */
  static async start(): Promise<RealMemcached> {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    // Its background threads may hold an item at any moment, and a number that is held is not padded when it shrinks.
    const quiet = ["-o", "no_lru_maintainer,no_lru_crawler"];
    const args = [...quiet, "-U", "0", "-u", "nobody", "-l", "127.0.0.1", "-p", `${port}`, "-t", "1", "-m", "256"];
    const child = new Deno.Command("memcached", { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
    const real = new RealMemcached(child, port);
    for (let tries = 0;; tries++) {
      try {
        await real.#connect();
        return real;
      } catch (error) {
        if (tries === 100) {
          await real[Symbol.asyncDispose]();
          throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async ask({ bytes, end, writes = 1 }: Question): Promise<Answer> {
    const connection = await this.#connect();
    const sent = writeAll(connection, bytes, Math.ceil(bytes.length / writes));
    const parts: Uint8Array[] = [];
    let reply: Uint8Array = new Uint8Array(0);
    while (end === undefined || !endsWith(reply, end)) {
      let isLate = false;
      const limit = setTimeout(() => { // replies out of step would be waited for
        isLate = true;
        connection.close();
      }, ANSWER_LIMIT_MS);
      const count = await connection.read(this.#buffer).catch(() => null);
      clearTimeout(limit);
      if (count === null) {
        await sent;
        closeOnce(connection);
        this.#connection = undefined;
        return { reply, hasEnded: !isLate };
      }
      parts.push(this.#buffer.slice(0, count));
      reply = joined(parts);
    }
    await sent;
    return { reply, hasEnded: false };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection?.close();
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }

  async #connect(): Promise<Deno.TcpConn> {
    if (this.#connection === undefined) {
      this.#connection = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
      this.#connection.setNoDelay(true); // the second of several writes would wait for memcached to have nothing to do
    }
    return this.#connection;
  }
}

function closeOnce(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // The limit has closed it.
  }
}

/** Our own session, which gets its input in random pieces. */
export class OurSession implements Side {
  readonly #host = sessionHost({ maxSize: 1_000_000 });
  #session = sessionOf(this.#host);
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  ask({ bytes: request }: Question): Promise<Answer> {
    this.#host.store.maintain(); // as a server does now and then: what has been cleared is given back
    const session = this.#session;
    const parts: Uint8Array[] = [];
    const most = this.#random() < 0.3 ? 20 : 4000;
    for (let at = 0; at < request.length;) {
      const to = at + 1 + Math.floor(most * this.#random());
      session.input.push(request.subarray(at, to));
      at = to;
      let state = session.run();
      parts.push(session.output.taken().slice());
      session.output.reset();
      while (state === "output-full") {
        state = session.run();
        parts.push(session.output.taken().slice());
        session.output.reset();
      }
      if (state === "closing") {
        this.#session = sessionOf(this.#host);
        return Promise.resolve({ reply: joined(parts), hasEnded: true });
      }
    }
    return Promise.resolve({ reply: joined(parts), hasEnded: false });
  }
}

/** Numbers that stand for states, in the order in which one side has told them. */
export class CasNumbers {
  readonly #places = new Map<string, number>();
  readonly #numbers: string[] = [];

  /** How many there are. */
  get count(): number {
    return this.#numbers.length;
  }

  /** The number at a place. */
  at(place: number): string {
    return this.#numbers[place];
  }

  /** The place of a number. 0 is no state and stays what it is. */
  placeOf(number: string): string {
    if (number === "0") return number;
    let place = this.#places.get(number);
    if (place === undefined) {
      place = this.#numbers.length;
      this.#places.set(number, place);
      this.#numbers.push(number);
    }
    return `#${place}`;
  }
}

/** A reply cut into lines, each with its value if it has one, its states as places in `cas`. */
export function comparable(reply: Uint8Array, cas: CasNumbers): string[] {
  const text = textOf(reply);
  const lines: string[] = [];
  for (let at = 0; at < text.length;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) {
      lines.push(text.slice(at));
      break;
    }
    const line = text.slice(at, lineEnd);
    at = lineEnd + 2;
    const length = /^VALUE [^ ]+ \d+ (\d+)/.exec(line)?.[1] ?? /^VA (\d+)/.exec(line)?.[1];
    let value = "";
    if (length !== undefined) {
      value = `\r\n${text.slice(at, at + Number(length) + 2)}`;
      at += Number(length) + 2;
    }
    lines.push(withPlaces(line, cas) + value);
  }
  return lines;
}

function withPlaces(line: string, cas: CasNumbers): string {
  if (line.startsWith("VALUE ")) return line.replace(/^(VALUE [^ ]+ \d+ \d+ )(\d+)$/, (_, a, n) => a + cas.placeOf(n));
  if (!/^(HD|VA|NS|EX|NF|EN) /.test(line)) return line;
  return line.replace(/ c(\d+)(?= |$)/g, (_, n) => ` c${cas.placeOf(n)}`);
}

/** What is compared, to be read by people: what repeats a character is cut. */
export function inShort(lines: string[]): string {
  return JSON.stringify(lines.map((line) => line.replace(/([^])\1{9,}/g, (run, one) => `${one}{${run.length}}`)));
}

/** Bytes as text, one character for each. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

/** The other way round. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array, most: number): Promise<void> {
  try {
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at, at + most).slice());
  } catch {
    // It has closed the connection; who reads will know.
  }
}

function endsWith(bytes: Uint8Array, end: Uint8Array): boolean {
  const from = bytes.length - end.length;
  return from >= 0 && end.every((byte, i) => bytes[from + i] === byte);
}

function joined(parts: Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
