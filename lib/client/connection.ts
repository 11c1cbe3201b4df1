/**
 * A client's connection to one of several servers: connects when first needed, writes all calls of one turn at once,
 * reads replies, times out, and connects again. It knows sockets and timers, not what calls mean.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { type Address, formatAddress } from "../base/address.ts";
import type { ClientTlsOptions } from "../base/tls_options.ts";
import { CacheError, type CacheErrorCode, ProtocolError } from "../base/errors.ts";
import type { FrameWriter } from "../wire/frame.ts";
import { greet, readInto } from "../platform/handshake.ts";
import { Outbox } from "../platform/outbox.ts";
import { BoundedCall, type BoundedCallHost, type Bounds } from "./bounded_call.ts";
import { AbandonedError, attemptInTurn } from "./connecting.ts";
import { Parting } from "./parting.ts";
import { type Call, type Hearer, Pipeline, type Turn } from "./pipeline.ts";
import { Slices } from "../platform/slices.ts";
import type { TokenSource } from "./token_source.ts";
import { connect, isDenied } from "../platform/connect.ts";
import { closeQuietly, type Socket } from "../platform/socket.ts";

/** Hears of a connection: of the one in use, from the greeting to its end. */
export interface ConnectionHearer extends Hearer {
  /** Features to name in the greeting, beyond those of every client. */
  readonly features: readonly string[];
  /** Another connection is in use; these are the features that its server has named. */
  connected(features: readonly string[]): void;
  /** Requests have been sent. */
  sent(nowMs: number): void;
  /** The connection is not in use any more. */
  lost(): void;
}

/** Options of {@linkcode ClientConnection}. */
export interface ClientConnectionOptions {
  /** The servers, one or more, in the order in which they are tried. */
  readonly servers: readonly Address[];
  /** Milliseconds after which a call, or an attempt to connect, fails. */
  readonly timeoutMs: number;
  /** How connections are encrypted; `undefined` if they are not. */
  readonly tls?: ClientTlsOptions;
  /** Name and version for the greeting. */
  readonly software: string;
  /** Returns the token, for each connection anew; without it, a server that wants one is of no use. */
  readonly token?: TokenSource;
  /** Called after a minute without a call: it is to make one, which shows whether the server is still there. */
  readonly onQuiet: () => void;
  /** Called once for each failure of a connection. */
  readonly onError: (error: CacheError) => void;
  /** Called when there is a server again after one was lost, with its address. */
  readonly onReconnect?: (server: string) => void;
  readonly hearer?: ConnectionHearer;
}

/** A connection that has been made, and what its server can do. */
interface Opened {
  readonly socket: Socket;
  readonly features: readonly string[];
}

const FIRST_BACKOFF_MS = 50;
const LAST_BACKOFF_MS = 5000;

/** Milliseconds without a call after which `onQuiet` is called, and how often before the connection is ended. */
const QUIET_MS = 60_000;
const MAX_QUIET_CALLS = 10;

/** Does what outlives the call that asks for it: what it does later is no part of that call, of its trace say. */
const apart = AsyncLocalStorage.snapshot();

/** A connection that is made again after it failed. */
export class ClientConnection implements BoundedCallHost {
  readonly #options: ClientConnectionOptions;
  /** The calls of the current connection, or of the one being made; `undefined` when there is none. */
  #pipeline: Pipeline | undefined;
  #socket: Socket | undefined;
  #outbox: Outbox | undefined;
  /** Connections to servers that stop, by their calls, which still wait for replies. */
  readonly #partings = new Map<Pipeline, Parting>();
  #server = 0;
  /** Failures since the last reply: once every server has failed, the next attempt waits. */
  #failures = 0;
  #retryAtMs = 0;
  /** Whether the server that there was is lost; `undefined` where there has been none. */
  #isLost: boolean | undefined;
  #turn: Turn = { sentAtMs: 0, givenAtMs: 0 };
  #flushIsQueued = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #quietTimer: ReturnType<typeof setTimeout> | undefined;
  /** Whether a call is late and the timer waits 1 ms more, so that a reply that has arrived is read. */
  #isOverdue = false;
  #closed = false;
  readonly #slices = new Slices();
  /** Ends the attempt to connect that is under way. */
  #abandon: () => void = () => {};
  #lastError: CacheError | undefined;

