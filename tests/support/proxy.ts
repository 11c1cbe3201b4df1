/** A network of the tests' own: a TCP proxy with delay and rate, that can be cut and held up. */

/** What time is it, and what is to be done later. */
export interface ProxyTime {
  nowMs(): number;
  /** Runs a function at a time, once; returns how to call that off. */
  runAt(atMs: number, run: () => void): () => void;
}

/** How a proxy forwards. */
export interface ProxyOptions {
  /** How long each byte is on its way, in one direction (0). */
  delayMs?: number;
  /** How many bytes a second set out, in one direction of one connection (no limit). */
  rateBytesPerSecond?: number;
  /** Bytes on their way in one direction of one connection, at most; then the proxy reads no more (256 KiB). */
  maxBytesInFlight?: number;
  /** The machine's time, unless a test has one of its own. */
  time?: ProxyTime;
}

const MAX_CHUNK_BYTES = 64 * 1024;
const MIN_CHUNK_BYTES = 256;
/** A chunk of a limited rate is what sets out in so many milliseconds: a larger one would arrive as a burst. */
const CHUNK_MS = 10;

const REAL_TIME: ProxyTime = {
  nowMs: () => performance.now(),
  runAt(atMs, run) {
    const timer = setTimeout(run, Math.max(0, atMs - performance.now()));
    return () => clearTimeout(timer);
  },
};

/** Listens on a port of its own and forwards to another server. */
export class TcpProxy implements AsyncDisposable {
  /** The port where connections go; it may be set late. */
  target: number;
  /** For bytes that are read from now on; see {@linkcode ProxyOptions}. */
  delayMs: number;
  rateBytesPerSecond: number;
  readonly maxBytesInFlight: number;
  readonly #time: ProxyTime;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #sockets = new Set<Deno.TcpConn>();
  readonly #lanes = new Set<Lane>();
  readonly #work = new Set<Promise<void>>();
  #isCut = false;
  #isHeld = false;

  constructor(target = 0, options: ProxyOptions = {}) {
    this.target = target;
    this.delayMs = options.delayMs ?? 0;
    this.rateBytesPerSecond = options.rateBytesPerSecond ?? Infinity;
    this.maxBytesInFlight = options.maxBytesInFlight ?? 256 * 1024;
    this.#time = options.time ?? REAL_TIME;
    this.#start(this.#accept());
  }

