/** Accepts encrypted connections with one certificate. It knows no files and no sockets. */

import { EventEmitter } from "node:events";
import type { X509Certificate } from "node:crypto";
import tls from "node:tls";
import type { BufferAccount } from "../base/lent.ts";
import type { ByteStream } from "./byte_stream.ts";
import { certificatesIn, isIssuedBy } from "./x509.ts";
import { EncryptedSide, TlsStream } from "./tls_stream.ts";

/** A certificate, with those between it and an authority, and its key, all in PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Options of {@linkcode TlsAcceptor}. */
export interface TlsAcceptorOptions {
  /** Authorities in PEM, of one of which clients must show a certificate; without, none is asked for. */
  readonly clientCa?: string;
  /** As in `TlsStreamOptions`. */
  readonly isDirect?: boolean;
}

/** Accepts connections with a certificate. For another certificate there is another acceptor. */
export class TlsAcceptor {
  readonly #server: tls.Server;
  readonly #isDirect: boolean | undefined;
  /** Authorities of which clients must show a certificate; `undefined` where they need none. */
  readonly #authorities: readonly X509Certificate[] | undefined;

  constructor(pair: KeyPair, { clientCa, isDirect }: TlsAcceptorOptions = {}) {
    const requires = clientCa !== undefined;
    this.#authorities = clientCa === undefined ? undefined : certificatesIn("TLS_CLIENT_CA", clientCa);
    this.#isDirect = isDirect;
    this.#server = tls.createServer({
      cert: pair.cert,
      key: pair.key,
      ca: clientCa,
      minVersion: "TLSv1.2",
      requestCert: requires,
      rejectUnauthorized: requires,
    });
  }

  /**
   * Makes the handshake with a client.
   *
   * @param first What the client has sent already.
   * @throws {Error} If there is no agreement; the connection is closed then.
   */
  async accept(stream: ByteStream, first: Uint8Array, account?: BufferAccount): Promise<TlsStream> {
    const side = new EncryptedSide(stream);
    const made = new TlsStream(side, { account, isDirect: this.#isDirect });
    // node:tls tells its server of a connection, but not which one it means: so each has a server of its own, which
    // inherits all from the one.
    const own: tls.Server = Object.create(this.#server, {
      emit: {
        value: (event: string, subject: unknown) => {
          if (event === "secureConnection") this.#secured(made, subject as tls.TLSSocket);
          if (event === "tlsClientError") made.fail(subject);
          return true;
        },
      },
    });
    EventEmitter.prototype.emit.call(own, "connection", side);
    await made.handshake(first);
    return made;
  }

  /**
   * Looks at the certificate that a client has shown, although node:tls has done so: all its servers of one process take each
   * other's session tickets, and a client that resumes a session shows none. It had to show one when the session began, but
   * perhaps to a server that asks for none.
   */
  #secured(stream: TlsStream, socket: tls.TLSSocket): void {
    if (this.#authorities !== undefined && !isIssuedBy(socket.getPeerX509Certificate(), this.#authorities)) {
      stream.fail(new Error("a certificate of TLS_CLIENT_CA is required, and none has been shown"));
    } else stream.isSecured(socket);
  }
}
