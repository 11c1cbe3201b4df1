/**
 * The server's side of authentication in the native protocol: one exchange of SCRAM, on one connection. It knows neither
 * frames nor sockets.
 */

import { ProtocolError } from "../base/errors.ts";
import { ScramServer } from "../platform/scram.ts";
import { readClientFirst } from "../wire/scram.ts";
import { type ConnectionAccess, whyDenied } from "./access.ts";
import type { Credential } from "./credentials.ts";

/** What a message is answered: with one of the server's own, or with the end of the connection. */
export type LoginAnswer =
  | { readonly challenge: string }
  | { readonly proof: string }
  | { readonly refusal: "auth-failed" | "reflected"; readonly message: string };

/** The same for all that fail: who asks is told nothing about names. */
const FAILED: LoginAnswer = { refusal: "auth-failed", message: "this server does not know the token, or its name" };
const REFLECTED: LoginAnswer = { refusal: "reflected", message: "this server itself has begun this handshake" };

/** What is known after the client's first message. */
interface Exchange {
  readonly scram: ScramServer;
  readonly name: string;
  readonly credentials: readonly Credential[];
}

/** One client's attempt to prove who it is. */
export class NativeLogin {
  /** What the last message is answered; `undefined` until `access.settled()`. */
  answer: LoginAnswer | undefined;
  readonly #access: ConnectionAccess;
  readonly #isOwnNonce: (nonce: string) => boolean;
  #exchange: Exchange | undefined;

  /** @param isOwnNonce Whether this server uses a nonce at the moment, as a client of others. */
  constructor(access: ConnectionAccess, isOwnNonce: (nonce: string) => boolean) {
    this.#access = access;
    this.#isOwnNonce = isOwnNonce;
  }

  /** Takes a message of the client; `access` waits until there is an answer. */
  take(message: string): void {
    this.answer = undefined;
    this.#access.wait(
      this.#answer(message).then((answer) => {
        this.answer = answer;
      }),
    );
  }

  async #answer(message: string): Promise<LoginAnswer> {
    try {
      return this.#exchange === undefined ? await this.#begin(message) : await this.#end(message, this.#exchange);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return await this.#deny(error.message);
    }
  }

  async #begin(message: string): Promise<LoginAnswer> {
    const first = readClientFirst(message);
    if (this.#isOwnNonce(first.nonce)) return REFLECTED;
    const { name } = first;
    const { credentials, verifiers } = await this.#access.rules.credentials.proving(name);
    const scram = new ScramServer(first, verifiers);
    this.#exchange = { scram, name, credentials };
    return { challenge: scram.first() };
  }

  async #end(message: string, { scram, name, credentials }: Exchange): Promise<LoginAnswer> {
    this.#exchange = undefined;
    const found = await scram.final(message);
    const credential = found && credentials[found.which];
    if (credential === undefined || credential.isGone) {
      return await this.#deny(whyDenied(this.#access.rules.credentials, name));
    }
    this.#access.grant(credential);
    return { proof: found!.message };
  }

  async #deny(why: string): Promise<LoginAnswer> {
    await this.#access.deny(why);
    return FAILED;
  }
}
