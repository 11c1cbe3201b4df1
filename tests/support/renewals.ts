/** Renews a server's certificate again and again while clients call it and others connect. */

import type { OrmucoCacheServer } from "../../mod.ts";
import type { Authority } from "./certificates.ts";
import { reportingClient } from "./servers.ts";
import { until } from "./waiting.ts";

/** What to do, and to whom. */
export interface RenewalLoad {
  readonly server: OrmucoCacheServer;
  readonly authority: Authority;
  readonly certFile: string;
  readonly keyFile: string;
  readonly renewals: number;
  /** Calls a second, spread over ten clients. */
  readonly callsASecond?: number;
}

/** What came of it. */
export interface RenewalOutcome {
  calls: number;
  failedCalls: number;
  connects: number;
  refusedConnects: number;
  errors: string[];
}

const CLIENTS = 10;
const BURST_MS = 10;
const MOST_AT_ONCE = 100;

/** Renews, calls and connects, until all renewals have been taken up. */
export async function renewUnderLoad(load: RenewalLoad): Promise<RenewalOutcome> {
  const { server, authority, certFile, keyFile, renewals, callsASecond = 1000 } = load;
  const outcome: RenewalOutcome = { calls: 0, failedCalls: 0, connects: 0, refusedConnects: 0, errors: [] };
  const tls = { caCerts: [authority.ca], serverName: "localhost" };
  const made = Array.from({ length: CLIENTS }, () => reportingClient([server.address!], { tls }));
  let isDone = false;
  const startMs = performance.now();
  const calling = made.map(async ({ client }, i) => {
    for (let asked = 0; !isDone;) {
      const due = Math.floor((performance.now() - startMs) * callsASecond / 1000 / CLIENTS) - asked;
      const keys = Array.from({ length: Math.min(due, MOST_AT_ONCE) }, (_, j) => `key${i}-${(asked + j) % 100}`);
      asked += keys.length;
      const stored = await Promise.all(keys.map((key) => client.store(key, asked)));
      outcome.calls += stored.length;
      outcome.failedCalls += stored.filter((isStored) => !isStored).length;
      await new Promise((resolve) => setTimeout(resolve, BURST_MS)); // this is the rate of the load
    }
  });
  const connecting = (async () => {
    while (!isDone) {
      const { client, errors } = reportingClient([server.address!], { tls });
      outcome.connects++;
      if (!await client.store("new", 1)) outcome.refusedConnects++;
      outcome.errors.push(...errors.map(({ message }) => message));
      await client.close();
    }
  })();
  try {
    const before = server.stats().certificateRenewals;
    for (let i = 1; i <= renewals; i++) {
      const { cert, key } = await authority.issue(`renewal ${i}`);
      await Deno.writeTextFile(certFile, cert);
      await Deno.writeTextFile(keyFile, key);
      await server.reload();
      await until("it is taken up", () => server.stats().certificateRenewals === before + i);
    }
  } finally {
    isDone = true;
    await Promise.all([...calling, connecting]);
  }
  outcome.errors.push(...made.flatMap(({ errors }) => errors.map(({ message }) => message)));
  for (const { client } of made) await client.close();
  return outcome;
}
