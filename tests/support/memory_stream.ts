/** A connection without a socket: a test decides what arrives, and when a write has been taken. */

import type { ByteStream } from "../../lib/platform/byte_stream.ts";

/** Both sides of it. */
export class MemoryStream implements ByteStream {
  readonly remoteAddr: Deno.Addr = { transport: "tcp", hostname: "192.0.2.1", port: 1 };
  /** Everything that has been written. */
  written: number[] = [];
  /** Bytes that one write takes at most. */
  mostBytes = Infinity;
  isClosed = false;
  readonly #arrived: Uint8Array[] = [];
  #reader: { space: Uint8Array; resolve: (count: number | null) => void } | undefined;
  #isHeld = false;
  #release: (() => void) | undefined;

  /** Whether everything that has arrived has been read. */
  get isIdle(): boolean {
    return this.#arrived.length === 0;
  }

  /** Has bytes arrive. */
  send(bytes: Uint8Array): void {
    this.#arrived.push(bytes.slice());
    this.#deliver();
  }

  /** From now on writes wait. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Lets the write that waits, if there is one, be taken; and all others. */
  release(): void {
    this.#isHeld = false;
    this.#release?.();
  }

  read(space: Uint8Array): Promise<number | null> {
    return new Promise((resolve) => {
      this.#reader = { space, resolve };
      this.#deliver();
    });
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#isHeld) await new Promise<void>((resolve) => this.#release = resolve);
    if (this.isClosed) throw new Deno.errors.BadResource("closed");
    const part = bytes.subarray(0, this.mostBytes);
    for (const byte of part) this.written.push(byte);
    return part.length;
  }

  async closeWrite(): Promise<void> {}

  close(): void {
    this.isClosed = true;
    this.#deliver();
  }

  #deliver(): void {
    if (this.#reader === undefined) return;
    const { space, resolve } = this.#reader;
    const [bytes] = this.#arrived;
    if (bytes === undefined && !this.isClosed) return;
    this.#reader = undefined;
    if (bytes === undefined) return resolve(null);
    const part = bytes.subarray(0, space.length);
    if (part.length === bytes.length) this.#arrived.shift();
    else this.#arrived[0] = bytes.subarray(part.length);
    space.set(part);
    resolve(part.length);
  }
}

/** Lets everything that waits for no more than promises run. */
export async function settled(): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await Promise.resolve();
}
