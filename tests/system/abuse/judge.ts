/** Attacks a server process while a probe asks it, and judges what is left of it. */

import { DEFAULT_MAX_BUFFERS, DEFAULT_MAX_CONNECTIONS } from "../../../lib/server/options.ts";
import { OrmucoCacheClient } from "../../../mod.ts";
import type { Door } from "../../support/door.ts";
import { exchange } from "../../support/text_socket.ts";
import { accessBy } from "../../support/servers.ts";
import { Probe, type Waits } from "../../support/probe.ts";
import { until } from "../../support/waiting.ts";
import { type Kind, Victim } from "../../support/victim.ts";
import { type Attack, type Entrance, Scene } from "./scene.ts";

/** What an attack has come to. */
export interface Outcome {
  /** What a probe waited before the attack, at an idle server during it (in the task only), and at the one attacked. */
  idle: Waits;
  beside: Waits;
  attacked: Waits;
  /** How long the attack took. */
  seconds: number;
  /** Bytes of memory. */
  before: number;
  peak: number;
  after: number;
  /** What the attack itself has counted. */
  note: string;
  /** What is wrong with the server; nothing if it holds. */
  faults: string[];
}

/** Entries of others. */
const OTHERS = 300;
/** Memory after an attack: a part more than before, and what the engine takes once it has worked hard. */
const [MORE_MEMORY, WORK_BYTES] = [1.1, 96 * 1024 * 1024];
/** Lines that may be logged during an attack, and in each of its seconds. */
const [LINES, LINES_A_SECOND] = [50, 10];
/** How much longer than at an idle server the probe may wait in 999 of 1,000 cases, and at most, in milliseconds. */
const [MOST_P999_MS, MOST_LONGER_MS] = [50, 150];
const NO_WAITS: Waits = { p999Ms: 0, longestMs: 0, workedMs: 0, queuedMs: 0, failed: 0 };
/** Milliseconds that an attack may take, in the tests and in the task: then it is cut off. */
const [BOUNDED_MS, FULL_MS] = [120_000, 600_000];
/** Seconds for which the probe asks the idle server, and how many times the server does some work before that. */
const [IDLE_SECONDS, IDLE_SECONDS_FULL] = [0.1, 5];
const [WARMINGS, WARMINGS_FULL] = [3, 50];

const MIB = 1024 * 1024;
/** Bytes of a value that fills a server, and how many are stored at a time. */
const [FILLING_BYTES, FILLINGS] = [10_000, 2000];

const keys = Array.from({ length: OTHERS }, (_, i) => `other:${i}`);
const othersReply = `${keys.map((key) => `VALUE ${key} 0 ${key.length + 10}\r\nvalue of ${key}!\r\n`).join("")}END\r\n`;

/** What is attacked, and how hard. */
export interface JudgedOptions {
  kind?: Kind;
  isFull?: boolean;
  /** How the attackers come in; by default there is no door. */
  entrance?: Entrance;
  /** Memory for the entries of the server, in MiB, which is full of them then. */
  filledMib?: number;
}

/** Attacks one server. */
export async function judged(attack: Attack, options: JudgedOptions = {}): Promise<Outcome> {
  const { kind = "ormuco", isFull = false, entrance = {}, filledMib } = options;
  const { asksToken, isEncrypted } = entrance;
  await using victim = await Victim.start(kind, { ...attack.start, asksToken, isEncrypted, memoryMib: filledMib });
  if (filledMib !== undefined) await fill(victim, filledMib);
  await warm(victim, isFull ? WARMINGS_FULL : WARMINGS);
  using probe = await Probe.of(victim.door, victim.pid);
  await probe.seconds(isFull ? IDLE_SECONDS_FULL : IDLE_SECONDS);
  const idle = probe.lap();
  await using bystander = isFull ? await Victim.start(kind, { asksToken, isEncrypted }) : undefined;
  using other = bystander === undefined ? undefined : await Probe.of(bystander.door);
  victim.forgetPeak();
  const before = victim.memory.now;
  const fromMs = performance.now();
  const { note, faults } = await attackOn(new Scene(victim, probe, { isFull, hasToken: entrance.hasToken }), attack);
  const seconds = (performance.now() - fromMs) / 1000;
  const [attacked, beside] = [probe.lap(), other?.lap() ?? NO_WAITS];
  if (!victim.isAlive) faults.push("the process has ended");
  else faults.push(...await servingFaults(victim, attack, attacked));
  const { peak } = victim.memory;
  const isSmall = () => victim.memory.now <= MORE_MEMORY * before + WORK_BYTES;
  if (faults.length === 0) await until("memory is back", isSmall).catch(() => faults.push("memory does not come back"));
  const after = victim.memory.now;
  if (filledMib !== undefined && peak > mostBytes(filledMib)) {
    faults.push(`more than ${Math.round(mostBytes(filledMib) / MIB)} MiB`);
  }
  if (isFull && attack.stopsServer !== true) faults.push(...slow([idle, beside], attacked));
  faults.push(...await partingFaults(victim, seconds));
  return { idle, beside, attacked, seconds, before, peak, after, note, faults };
}

