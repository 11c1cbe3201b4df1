/** Debian's chromium, for tests of what a person sees; and what a page of ours must never do in it. */

import { assertEquals } from "@std/assert";
import axe from "axe-core";
import { type BrowserContextOptions, chromium, type Page } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";

/** Whether chromium is there. */
export const hasChromium: boolean = await Deno.stat(CHROMIUM).then(() => true, () => false);
if (!hasChromium) {
  console.log("Not tested: the status page in a browser, because chromium (Debian's package) is not installed");
}

/** A browser in which each page is watched. */
export class Chromium implements AsyncDisposable {
  readonly #browser: Awaited<ReturnType<typeof chromium.launch>>;

  private constructor(browser: Awaited<ReturnType<typeof chromium.launch>>) {
    this.#browser = browser;
  }

  static async start(): Promise<Chromium> {
    return new Chromium(await chromium.launch({ executablePath: CHROMIUM }));
  }

  /** Opens a page, and closes it behind `use`. It may neither fail, nor complain, nor ask anybody but the server that it comes from. */
  async visit(
    url: string,
    use: (page: Page) => Promise<void>,
    options: BrowserContextOptions & { before?: (page: Page) => Promise<void>; mayLoseServer?: boolean } = {},
  ): Promise<void> {
    const { before, mayLoseServer = false, ...contextOptions } = options;
    const context = await this.#browser.newContext(contextOptions);
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      const faults: string[] = [];
      page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
      page.on("console", (message) => {
        const isLoss = mayLoseServer && message.text().startsWith("Failed to load resource: net::");
        if (!isLoss) faults.push(`console: ${message.text()}`);
      });
      page.on("request", (request) => {
        if (!/^data:/.test(request.url()) && new URL(request.url()).origin !== new URL(url).origin) {
          faults.push(`request: ${request.url()}`);
        }
      });
      await before?.(page);
      await page.goto(url);
      await use(page);
      assertEquals(faults, []);
    } finally {
      await context.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** What axe finds that hinders readers: rules, with the parts of the page that break them. */
export async function barriers(page: Page): Promise<string[]> {
  if (await page.evaluate("globalThis.axe === undefined")) await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}
