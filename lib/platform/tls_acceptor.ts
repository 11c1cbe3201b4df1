/** Accepts encrypted connections with one certificate, which can be changed at any time. It knows no files and no sockets. */

import { EventEmitter } from "node:events";
import tls from "node:tls";
import type { ByteStream } from "./byte_stream.ts";
import { EncryptedSide, HANDSHAKE_MS, TlsStream, type TlsStreamOptions } from "./tls_stream.ts";

/** A certificate, with those between it and an authority, and its key, all in PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Accepts connections with a certificate. */
export class TlsAcceptor {
  readonly #server: tls.Server;
  readonly #clientCa: string | undefined;

  /** @param clientCa Authorities in PEM, of one of which clients must show a certificate; without, none is asked for. */
  constructor(pair: KeyPair, clientCa?: string) {
    this.#clientCa = clientCa;
    const requires = clientCa !== undefined;
    this.#server = tls.createServer({
      ...this.#context(pair),
      requestCert: requires,
      rejectUnauthorized: requires,
      handshakeTimeout: HANDSHAKE_MS,
    });
  }

  /** Uses another certificate for connections that are made from now on. */
  use(pair: KeyPair): void {
    this.#server.setSecureContext(this.#context(pair));
  }

  /**
   * Makes the handshake with a client.
   *
   * @param first What the client has sent already.
   * @throws {Error} If there is no agreement; the connection is closed then.
   */
  async accept(stream: ByteStream, first: Uint8Array, options?: TlsStreamOptions): Promise<TlsStream> {
    const side = new EncryptedSide(stream);
    const made = new TlsStream(side, options);
    // node:tls tells its server of a connection, but not which one it means: so each has a server of its own, which
    // inherits all from the one.
    const own: tls.Server = Object.create(this.#server, {
      emit: {
        value: (event: string, subject: unknown) => {
          if (event === "secureConnection") made.isSecured(subject as tls.TLSSocket);
          if (event === "tlsClientError") made.fail(subject);
          return true;
        },
      },
    });
    EventEmitter.prototype.emit.call(own, "connection", side);
    await made.handshake(first);
    return made;
  }

  #context({ cert, key }: KeyPair) {
    return { cert, key, ca: this.#clientCa, minVersion: "TLSv1.2" } as const;
  }
}
