/** The status page as a person sees it, in Debian's chromium: of servers that are idle, busy and in trouble, and of made-up ones. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Page } from "playwright-core";
import type { Reading } from "../../lib/page/reading.ts";
import { askHttp } from "../support/http.ts";
import { barriers, Chromium, hasChromium } from "../support/chromium.ts";
import { peerStats } from "../support/peer_stats.ts";
import { portOf } from "../support/ports.ts";
import { clientOf, madeServer, reportingClient, startedServer } from "../support/servers.ts";
import { reading } from "../support/readings.ts";
import { until } from "../support/waiting.ts";

const HTTP = { http: "127.0.0.1:0" };
/** Windows and colours; in the first two, axe looks too. */
const LOOKS = [["light", 1280], ["dark", 390], ["dark", 1280], ["light", 390]] as const;
const HOSTILE = "<img src=x onerror=\"console.error('key')\">\u202e</script>";

const urlOf = ({ httpAddress }: { httpAddress: string | undefined }) => `http://${httpAddress}/`;

/** The text of a part of the page. */
const textOf = async (page: Page, id: string) => (await page.textContent(`#${id}`)) ?? "";

/** Waits until a part of the page says something. */
async function says(page: Page, id: string, what: RegExp): Promise<void> {
  await until(`${id} says ${what}`, async () => what.test(await textOf(page, id)));
}

/** In every look nothing hinders readers, and nothing is wider than the window. */
async function isReadable(page: Page): Promise<void> {
  for (const [i, [colorScheme, width]] of LOOKS.entries()) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    assertEquals(await page.evaluate("document.documentElement.scrollWidth"), width);
    if (i < 2) assertEquals(await barriers(page), [], colorScheme);
  }
}

/** Has a page hear what a test tells in place of a server's events. */
async function withMadeUpEvents(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const page = globalThis as unknown as Record<string, unknown>;
    page.EventSource = class {
      constructor() {
        page.madeUp = this;
      }
      close() {}
    };
  });
}

async function tell(page: Page, said: Reading): Promise<void> {
  await page.evaluate((data) => {
    const { madeUp } = globalThis as unknown as { madeUp: { onmessage(event: { data: string }): void } };
    madeUp.onmessage({ data });
  }, JSON.stringify(said));
}

