/** Every kind of `OrmucoCache`, for tests that hold for all of them. */

import { type CacheEvent, type OrmucoCache, OrmucoCacheClient } from "../../mod.ts";
import { madeServer, PATIENT_MS, startedServer } from "./servers.ts";

/**
 * What a case is given: a cache without entries, that holds 100 unless it asks for more, and what its keys begin with in the whole
 * of which it is a part; empty where it is a whole.
 */
export type Case = (cache: OrmucoCache, prefix: string) => Promise<void>;

/** What a cache is made with. */
export interface KindOptions {
  readonly maxSize?: number;
  readonly onEvent?: (event: CacheEvent) => void;
}

/** Makes a cache, has it used, and gives up what stands behind it. */
export type Kind = (use: Case, options?: KindOptions) => Promise<void>;

/** Entries that a cache holds. */
export const MAX_SIZE = 100;
/** What the keys of a namespace begin with. */
const PREFIX = "part:";

/** A client of a server of its own. */
function client(near?: true): Kind {
  return async (use, { maxSize = MAX_SIZE, onEvent } = {}) => {
    await using server = await startedServer({ maxSize });
    await using cache = new OrmucoCacheClient({ servers: [server.address!], timeoutMs: PATIENT_MS, near, onEvent });
    await use(cache, "");
  };
}

/** The kinds that are a whole. */
const WHOLES: Record<string, Kind> = {
  "OrmucoCacheClient without a server": (use, options) =>
    use(new OrmucoCacheClient({ maxSize: MAX_SIZE, ...options }), ""),
  "OrmucoCacheClient without a server, with copies": (use, options) =>
    use(new OrmucoCacheClient({ maxSize: MAX_SIZE, copies: true, ...options }), ""),
  "OrmucoCacheClient with a server": client(),
  "OrmucoCacheClient with near copies": client(true),
  LocalCache: (use, options) => use(madeServer({ maxSize: MAX_SIZE, ...options }).cache, ""),
  "LocalCache with near copies": (use, options) =>
    use(madeServer({ maxSize: MAX_SIZE, near: true, ...options }).cache, ""),
};

/** A namespace of each whole. */
const PARTS = Object.entries(WHOLES).map(([name, withCache]): [string, Kind] => [
  `A namespace of ${name}`,
  (use, options) => withCache((cache) => use(cache.namespace(PREFIX), PREFIX), options),
]);

/** The kinds. */
export const KINDS: Record<string, Kind> = { ...WHOLES, ...Object.fromEntries(PARTS) };

/** Makes tests of each case for each kind, named `KIND CASE`; `maxSize` is the number of entries that each cache holds. */
export function testAll(cases: Readonly<Record<string, Case>>, maxSize = MAX_SIZE): void {
  for (const [kind, withCache] of Object.entries(KINDS)) {
    for (const [name, use] of Object.entries(cases)) Deno.test(`${kind} ${name}`, () => withCache(use, { maxSize }));
  }
}
