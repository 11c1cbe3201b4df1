/** Replies in HTTP/1.1 as bytes. It does not know what they answer. */

/** A reply. */
export interface HttpReply {
  readonly status: keyof typeof REASONS;
  /** The type of the body: plain text by default. */
  readonly type?: string;
  /** Fields beside those that every reply has; a name may come twice. */
  readonly fields?: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** How a reply is sent. */
export interface Sending {
  /** The time, as HTTP writes it. */
  readonly date: string;
  /** Whether the client has asked for the head alone. */
  readonly isHead?: boolean;
  /** Whether the connection ends with it. */
  readonly closes?: boolean;
  /** Whether more of the body follows, as long as the connection lasts. */
  readonly isEndless?: boolean;
}

const REASONS = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  421: "Misdirected Request",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
} as const;
/** What a browser may do with a reply that says nothing else: show it as text, alone. */
const NO_POLICY = "default-src 'none'; frame-ancestors 'none'";
const POLICY = "Content-Security-Policy";
const utf8 = new TextEncoder();

/** Writes a reply. None is to be kept, guessed at, or shown within another page. */
export function replyBytes(
  { status, type = "text/plain; charset=utf-8", fields = [], body }: HttpReply,
  how: Sending,
): Uint8Array {
  const { date, isHead = false, closes = false, isEndless = false } = how;
  const content = utf8.encode(body);
  const all: (readonly [string, string])[] = [
    ["Date", date],
    ["Content-Type", type],
    ...(isEndless ? [] : [["Content-Length", String(content.length)] as const]),
    ["Cache-Control", "no-store"],
    ["X-Content-Type-Options", "nosniff"],
    ["Referrer-Policy", "no-referrer"],
    ...(fields.some(([name]) => name === POLICY) ? [] : [[POLICY, NO_POLICY] as const]),
    ...fields,
    ...(closes || isEndless ? [["Connection", "close"] as const] : []),
  ];
  const lines = [`HTTP/1.1 ${status} ${REASONS[status]}`, ...all.map(([name, value]) => `${name}: ${value}`)];
  const head = utf8.encode(`${lines.join("\r\n")}\r\n\r\n`);
  if (isHead) return head;
  const bytes = new Uint8Array(head.length + content.length);
  bytes.set(head);
  bytes.set(content, head.length);
  return bytes;
}

/** An event of a stream of them (`text/event-stream`), of one line of data. */
export function eventText(data: string): string {
  return `data: ${data}\n\n`;
}
