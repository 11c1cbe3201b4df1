/**
 * One encrypted connection as a `ByteStream`: node:tls encrypts and decrypts, and a stream below carries what is encrypted.
 * It knows neither certificates nor what the bytes mean.
 *
 * The stream below is read only while somebody reads here, so nothing piles up in between.
 */

import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import type tls from "node:tls";
import type { BufferAccount } from "../base/lent.ts";
import type { ByteStream } from "./byte_stream.ts";
import { closeQuietly, pause, writeAll } from "./socket.ts";
import { hostNamesIn } from "./x509.ts";

/** Milliseconds for a handshake. */
const HANDSHAKE_MS = 5000;
/** Bytes of the buffer for what is encrypted, while little arrives, and while the read before has filled it. */
const SMALL_BYTES = 2 * 1024;
const LARGE_BYTES = 64 * 1024;
/** Bytes that are encrypted together: node:tls takes 48 KiB at once, three records. */
const MOST_WRITTEN = 48 * 1024;
/**
 * Encrypted bytes that may arrive without a byte of content: a record has 16 KiB, a message of a handshake 64 KiB, and a chain
 * of certificates is one message.
 */
const MOST_WITHOUT_CONTENT = 128 * 1024;
const NOTHING = new Uint8Array(0);

/**
 * What `TLSSocket` has inside in Deno 2.8 and later: bytes in, bytes out, and no stream around it, which takes more time than
 * the encryption. It is no public interface, so a `TlsStream` does without where it is missing.
 */
interface Engine {
  /** Called with what was decrypted, or with nothing if that lies in the buffer it was given, and at the end. */
  onread: (content?: ArrayBuffer) => void;
  /** Where to put what is decrypted. */
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  /** Takes encrypted bytes, and calls `onread` before it returns. */
  readBuffer(encrypted: Uint8Array): void;
  /** Bytes that were decrypted so far. */
  getBytesRead(): number;
  /** Encrypts a copy of the bytes. */
  writeBuffer(request: object, bytes: Uint8Array): number;
  /** Says that nothing more is sent. */
  shutdown(request: object): number;
  /** What was encrypted since the last call. */
  drainEncOut(): Uint8Array;
}
const ENGINE_METHODS = [
  ...["useUserBuffer", "readStart", "readBuffer", "getBytesRead", "writeBuffer", "shutdown", "drainEncOut"] as const,
];
/** Microtasks in which node:tls has begun to write what it has to say. */
const MICROTASKS = 8;
/** A write of which nobody wants to hear when it is done. */
const REQUEST = {};
/** Where all connections decrypt to: what lies there is taken away at once. More than one read and a record are never there. */
const DECRYPTED = new Uint8Array(2 * LARGE_BYTES);

/** The stream below as node:tls wants it: a `Duplex` that is given what arrives, and writes what is encrypted. */
export class EncryptedSide extends Duplex {
  readonly stream: ByteStream;
  /** The write under way. */
  writing: Promise<void> | undefined;

  constructor(stream: ByteStream) {
    super({ allowHalfOpen: true });
    this.stream = stream;
    this.on("error", () => {}); // who reads or writes is told
  }

  /** Nothing: what is read is pushed. */
  override _read(): void {}

  /** Writes all of a chunk, also when node:tls has given the connection up: an alert says why. One is written at a time. */
  override write(chunk: Uint8Array, ...rest: unknown[]): boolean {
    const done = rest.at(-1) as (error?: unknown) => void;
    const writing = writeAll(this.stream, chunk).then(() => done(), done).finally(() => {
      if (this.writing === writing) this.writing = undefined;
    });
    this.writing = writing;
    return true;
  }
}

/** Options of {@linkcode TlsStream}. */
export interface TlsStreamOptions {
  /** Told of the memory that waiting bytes take. */
  readonly account?: BufferAccount;
  /** Whether to do without node:tls' streams where that is possible; it is done by default. */
  readonly isDirect?: boolean;
}

/** An encrypted connection. */
export class TlsStream implements ByteStream {
  readonly isEncrypted = true;
  readonly remoteAddr: Deno.Addr;
  readonly localAddr: Deno.Addr | undefined;
  readonly #below: ByteStream;
  readonly #side: EncryptedSide;
  readonly #account: BufferAccount | undefined;
  readonly #isDirect: boolean;
  /** Set when the handshake is done: by whoever listens, and when this stream uses it. */
  #secured: tls.TLSSocket | undefined;
  #socket: tls.TLSSocket | undefined;
  #engine: Engine | undefined;
  #encrypted = Buffer.alloc(SMALL_BYTES);
  /** What was decrypted and not read yet. */
  #content: Uint8Array | undefined;
  #contentBytes = 0;
  /** Encrypted bytes that have arrived since the last content. */
  #withoutContent = 0;
  /** Bytes that the engine has decrypted, and times that it has said so, or that there are no more. */
  #bytesRead = 0;
  #told = 0;
  #hasEnded = false;
  #isClosed = false;
  #failure: unknown;