  /** What this client's attempts have in common with those of others, beside the server: whom it believes, and who it is. */
  readonly #attempts: string;

  constructor(options: ClientConnectionOptions) {
    this.#options = options;
    const { tls } = options;
    this.#attempts = tls === undefined ? "" : JSON.stringify([tls.caCerts, tls.cert, tls.serverName]);
  }

  /** The address of the server in use; `undefined` before its greeting. */
  get connectedTo(): string | undefined {
    return this.#socket && formatAddress(this.server);
  }

  /** The server in use, or else the one that is tried next. */
  get server(): Address {
    return this.#options.servers[this.#server];
  }

  /** Calls whose replies somebody waits for. */
  get awaited(): number {
    return this.#pipeline?.awaited ?? 0;
  }

  /** Stands for the connection in use, and for no other; `undefined` before its greeting. */
  get current(): object | undefined {
    return this.#socket;
  }

  /**
   * Makes a call: `write` puts the request into the output, and the call is settled later, or at once if it cannot be
   * made. Throws only what `write` throws, and then nothing is sent. A call with `isLast`, made before `close`, is
   * never refused because too many wait. `bounds` are those that the call has beside the time of all; one whose signal is aborted
   * is not made.
   */
  call<Result>(
    write: (output: FrameWriter) => void,
    call: Call<Result>,
    bounds: Bounds | undefined = undefined,
    isLast = false,
  ): void {
    if (bounds?.signal?.aborted) {
      bounds.aborted(bounds.signal.reason);
      return call.ended?.();
    }
    const pipeline = this.#pipeline ?? this.#connectAgain();
    if (pipeline === undefined) return refuse(call, this.#lastError);
    if (pipeline.isFull && !isLast) return refuse(call, this.#error("busy", "too many calls wait for it"));
    // Calls of one turn go out together, so they share one reading of the clock: at the turn's end.
    if (!this.#flushIsQueued) this.#turn = { sentAtMs: Infinity, givenAtMs: Infinity };
    if (bounds === undefined) pipeline.call(write, call, this.#turn);
    else new BoundedCall(call as Call<unknown>, bounds, this).make(pipeline, write, this.#turn);
    if (pipeline.awaited === 1) this.#socket?.ref();
    if (this.#timer === undefined) this.#startTimer(this.#options.timeoutMs);
    if (this.#flushIsQueued) return;
    this.#flushIsQueued = true;
    queueMicrotask(() => this.#flush());
  }

  /** Resolves when no calls wait for servers that stop. What is left to one that is hung is not waited for. */
  async parted(): Promise<void> {
    await Promise.all([...this.#partings.values()].map(({ answered }) => answered));
  }

  /** Fails the calls that wait and ends the connection. Later calls fail. */
  close(): void {
    this.#closed = true;
    this.#lastError = new CacheError("unreachable", "Cannot use client: it is closed", { concerns: "connection" });
    this.#end(this.#lastError);
    this.#abandon();
    for (const parting of this.#partings.values()) parting.end(this.#lastError);
  }

  /** The own time of a call is over. One that has more than others tells so, as they do, whether its server is hung. */
  late({ pipeline, pending }: BoundedCall, isAgain: boolean): void {
    const ownMs = pending.ownMs!;
    const parting = this.#partings.get(pipeline);
    const late = parting?.late(ownMs) ?? this.#late(ownMs);
    pipeline.failLate(pending, late);
    const isJudged = ownMs > this.#options.timeoutMs && (parting !== undefined || this.#socket !== undefined);
    if (isJudged && (isAgain || pipeline.isHung(pending))) return this.#hang(pipeline, late);
    this.givenUp(pipeline);
  }

  /** A connection for whose replies nobody waits any more does not keep the process alive. */
  givenUp(pipeline: Pipeline): void {
    if (pipeline.awaited > 0) return;
    if (this.#pipeline === pipeline) this.#socket?.unref();
    this.#partings.get(pipeline)?.end();
  }

  #connectAgain(): Pipeline | undefined {
    if (this.#closed || performance.now() < this.#retryAtMs) return undefined;
    const pipeline = new Pipeline(this.#slices);
    this.#pipeline = pipeline;
    apart(() => this.#run(pipeline)).catch((error) => {
      if (!(error instanceof AbandonedError)) this.#fail(pipeline, this.#describe(error));
      else if (this.#pipeline === pipeline) this.#end(); // its calls have failed already
    });
    return pipeline;
  }

  /** Makes one connection and uses it until it ends. */
  async #run(pipeline: Pipeline): Promise<void> {
    const { socket, features } = await this.#reach(pipeline);
    try {
      if (this.#pipeline !== pipeline) return;
      this.#socket = socket;
      const onError = (error: unknown) => this.#fail(pipeline, this.#describe(error));
      const { hearer } = this.#options;
      const onProgress = hearer && (() => this.#isGiven());
      this.#outbox = new Outbox({ stream: socket, output: pipeline.output, onError, onProgress });
      pipeline.hearer = hearer;
      hearer?.connected(features);
      if (this.#isLost) this.#options.onReconnect?.(formatAddress(this.server));
      this.#isLost = false;
      if (pipeline.awaited === 0) socket.unref();
      this.#outbox.flushNow();
      this.#watch();
      await this.#read(socket, pipeline);
    } finally {
      closeQuietly(socket);
      this.#partings.get(pipeline)?.end();
    }
  }

  /** Connects to the current server, or else to the next ones: no call has been sent yet, so all can wait. */
  async #reach(pipeline: Pipeline): Promise<Opened> {
    await undefined; // the time for it begins at the end of this turn
    for (let left = this.#options.servers.length - 1;; left--) {
      try {
        return await attemptInTurn(this.#attempts + formatAddress(this.server), () => this.#open(pipeline));
      } catch (error) {
        const isOver = left === 0 || this.#pipeline !== pipeline || error instanceof AbandonedError;
        if (isOver || isDenied(error)) throw error; // a permission that lacks is not hidden by another server
        this.#options.onError(this.#describe(error));
        this.#turnFromServer();
        this.#failures++;
      }
    }
  }

  /** Connects and greets, within this server's share of the time-out: every server has an equal one. */
  async #open(pipeline: Pipeline): Promise<Opened> {
    const isAwaited = pipeline.pending === 0 || pipeline.awaited > 0;
    if (this.#pipeline !== pipeline || !isAwaited) throw new AbandonedError("nobody waits for it");
    const { software, token, timeoutMs, servers, hearer } = this.#options;
    const limitMs = timeoutMs / servers.length;
    let socket: Socket | undefined;
    const abort = new AbortController();
    const opening = (async () => {
      socket = await connect(this.server, abort.signal, this.#options.tls);
      const greeting = { software, features: hearer?.features, token: await token?.() };
      return { socket, ...await greet(socket, greeting) };
    })();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const onLate = () => {
        const what = socket === undefined ? `no connection within ${limitMs} ms` : noGreeting(limitMs);
        reject(new CacheError("timeout", what));
      };
      timer = setTimeout(() => timer = setTimeout(onLate, 1), limitMs); // after a pause of this process, what has come is read first
    });
    this.#abandon = () => socket === undefined ? abort.abort() : closeQuietly(socket);
    try {
      const opened = await Promise.race([opening, late]);
      pipeline.attach(opened.input, performance.now());
      return { socket: opened.socket, features: opened.server.features };
    } catch (error) {
      opening.then(({ socket }) => closeQuietly(socket), () => {});
      this.#abandon();
      throw this.#pipeline === pipeline ? error : new AbandonedError("it is closed");
    } finally {
      clearTimeout(timer);
    }
  }

  async #read(socket: Socket, pipeline: Pipeline): Promise<void> {
    await readInto(socket, pipeline.input, () => {
      if (!this.#isInUse(pipeline)) return true;
      const nowMs = performance.now();
      this.#slices.begin(nowMs);
      const isDone = pipeline.receive(nowMs);
      if (this.#pipeline === pipeline) this.#failures = 0;
      return isDone ? this.#hasRead(socket, pipeline) : this.#readOn(socket, pipeline);
    });
  }

  /** Whether replies are awaited on a connection. */
  #isInUse(pipeline: Pipeline): boolean {
    return this.#pipeline === pipeline || this.#partings.has(pipeline);
  }

  /** Looks at what follows from the replies that have been read. Returns whether the connection is of no use any more. */
  #hasRead(socket: Socket, pipeline: Pipeline): boolean {
    if (pipeline.isLast && this.#pipeline === pipeline) this.#leave(socket, pipeline);
    if (pipeline.awaited === 0) socket.unref();
    return this.#pipeline !== pipeline && pipeline.awaited === 0;
  }

  /** Leaves a server that stops: it answers the calls that have been made, and the next go to another. */
  #leave(socket: Socket, pipeline: Pipeline): void {
    this.#part(socket, pipeline);
    this.#turnFromServer();
    this.#detach();
  }

  /** Has the next server be the one in use: this one is lost, or was not there. */
  #turnFromServer(): void {
    this.#server = (this.#server + 1) % this.#options.servers.length;
    if (this.#isLost !== undefined) this.#isLost = true;
  }

  /** Has the calls that have been made wait for their replies, whatever becomes of later ones. */
  #part(socket: Socket, pipeline: Pipeline): Parting {
    const { timeoutMs } = this.#options;
    const parting = new Parting({ socket, pipeline, timeoutMs, server: formatAddress(this.server) });
    this.#partings.set(pipeline, parting);
    parting.done.then(() => this.#partings.delete(pipeline));
    this.#outbox?.flushNow(); // the calls of this turn
    return parting;
  }

  /** Goes on with replies that take longer than a turn. Returns whether the connection has ended meanwhile. */
  async #readOn(socket: Socket, pipeline: Pipeline): Promise<boolean> {
    do {
      await this.#slices.next();
      if (!this.#isInUse(pipeline)) return true;
    } while (!pipeline.receive(performance.now()));
    const isOver = this.#hasRead(socket, pipeline);
    if (this.#pipeline !== pipeline) return isOver;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const deadlineMs = pipeline.deadlineMs(this.#options.timeoutMs);
    if (deadlineMs !== undefined) this.#startTimer(deadlineMs - performance.now());
    return false;
  }

  /** Looks whether there have been calls in the last minute. The connection of one that makes none gives its place to others. */
  #watch(quietCalls = 0): void {
    const turn = this.#turn;
    this.#quietTimer = setTimeout(() => {
      if (this.#turn !== turn) return this.#watch();
      if (this.#pipeline!.pending > 0) return this.#watch(quietCalls); // the last one waits for its reply
      if (quietCalls === MAX_QUIET_CALLS) return this.#end();
      this.#options.onQuiet();
      this.#watch(quietCalls + 1);
    }, QUIET_MS);
    Deno.unrefTimer(this.#quietTimer);
  }

  /** Writes the calls of this turn. */
  #flush(): void {
    this.#flushIsQueued = false;
    const nowMs = performance.now();
    this.#turn.sentAtMs = nowMs;
    this.#turn.givenAtMs = Math.min(nowMs, this.#turn.givenAtMs);
    if (this.#outbox === undefined) return;
    this.#options.hearer?.sent(nowMs);
    this.#outbox.flushNow();
  }

  /** Takes note that calls of this turn may leave before its end: with what a write that was under way had left. */
  #isGiven(): void {
    if (this.#turn.givenAtMs === Infinity) this.#turn.givenAtMs = performance.now();
  }

  /** Ends a connection that failed, unless it has ended already. */
  #fail(pipeline: Pipeline, error: CacheError): void {
    if (this.#pipeline !== pipeline) return;
    this.#goOn(error);
    this.#end(error);
    this.#options.onError(error);
  }

  /**
   * Leaves a server that does not answer. Its calls fail, but those that have more time of their own: it may be busy with one of
   * them, which nobody else is to wait for.
   */
  #hang(pipeline: Pipeline, error: CacheError): void {
    const socket = this.#socket;
    const parting = this.#partings.get(pipeline);
    if (parting !== undefined) return parting.hang(error);
    if (socket === undefined || !pipeline.hasPatient(this.#options.timeoutMs)) return this.#fail(pipeline, error);
    const left = this.#part(socket, pipeline);
    this.#goOn(error);
    this.#detach();
    left.hang(error);
    this.#options.onError(error);
  }

  /** Has the next call go to the next server, or wait for a while once each has failed. */
  #goOn(error: CacheError): void {
    this.#turnFromServer();
    this.#failures++;
    const rounds = Math.floor(this.#failures / this.#options.servers.length);
    if (rounds > 0) {
      const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** (rounds - 1), LAST_BACKOFF_MS);
      this.#retryAtMs = performance.now() + backoffMs * (0.5 + Math.random() / 2);
    }
    this.#lastError = error;
  }

  #end(error: CacheError = this.#error("unreachable", "the connection was given up")): void {
    const [pipeline, socket] = [this.#pipeline, this.#socket];
    this.#detach();
    if (socket !== undefined) closeQuietly(socket);
    pipeline?.fail(error);
  }

  /** Begins anew: the next call connects. */
  #detach(): void {
    const hearer = this.#pipeline?.hearer;
    if (hearer !== undefined) {
      this.#pipeline!.hearer = undefined;
      this.#options.hearer!.lost();
    }
    this.#pipeline = undefined;
    this.#socket = undefined;
    this.#outbox = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    clearTimeout(this.#quietTimer);
  }

  #describe(cause: unknown): CacheError {
    if (cause instanceof CacheError) return this.#error(cause.code, cause.message, cause);
    if (cause instanceof ProtocolError) return this.#error("protocol", cause.message, cause);
    return this.#error("unreachable", cause instanceof Error ? cause.message : String(cause), cause);
  }

  #error(code: CacheErrorCode, reason: string, cause?: unknown): CacheError {
    return new CacheError(code, `Cannot use server ${formatAddress(this.server)}: ${reason}`, {
      cause,
      concerns: "connection",
    });
  }

  /** The error of a call that has waited for so long. */
  #late(ms: number): CacheError {
    return this.#error("timeout", this.#socket === undefined ? noGreeting(ms) : `no reply within ${ms} ms`);
  }

  /** Starts the one timer for all calls: they were made in order, so the oldest is the first to be late. */
  #startTimer(delayMs: number): void {
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(1, Math.ceil(delayMs)));
    // While calls wait, the socket or the attempt to connect keeps the process alive.
    Deno.unrefTimer(this.#timer);
  }

  #onTimer(): void {
    this.#timer = undefined;
    const pipeline = this.#pipeline;
    if (pipeline === undefined) return;
    const { timeoutMs } = this.#options;
    const nowMs = performance.now();
    // After a pause of this process, timers run before replies that have arrived are read: read those first.
    const isDue = nowMs >= (pipeline.deadlineMs(timeoutMs) ?? Infinity);
    if (isDue && !this.#isOverdue) {
      this.#isOverdue = true;
      return this.#startTimer(1);
    }
    this.#isOverdue = false;
    const late = this.#late(timeoutMs);
    if (!pipeline.expire(nowMs, timeoutMs, late) && this.#socket !== undefined) return this.#hang(pipeline, late);
    this.givenUp(pipeline);
    const deadlineMs = pipeline.deadlineMs(timeoutMs);
    if (deadlineMs !== undefined) this.#startTimer(deadlineMs - nowMs);
  }
}

/** Settles a call that is not made. */
function refuse<Result>(call: Call<Result>, error: CacheError | undefined): void {
  call.settle(undefined, error);
  call.ended?.();
}

function noGreeting(ms: number): string {
  return `no greeting within ${ms} ms: is an Ormuco Cache server there?`;
}
