/** What an attack is, and what it has to work with. */

import { closeQuietly, writeAll } from "../../../lib/platform/socket.ts";
import type { Token } from "../../../lib/base/token.ts";
import type { OrmucoCacheClient } from "../../../mod.ts";
import { connectTo, type DoorSocket, logIn } from "../../support/door.ts";
import { PeerSocket } from "../../support/native_socket.ts";
import type { Probe } from "../../support/probe.ts";
import { accessBy, reportingClient } from "../../support/servers.ts";
import type { Victim, VictimOptions } from "../../support/victim.ts";

/** An attack. */
export interface Attack {
  /** Does it; throws if the server has failed in a way that is the attack's own to judge. Returns figures, if it has any. */
  readonly run: (scene: Scene) => Promise<string | void>;
  /** Whether memcached can be attacked in the same way. */
  readonly isForMemcached?: true;
  /** Whether what is said to the server may clear it: then nobody's entries are looked for. */
  readonly mayClear?: true;
  /** Whether the attack stops the server itself: then the probe has to wait. */
  readonly stopsServer?: true;
  readonly start?: VictimOptions;
}

/** How attackers come in. */
export interface Entrance extends Pick<VictimOptions, "asksToken" | "isEncrypted"> {
  /** Whether the attackers have the token that the server asks for. */
  readonly hasToken?: boolean;
}

/** Attacks by name. */
export type Attacks = Readonly<Record<string, Attack>>;

/** Questions of the probe for which the same is done again and again, at most: 1 s and 12 s. */
const [BOUNDED_QUESTIONS, FULL_QUESTIONS] = [100, 1200];

const NOTHING = new Uint8Array(0);

/** The server, and who attacks it. All connections end with the scene. */
export class Scene implements Disposable {
  readonly victim: Victim;
  readonly isFull: boolean;
  readonly #probe: Probe;
  readonly #token: Token | undefined;
  readonly #from: number;
  readonly #sockets = new Set<{ close(): void }>();

  constructor(victim: Victim, probe: Probe, { isFull, hasToken = false }: { isFull: boolean; hasToken?: boolean }) {
    [this.victim, this.#probe, this.isFull, this.#from] = [victim, probe, isFull, probe.asked];
    this.#token = hasToken ? victim.door.token : undefined;
  }

  /** A number for the tests, or that for the task. */
  of(bounded: number, full: number): number {
    return this.isFull ? full : bounded;
  }

  /** Whether what is done again and again has been done for long enough. */
  get isOver(): boolean {
    return this.#probe.asked - this.#from > this.of(BOUNDED_QUESTIONS, FULL_QUESTIONS);
  }

  /** Lets so many seconds pass, by the questions of the probe. */
  async lasts(bounded: number, full: number): Promise<void> {
    await this.#probe.seconds(this.of(bounded, full));
  }

  /** A connection on which nothing has been said. */
  async connect(): Promise<DoorSocket> {
    const socket = await connectTo(this.victim.door);
    this.#sockets.add(socket);
    return socket;
  }

  /** Says something first on a connection: attackers with a token show it before. */
  async begin(socket: DoorSocket, bytes: Uint8Array): Promise<void> {
    await writeAll(socket, this.#token === undefined ? bytes : await logIn(socket, this.#token, bytes));
  }

  /** As many connections as asked for, and what is to be said first on each. */
  async connections(count: number, bytes: Uint8Array = NOTHING): Promise<DoorSocket[]> {
    const sockets: DoorSocket[] = [];
    for (let i = 0; i < count; i++) {
      const socket = await this.connect();
      if (bytes.length > 0) await this.begin(socket, bytes);
      sockets.push(socket);
    }
    return sockets;
  }

  /** Ends a connection. */
  close(socket: { close(): void }): void {
    this.#sockets.delete(socket);
    closeQuietly(socket);
  }

  /** Does something many times, so many at once, until that has been done for long enough. */
  async many(most: number, atOnce: number, work: (i: number) => Promise<unknown>): Promise<void> {
    await inParallel(most, atOnce, work, () => this.isOver);
  }

  /**
   * Says the same many times, but not for too long, reads all that comes back, and returns how many bytes that were;
   * `first` is said once before.
   */
  async pour(bytes: Uint8Array, most = 1, first: Uint8Array = NOTHING): Promise<number> {
    const socket = await this.connect();
    let reading = Promise.resolve(0);
    try {
      if (this.#token !== undefined) {
        if (first.length > 0) first = await logIn(socket, this.#token, first);
        else bytes = await logIn(socket, this.#token, bytes);
      }
      reading = this.read(socket);
      await writeAll(socket, first);
      for (let i = 0; i < most && (i === 0 || !this.isOver); i++) await writeAll(socket, bytes);
      await socket.closeWrite();
    } catch {
      // The server has hung up, as it may.
    }
    const count = await reading;
    this.close(socket);
    return count;
  }

  /** Says something as a stranger, and returns all that comes back. */
  async ask(bytes: Uint8Array): Promise<string> {
    const [socket, parts] = [await this.connect(), [] as Uint8Array[]];
    const reading = this.read(socket, (part) => parts.push(part.slice()));
    await writeAll(socket, bytes).then(() => socket.closeWrite()).catch(() => {}); // the server has hung up, as it may
    await reading;
    this.close(socket);
    return parts.map((part) => new TextDecoder("latin1").decode(part)).join("");
  }

  /** Reads until the server hangs up, and returns how many bytes that were. */
  async read(socket: DoorSocket, onPart: (part: Uint8Array) => void = () => {}): Promise<number> {
    const buffer = new Uint8Array(256 * 1024);
    let bytes = 0;
    try {
      for (let count = await socket.read(buffer); count !== null; count = await socket.read(buffer)) {
        onPart(buffer.subarray(0, count));
        bytes += count;
      }
    } catch {
      // A reset is an end.
    }
    return bytes;
  }

  /** A peer of the attacker's own. */
  async peer(id: number): Promise<PeerSocket> {
    const peer = await PeerSocket.on(await this.connect(), { id, port: 1 + id % 60_000 }, this.#token);
    this.#sockets.add(peer);
    return peer;
  }

  /** An honest client. */
  client(timeoutMs: number): OrmucoCacheClient {
    return reportingClient([this.victim.address], { timeoutMs, ...accessBy(this.victim.door) }).client;
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) closeQuietly(socket);
    this.#sockets.clear();
  }
}

/** Does the same many times, so many at once, unless that is over before. */
export async function inParallel(
  times: number,
  atOnce: number,
  work: (i: number) => Promise<unknown>,
  isOver: () => boolean = () => false,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < times && !isOver()) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}
