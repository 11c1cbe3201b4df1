/**
 * A server's snapshot: loads it at the first start, while the server serves already, and writes it at intervals and at a stop. It
 * knows files, times and logs, not what stands in a snapshot: that is lib/replication's.
 */

import { crc32 } from "node:zlib";
import type { Log } from "../base/log.ts";
import {
  missingPermissions,
  openToRead,
  putAside,
  type ReadFile,
  replaceFile,
  tryBeside,
} from "../platform/replaced_file.ts";
import { Timer } from "../platform/timer.ts";
import {
  FRAME_HEAD_BYTES,
  FrameMaker,
  HEADER_BYTES,
  headerOf,
  MAX_FRAME_BYTES,
  readFrame,
  readHeader,
  type SnapshotFacts,
} from "../replication/snapshot_format.ts";
import { SnapshotLoad } from "../replication/snapshot_load.ts";
import { SnapshotPages } from "../replication/snapshot_pages.ts";
import type { Gossip } from "../replication/gossip.ts";
import type { Store } from "../store/store.ts";
import type { SnapshotStats } from "../base/stats.ts";
import { grouped } from "../base/words.ts";
import { duration } from "./encryption.ts";
import type { Part } from "./part.ts";
import { NO_SNAPSHOTS } from "./statistics.ts";
import type { Turns } from "./turns.ts";

/** Where a snapshot stands, and when it is written and loaded. */
export interface SnapshotSettings {
  readonly path: string;
  /** Milliseconds between snapshots; `Infinity` for those at a stop only. */
  readonly intervalMs: number;
  /** Milliseconds after which a snapshot is not loaded any more; `Infinity` for never. */
  readonly maxAgeMs: number;
}

/** Options of {@linkcode Snapshots}. */
export interface SnapshotsOptions extends SnapshotSettings {
  readonly store: Store;
  readonly gossip: Pick<Gossip, "loaded">;
  /** This server's number, and the name of its cluster, empty if it has none. */
  readonly id: number;
  readonly cluster: string;
  /** Whether there are peers to hear from, before clients are given what a snapshot holds. */
  readonly hasPeers: boolean;
  readonly log: Log;
  /** The turns that it shares with all connections: the file alone would not let the event loop look after them. */
  readonly turns: Pick<Turns, "check" | "next">;
  /** How a file is replaced. */
  readonly replace?: typeof replaceFile;
}

/** A server stops while a snapshot is loaded or written. */
class Stopped extends Error {}

/** A whole snapshot is too old to be loaded. */
class Outdated extends Error {}

/** The snapshots of one server. */
export class Snapshots implements Part {
  /** What was last loaded or written, and what last failed. */
  readonly stats: SnapshotStats = { ...NO_SNAPSHOTS };
  readonly #options: SnapshotsOptions;
  readonly #timer = new Timer();
  #hasStarted = false;
  #isStopping = false;
  /** The snapshot of which a stop has ended the load: then what is held here is not all that there is to write. */
  #unfinished: SnapshotFacts | undefined;
  #load: SnapshotLoad | undefined;
  #loading: Promise<void> | undefined;
  #writing: Promise<void> | undefined;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** Whether a snapshot is being loaded. */
  get isLoading(): boolean {
    return this.#loading !== undefined;
  }

  /** Resolves when no snapshot is being loaded. */
  get loaded(): Promise<void> {
    return this.#loading ?? Promise.resolve();
  }