/** Bytes that a server takes at most while it is attacked: a little less than by the formula of docs/sizing.md. */
export function mostBytes(memoryMib: number): number {
  return 90e6 + DEFAULT_MAX_CONNECTIONS * 50e3 + memoryMib * MIB + DEFAULT_MAX_BUFFERS;
}

/** Stores more than there is room for. */
async function fill({ door }: Victim, memoryMib: number): Promise<void> {
  const value = "v".repeat(FILLING_BYTES);
  const sets = (from: number) =>
    Array.from({ length: FILLINGS }, (_, i) => `set filling:${from + i} 0 0 ${FILLING_BYTES} noreply\r\n${value}\r\n`);
  const count = Math.ceil(1.1 * memoryMib * MIB / FILLING_BYTES);
  for (let from = 0; from < count; from += FILLINGS) {
    await exchange(door, `${sets(from).join("")}mn\r\n`, (reply) => reply === "MN\r\n");
  }
}

/** What is wrong with how the server serves after an attack. */
async function servingFaults(victim: Victim, attack: Attack, attacked: Waits): Promise<string[]> {
  const isServing = await until("an honest client is served", () => serves(victim)).then(() => true, () => false);
  if (!isServing) return ["an honest client is not served"];
  const faults: string[] = [];
  if (attack.mayClear === true) return faults;
  if (await others(victim.door) !== othersReply) faults.push("entries of others are lost");
  const hasFailed = attacked.failed > 0 && attack.stopsServer !== true;
  if (hasFailed) faults.push(`${attacked.failed} answers to the probe were no hits`);
  return faults;
}

/** Lets a server do some of everything, and stores the entries of others. */
async function warm({ door }: Victim, times: number): Promise<void> {
  const sets = keys.map((key) => `set ${key} 0 0 ${key.length + 10}\r\nvalue of ${key}!\r\n`).join("");
  for (let i = 0; i < times; i++) {
    const stored = await exchange(door, sets, (reply) => reply.length >= OTHERS * "STORED\r\n".length);
    if (stored !== "STORED\r\n".repeat(OTHERS)) throw new Error(`Cannot store entries: ${stored.slice(0, 100)}`);
    await others(door);
  }
}

/** Asks for the entries of others. */
async function others(door: Door): Promise<string> {
  return await exchange(door, `get ${keys.join(" ")}\r\n`, (reply) => reply.endsWith("END\r\n")).catch(() => "");
}

async function attackOn(scene: Scene, attack: Attack): Promise<{ note: string; faults: string[] }> {
  const { promise: isOver, reject } = Promise.withResolvers<never>();
  const limitMs = scene.isFull ? FULL_MS : BOUNDED_MS;
  const timer = setTimeout(() => reject(new Error(`the attack is not over after ${limitMs / 1000} s`)), limitMs);
  const running = attack.run(scene);
  try {
    return { note: await Promise.race([running, isOver]) ?? "", faults: [] };
  } catch (error) {
    return { note: "", faults: [(error as Error).message] };
  } finally {
    clearTimeout(timer);
    scene[Symbol.dispose]();
    scene.victim.signal("SIGCONT");
    await running.catch(() => {});
  }
}

/** Whether an honest client that comes now is served. */
async function serves({ kind, door, address }: Victim): Promise<boolean> {
  if (kind === "memcached") {
    return await exchange(door, "mn\r\n", (reply) => reply.endsWith("\r\n")).catch(() => "") === "MN\r\n";
  }
  await using client = new OrmucoCacheClient({ servers: [address], ...accessBy(door) });
  return await client.store("honest", "value") && await client.retrieve("honest") === "value";
}

/** What is wrong with how long the probe has waited: other load of the machine makes it wait at idle servers too. */
function slow(idle: Waits[], { p999Ms, longestMs }: Waits): string[] {
  const faults: string[] = [];
  const of = (wait: (waits: Waits) => number) => Math.max(...idle.map(wait));
  if (p999Ms > MOST_P999_MS + of((waits) => waits.p999Ms)) {
    faults.push(`p99.9 > idle + ${MOST_P999_MS} ms`);
  }
  if (longestMs > MOST_LONGER_MS + of((waits) => waits.longestMs)) {
    faults.push(`longest > idle + ${MOST_LONGER_MS} ms`);
  }
  return faults;
}

/** Stops the server, and returns what is wrong with how it ends and with what it has printed. */
async function partingFaults(victim: Victim, seconds: number): Promise<string[]> {
  const wasAlive = victim.isAlive;
  const status = await victim.stop();
  const faults: string[] = [];
  if (wasAlive && status !== 0) faults.push(`it ended with ${status ?? "a kill, since it would not stop"}`);
  const trouble = /^.*(?:Uncaught|Unhandled|^ +at ).*$/im.exec(victim.printed);
  if (trouble !== null) faults.push(`it printed "${trouble[0].trim().slice(0, 200)}"`);
  const lines = victim.printed.split("\n").length;
  if (lines > LINES + LINES_A_SECOND * seconds) faults.push(`it printed ${lines} lines in ${seconds.toFixed(1)} s`);
  return faults;
}
