/**
 * The head of a request in HTTP/1.1, read strictly: of what a head may be, only that is taken which means one thing to
 * everybody. It knows no connection, and neither paths nor what they lead to. A request with a body is refused.
 */

/** A request. */
export interface HttpRequest {
  readonly method: string;
  /** Where it leads, without what follows a `?`. */
  readonly path: string;
  /** Whom the client thinks to ask: `host` or `host:port`. Clients of HTTP/1.0 need not say. */
  readonly host: string | undefined;
  readonly authorization: string | undefined;
  /** Whether the client has more to ask on this connection. */
  readonly keepsAlive: boolean;
}

/** Why a request is not answered: the connection ends, since nobody knows where the next request would begin. */
export interface HttpFault {
  readonly status: 400 | 413 | 431 | 505;
  readonly why: string;
}

/** Bytes of a head, at most. */
export const MAX_HEAD_BYTES = 8192;

const [CR, LF] = [0x0d, 0x0a];
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const FIRST_LINE = new RegExp(`^(${TOKEN}) (/[!-~]*) HTTP/(\\d)\\.(\\d)$`);
const NAME = new RegExp(`^${TOKEN}$`);
const VALUE = /^[\t -~\x80-\xff]*$/;
/** Fields that say something to this server: two of one name, but for the last, say nothing certain. */
const KNOWN = ["host", "authorization", "content-length", "transfer-encoding", "connection"];
const latin1 = new TextDecoder("latin1");

/** Where the head ends that begins at 0; -1 if it has not all come. Bytes before `from` have been looked at. */
export function headEnd(bytes: Uint8Array, length: number, from = 0): number {
  for (let i = Math.max(3, from); i < length; i++) {
    if (bytes[i] === LF && bytes[i - 1] === CR && bytes[i - 2] === LF && bytes[i - 3] === CR) return i + 1;
  }
  return -1;
}

/** Reads a head, up to and with the empty line at its end. */
export function readHead(bytes: Uint8Array): HttpRequest | HttpFault {
  const [first, ...lines] = latin1.decode(bytes.subarray(0, -4)).split("\r\n");
  const [, method, target, major, minor] = FIRST_LINE.exec(first) ?? [];
  if (method === undefined) return bad("the first line");
  if (major !== "1") return { status: 505, why: "HTTP/1.1 is spoken here" };
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const [name, value] = [line.slice(0, Math.max(colon, 0)).toLowerCase(), line.slice(colon + 1)];
    if (!NAME.test(name) || !VALUE.test(value)) return bad("a field");
    if (!KNOWN.includes(name)) continue;
    const before = fields.get(name);
    if (before !== undefined && name !== "connection") return bad(`two fields ${name}`);
    fields.set(name, before === undefined ? value.trim() : `${before},${value}`);
  }
  const isLatest = minor !== "0";
  const host = fields.get("host");
  if (isLatest && host === undefined) return bad("no field host");
  if (fields.has("transfer-encoding") || (fields.get("content-length") ?? "0") !== "0") {
    return { status: 413, why: "no request may have a body here" };
  }
  const wishes = (fields.get("connection") ?? "").toLowerCase().split(",").map((wish) => wish.trim());
  const path = target.split("?", 1)[0];
  const keepsAlive = isLatest && !wishes.includes("close");
  return { method, path, host, authorization: fields.get("authorization"), keepsAlive };
}

function bad(what: string): HttpFault {
  return { status: 400, why: `this is no request of HTTP/1.1: ${what}` };
}
