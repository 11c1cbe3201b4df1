/**
 * A client's connection to one of several servers: connects when first needed, writes all calls of one turn at once,
 * reads, times out, and connects again. It knows sockets and timers, not what calls mean.
 */

import { type Address, formatAddress } from "./address.ts";
import { CacheError, type CacheErrorCode, ProtocolError } from "./errors.ts";
import { FrameReader, FrameWriter } from "./frame.ts";
import { type Call, Pipeline, readGreeting, writeHello } from "./pipeline.ts";
import { closeQuietly, writeAll } from "./socket.ts";

/** What a link needs to know. */
export interface LinkOptions {
  /** Servers, the preferred first; there is at least one. */
  readonly servers: readonly Address[];
  /** Milliseconds until a call, or an attempt to connect, has failed. */
  readonly timeoutMs: number;
  /** Name and version for the greeting. */
  readonly software: string;
  /** Told of each failure of a connection, once. */
  readonly onError: (error: CacheError) => void;
}

const FIRST_BACKOFF_MS = 50;
const LAST_BACKOFF_MS = 5000;

type Socket = Deno.TcpConn | Deno.UnixConn;

/** A connection that comes back. */
export class Link {
  readonly #options: LinkOptions;
  /** The calls of the current connection, or of the one being made; `undefined` when there is none. */
  #pipeline: Pipeline | undefined;
  #socket: Socket | undefined;
  #server = 0;
  /** Attempts since the last reply: with as many as there are servers, the next one waits. */
  #failures = 0;
  #retryAtMs = 0;
  #turnMs = 0;
  #flushIsQueued = false;
  #isWriting = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #lastError: CacheError | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** The server in use, once greeted. */
  get connectedTo(): string | undefined {
    return this.#socket && formatAddress(this.#address);
  }

  /** Calls without a reply yet. */
  get pending(): number {
    return this.#pipeline?.pending ?? 0;
  }

