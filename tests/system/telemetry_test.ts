/** What a process tells OpenTelemetry that runs with `OTEL_DENO=true`, and that another tells and loads nothing. */

import { assert, assertEquals } from "@std/assert";
import { CONFIG, type Ended, run, runDeno } from "../support/processes.ts";
import { startedServer } from "../support/servers.ts";

const ROOT = new URL("../../", import.meta.url);

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface ExportedSpan {
  readonly name: string;
  readonly kind: number;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly attributes: readonly Attribute[];
  readonly status: { readonly code: number };
}

interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly sum?: { readonly dataPoints: readonly { readonly asDouble?: number; readonly asInt?: number | string }[] };
  readonly histogram?: {
    readonly dataPoints: readonly { readonly count: number | string; readonly attributes: readonly Attribute[] }[];
  };
}

/** Spans and metrics of one library, by the name of which they are found in what is exported. */
interface Scoped {
  readonly scope: { readonly name: string };
  readonly spans?: readonly ExportedSpan[];
  readonly metrics?: readonly Metric[];
}

/** What a collector has received. */
interface Exported {
  readonly text: string;
  readonly spans: readonly ExportedSpan[];
  /** Of the last export, which sums up all before it. */
  readonly metrics: readonly Metric[];
}

/** Runs the program to its end, beside a collector on this machine; what it exports it has exported then. */
async function runTraced(env: Record<string, string>): Promise<{ ended: Ended; exported: Exported; server: string }> {
  const bodies: { path: string; text: string }[] = [];
  await using collector = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    bodies.push({ path: new URL(request.url).pathname, text: await request.text() });
    return Response.json({});
  });
  await using server = await startedServer();
  const endpoint = {
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
  };
  const ended = await run("tests/support/traced_program.ts", [server.address!], { env: { ...endpoint, ...env } });
  const scopes = (path: string, resources: string, scoped: string): Scoped[][] =>
    bodies.filter((body) => body.path === path).map(({ text }) =>
      JSON.parse(text)[resources].flatMap((resource: Record<string, Scoped[]>) => resource[scoped])
    );
  const spans = scopes("/v1/traces", "resourceSpans", "scopeSpans").flat()
    .filter(({ scope }) => ["@ormuco/cache", "program"].includes(scope.name)).flatMap(({ spans }) => spans!);
  const metrics = (scopes("/v1/metrics", "resourceMetrics", "scopeMetrics").at(-1) ?? [])
    .filter(({ scope }) => scope.name === "@ormuco/cache").flatMap(({ metrics }) => metrics!);
  return {
    ended,
    exported: { text: bodies.map(({ text }) => text).join("\n"), spans, metrics },
    server: server.address!,
  };
}

function shown(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

/** The names of spans, each with those that are parts of it. */
function tree(spans: readonly ExportedSpan[], parent = ""): unknown[] {
  const parts = spans.filter(({ parentSpanId }) => parentSpanId === parent);
  return parts.map(({ name, spanId }) => {
    const inner = tree(spans, spanId);
    return inner.length === 0 ? name : [name, ...inner];
  }).sort();
}

Deno.test("with OTEL_DENO each call of a client with servers is a span, in those of the program, and compute one around the program's own", async () => {
  const { ended, exported, server } = await runTraced({ OTEL_DENO: "true" });
  assertEquals([ended.status, ended.err], [0, ""]);
  assertEquals(tree(exported.spans), [
    ["alone", ["compute", "query"], ["compute", "query"]],
    ["refusal", "store"],
    ["request", "retrieve", "retrieveMany", ["retrieveOrStore", ["compute", "has", "query"]], "store"],
  ]);
  const [hostname, port] = server.split(":");
  const common = { "db.system.name": "ormuco_cache", "server.address": hostname, "server.port": Number(port) };
  const told = (name: string) =>
    exported.spans.filter((span) => span.name === name).map(({ kind, attributes, status }) =>
      [kind, status.code, shown(attributes)] as const
    );
  const ofServer = (operation: string, more = {}) => [3, 0, { ...common, "db.operation.name": operation, ...more }];
  assertEquals<unknown>(told("retrieve"), [ofServer("retrieve", { "ormuco_cache.hit": true })]);
  assertEquals<unknown>(told("retrieveOrStore"), [ofServer("retrieveOrStore", { "ormuco_cache.hit": false })]);
  assertEquals<unknown>(told("retrieveMany"), [
    ofServer("retrieveMany", { "db.operation.batch.size": 2, "ormuco_cache.hits": 1 }),
  ]);
  assertEquals<unknown>(told("has"), [ofServer("has")]);
  assertEquals<unknown>(told("compute"), Array(3).fill([1, 0, {}]));
  const named = { "db.system.name": "ormuco_cache", "db.operation.name": "store" };
  assertEquals<unknown>(told("store"), [ofServer("store"), [3, 2, { ...named, "error.type": "RangeError" }]]);
});

Deno.test("with OTEL_DENO the time of calls, hits and misses are measured, and no key or value is exported", async () => {
  const { exported } = await runTraced({ OTEL_DENO: "true" });
  const metric = (name: string) => exported.metrics.find((metric) => metric.name === name)!;
  const { unit, histogram } = metric("db.client.operation.duration");
  const points = histogram!.dataPoints.map(({ count, attributes }) => {
    const { "db.operation.name": operation, "error.type": error = "ok" } = shown(attributes);
    return `${operation} ${error} ${count}`;
  });
  assertEquals(unit, "s");
  assertEquals(points.sort(), [
    "has ok 1",
    "retrieve ok 1",
    "retrieveMany ok 1",
    "retrieveOrStore ok 1",
    "store RangeError 1",
    "store ok 1",
  ]);
  const counted = (name: string) => metric(name).sum!.dataPoints.map((point) => Number(point.asDouble ?? point.asInt));
  assertEquals([counted("ormuco_cache.hits"), counted("ormuco_cache.misses")], [[2], [4]]);
  assert(exported.text.includes("retrieveOrStore"));
  const withoutLogs = JSON.stringify([exported.spans, exported.metrics]);
  assert(!withoutLogs.includes("secret"), withoutLogs);
});

Deno.test("where Deno makes no spans, calls are measured all the same", async () => {
  const { ended, exported } = await runTraced({ OTEL_DENO: "true", OTEL_DENO_TRACING: "false" });
  assertEquals([ended.status, ended.err, exported.spans], [0, "", []]);
  assertEquals(exported.metrics.map(({ name }) => name).sort(), [
    "db.client.operation.duration",
    "ormuco_cache.hits",
    "ormuco_cache.misses",
  ]);
});

Deno.test("without OTEL_DENO nothing is exported, and calls give the same", async () => {
  const [on, off] = [await runTraced({ OTEL_DENO: "true" }), await runTraced({})];
  assertEquals(off.ended, on.ended);
  assertEquals(off.exported.text, "");
  assertEquals([off.ended.status, off.ended.err], [0, ""]);
});

Deno.test("no package of OpenTelemetry is a part of what programs load", async () => {
  const { out } = await runDeno(["info", "--json", "-c", CONFIG, "mod.ts"], { cwd: ROOT.pathname });
  assert(out.includes("lib/platform/telemetry.ts"), out);
  assert(!out.includes("@opentelemetry"), out);
});
