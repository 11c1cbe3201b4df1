/** Why TLS fails, in words that say what to do. It makes no connections. */

/** What node:tls and Deno say, and what it means here. */
const WORDS: readonly [RegExp, string][] = [
  [/CaUsedAsEndEntity/, "the server's certificate is an authority's own; it needs one with CA:FALSE (docs/tls.md)"],
  [
    /UnknownIssuer|BadSignature|UNABLE_TO|SELF_SIGNED|self-signed|unable to (get|verify)/i,
    "the server's certificate is of no authority that this process believes (TLS_CA)",
  ],
  [/NotValidForName|not valid for name|altnames/i, "the server's certificate is not for NAME"],
  [/Expired|CERT_HAS_EXPIRED/, "the server's certificate has expired"],
  [
    /CertificateRequired|certificate required/i,
    "the server requires a certificate of this process (TLS_CERT, TLS_KEY)",
  ],
  [/corrupt message|InvalidContentType|InvalidMessage/, "what answers there does not speak TLS"],
];

/** There is no agreement with a server on TLS: one side does not believe the other, or does not speak it. */
export class TlsError extends Error {
  /** The class's name. */
  override name = "TlsError";

  constructor(cause: Error, serverName = "its host") {
    const { message } = cause;
    const [, words] = WORDS.find(([pattern]) => pattern.test(message)) ?? [];
    super(`TLS: ${words === undefined ? message : `${words.replace("NAME", serverName)} (${message})`}`, { cause });
  }
}

/** An error of a read or write, as a `TlsError` if it is an alert of the other side: some come after the handshake. */
export function withAlerts(error: unknown): unknown {
  return error instanceof Error && /fatal alert/i.test(error.message) ? new TlsError(error) : error;
}
