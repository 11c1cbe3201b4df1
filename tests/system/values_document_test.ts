/** The tables of docs/values.md: each row is stored in every kind of cache, and comes back, or is refused, as it says. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { OrmucoCacheClient } from "../../mod.ts";
import { assertSame } from "../support/same_value.ts";
import { clientOf, reportingClient, startedServer } from "../support/servers.ts";

const DOCUMENT = Deno.readTextFileSync(new URL("../../docs/values.md", import.meta.url));
const ROWS = [...DOCUMENT.matchAll(/^\| (.+?) \| `(.+?)` \| `(.+?)` \|$/gm)].map(([, kind, stored, result]) => ({
  kind,
  stored,
  result,
}));

/** Makes what an expression of the document stands for, each time anew. */
async function makerOf(expression: string): Promise<() => unknown> {
  const program = `import { Buffer } from "node:buffer"; export default () => (${expression}); void Buffer;`;
  return (await import(`data:text/javascript,${encodeURIComponent(program)}`)).default;
}

Deno.test("docs/values.md has a row for what comes back, for what loses something, and for what is refused", () => {
  assertEquals(DOCUMENT.match(/^\| kind \| stored \|/gm)?.length, 3);
  assertEquals(DOCUMENT.match(/^\| (?!kind |-)/gm)?.length, ROWS.length, "every row is read");
});

for (const { kind, stored, result } of ROWS) {
  const isRefused = DOCUMENT.indexOf(`\`${stored}\``) > DOCUMENT.indexOf("are refused with a `TypeError`");
  const test = stored.includes("Temporal") && !("Temporal" in globalThis) ? Deno.test.ignore : Deno.test;
  test(`docs/values.md: ${kind.replace(/^… /, "")}: ${stored} ${isRefused ? "is refused" : "comes back"} as it says`, async () => {
    const [make, expected] = [await makerOf(stored), isRefused ? undefined : await makerOf(result)];
    await using server = await startedServer();
    await using remote = clientOf(server);
    await using copies = new OrmucoCacheClient({ copies: true });
    for (const cache of [remote, copies, server.cache]) {
      await cache.store("k", "older");
      if (expected === undefined) {
        const error = await cache.store("k", make()).catch((error) => error);
        assert(error instanceof TypeError && error.message.endsWith(` ${result}`), `${error}`);
        assertEquals(await cache.has("k"), false);
      } else {
        assertEquals(await cache.store("k", make()), true);
        assertSame(await cache.retrieve("k"), expected());
      }
    }
  });
}

Deno.test("docs/values.md: a value of more than 16 MiB is false and told to onError, a key of more than 4,096 bytes a RangeError", async () => {
  await using server = await startedServer();
  const { client, errors } = reportingClient([server.address!]);
  await using _client = client;
  assertEquals(await client.store("k", "x".repeat(16 * 1024 ** 2 + 1)), false);
  assertMatch(`${errors[0]}`, /too large|at most/);
  assertEquals(await client.store("k", "x".repeat(16 * 1024 ** 2)), true);
  assertEquals(await client.store("k".repeat(4096), 1), true);
  assert(await client.store("k".repeat(4097), 1).catch((error) => error) instanceof RangeError);
});
