/** Two ends of a connection within this process: what one writes the other reads. It needs no socket and no permission. */

import type { ByteStream } from "./byte_stream.ts";

const NOWHERE: Deno.Addr = { transport: "unix", path: "" };
/** Bytes on their way to an end, at which those who write to it wait. */
const MOST_WAITING = 64 * 1024;

/** One end. */
class End implements ByteStream {
  readonly remoteAddr = NOWHERE;
  other!: End;
  /** What has been written to this end and not been read. */
  #bytes = new Uint8Array(0);
  #hasEnded = false;
  #isClosed = false;
  /** Those who wait for this end to change. */
  #changed: (() => void)[] = [];

  async read(space: Uint8Array): Promise<number | null> {
    while (this.#bytes.length === 0) {
      if (this.#isClosed) throw new Deno.errors.BadResource("the end is closed");
      if (this.#hasEnded) return null;
      await this.#change();
    }
    const part = this.#bytes.subarray(0, space.length);
    space.set(part);
    this.#set(this.#bytes.slice(part.length));
    return part.length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const { other } = this;
    while (other.#bytes.length >= MOST_WAITING && !other.#isClosed) await other.#change();
    if (other.#isClosed || this.#isClosed) throw new Deno.errors.BrokenPipe("an end is closed");
    const all = new Uint8Array(other.#bytes.length + bytes.length);
    all.set(other.#bytes);
    all.set(bytes, other.#bytes.length);
    other.#set(all);
    return bytes.length;
  }

  closeWrite(): Promise<void> {
    this.other.#hasEnded = true;
    this.other.#set(this.other.#bytes);
    return Promise.resolve();
  }

  close(): void {
    this.#isClosed = true;
    this.#set(new Uint8Array(0));
    this.closeWrite();
  }

  #set(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    const changed = this.#changed;
    this.#changed = [];
    for (const goOn of changed) goOn();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }
}

/** Makes a connection within this process. Returns its ends. */
export function pipe(): [ByteStream, ByteStream] {
  const [one, other] = [new End(), new End()];
  [one.other, other.other] = [other, one];
  return [one, other];
}
