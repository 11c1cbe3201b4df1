/** How long a client may keep its connection waiting, by a clock of the test's own. */

import { assertEquals } from "@std/assert";
import { type Doing, Patience } from "../../lib/server/patience.ts";

/** A client that waits for nothing and has said nothing. */
const SILENT: Doing = {
  received: 0,
  sent: 0,
  isWriting: false,
  isReading: true,
  isPartial: false,
  answered: 0,
  isKnown: true,
};
const KNOWN: Doing = { ...SILENT, received: 10, sent: 10, answered: 1 };

/** Looks every 500 ms. Returns when the connection is ended and why; "never" if not within ten minutes. */
function ended(doing: (nowMs: number) => Partial<Doing>, idleMs?: number): string {
  const patience = new Patience(0);
  for (let nowMs = 500; nowMs <= 600_000; nowMs += 500) {
    const why = patience.look(nowMs, { ...SILENT, ...doing(nowMs) }, idleMs);
    if (why !== undefined) return `${why} after ${nowMs} ms`;
  }
  return "never";
}

Deno.test("Patience with who says nothing lasts for 5 s", () => {
  assertEquals(ended(() => SILENT), "first-request after 5500 ms");
});

Deno.test("Patience with who has yet to say who it is lasts for 5 s, whatever it does", () => {
  for (const isReading of [true, false]) {
    for (const doing of [{ isPartial: true }, { isWriting: true }, { answered: 3 }]) {
      const stranger = (nowMs: number) => ({
        ...doing,
        isReading,
        isKnown: false,
        received: 1000 * nowMs,
        sent: nowMs,
      });
      assertEquals(ended(stranger), "login after 5500 ms");
    }
  }
  assertEquals(ended((nowMs) => ({ ...KNOWN, isKnown: nowMs > 3000 })), "never");
});

Deno.test("Patience with a first request lasts for 5 s, and longer only if it comes fast", () => {
  assertEquals(ended((nowMs) => ({ received: nowMs / 500, isPartial: true })), "first-request after 5500 ms");
  assertEquals(ended((nowMs) => ({ received: 50 * nowMs, isPartial: true })), "first-request after 10500 ms");
  assertEquals(ended((nowMs) => ({ received: 1000 * nowMs, isPartial: true })), "never");
});

Deno.test("Patience with another request lasts for 30 s, and longer only if it comes fast", () => {
  const partial = (bytesPerMs: number) => (nowMs: number) => ({
    ...KNOWN,
    received: 10 + bytesPerMs * nowMs,
    isPartial: true,
  });
  assertEquals(ended(partial(0)), "request after 31000 ms");
  assertEquals(ended(partial(1)), "request after 31000 ms");
  assertEquals(ended(partial(1000)), "never");
});

Deno.test("Patience with a client that always has a request under way has no end while requests are answered", () => {
  assertEquals(
    ended((nowMs) => ({ ...KNOWN, received: nowMs / 100, isPartial: true, answered: nowMs / 10_000 })),
    "never",
  );
});

Deno.test("Patience with who takes nothing of a reply lasts for 30 s", () => {
  assertEquals(ended(() => ({ ...KNOWN, isWriting: true })), "output after 31000 ms");
  assertEquals(ended((nowMs) => ({ ...KNOWN, sent: nowMs / 20_000 | 0, isWriting: true })), "never");
});

Deno.test("Patience has no end while the server itself is busy with the request, or the client idle", () => {
  assertEquals(ended(() => ({ ...KNOWN, isReading: false, isPartial: true })), "never");
  assertEquals(ended(() => KNOWN), "never");
});

Deno.test("Patience with an idle client ends when that is asked for", () => {
  assertEquals(ended(() => KNOWN, 60_000), "idle after 61000 ms");
  assertEquals(ended((nowMs) => ({ ...KNOWN, received: nowMs / 50_000 | 0 }), 60_000), "never");
});

Deno.test("Patience calls a connection still that has moved no byte for a second", () => {
  const patience = new Patience(0);
  patience.look(500, KNOWN);
  assertEquals(patience.isStill(KNOWN), false);
  patience.look(1000, KNOWN);
  assertEquals(patience.isStill(KNOWN), false);
  patience.look(1500, KNOWN);
  assertEquals([patience.isStill(KNOWN), patience.isStill({ ...KNOWN, received: 11 })], [true, false]);
});

Deno.test("Patience tells the time since the last request, and since the beginning before the first", () => {
  const patience = new Patience(0);
  patience.look(500, { ...SILENT });
  assertEquals(patience.idleMs(700, SILENT), 700);
  assertEquals(patience.idleMs(800, { ...SILENT, isReading: false }), 0); // it is being answered
  assertEquals(patience.idleMs(900, KNOWN), 0); // answered since the last look
  patience.look(1000, KNOWN);
  patience.look(1500, { ...KNOWN, received: 20 }); // bytes are no request yet
  assertEquals(patience.idleMs(3000, KNOWN), 2000);
  patience.look(3500, { ...KNOWN, answered: 2 });
  assertEquals(patience.idleMs(3500, { ...KNOWN, answered: 2 }), 0);
});