  /**
   * Makes a call: `write` puts the request into the output, and the call is settled later, or at once if it cannot be
   * made. Throws only what `write` throws, and then nothing is sent.
   */
  call<Result>(write: (output: FrameWriter) => void, call: Call<Result>): void {
    // Calls of one turn go out together, so they share one reading of the clock.
    if (!this.#flushIsQueued) this.#turnMs = performance.now();
    const pipeline = this.#pipeline ?? this.#connectAgain(this.#turnMs);
    if (pipeline === undefined) return call.settle(undefined, this.#lastError);
    if (pipeline.isFull) return call.settle(undefined, this.#error("busy", "too many calls wait for it"));
    write(pipeline.output);
    pipeline.add(call, this.#turnMs);
    if (pipeline.pending === 1) this.#socket?.ref();
    if (this.#timer === undefined) this.#startTimer(this.#options.timeoutMs);
    if (this.#flushIsQueued) return;
    this.#flushIsQueued = true;
    queueMicrotask(() => this.#flush());
  }

  /** Fails what waits and ends the connection. Later calls fail. */
  close(): void {
    this.#closed = true;
    this.#lastError = new CacheError("unreachable", "the client is closed");
    this.#end(this.#lastError);
  }

  get #address(): Address {
    return this.#options.servers[this.#server];
  }

  #connectAgain(nowMs: number): Pipeline | undefined {
    if (this.#closed || nowMs < this.#retryAtMs) return undefined;
    const pipeline = new Pipeline(new FrameReader());
    this.#pipeline = pipeline;
    this.#run(pipeline).catch((error) => this.#fail(pipeline, error));
    return pipeline;
  }

  /** One connection from beginning to end. */
  async #run(pipeline: Pipeline): Promise<void> {
    const socket = await this.#connect();
    try {
      if (this.#pipeline !== pipeline) return;
      await this.#greet(socket, pipeline);
      if (this.#pipeline !== pipeline) return;
      this.#socket = socket;
      if (pipeline.pending === 0) socket.unref();
      this.#flush();
      await this.#read(socket, pipeline);
    } finally {
      closeQuietly(socket);
    }
  }

  async #connect(): Promise<Socket> {
    const address = this.#address;
    const connecting: Promise<Socket> = address.transport === "tcp"
      ? Deno.connect(address)
      : Deno.connect({ transport: "unix", path: address.path });
    const socket = await this.#inTime(connecting, () => connecting.then(closeQuietly, () => {}));
    if (address.transport === "tcp") (socket as Deno.TcpConn).setNoDelay(true);
    return socket;
  }

  async #greet(socket: Socket, pipeline: Pipeline): Promise<void> {
    const hello = new FrameWriter();
    writeHello(hello, this.#options.software);
    const greeting = (async () => {
      await writeAll(socket, hello.taken());
      await readInto(socket, pipeline.input, () => pipeline.input.next());
    })();
    await this.#inTime(greeting, () => greeting.catch(() => {}));
    readGreeting(pipeline.input);
  }

  async #read(socket: Socket, pipeline: Pipeline): Promise<void> {
    await readInto(socket, pipeline.input, () => {
      if (this.#pipeline !== pipeline) return true;
      pipeline.receive(performance.now());
      this.#failures = 0;
      if (pipeline.pending === 0) socket.unref();
      return false;
    });
  }

  /** Writes what waits, one write at a time: what collects meanwhile goes with the next. */
  #flush(): void {
    this.#flushIsQueued = false;
    const [pipeline, socket] = [this.#pipeline, this.#socket];
    if (this.#isWriting || pipeline === undefined || socket === undefined || pipeline.output.length === 0) return;
    this.#isWriting = true;
    const taken = pipeline.take();
    writeAll(socket, taken.taken())
      .then(() => pipeline.written(taken), (error) => this.#fail(pipeline, error))
      .finally(() => {
        this.#isWriting = false;
        this.#flush();
      });
  }

  /** Ends a connection that failed, unless that has happened already. */
  #fail(pipeline: Pipeline, cause: unknown): void {
    if (this.#pipeline !== pipeline) return;
    const error = this.#describe(cause);
    this.#server = (this.#server + 1) % this.#options.servers.length;
    this.#failures++;
    const rounds = Math.floor(this.#failures / this.#options.servers.length);
    if (rounds > 0) {
      const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** (rounds - 1), LAST_BACKOFF_MS);
      this.#retryAtMs = performance.now() + backoffMs * (0.5 + Math.random() / 2);
    }
    this.#lastError = error;
    this.#end(error);
    this.#options.onError(error);
  }

  #end(error: CacheError): void {
    const [pipeline, socket] = [this.#pipeline, this.#socket];
    this.#pipeline = undefined;
    this.#socket = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (socket !== undefined) closeQuietly(socket);
    pipeline?.fail(error);
  }

  #describe(cause: unknown): CacheError {
    if (cause instanceof CacheError) return this.#error(cause.code, cause.message, cause);
    if (cause instanceof ProtocolError) return this.#error("protocol", cause.message, cause);
    return this.#error("unreachable", cause instanceof Error ? cause.message : String(cause), cause);
  }

  #error(code: CacheErrorCode, reason: string, cause?: unknown): CacheError {
    return new CacheError(code, `Cannot use server ${formatAddress(this.#address)}: ${reason}`, { cause });
  }

  /** Rejects once the time is over; `abandon` takes care of what the promise may still bring. */
  async #inTime<T>(promise: Promise<T>, abandon: () => void): Promise<T> {
    const { timeoutMs } = this.#options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        abandon();
        reject(new CacheError("timeout", `no connection within ${timeoutMs} ms`));
      }, timeoutMs);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** One timer watches all calls: they were made in order, so the oldest is the first to be late. */
  #startTimer(delayMs: number): void {
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(1, Math.ceil(delayMs)));
    // While calls wait the socket keeps the process alive; while a connection is made, so does that.
    Deno.unrefTimer(this.#timer);
  }

  #onTimer(): void {
    this.#timer = undefined;
    const pipeline = this.#pipeline;
    if (pipeline === undefined) return;
    const { timeoutMs } = this.#options;
    const nowMs = performance.now();
    if (!pipeline.expire(nowMs, timeoutMs) && this.#socket !== undefined) {
      return this.#fail(pipeline, new CacheError("timeout", `no reply within ${timeoutMs} ms`));
    }
    const oldestMs = pipeline.oldestMs();
    if (oldestMs === undefined) return;
    const ageMs = nowMs - oldestMs;
    this.#startTimer((ageMs < timeoutMs ? timeoutMs : 2 * timeoutMs) - ageMs);
  }
}

/** Reads until `onBytes` says that it is enough. */
async function readInto(socket: Socket, input: FrameReader, onBytes: () => boolean): Promise<void> {
  while (true) {
    const count = await socket.read(input.space());
    if (count === null) throw new Error("the server closed the connection");
    input.received(count);
    if (onBytes()) return;
  }
}
