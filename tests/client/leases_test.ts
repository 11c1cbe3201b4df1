/** Leases of a client, without a connection: whom it waits for. */

import { assert, assertEquals } from "@std/assert";
import { CallCounters } from "../../lib/base/call_counters.ts";
import { Failures } from "../../lib/client/failures.ts";
import { ClientLeases } from "../../lib/client/leases.ts";
import type { Call } from "../../lib/client/pipeline.ts";
import { REPLY } from "../../lib/wire/frame.ts";
import { NO_LIMIT } from "../../lib/wire/protocol_handler.ts";
import { frameOf, written } from "../support/frames.ts";
import { turn } from "../support/waiting.ts";

/** Asks for a key, and is told to wait by a connection that is in use, or not any more. Returns whether it is to ask again at once. */
async function asksAtOnce(isInUse: boolean): Promise<boolean> {
  const calls = new CallCounters();
  const leases = new ClientLeases({
    call: (_, call) => {
      const { read, settle } = call as Call<unknown>;
      settle(
        read(frameOf(written((output) => output.empty(REPLY.wait))), NO_LIMIT, isInUse ? 1 : undefined),
        undefined,
      );
    },
    ...{ near: undefined, calls, ttlMs: undefined },
    failures: new Failures({ counters: calls, of: "a server", onError: () => {} }),
    retrieve: () => Promise.reject(new Error("not asked")),
    store: () => Promise.reject(new Error("not asked")),
  });
  const asked = await leases.ask("k", { leaseMs: 1000, acceptsStale: false });
  assert(asked.state === "wait");
  return await Promise.race([asked.again.then(() => true), turn().then(() => false)]);
}

Deno.test("who is told to wait by a server that has said that it stops asks again at once, since it will hear no more of that one", async () => {
  assertEquals([await asksAtOnce(true), await asksAtOnce(false)], [false, true]);
});
