/**
 * A program that uses caches, and OpenTelemetry for spans of its own. It writes what its calls have given.
 *
 * Usage: deno run -A traced_program.ts SERVER
 */

import { trace } from "@opentelemetry/api";
import { OrmucoCacheClient, OrmucoCacheServer } from "../../mod.ts";

const tracer = trace.getTracer("program");

/** A span of the program's own, within which something is done. */
function within<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  return tracer.startActiveSpan(name, (span) => work().finally(() => span.end()));
}

const given: unknown[] = [];
await using cache = new OrmucoCacheClient({ servers: [Deno.args[0]], timeoutMs: 10_000 });
await within("request", async () => {
  given.push(await cache.store("secret:key", "secret value"), await cache.retrieve("secret:key"));
  given.push(await cache.retrieveMany(["secret:key", "secret:other"]));
  given.push(
    await cache.namespace("secret:").retrieveOrStore("computed", async () => {
      await cache.has("secret:key");
      return await within("query", () => Promise.resolve("secret result"));
    }),
  );
});
await within("refusal", async () => {
  given.push(await cache.store("", 1).catch(({ name, message }: Error) => `${name}: ${message}`));
});
await within("alone", async () => {
  const alone = new OrmucoCacheClient({});
  const server = new OrmucoCacheServer({ listen: "127.0.0.1:0", log: () => {} });
  for (const each of [alone, server.cache]) {
    given.push(await each.retrieveOrStore("secret:alone", () => within("query", () => Promise.resolve(1))));
  }
});
console.log(Deno.inspect(given));
