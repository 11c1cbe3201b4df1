/** A client's connection that tells the call under way which server was asked, and what has failed: a caller is told neither. */

import { AsyncLocalStorage } from "node:async_hooks";
import type { Address } from "../base/address.ts";
import { type Attributes, errorType, telemetry } from "../platform/telemetry.ts";
import type { FrameWriter } from "../wire/frame.ts";
import type { Bounds } from "./bounded_call.ts";
import { ClientConnection, type ClientConnectionOptions } from "./connection.ts";
import type { Call } from "./pipeline.ts";

/** The call of which what happens now is a part. */
const UNDER_WAY = new AsyncLocalStorage<CallUnderWay>();

/** A caller's call, which may ask a server several times, or not at all. */
export class CallUnderWay {
  #server: Address | undefined;
  /** The kind of the first failure. */
  error: string | undefined;

  /** Does the work of the call: what that asks a server is the call's. */
  run<Result>(work: () => Result): Result {
    return UNDER_WAY.run(this, work);
  }

  /** Does what is somebody else's. */
  leave<Result>(work: () => Result): Result {
    return UNDER_WAY.exit(work);
  }

  /** A server has answered, or failed to. */
  settled(server: Address, error: unknown): void {
    this.#server = server;
    if (error !== undefined) this.error ??= errorType(error);
  }

  /** What there is to tell of it, alike for all calls of that kind to that server. */
  get attributes(): Attributes {
    const attributes: Attributes = {};
    const server = this.#server;
    if (server !== undefined) attributes["server.address"] = server.transport === "tcp" ? server.hostname : server.path;
    if (server?.transport === "tcp") attributes["server.port"] = server.port;
    if (this.error !== undefined) attributes["error.type"] = this.error;
    return attributes;
  }
}

class TracedConnection extends ClientConnection {
  override call<Result>(
    write: (output: FrameWriter) => void,
    call: Call<Result>,
    bounds?: Bounds,
    isLast?: boolean,
  ): void {
    const underWay = UNDER_WAY.getStore();
    if (underWay === undefined) return super.call(write, call, bounds, isLast);
    const asked = this.current && this.server;
    const settle: typeof call.settle = (result, error) => {
      underWay.settled(asked ?? this.server, error);
      call.settle(result, error);
    };
    super.call(write, { ...call, settle }, bounds, isLast);
  }
}

/** Makes a connection, which is traced where spans are made. */
export function connectionWith(options: ClientConnectionOptions): ClientConnection {
  return telemetry() === undefined ? new ClientConnection(options) : new TracedConnection(options);
}
