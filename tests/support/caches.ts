/** Every kind of `OrmucoCache`, for tests that hold for all of them. */

import { parseAddress } from "../../lib/base/address.ts";
import { MemoryCache } from "../../lib/client/memory_cache.ts";
import { RemoteCache } from "../../lib/client/remote_cache.ts";
import { type OrmucoCache, OrmucoCacheClient, OrmucoCacheServer } from "../../mod.ts";

/** What a case is given: a cache without entries, that holds 100. */
export type Case = (cache: OrmucoCache) => Promise<void>;

/** Makes a cache, has it used, and gives up what stands behind it. */
export type Kind = (use: Case) => Promise<void>;

/** Entries that a cache holds. */
export const MAX_SIZE = 100;

async function withServer(use: (server: OrmucoCacheServer) => Promise<void>): Promise<void> {
  await using server = new OrmucoCacheServer({ listen: 0, maxSize: MAX_SIZE, log: () => {} });
  await server.startServer();
  await use(server);
}

/** The kinds. */
export const KINDS: Record<string, Kind> = {
  MemoryCache: (use) => use(new MemoryCache({ maxSize: MAX_SIZE })),
  RemoteCache: (use) =>
    withServer(async (server) => {
      const servers = [parseAddress(server.address!)!];
      await using cache = new RemoteCache({ servers, timeoutMs: 5000, ttlMs: undefined, onError: undefined });
      await use(cache);
    }),
  LocalCache: (use) => withServer((server) => use(server.cache)),
  "OrmucoCacheClient without a server": (use) => use(new OrmucoCacheClient({ maxSize: MAX_SIZE })),
  "OrmucoCacheClient without a server, with copies": (use) =>
    use(new OrmucoCacheClient({ maxSize: MAX_SIZE, copies: true })),
  "OrmucoCacheClient with a server": (use) =>
    withServer(async (server) => {
      await using cache = new OrmucoCacheClient({ servers: [server.address!], timeoutMs: 5000 });
      await use(cache);
    }),
};
