/** Leases of a client, without a connection: whom it waits for. */

import { assert, assertEquals } from "@std/assert";
import { CacheError } from "../../lib/base/errors.ts";
import { CallCounters } from "../../lib/base/call_counters.ts";
import { Failures } from "../../lib/client/failures.ts";
import { ClientLeases, type LeasesOptions } from "../../lib/client/leases.ts";
import type { Call } from "../../lib/client/pipeline.ts";
import { type FrameReader, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { CacheEvents } from "../../lib/platform/cache_events.ts";
import { tokenAt, writeStaleToken } from "../../lib/wire/leases.ts";
import { COPY_MARK } from "../../lib/wire/near.ts";
import { NO_LIMIT } from "../../lib/wire/protocol_handler.ts";
import { FLAGS } from "../../lib/wire/values.ts";
import { frameOf, written } from "../support/frames.ts";
import { turn } from "../support/waiting.ts";

/** Leases whose calls are made by `call`. */
function leasesWith(call: LeasesOptions["call"]): ClientLeases {
  const events = new CacheEvents(undefined);
  const calls = new CallCounters(events);
  return new ClientLeases({
    ...{ call, near: undefined, calls, ttlMs: undefined },
    failures: new Failures({ counters: calls, events, of: "a server", onError: () => {} }),
    retrieve: () => Promise.reject(new Error("not asked")),
    store: () => Promise.reject(new Error("not asked")),
  });
}

const QUESTION = { leaseMs: 1000, acceptsStale: false };
const TOKEN = { high: 1, low: 2 };

/** Asks for a key, and is told to wait by a connection that is in use, or not any more. Returns whether it is to ask again at once. */
async function asksAtOnce(isInUse: boolean): Promise<boolean> {
  const wait = frameOf(written((output) => output.empty(REPLY.wait)));
  const leases = leasesWith((_, { read, settle }) =>
    settle(read(wait, NO_LIMIT, isInUse ? 1 : undefined) as never, undefined)
  );
  const asked = await leases.ask("k", QUESTION);
  assert(asked.state === "wait");
  let asksAgain = false;
  asked.again.then(() => asksAgain = true);
  await turn();
  return asksAgain;
}

Deno.test("who is told to wait by a server that has said that it stops asks again at once, since it will hear no more of that one", async () => {
  assertEquals([await asksAtOnce(true), await asksAtOnce(false)], [false, true]);
});

Deno.test("a lease is given back that comes when nobody waits for the answer any more, whatever comes with it", async () => {
  const calls: { request: FrameReader; call: Call<unknown> }[] = [];
  const leases = leasesWith((write, call) =>
    calls.push({ request: frameOf(written(write)), call: call as Call<unknown> })
  );
  const asked = leases.ask("k", QUESTION);
  const [{ call }] = calls;
  call.settle(undefined, new CacheError("timeout", "late"));
  assertEquals(await asked, { state: "failed" });
  call.late!(frameOf(written((output) => output.empty(REPLY.wait))));
  assertEquals(calls.length, 1);
  const terms = { marks: COPY_MARK.stale, freshMs: 0, ttlMs: 1 };
  call.late!(frameOf(written((output) => void writeStaleToken(output, TOKEN, terms, FLAGS.json, 0))));
  const { request } = calls[1];
  assertEquals([request.code, tokenAt(request, request.key.to)], [REQUEST.give, TOKEN]);
});
