/** Renews a server's certificate again and again while clients call it and others connect. */

import type { Authority } from "./certificates.ts";
import { reportingClient } from "./servers.ts";
import { until } from "./waiting.ts";

/** What to do, and to whom. */
export interface RenewalLoad {
  /** Where the server listens. */
  readonly address: string;
  /** Has the server look at its files. */
  readonly reload: () => unknown;
  /** How many renewals the server has taken up. */
  readonly takenUp: () => number | Promise<number>;
  readonly authority: Authority;
  readonly certFile: string;
  readonly keyFile: string;
  readonly renewals: number;
  /** Calls a second, spread over ten clients. */
  readonly callsASecond?: number;
}

/** What came of it. */
export interface RenewalOutcome {
  seconds: number;
  calls: number;
  failedCalls: number;
  connects: number;
  refusedConnects: number;
  errors: string[];
}

const CLIENTS = 10;
const BURST_MS = 10;
const CONNECT_MS = 10;
const MOST_AT_ONCE = 100;
/** Calls that each certificate sees at least, and so do two connects. */
const CALLS_A_RENEWAL = 100;

/** Renews, calls and connects, until all renewals have been taken up. */
export async function renewUnderLoad(load: RenewalLoad): Promise<RenewalOutcome> {
  const { address, authority, certFile, keyFile, renewals, callsASecond = 1000 } = load;
  const outcome: RenewalOutcome = { seconds: 0, calls: 0, failedCalls: 0, connects: 0, refusedConnects: 0, errors: [] };
  const tls = { caCerts: [authority.ca], serverName: "localhost" };
  const issued = []; // before the load, since keys take time
  for (let i = 1; i <= renewals; i++) issued.push(await authority.issue(`renewal ${i}`));
  const made = Array.from({ length: CLIENTS }, () => reportingClient([address], { tls }));
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
      const { client, errors } = reportingClient([address], { tls });
      outcome.connects++;
      if (!await client.store("new", 1)) outcome.refusedConnects++;
      outcome.errors.push(...errors.map(({ message }) => message));
      await client.close();
      await new Promise((resolve) => setTimeout(resolve, CONNECT_MS)); // another handshake, not nothing but handshakes
    }
  })();
  try {
    const before = await load.takenUp();
    for (const [i, { cert, key }] of issued.entries()) {
      await Deno.writeTextFile(certFile, cert);
      await Deno.writeTextFile(keyFile, key);
      await load.reload();
      await until("it is taken up", async () => await load.takenUp() === before + i + 1);
      const { calls, connects } = outcome;
      await until("it is used", () => outcome.calls >= calls + CALLS_A_RENEWAL && outcome.connects > connects + 1);
    }
  } finally {
    isDone = true;
    outcome.seconds = (performance.now() - startMs) / 1000;
    await Promise.all([...calling, connecting]);
  }
  outcome.errors.push(...made.flatMap(({ errors }) => errors.map(({ message }) => message)));
  for (const { client } of made) await client.close();
  return outcome;
}