  /** @param side What node:tls has been given. */
  constructor(side: EncryptedSide, { account, isDirect = true }: TlsStreamOptions = {}) {
    this.#below = side.stream;
    this.#side = side;
    this.#account = account;
    this.#isDirect = isDirect;
    this.remoteAddr = side.stream.remoteAddr;
    this.localAddr = side.stream.localAddr;
  }

  /** The names in the other side's certificate: the common name of its subject, and names of hosts. None where it has shown none. */
  get peerNames(): readonly string[] {
    const { subject, raw } = this.#socket?.getPeerCertificate() ?? {};
    return [...new Set([subject?.CN ?? [], raw === undefined ? [] : hostNamesIn(raw)].flat())];
  }

  /** Whether it does without node:tls' streams. */
  get isDirect(): boolean {
    return this.#engine !== undefined;
  }

  /** Takes note that the handshake is done; whoever listens to node:tls calls this. */
  isSecured(socket: tls.TLSSocket): void {
    socket.on("error", (error) => this.fail(error));
    this.#secured = socket;
  }

  /**
   * Makes the handshake, within 5 s.
   *
   * @param first What has been read from below already.
   * @throws {Error} If there is no agreement.
   */
  async handshake(first: Uint8Array = NOTHING): Promise<void> {
    const late = new Error(`no handshake within ${HANDSHAKE_MS} ms`);
    const timer = setTimeout(() => this.fail(late), HANDSHAKE_MS);
    try {
      for (let arrived: Uint8Array = first; this.#secured === undefined;) {
        if (this.#failure !== undefined) throw this.#failure;
        this.#hasArrived(arrived.length);
        if (arrived.length > 0) this.#side.push(Buffer.from(arrived));
        if (this.#secured !== undefined) break;
        const count = await this.#below.read(this.#encrypted);
        if (count === null) {
          await pause(0); // node:tls says a moment later what was wrong with the bytes before
          throw new Error("the other side has ended the connection");
        }
        arrived = this.#encrypted.subarray(0, count);
      }
      if (this.#failure !== undefined) throw this.#failure;
      await this.#begin(this.#secured);
    } catch (error) {
      this.close();
      throw this.#failure ?? error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the connection because of an error, which reads and writes throw from now on. */
  fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#flushed().then(() => this.close()); // an alert says why
  }

  async read(space: Uint8Array): Promise<number | null> {
    while (this.#content === undefined) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#hasEnded) return null;
      const count = await this.#below.read(this.#encrypted);
      if (count === null) this.#hasEnded = true;
      else if (this.#engine === undefined) await this.#decryptByStreams(count);
      else {
        const taken = this.#decrypt(this.#engine, count, space);
        if (taken > 0) return taken;
      }
    }
    return this.#take(space);
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#failure !== undefined) throw this.#failure;
    const part = bytes.length > MOST_WRITTEN ? bytes.subarray(0, MOST_WRITTEN) : bytes;
    if (this.#engine === undefined) await this.#writeByStreams(part);
    else {
      const encrypted = this.#encrypt(this.#engine, part);
      const { length } = encrypted;
      this.#account?.changed(length);
      let at = await this.#below.write(encrypted); // one asynchronous function more would slow every reply
      while (at < length) at += await this.#below.write(encrypted.subarray(at));
      this.#account?.changed(-length);
    }
    return part.length;
  }

  async closeWrite(): Promise<void> {
    if (this.#engine === undefined) await this.#endByStreams();
    else {
      this.#engine.shutdown(REQUEST);
      await writeAll(this.#below, this.#engine.drainEncOut());
    }
    await this.#side.writing;
    await this.#below.closeWrite();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#account?.changed(-this.#contentBytes - this.#withoutContent - this.#encrypted.length + SMALL_BYTES);
    this.#content = undefined;
    this.#contentBytes = this.#withoutContent = 0;
    closeQuietly(this.#below);
    this.#socket?.destroy();
    this.#side.destroy();
  }

  setNoDelay(noDelay?: boolean): void {
    this.#below.setNoDelay?.(noDelay);
  }

  setKeepAlive(keepAlive?: boolean): void {
    this.#below.setKeepAlive?.(keepAlive);
  }

  ref(): void {
    this.#below.ref?.();
  }

  unref(): void {
    this.#below.unref?.();
  }

  /** Takes the socket over from node:tls, once all that the handshake has said is written. */
  async #begin(socket: tls.TLSSocket): Promise<void> {
    this.#socket = socket;
    this.#account?.changed(-this.#withoutContent);
    this.#withoutContent = 0;
    await this.#flushed();
    const engine = this.#isDirect ? engineOf(socket) : undefined;
    if (engine === undefined) {
      socket.on("data", (content) => this.#hasContent(content));
      socket.on("end", () => this.#hasEnded = true);
      return await pause(0); // what came with the end of the handshake comes now
    }
    const content: Uint8Array | null = socket.read(); // what came with the end of the handshake
    if (content !== null) this.#hasContent(content);
    this.#bytesRead = engine.getBytesRead();
    engine.onread = (content) => {
      if (content === undefined) this.#told++;
      else this.#hasContent(new Uint8Array(content));
    };
    engine.useUserBuffer(DECRYPTED);
    engine.readStart();
    this.#hasEnded = this.#told > 0;
    this.#engine = engine;
    await writeAll(this.#below, engine.drainEncOut());
  }

  /** Resolves when what node:tls has to say is written: it begins to write a few microtasks later. */
  async #flushed(): Promise<void> {
    for (let i = 0; i < MICROTASKS || this.#side.writing !== undefined; i++) await this.#side.writing;
  }

  /** Decrypts bytes that have been read, into `space` if that is possible. Returns the number of bytes there. */
  #decrypt(engine: Engine, count: number, space: Uint8Array): number {
    const encrypted = this.#encrypted;
    this.#told = 0;
    engine.readBuffer(count === encrypted.length ? encrypted : encrypted.subarray(0, count));
    this.#fit(count);
    const bytesRead = engine.getBytesRead();
    const length = this.#content === undefined ? bytesRead - this.#bytesRead : 0;
    this.#bytesRead = bytesRead;
    if (length > 0) this.#told--;
    if (this.#told > 0) this.#hasEnded = true;
    if (length === 0) {
      if (this.#content === undefined) this.#hasArrived(count);
      return 0;
    }
    if (this.#withoutContent > 0 || length > space.length) {
      this.#hasContent(DECRYPTED.slice(0, length));
      return 0;
    }
    space.set(DECRYPTED.subarray(0, length));
    return length;
  }

  async #decryptByStreams(count: number): Promise<void> {
    this.#hasArrived(count);
    this.#side.push(Buffer.from(this.#encrypted.subarray(0, count)));
    this.#fit(count);
    for (let i = 0; i < MICROTASKS && this.#content === undefined; i++) await undefined;
    if (this.#content === undefined) await pause(0);
  }

  /** Takes note of encrypted bytes, which are kept until they make a record. */
  #hasArrived(count: number): void {
    this.#withoutContent += count;
    this.#account?.changed(count);
    if (this.#withoutContent <= MOST_WITHOUT_CONTENT) return;
    throw new Error(`${this.#withoutContent} encrypted bytes without content: ${MOST_WITHOUT_CONTENT} are allowed`);
  }

  /** Takes note of what was decrypted. */
  #hasContent(content: Uint8Array): void {
    if (this.#isClosed) return;
    this.#account?.changed(content.length - this.#withoutContent);
    this.#withoutContent = 0;
    this.#contentBytes += content.length;
    this.#content = this.#content === undefined ? content : joined(this.#content, content);
  }

  /** Moves content to whoever reads. */
  #take(space: Uint8Array): number {
    const content = this.#content!;
    const count = Math.min(content.length, space.length);
    space.set(count === content.length ? content : content.subarray(0, count));
    this.#content = count === content.length ? undefined : content.subarray(count);
    this.#contentBytes -= count;
    this.#account?.changed(-count);
    return count;
  }

  /** Makes the buffer for encrypted bytes large when a read fills it, and small again when little arrives. */
  #fit(count: number): void {
    const { length } = this.#encrypted;
    const fitting = count === length ? LARGE_BYTES : count > SMALL_BYTES ? length : SMALL_BYTES;
    if (fitting === length) return;
    this.#account?.changed(fitting - length);
    this.#encrypted = Buffer.alloc(fitting);
  }

  /** Encrypts bytes. */
  #encrypt(engine: Engine, bytes: Uint8Array): Uint8Array {
    engine.writeBuffer(REQUEST, bytes);
    let encrypted = engine.drainEncOut();
    while (encrypted.length < bytes.length) { // it has taken a part
      engine.readBuffer(NOTHING);
      const more = engine.drainEncOut();
      if (more.length === 0) throw new Deno.errors.BrokenPipe("node:tls encrypts nothing");
      encrypted = joined(encrypted, more);
    }
    return encrypted;
  }

  #writeByStreams(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket!.write(bytes, (error) => error ? reject(this.#failure ?? error) : resolve());
    });
  }

  #endByStreams(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket!.once("close", () => resolve());
      this.#socket!.end(() => resolve());
    });
  }
}

/** Takes what stands behind a `TLSSocket` out of it, if it can be used. */
function engineOf(socket: tls.TLSSocket): Engine | undefined {
  const engine = (socket as unknown as { _handle?: Engine })._handle;
  const methods = engine && Object.getPrototypeOf(engine) as Engine;
  if (!methods || !ENGINE_METHODS.every((name) => typeof methods[name] === "function")) return undefined;
  // Its own methods hand on what they encrypt through node:tls' streams; those of its class do not.
  engine.writeBuffer = methods.writeBuffer;
  engine.shutdown = methods.shutdown;
  return engine;
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}