  /** What others connect to. */
  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Whether bytes stay where they are. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Chunks that have been read and not yet written, in all directions of all connections. */
  get chunksInFlight(): number {
    return [...this.#lanes].reduce((sum, { chunks }) => sum + chunks, 0);
  }

  /** Their bytes. */
  get bytesInFlight(): number {
    return [...this.#lanes].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Ends all connections and lets none live; what is in flight is lost. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) close(socket);
    for (const lane of this.#lanes) lane.lose();
  }

  /** From now on bytes stay where they are; connections do too. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Lets connections live again, without delay and at full rate; what is in flight arrives at once. */
  heal(): void {
    [this.#isCut, this.#isHeld, this.delayMs, this.rateBytesPerSecond] = [false, false, 0, Infinity];
    for (const lane of this.#lanes) lane.hurry();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await Promise.all(this.#work);
  }

  #start(work: Promise<void>): void {
    const quiet = work.catch(() => {}).finally(() => this.#work.delete(quiet));
    this.#work.add(quiet);
  }

  async #accept(): Promise<void> {
    for await (const socket of this.#listener) this.#start(this.#connect(socket));
  }

  async #connect(socket: Deno.TcpConn): Promise<void> {
    if (this.#isCut || this.target === 0) return close(socket);
    this.#sockets.add(socket);
    let other: Deno.TcpConn | undefined;
    try {
      other = await Deno.connect({ hostname: "127.0.0.1", port: this.target });
      this.#sockets.add(other);
      if (this.#isCut) return;
      for (const end of [socket, other]) end.setNoDelay(true);
      await Promise.all([this.#forward(socket, other), this.#forward(other, socket)]);
    } finally {
      for (const end of [socket, other]) {
        if (end === undefined) continue;
        close(end);
        this.#sockets.delete(end);
      }
    }
  }

  async #forward(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const lane = new Lane(this, this.#time);
    this.#lanes.add(lane);
    const giveUp = () => {
      lane.lose();
      for (const end of [from, to]) close(end);
    };
    try {
      await Promise.all([lane.read(from).catch(giveUp), lane.write(to).catch(giveUp)]);
    } finally {
      this.#lanes.delete(lane);
    }
  }
}

/** Bytes that have been read, and the end of all bytes. */
interface Chunk {
  readonly bytes: Uint8Array;
  readonly isEnd: boolean;
  dueMs: number;
}

/** One direction of one connection: chunks on their way. It reads on while others wait for their time. */
class Lane {
  readonly #proxy: TcpProxy;
  readonly #time: ProxyTime;
  readonly #queue: Chunk[] = [];
  /** When the last byte that was read has set out. */
  #lastOutMs = 0;
  /** Those who wait for something to change. */
  readonly #waiting = new Set<() => void>();
  #isLost = false;
  bytes = 0;

  constructor(proxy: TcpProxy, time: ProxyTime) {
    this.#proxy = proxy;
    this.#time = time;
  }

  get chunks(): number {
    return this.#queue.filter(({ isEnd }) => !isEnd).length;
  }

  /** What is in flight is due now. */
  hurry(): void {
    this.#lastOutMs = this.#time.nowMs();
    for (const chunk of this.#queue) chunk.dueMs = this.#lastOutMs;
    this.#changed();
  }

  /** What is in flight is lost, and nothing more is taken. */
  lose(): void {
    this.#isLost = true;
    [this.#queue.length, this.bytes] = [0, 0];
    this.#changed();
  }

  /** Reads until the end. */
  async read(from: Deno.TcpConn): Promise<void> {
    while (true) {
      while (this.bytes >= this.#proxy.maxBytesInFlight) await this.#change();
      const space = Math.min(this.#chunkBytes(), this.#proxy.maxBytesInFlight - this.bytes);
      const chunk = new Uint8Array(space);
      const count = await from.read(chunk);
      if (this.#isLost) return;
      this.#add(chunk.subarray(0, count ?? 0), count === null);
      if (count === null) return;
    }
  }

  /** Writes each chunk when it is due, until the end. */
  async write(to: Deno.TcpConn): Promise<void> {
    while (!this.#isLost) {
      const [chunk] = this.#queue;
      if (chunk === undefined || this.#proxy.isHeld) await this.#change();
      else if (chunk.dueMs > this.#time.nowMs()) await this.#change(chunk.dueMs);
      else if (chunk.isEnd) return await to.closeWrite();
      else {
        for (let at = 0; at < chunk.bytes.length;) at += await to.write(chunk.bytes.subarray(at));
        if (this.#isLost) return;
        this.#queue.shift();
        this.bytes -= chunk.bytes.length;
        this.#changed();
      }
    }
  }

  #chunkBytes(): number {
    const bytes = Math.floor(this.#proxy.rateBytesPerSecond * CHUNK_MS / 1000);
    return Math.min(MAX_CHUNK_BYTES, Math.max(MIN_CHUNK_BYTES, bytes));
  }

  #add(bytes: Uint8Array, isEnd: boolean): void {
    const { delayMs, rateBytesPerSecond } = this.#proxy;
    this.#lastOutMs = Math.max(this.#lastOutMs, this.#time.nowMs()) + 1000 * bytes.length / rateBytesPerSecond;
    this.#queue.push({ bytes, isEnd, dueMs: this.#lastOutMs + delayMs });
    this.bytes += bytes.length;
    this.#changed();
  }

  /** Waits until something has changed, or a time has come. */
  #change(atMs = Infinity): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        callOff();
        this.#waiting.delete(done);
        resolve();
      };
      const callOff = atMs === Infinity ? () => {} : this.#time.runAt(atMs, done);
      this.#waiting.add(done);
    });
  }

  #changed(): void {
    for (const done of this.#waiting) done();
  }
}

function close(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch {
    // Closed already.
  }
}
