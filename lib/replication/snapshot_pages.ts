/**
 * What a node says of itself in a snapshot: the pages that it would give to a peer that knows nothing, and with the last of them
 * what it knew when the first was made. It knows the store, not files. The rules are in docs/replication.md.
 */

import { ENTRY } from "../store/entry.ts";
import type { Base, Known, KnownList } from "../store/known.ts";
import { ALL_RULES } from "../store/rules.ts";
import type { Store } from "../store/store.ts";
import { versionAt } from "../store/version.ts";
import { MESSAGE, type MessageBody, MessageWriter, MORE, type Pull, shorten } from "./message.ts";
import { MAX_PAGE_BYTES, pageFor, placeOf } from "./pages.ts";

/** Writes in a page, at most, as in one for a peer: making it takes half a millisecond. */
const MAX_WRITES = 256;
const NOTHING: Known = new Map();

/** The messages of one snapshot, in the order of the file; the last of them is the first to be read. */
export class SnapshotPages {
  /** When the first was made, in milliseconds since 1970 by the wall clock. */
  readonly writtenMs: number;
  /** Entries in those made so far. */
  entries = 0;
  readonly #store: Store;
  readonly #origin: number;
  readonly #maxWrites: number;
  readonly #writer = new MessageWriter();
  readonly #begunMs: number;
  /** What is known when the first is made, and what its base stands for, if it has one. */
  readonly #known: Known;
  readonly #explained: { base: Base; told: KnownList } | undefined;
  /** How far writes have been forgotten, by all pages so far. */
  readonly #lossy: Known = new Map();
  #pull: Pull | undefined = { question: 0, known: NOTHING, after: { h: 0, id: 0 } };
  #isOver = false;

  /** @param origin This node's number; `maxWrites` are the writes in a page, at most. */
  constructor(store: Store, origin: number, maxWrites = MAX_WRITES) {
    this.#store = store;
    this.#origin = origin;
    this.#maxWrites = maxWrites;
    [this.writtenMs, this.#begunMs] = [store.wallMs, store.nowMs];
    const { knowledge } = store.history;
    this.#known = knowledge.knownFor([]);
    this.#explained = this.#known.base && knowledge.explain(this.#known.base, []);
  }

  /** The next message, whose bytes are valid until the next call; `undefined` if there is no more.  */
  next(): Uint8Array | undefined {
    if (this.#pull !== undefined) return this.#page(this.#pull);
    if (this.#isOver || this.#explained === undefined) return undefined;
    this.#isOver = true;
    return this.#write({ type: MESSAGE.explained, ...this.#explained });
  }

  #page(pull: Pull): Uint8Array {
    const size = { maxWrites: this.#maxWrites, maxBytes: MAX_PAGE_BYTES };
    const page = pageFor(this.#store, pull, { ...size, rules: ALL_RULES, known: NOTHING, inCommon: true });
    for (const [id, h] of page.lossy) this.#lossy.set(id, Math.max(h, this.#lossy.get(id) ?? 0));
    shorten(page.writes, this.#begunMs - this.#store.nowMs); // so that all are what remained when the first was made
    for (const { kind } of page.writes) if (kind === ENTRY) this.entries++;
    const last = page.writes.at(-1);
    const isLast = page.more === MORE.nothing;
    this.#pull = isLast
      ? undefined
      : page.more === MORE.writes
      ? { ...pull, after: placeOf(last!.version) }
      : { ...pull, cursor: page.cursor };
    const said = isLast ? { known: this.#known, lossy: this.#lossy } : { known: NOTHING, lossy: NOTHING };
    return this.#write({ type: MESSAGE.page, to: 0, ...page, ...said });
  }

  #write(body: MessageBody): Uint8Array {
    const { wallMs, history: { cleared } } = this.#store;
    return this.#writer.write({ ...body, from: this.#origin, clock: versionAt(wallMs), cleared });
  }
}
