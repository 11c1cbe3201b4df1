/** A network of the tests' own: a TCP proxy that can be cut, held up and slowed down; ports; waiting for something. */

/** Waits until something is so, looking again and again; throws if it does not come to pass. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let looks = 0; looks < 4000; looks++) {
    if (await isSo()) return;
    await pause(looks < 100 ? 1 : 10);
  }
  throw new Error(`This did not come to pass: ${what}`);
}

/** A port that is free, and that no outgoing connection takes: it is below those that the system gives away. */
export function freePort(): number {
  while (true) {
    const port = 20_000 + Math.floor(10_000 * Math.random());
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** How a proxy forwards: so many bytes at a time, and so long apart. */
export interface Pace {
  chunkBytes: number;
  delayMs: number;
}

const FULL_PACE: Pace = { chunkBytes: 64 * 1024, delayMs: 0 };

/** Listens on a port of its own and forwards to another server. */
export class Proxy implements AsyncDisposable {
  /** Where connections go; it may be set late. */
  target: number;
  pace: Pace = FULL_PACE;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #sockets = new Set<Deno.Conn>();
  readonly #work = new Set<Promise<void>>();
  #isCut = false;
  #isClosed = false;

  constructor(target = 0) {
    this.target = target;
    this.#start(this.#accept());
  }

  /** What others connect to. */
  get address(): string {
    return `127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}`;
  }

  /** Ends all connections and lets none live. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) close(socket);
  }

  /** Lets connections live again. */
  heal(): void {
    this.#isCut = false;
    this.pace = FULL_PACE;
  }

  /** From now on bytes stay where they are; connections do too. */
  hold(): void {
    this.pace = { chunkBytes: 1, delayMs: Infinity };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
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

  async #connect(socket: Deno.Conn): Promise<void> {
    if (this.#isCut || this.target === 0) return close(socket);
    this.#sockets.add(socket);
    try {
      const other = await Deno.connect({ hostname: "127.0.0.1", port: this.target });
      this.#sockets.add(other);
      if (this.#isCut) close(other);
      await Promise.all([this.#forward(socket, other), this.#forward(other, socket)]);
      this.#sockets.delete(other);
    } finally {
      close(socket);
      this.#sockets.delete(socket);
    }
  }

  async #forward(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    try {
      const bytes = new Uint8Array(FULL_PACE.chunkBytes);
      while (!this.#isClosed) {
        while (this.pace.delayMs === Infinity && !this.#isClosed && !this.#isCut) await pause(5);
        const count = await from.read(bytes.subarray(0, this.pace.chunkBytes));
        if (count === null) return;
        while (this.pace.delayMs === Infinity && !this.#isClosed && !this.#isCut) await pause(5);
        if (this.pace.delayMs > 0) await pause(this.pace.delayMs);
        for (let at = 0; at < count;) at += await to.write(bytes.subarray(at, count));
      }
    } catch {
      // It was cut, or one side has gone.
    } finally {
      close(from);
      close(to);
    }
  }
}

/** Milliseconds; forever is not waited for. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.min(ms, 10)));
}

function close(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch {
    // Closed already.
  }
}
