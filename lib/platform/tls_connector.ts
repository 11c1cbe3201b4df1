/** Encrypts connections that this process makes. It knows neither files nor what the bytes mean. */

import { isIP } from "node:net";
import tls from "node:tls";
import type { ClientTlsOptions } from "../base/tls_options.ts";
import type { ByteStream } from "./byte_stream.ts";
import { closeQuietly } from "./socket.ts";
import { TlsError } from "./tls_error.ts";
import { EncryptedSide, TlsStream } from "./tls_stream.ts";

/**
 * Encrypts a connection to a server. With a certificate of one's own node:tls does it, because `Deno.startTls` passes that
 * over in silence.
 *
 * @param hostname The server's host, which its certificate has to be for unless `serverName` says otherwise.
 * @param signal Ends the connection while it is not yet encrypted.
 * @throws {TlsError} If the server is not believed, or does not believe this side.
 */
export async function encrypted(
  conn: Deno.TcpConn,
  hostname: string,
  { caCerts = [], cert, key, serverName = hostname }: ClientTlsOptions,
  signal?: AbortSignal,
): Promise<Deno.TlsConn | TlsStream> {
  try {
    if (cert !== undefined) return await secured(conn, serverName, { caCerts, cert, key });
    return await shakenHands(await Deno.startTls(conn, { hostname: serverName, caCerts }), signal);
  } catch (error) {
    throw new TlsError(error as Error, serverName);
  }
}

/** Waits for the handshake. A connection that fails, or whose attempt is given up, is closed: `conn` no longer is it. */
async function shakenHands(made: Deno.TlsConn, signal?: AbortSignal): Promise<Deno.TlsConn> {
  const end = () => closeQuietly(made);
  signal?.addEventListener("abort", end);
  try {
    signal?.throwIfAborted();
    await made.handshake();
    return made;
  } catch (error) {
    end();
    throw error;
  } finally {
    signal?.removeEventListener("abort", end);
  }
}

/** The authorities that Deno knows; none where it does not permit to list them, for which it wants all of `--allow-sys`. */
function knownAuthorities(): readonly string[] {
  try {
    return [...tls.rootCertificates]; // they are read here
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return [];
    throw error;
  }
}

/** Makes the client's part of a handshake by node:tls. Without `isChecked` any certificate will do. */
export async function secured(
  stream: ByteStream,
  serverName: string,
  options: ClientTlsOptions & { isChecked?: boolean; isDirect?: boolean },
): Promise<TlsStream> {
  const { caCerts = [], cert, key, isChecked = true, isDirect } = options;
  const side = new EncryptedSide(stream);
  const made = new TlsStream(side, { isDirect });
  const socket = tls.connect({
    socket: side,
    host: serverName,
    servername: isIP(serverName) === 0 ? serverName : undefined,
    ca: caCerts.length === 0 ? undefined : [...caCerts, ...knownAuthorities()],
    cert,
    key,
    minVersion: "TLSv1.2",
    rejectUnauthorized: isChecked,
  });
  socket.on("error", (error) => made.fail(error));
  socket.on("secureConnect", () => made.isSecured(socket));
  await made.handshake();
  return made;
}
