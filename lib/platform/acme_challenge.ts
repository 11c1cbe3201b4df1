/** Answers the http-01 challenge of an ACME authority on a port of its own, and everything else with 404. It knows no authority. */

import { Timer } from "./timer.ts";

/** The challenge, and where it is answered. */
export interface Challenge {
  readonly hostname: string;
  readonly port: number;
  /** The last part of the path that the authority asks for, and what it is to find there. */
  readonly token: string;
  readonly answer: string;
}

/** Connections at most, bytes of a request at most, and milliseconds that it may take. Authorities ask from a handful of places. */
const MOST_CONNECTIONS = 64;
const MOST_BYTES = 4096;
const LIMIT_MS = 5000;
/** Milliseconds until the next attempt to accept a connection, where the process has no descriptor left. */
const PAUSE_MS = 50;

/**
 * Answers a challenge until the returned function is called.
 *
 * @throws {Error} If the port cannot be listened on.
 */
export function answerChallenge({ hostname, port, token, answer }: Challenge): () => void {
  const listener = Deno.listen({ hostname, port });
  const open = new Set<Deno.Conn>();
  const timer = new Timer();
  const path = `/.well-known/acme-challenge/${token}`;
  const accept = async (): Promise<void> => {
    for (;;) {
      const conn = await listener.accept();
      if (open.size >= MOST_CONNECTIONS) {
        conn.close();
        continue;
      }
      open.add(conn);
      reply(conn, (asked) => asked === path ? answer : undefined).finally(() => open.delete(conn));
    }
  };
  let isClosed = false;
  const acceptAll = (): void => {
    accept().catch(() => isClosed || timer.set(PAUSE_MS, acceptAll));
  };
  acceptAll();
  return () => {
    isClosed = true;
    timer.stop();
    listener.close();
    for (const conn of open) close(conn);
  };
}

/** Reads one request, sends what `find` returns for its path, and closes the connection. It does not throw. */
async function reply(conn: Deno.Conn, find: (path: string) => string | undefined): Promise<void> {
  const limit = setTimeout(() => close(conn), LIMIT_MS);
  try {
    const path = /^GET (\S+) HTTP\/1\.[01]\r\n/.exec(await head(conn))?.[1] ?? "";
    const text = find(path);
    const status = text === undefined ? "404 Not Found" : "200 OK";
    const headers = [
      `Content-Length: ${text?.length ?? 0}`,
      "Content-Type: application/octet-stream",
      "Connection: close",
    ];
    await writeAll(conn, [`HTTP/1.1 ${status}`, ...headers, "", text ?? ""].join("\r\n"));
    await conn.closeWrite();
  } catch {
    // The authority, or whoever it is, has gone.
  } finally {
    clearTimeout(limit);
    close(conn);
  }
}

/** The lines of a request before its body. */
async function head(conn: Deno.Conn): Promise<string> {
  const bytes = new Uint8Array(MOST_BYTES);
  let length = 0;
  for (;;) {
    const count = await conn.read(bytes.subarray(length));
    length += count ?? 0;
    const text = new TextDecoder("latin1").decode(bytes.subarray(0, length));
    if (text.includes("\r\n\r\n")) return text;
    if (!count || length === MOST_BYTES) return "";
  }
}

async function writeAll(conn: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It is closed already.
  }
}