  /**
   * Begins to load the snapshot, if no start before has loaded it: whatever is written from then on is newer.
   *
   * @throws {Error} If the file may not be read or replaced.
   */
  async start(): Promise<void> {
    const { path, log } = this.#options;
    const missing = missingPermissions(path);
    if (missing !== undefined) throw new Error(`Cannot use snapshot ${path}: run with ${missing}`);
    this.#isStopping = false;
    const unfinished = this.#unfinished;
    this.#unfinished = undefined;
    try {
      if (!this.#hasStarted || unfinished !== undefined) await this.#beginToLoad(unfinished);
    } catch (error) {
      const why = this.#failed(error);
      // What another setting, clock or version could load is not lost by the next snapshot, nor is what is another program's.
      const aside = error instanceof Outdated ? "" : await putAside(path);
      log(`Cannot load snapshot ${path}: ${why}${aside}`, "warn");
    }
    this.#hasStarted = true;
    await tryBeside(path).catch((error) => this.#sayUnwritable(error)); // not only when there is something to lose
    if (this.#loading === undefined) this.#wait();
  }

  /** Lets clients have what was loaded. */
  release(): void {
    this.#load?.release();
    this.#load = undefined;
  }

  /** Ends what is under way. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#timer.stop();
    await this.#loading;
    await this.#writing;
  }

  /** Writes what is held, when the server has stopped, unless the file may have more, of which a stop has ended the load. */
  async save(): Promise<void> {
    this.#isStopping = false;
    if (this.#unfinished === undefined) await this.#write();
  }

  async #beginToLoad(unfinished: SnapshotFacts | undefined): Promise<void> {
    const { path, store, hasPeers } = this.#options;
    const file = await openToRead(path);
    if (file === undefined) return;
    try {
      const facts = readHeader(await file.read(0, HEADER_BYTES), file.size, crc32);
      this.#check(facts, unfinished);
      this.#load = new SnapshotLoad({ store, facts, isWithheld: hasPeers });
      this.#loading = this.#takeAll(file, facts, this.#load).finally(() => {
        file[Symbol.dispose]();
        this.#loading = undefined;
        this.#wait();
      });
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
  }

  /** Throws an error if a whole snapshot is not to be loaded. */
  #check({ writtenMs, cluster, clock, origin }: SnapshotFacts, unfinished: SnapshotFacts | undefined): void {
    const { store, maxAgeMs, cluster: own } = this.#options;
    const isRest = unfinished?.writtenMs === writtenMs && unfinished.clock === clock && unfinished.origin === origin;
    if (store.clock > 0 && !isRest) throw new Error("entries have been stored before the start");
    if (cluster !== own) throw new Error(`it is of ${clusterText(cluster)}, and this server of ${clusterText(own)}`);
    const ageMs = store.wallMs - writtenMs;
    if (ageMs <= maxAgeMs) return;
    const names = "SNAPSHOT_MAX_AGE, --snapshot-max-age, option snapshotMaxAgeMs";
    throw new Outdated(`it is ${duration(ageMs)} old, and may be ${duration(maxAgeMs)} (${names})`);
  }

  /** Takes a snapshot in, page after page, from the end on. */
  async #takeAll(file: ReadFile, facts: SnapshotFacts, load: SnapshotLoad): Promise<void> {
    const { path, gossip, log, turns } = this.#options;
    const beganMs = performance.now();
    try {
      let length = facts.lastBytes;
      for (let end = facts.bytes; end > HEADER_BYTES;) {
        const from = end - length;
        if (from < HEADER_BYTES || length < FRAME_HEAD_BYTES || length > MAX_FRAME_BYTES) {
          throw new Error("a page of it is damaged");
        }
        const { message, bytesBefore } = readFrame(await file.read(from, length), crc32);
        if (turns.check()) await turns.next();
        if (this.#isStopping) throw new Stopped();
        load.take(message);
        [end, length] = [from, bytesBefore];
      }
      load.finish();
      gossip.loaded(facts.origin);
      const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
      log(`Snapshot ${path} is loaded: ${entriesText(load.entries)} in ${seconds} s`);
      Object.assign(this.stats, { snapshotMs: Math.round(facts.writtenMs), snapshotEntries: load.entries });
    } catch (error) {
      load.end();
      if (error instanceof Stopped) this.#unfinished = facts;
      else {
        const why = this.#failed(error);
        log(`Cannot load all of snapshot ${path}: ${why}: ${entriesText(load.entries)} are`, "warn");
      }
    }
  }

  /** Writes a snapshot when it is time. */
  #wait(): void {
    if (this.#isStopping) return;
    this.#timer.set(this.#options.intervalMs, () => {
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
        this.#wait();
      });
    });
  }

  /** Writes a snapshot. Where that fails, the one before stays. */
  async #write(): Promise<void> {
    try {
      Object.assign(this.stats, await this.#writeAll(), { snapshotError: "" });
    } catch (error) {
      if (!(error instanceof Stopped)) this.#sayUnwritable(error);
    }
  }

  #sayUnwritable(error: unknown): void {
    const { path, log } = this.#options;
    log(`Cannot write snapshot ${path}: ${this.#failed(error)}: the one before stays, if there is one`, "warn");
  }

  async #writeAll(): Promise<Pick<SnapshotStats, "snapshotMs" | "snapshotEntries">> {
    const { path, store, id, cluster, turns, replace = replaceFile } = this.#options;
    const file = await replace(path);
    const pages = new SnapshotPages(store, id);
    const frames = new FrameMaker(crc32);
    let bytes = HEADER_BYTES;
    try {
      await file.write(new Uint8Array(HEADER_BYTES));
      // The next page is made when the last has been written: a slow disk makes a snapshot slow, and nothing else.
      for (let message = pages.next(); message !== undefined; message = pages.next()) {
        await file.write(frames.next(message));
        bytes += frames.lastBytes;
        if (turns.check()) await turns.next();
        if (this.#isStopping) throw new Stopped();
      }
      const { writtenMs, entries } = pages;
      const { lastBytes } = frames;
      const facts = { writtenMs, clock: store.clock, entries, bytes, lastBytes, origin: id, cluster };
      await file.finish(headerOf(facts, crc32));
    } catch (error) {
      await file.drop().catch(() => {});
      throw error;
    }
    return { snapshotMs: Math.round(pages.writtenMs), snapshotEntries: pages.entries };
  }

  /** Counts a failure, and returns why. */
  #failed(error: unknown): string {
    this.stats.snapshotFailures++;
    return this.stats.snapshotError = whyOf(error as Error);
  }
}

/** Why a file could not be used. */
function whyOf(error: Error): string {
  const { NotFound, PermissionDenied } = Deno.errors;
  if (error instanceof NotFound) return "there is no such folder";
  if (error instanceof PermissionDenied) return "it may not be written or read";
  return error.message;
}

function clusterText(name: string): string {
  return name === "" ? "no cluster" : `the cluster ${name}`;
}

function entriesText(count: number): string {
  return count === 1 ? "1 entry" : `${grouped(count)} entries`;
}
