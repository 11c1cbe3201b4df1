/**
 * The network of a simulated cluster: it loses, repeats, delays and reorders messages, blocks them one way or both ways,
 * and drops those that are too many for a link. It knows nodes, not what messages say.
 *
 * Nodes that are peers have two links: numbers below the number of nodes are the first, to the node of that number, and
 * those above are the second. The receiver has the same link under the sender's number.
 */

/** Messages on their way through one link in one direction, at most; further ones are dropped, as a server does. */
export const LINK_PACKETS = 12;

const LOSS = 0.1;
const REPETITION = 0.05;
const LONG_DELAY = 0.05;
const LONG_MS = 3000;
const USUAL_MS = 20;
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
  /** Messages dropped because too many were on their way. */
  overflows = 0;
  readonly #nodes: number;
  readonly #random: () => number;
  readonly #blocked = new Set<number>();
  readonly #onTheWay: number[];
  /** Messages on their way, in descending order of arrival. */
  readonly #packets: Packet<T>[] = [];

  constructor(nodes: number, random: () => number) {
    this.#nodes = nodes;
    this.#random = random;
    this.#onTheWay = Array.from({ length: 2 * nodes * nodes }, () => 0);
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

  /** Sends a message by a link of a node. */
  send(nowMs: number, from: number, link: number, content: T): void {
    const nodes = this.#nodes;
    if (this.isFaulty && this.#random() < LOSS) return;
    const way = from * 2 * nodes + link;
    const to = link % nodes;
    for (let copies = this.isFaulty && this.#random() < REPETITION ? 2 : 1; copies > 0; copies--) {
      if (this.#onTheWay[way] === LINK_PACKETS) {
        this.overflows++;
        return;
      }
      const mostMs = this.isFaulty && this.#random() < LONG_DELAY ? LONG_MS : this.slow.has(to) ? SLOW_MS : USUAL_MS;
      const atMs = nowMs + 1 + Math.floor(this.#random() * mostMs);
      this.#onTheWay[way]++;
      this.#add({ atMs, from, to, link: link < nodes ? from : from + nodes, way, content });
    }
  }

  /** The next message to arrive up to a time, if any. */
  next(endMs: number): Packet<T> | undefined {
    for (let packet = this.#packets.at(-1); packet !== undefined; packet = this.#packets.at(-1)) {
      if (packet.atMs > endMs) return undefined;
      this.#packets.pop();
      this.#onTheWay[packet.way]--;
      if (!this.#blocked.has(packet.from * this.#nodes + packet.to)) return packet;
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
