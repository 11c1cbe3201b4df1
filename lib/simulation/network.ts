/**
 * The network of a simulated cluster: it loses, repeats, delays and reorders messages, blocks them one way or both ways,
 * and drops those that are too many for a link. It knows nodes, not what messages say.
 *
 * Nodes that are peers have two links: numbers below the number of nodes are the first, to the node of that number, and
 * those above are the second. The receiver has the same link under the sender's number.
 */

/** Messages on their way through one link in one direction, at most; further ones are dropped, as a server does. */
export const LINK_PACKETS = 12;
/** Milliseconds of a way's delay for each of which the way holds one message more than `LINK_PACKETS`. */
const PACKET_MS = 50;

/** By what chance a message is lost, comes twice, or is long delayed. */
export interface Odds {
  readonly loss: number;
  readonly repetition: number;
  readonly longDelay: number;
}

/** The usual odds. */
export const ODDS: Odds = { loss: 0.1, repetition: 0.05, longDelay: 0.05 };

const LONG_MS = 3000;
const USUAL_MS = 20;
/** Messages to a node that can come again, at most, and within which time. */
const ECHOES = 30;
const ECHO_MS = 1000;
const SLOW_MS = 1500;

/** A message on its way through a link. */
export interface Packet<T> {
  readonly atMs: number;
  readonly from: number;
  readonly to: number;
  /** The receiver's number of the link. */
  readonly link: number;
  /** The sender's direction of the link. */
  readonly way: number;
  readonly content: T;
}

/** Messages on their way between nodes. */
export class SimulatedNetwork<T> {
  /** Whether messages are lost, repeated and long delayed. */
  isFaulty = true;
  /** Nodes that read slowly. */
  readonly slow = new Set<number>();
  /** Nodes that take nothing for a while: what comes for them waits, as far as links have room. */
  readonly paused = new Set<number>();
  /** Messages dropped because too many were on their way. */
  overflows = 0;
  readonly #nodes: number;
  readonly #random: () => number;
  readonly #odds: Odds;
  readonly #blocked = new Set<number>();
  readonly #onTheWay: number[];
  /** When the last message of each way arrives that was sent without faults: these keep their order, as those of a connection do. */
  readonly #lastMs: number[];
  /** Messages on their way, in descending order of arrival. */
  readonly #packets: Packet<T>[] = [];
  /** The last messages to each node. */
  readonly #echoes: Packet<T>[][] = [];
  /** Messages that wait for nodes that are paused, in the order of arrival. */
  #waiting: Packet<T>[] = [];

  readonly #wayMs: number;
  readonly #mostPackets: number;

  /** @param wayMs Milliseconds that every message is on its way at least. */
  constructor(nodes: number, random: () => number, odds: Odds = ODDS, wayMs = 0) {
    this.#wayMs = wayMs;
    this.#mostPackets = LINK_PACKETS + Math.floor(wayMs / PACKET_MS);
    this.#nodes = nodes;
    this.#random = random;
    this.#odds = odds;
    this.#onTheWay = Array.from({ length: 2 * nodes * nodes }, () => 0);
    this.#lastMs = [...this.#onTheWay];
  }

  /** Lets nothing through from nodes of one side to those of the other; `isOneWay` leaves the way back open. */
  split(sides: readonly number[], isOneWay: boolean): void {
    this.heal();
    for (let from = 0; from < this.#nodes; from++) {
      for (let to = 0; to < this.#nodes; to++) {
        const isBlocked = isOneWay ? sides[from] < sides[to] : sides[from] !== sides[to];
        if (isBlocked) this.#blocked.add(from * this.#nodes + to);
      }
    }
  }

  /** Lets everything through again. */
  heal(): void {
    this.#blocked.clear();
  }

  /** Lets a node that was paused take what has waited for it. */
  resume(nowMs: number, node: number): void {
    this.paused.delete(node);
    const mine = this.#waiting.filter(({ to }) => to === node);
    this.#waiting = this.#waiting.filter(({ to }) => to !== node);
    for (const packet of mine) this.#add({ ...packet, atMs: nowMs + 1 });
  }

  /** Lets the last messages that were sent to a node come again, at any time within a second. */
  repeat(nowMs: number, node: number): void {
    for (const packet of this.#echoes[node] ?? []) {
      this.#onTheWay[packet.way]++;
      this.#add({ ...packet, atMs: nowMs + 1 + Math.floor(this.#random() * ECHO_MS) });
    }
    this.#echoes[node] = [];
  }

  /** Whether so few messages are on their way through a link of a node that it can take a long one. */
  isReady(from: number, link: number): boolean {
    return this.#onTheWay[from * 2 * this.#nodes + link] < this.#mostPackets / 2;
  }

  /** The sender's number of the link that a message has come through. */
  linkOf({ from, way }: Packet<T>): number {
    return way - from * 2 * this.#nodes;
  }

  /** Sends a message by a link of a node. */
  send(nowMs: number, from: number, link: number, content: T): void {
    const nodes = this.#nodes;
    const { loss, repetition, longDelay } = this.#odds;
    if (this.isFaulty && this.#random() < loss) return;
    const way = from * 2 * nodes + link;
    const to = link % nodes;
    for (let copies = this.isFaulty && this.#random() < repetition ? 2 : 1; copies > 0; copies--) {
      if (this.#onTheWay[way] === this.#mostPackets) {
        this.overflows++;
        return;
      }
      const mostMs = this.isFaulty && this.#random() < longDelay ? LONG_MS : this.slow.has(to) ? SLOW_MS : USUAL_MS;
      let atMs = nowMs + this.#wayMs + 1 + Math.floor(this.#random() * mostMs);
      if (!this.isFaulty) atMs = this.#lastMs[way] = Math.max(atMs, this.#lastMs[way]);
      this.#onTheWay[way]++;
      const packet = { atMs, from, to, link: link < nodes ? from : from + nodes, way, content };
      this.#add(packet);
      const echoes = this.#echoes[to] ??= [];
      if (echoes.push(packet) > ECHOES) echoes.shift();
    }
  }

  /** The next message to arrive up to a time, if any. `onBlocked` is called with those that leave their way before it without arriving. */
  next(endMs: number, onBlocked?: (packet: Packet<T>) => void): Packet<T> | undefined {
    for (let packet = this.#packets.at(-1); packet !== undefined; packet = this.#packets.at(-1)) {
      if (packet.atMs > endMs) return undefined;
      this.#packets.pop();
      if (this.paused.has(packet.to)) {
        this.#waiting.push(packet);
        continue;
      }
      this.#onTheWay[packet.way]--;
      if (!this.#blocked.has(packet.from * this.#nodes + packet.to)) return packet;
      onBlocked?.(packet);
    }
  }

  /** Adds a message; messages that arrive at one time keep the order in which they were sent. */
  #add(packet: Packet<T>): void {
    let [low, high] = [0, this.#packets.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#packets[middle].atMs > packet.atMs) low = middle + 1;
      else high = middle;
    }
    this.#packets.splice(low, 0, packet);
  }
}
