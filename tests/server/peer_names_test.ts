/** When names of peers are looked up, and what is made of the answers. */

import { assert, assertEquals } from "@std/assert";
import { type Address, formatAddress } from "../../lib/base/address.ts";
import type { Found } from "../../lib/platform/lookup.ts";
import { PeerNames } from "../../lib/server/peer_names.ts";
import { until } from "../support/waiting.ts";

const HOUR_MS = 3_600_000;

/** The look-ups of one name, which `answer` answers. */
class Fixture implements AsyncDisposable {
  lookUps = 0;
  found = "";
  readonly lines: string[] = [];
  /** Of these lines, those that somebody should look at. */
  readonly warnings: string[] = [];
  readonly names: PeerNames;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;

  constructor(answer: () => Partial<Found>, intervalMs = HOUR_MS) {
    this.names = new PeerNames({
      names: [{ transport: "tcp", hostname: "cache", port: 7 }],
      // deno-lint-ignore require-await -- an error is to reject
      lookUp: async () => {
        this.lookUps++;
        return { addresses: [], ttlMs: undefined, ...answer() };
      },
      intervalMs,
      onFound: (_name, addresses: readonly Address[]) => this.found = addresses.map(formatAddress).join(),
      log: (line, level) => {
        this.lines.push(line);
        if (level === "warn") this.warnings.push(line);
      },
    });
    this.#running = this.names.run(this.#end.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#running;
  }
}

Deno.test("PeerNames finds all addresses of a name, of both kinds, with its port", async () => {
  await using fixture = new Fixture(() => ({ addresses: ["10.0.0.1", "fd00::1"] }));
  await until("it has found them", () => fixture.found !== "");
  assertEquals([fixture.found, fixture.lines], ["10.0.0.1:7,[fd00::1]:7", [
    "Peers cache:7 are 10.0.0.1:7, [fd00::1]:7",
  ]]);
});

Deno.test("PeerNames looks up again when the time to live is over, and otherwise at its interval", async () => {
  await using byAnswer = new Fixture(() => ({ addresses: ["10.0.0.1"], ttlMs: 0 }));
  await using byInterval = new Fixture(() => ({ addresses: ["10.0.0.1"] }), 1000);
  await using later = new Fixture(() => ({ addresses: ["10.0.0.1"], ttlMs: HOUR_MS }), 1000);
  await until("two look again", () => Math.min(byAnswer.lookUps, byInterval.lookUps) === 3);
  assertEquals(later.lookUps, 1);
  assertEquals(byAnswer.lines.length, 1, "nothing has changed");
});

Deno.test("PeerNames looks up a name once more, however often it is hurried within a second", async () => {
  await using fixture = new Fixture(() => ({ addresses: ["10.0.0.1"] }));
  for (let i = 0; i < 100; i++) fixture.names.hurry("cache:7");
  fixture.names.hurry("another:7");
  await until("it has looked again", () => fixture.lookUps === 2);
  fixture.names.hurry("cache:7");
  await until("and once more", () => fixture.lookUps === 3);
});

Deno.test("PeerNames keeps what it knows when a look-up fails or finds nothing, and tries again soon", async () => {
  const answers = [{ addresses: ["10.0.0.1"], ttlMs: 0 }, { addresses: [] }];
  await using fixture = new Fixture(() => answers.shift() ?? fail("no name server answers"));
  await until("it has failed", () => fixture.lookUps >= 2 && fixture.names.names[0].error !== "");
  assertEquals([fixture.found, fixture.names.names[0].error], ["10.0.0.1:7", "it has no address"]);
  await until("it fails otherwise", () => fixture.names.names[0].error === "no name server answers");
  await until("it goes on", () => fixture.lookUps >= 4);
  assertEquals(fixture.found, "10.0.0.1:7");
  assertEquals(fixture.lines.length, 3, "each failure is told once");
  assertEquals(fixture.warnings, fixture.lines.slice(1));
  assert(!fixture.names.names[0].isDenied);
});

function fail(message: string): never {
  throw new Error(message);
}