Deno.test({
  name: "the status page shows servers that are idle, busy and in trouble, readable for everybody",
  ignore: !hasChromium,
  fn: async (t) => {
    await using browser = await Chromium.start();

    await t.step("one that has nothing to do, and no peers", async () => {
      await using server = await startedServer(HTTP);
      await browser.visit(urlOf(server), async (page) => {
        await says(page, "verdict-word", /^Healthy$/);
        assertEquals(await page.title(), `Healthy: ${server.address} – Ormuco Cache`);
        assertEquals(await textOf(page, "address"), server.address);
        assertEquals(await textOf(page, "hits-value"), "no reads");
        assert(
          await page.isVisible("#no-findings") && await page.isVisible("#no-peers") && await page.isVisible("#no-keys"),
        );
        await isReadable(page);
      });
    });

    await t.step("one with peers, near copies, hits and misses", async () => {
      await using one = await startedServer();
      await using two = await startedServer();
      await using server = await startedServer({ ...HTTP, maxSize: 50, peers: [one.address!, two.address!] });
      const { client } = reportingClient([server.address!], { near: true });
      await using near = client;
      await until(
        "they are peers",
        () => server.stats().peers.every(({ state, ready }) => state === "connected" && ready),
      );
      await browser.visit(urlOf(server), async (page) => {
        await says(page, "verdict-word", /^Healthy$/);
        for (let i = 0; i < 200; i++) await near.store(`key ${i}`, i);
        for (let i = 0; i < 200; i += 5) await near.retrieve(`key ${i}`);
        await says(page, "hits-value", /^\d+\.\d %$/);
        await says(page, "requests-value", /^[1-9]/);
        assertMatch(await textOf(page, "times-value"), /^[≤>] [\d.]+ m?s$/);
        assertEquals([await textOf(page, "full-value"), await textOf(page, "near-value")], ["100 %", "1"]);
        assertStringIncludes(await textOf(page, "findings"), "make room for others.");
        assertEquals(await page.locator("#peers tr.well").count(), 2);
        assertEquals(await page.locator("#link-lines g.well").count(), 2);
        assertStringIncludes(await textOf(page, "peers"), `${one.address}connected`);
        assertMatch(await textOf(page, "misses"), /evictedhad to make room for others[1-9]/);
        await isReadable(page);
      });
    });

    await t.step("one that is not ready, with peers that are away or of others, and without places", async () => {
      await using other = await startedServer({ cluster: "other" });
      await using gone = await startedServer();
      const goneAddress = gone.address!;
      await gone.stop();
      const peers = [other.address!, goneAddress];
      await using server = await startedServer({ ...HTTP, peers, readyAfterMs: 600_000, maxConnections: 1 });
      await browser.visit(urlOf(server), async (page) => {
        await says(page, "verdict-word", /^Not ready$/);
        await using one = clientOf(server);
        await one.ping();
        for (let i = 0; i < 2; i++) {
          await using late = clientOf(server);
          await late.ping().catch(() => {});
        }
        await says(page, "findings", /connections? w\w+ refused/);
        await says(page, "findings", new RegExp(`Peer ${goneAddress} cannot be reached`));
        assertStringIncludes(await textOf(page, "findings"), `Peer ${other.address} is of another cluster`);
        assertEquals([await page.locator("#peers tr.away").count(), await page.locator("#peers tr.wrong").count()], [
          1,
          1,
        ]);
        assertEquals(await page.getAttribute("#verdict", "class"), "bad");
        await isReadable(page);
      });
    });

    await t.step("keys, peers and errors of others are text, and nothing else", async () => {
      await using server = await startedServer(HTTP);
      await browser.visit(urlOf(server), async (page) => {
        const peers = [peerStats({ address: HOSTILE, name: HOSTILE, state: "refused", error: HOSTILE, ready: false })];
        const keys = [{ key: HOSTILE, share: 0.5, shareAtMost: 0.6 }, {
          key: "user:42",
          share: 0.25,
          shareAtMost: 0.3,
        }];
        const hitRatio = { half: 0.5, same: 0.75, double: 0.9, fourfold: 0.95, sieve: 0.8 };
        const counted = { countedMs: 61_000, sampledKeys: 1000, isSettled: true, meanBytes: 100 };
        await tell(page, reading(1));
        assert(await page.isVisible("#no-keys"));
        const insight = { ...counted, hitRatio, hottestByReads: keys, hottestByBytes: keys };
        const told = (second: number) => reading(second, { ready: false, peers }, { address: HOSTILE, insight });
        await tell(page, told(2));
        assertEquals(await page.locator("img, body script ~ *").count(), 0);
        const shown = HOSTILE.replace("\u202e", "\\u202e");
        for (const id of ["address", "findings", "peers", "by-reads", "by-bytes"]) {
          assertStringIncludes(await textOf(page, id), shown);
        }
        const height = async () => (await page.locator("#peer-picture").boundingBox())?.height;
        const before = await height();
        for (let second = 3; second < 9; second++) await tell(page, told(second));
        assertEquals(await height(), before, "the picture is as high as the table, and does not push it");
        assertEquals(
          await textOf(page, "memory-rows"),
          "Half the memory50.0 %As it is75.0 %Twice the memory90.0 %Four times the memory95.0 %SIEVE in place of LRU80.0 %",
        );
        assertEquals(await textOf(page, "counted"), "Counted for 1 min 1 s, by a sample of 1,000 keys.");
        assertEquals(await page.locator("#by-reads tr").nth(1).locator("rect").getAttribute("width"), "50.0");
        await isReadable(page);
      }, { before: withMadeUpEvents });
    });

    await t.step("who has no mouse looks back minute by minute", async () => {
      await using server = await startedServer(HTTP);
      await browser.visit(urlOf(server), async (page) => {
        for (let second = 0; second <= 130; second++) {
          await tell(page, reading(second, { requests: 10 * Math.min(100, second) }));
        }
        assertEquals(await textOf(page, "requests-value"), "0");
        await page.keyboard.press("Tab");
        assertEquals(await page.evaluate("document.activeElement.id"), "moment");
        for (let i = 0; i < 40; i++) await page.keyboard.press("ArrowLeft");
        assertEquals(await textOf(page, "requests-value"), "10");
        assertMatch(await textOf(page, "moment-text"), /^40 s ago, \d\d:\d\d:\d\d$/);
        assertEquals(await page.getAttribute("#moment", "aria-valuetext"), await textOf(page, "moment-text"));
        await page.keyboard.press("Tab");
        await page.keyboard.press("Enter");
        await page.locator("#minutes tr").nth(1).waitFor();
        assertEquals(await page.locator("#minutes tr").count(), 3);
        assertStringIncludes(await page.getAttribute("#requests-chart", "aria-label") ?? "", "from 0 to 10");
        assertEquals(await barriers(page), []);
        const box = (await page.locator("#requests-chart").boundingBox())!;
        await page.mouse.move(box.x + 1, box.y + 5);
        assertMatch(await textOf(page, "moment-text"), /^2 min \d+ s ago/);
        await page.mouse.move(0, 0);
        assertEquals(await textOf(page, "moment-text"), "now");
      }, { before: withMadeUpEvents });
    });

    await t.step("a server that stops and comes back", async () => {
      await using server = await startedServer(HTTP);
      const http = server.httpAddress;
      await browser.visit(urlOf(server), async (page) => {
        await says(page, "news", /^Healthy$/);
        await server.stop();
        await says(page, "news", /^No connection$/);
        assertStringIncludes(await textOf(page, "findings"), "Nothing has been heard from the server since ");
        await using again = madeServer({ http });
        await again.startServer();
        await says(page, "news", /^Healthy$/);
        assertStringIncludes(await textOf(page, "findings"), "The server was started anew at ");
      }, { mayLoseServer: true });
    });

    await t.step("one that asks who looks", async () => {
      await using server = await startedServer({ ...HTTP, authToken: "viewer:a-long-enough-secret" });
      assertEquals((await askHttp(portOf(server.httpAddress!), "/"))?.status, 401);
      await browser.visit(urlOf(server), (page) => says(page, "verdict-word", /^Healthy$/), {
        httpCredentials: { username: "viewer", password: "a-long-enough-secret" },
      });
    });
  },
});
