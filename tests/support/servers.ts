/** Servers in this process, and clients of theirs. */

import {
  type CacheError,
  type ClientOptions,
  OrmucoCacheClient,
  OrmucoCacheServer,
  type ServerOptions,
} from "../../mod.ts";
import type { Door } from "./door.ts";

/** Long enough that only a fault reaches it. */
export const PATIENT_MS = 10_000;

/** A server that listens on a port of its own and says nothing, unless told otherwise; it has not started. */
export function madeServer(options: ServerOptions = {}): OrmucoCacheServer {
  return new OrmucoCacheServer({ listen: "127.0.0.1:0", log: () => {}, ...options });
}

/** The same, started. */
export async function startedServer(options: ServerOptions = {}): Promise<OrmucoCacheServer> {
  const server = madeServer(options);
  await server.startServer();
  return server;
}

/** A patient client of a server, or of an address. */
export function clientOf(at: { readonly address: string | undefined } | string): OrmucoCacheClient {
  return reportingClient([typeof at === "string" ? at : at.address!]).client;
}

/** The options with which a client comes in by a door. */
export function accessBy({ token, ca }: Door): Pick<ClientOptions, "authToken" | "tls"> {
  return {
    authToken: token && `${token.name}:${token.secret}`,
    tls: ca === undefined ? undefined : { caCerts: [ca], serverName: "localhost" },
  };
}

/** A client that keeps what it reports. */
export function reportingClient(
  servers: string[],
  options: ClientOptions = {},
): { client: OrmucoCacheClient; errors: CacheError[] } {
  const errors: CacheError[] = [];
  const onError = (error: CacheError) => errors.push(error);
  return { client: new OrmucoCacheClient({ servers, timeoutMs: PATIENT_MS, onError, ...options }), errors };
}
