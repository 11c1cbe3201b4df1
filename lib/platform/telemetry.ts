/**
 * The door to OpenTelemetry: what Deno (with `OTEL_DENO=true`) or a program has registered for npm:@opentelemetry/api. All of that package's
 * first version is found under one symbol, so that it need not be loaded; where nothing is registered, nothing is made.
 */

import { subscribe } from "node:diagnostics_channel";
import { CacheError } from "../base/errors.ts";
import { VERSION } from "../base/software.ts";

/** What is told of a call. Never a key or a value: they may be secret, and are too many to sum up by. */
export type Attributes = Record<string, string | number | boolean>;

/** A span, with what is used of it. */
export interface Span {
  setAttributes(attributes: Attributes): unknown;
  setStatus(status: { readonly code: number }): unknown;
  end(): void;
}

interface SpanOptions {
  readonly kind: number;
  readonly attributes?: Attributes;
}

interface Tracer {
  startActiveSpan<Result>(name: string, options: SpanOptions, work: (span: Span) => Result): Result;
}

interface InstrumentOptions {
  readonly description: string;
  readonly unit: string;
  readonly advice?: { readonly explicitBucketBoundaries: number[] };
}

interface Meter {
  createCounter(name: string, options: InstrumentOptions): { add(count: number): void };
  createHistogram(name: string, options: InstrumentOptions): { record(value: number, attributes: Attributes): void };
}

/** What is registered, which may be for spans only, or for measurements only. */
interface Registered {
  readonly trace?: { getTracer(name: string, version: string): Tracer };
  readonly metrics?: { getMeter(name: string, version: string): Meter };
}

/** Kinds of spans: `INTERNAL` and `CLIENT` of npm:@opentelemetry/api. */
export const INTERNAL = 0;
export const CLIENT = 2;
const ERROR_STATUS = { code: 2 };

const REGISTERED = Symbol.for("opentelemetry.js.api.1");
const NAME = "@ormuco/cache";
/** Those that the conventions for clients of databases ask for, and shorter ones: a call takes less than a millisecond. */
const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** Stands for spans where only measurements are made. */
const NO_SPAN: Span = { setAttributes() {}, setStatus() {}, end() {} };
const NO_TRACER: Tracer = { startActiveSpan: (_name, _options, work) => work(NO_SPAN) };

/** Makes spans and measurements. */
export class Telemetry {
  readonly #tracer: Tracer;
  readonly #durations: ReturnType<Meter["createHistogram"]> | undefined;

  constructor(tracer: Tracer, meter: Meter | undefined) {
    this.#tracer = tracer;
    this.#durations = meter?.createHistogram("db.client.operation.duration", {
      description: "Duration of calls of clients with servers.",
      unit: "s",
      advice: { explicitBucketBoundaries: SECONDS },
    });
    for (const type of meter === undefined ? [] : ["hit", "miss"]) {
      const isHit = type === "hit";
      const counter = meter!.createCounter(`ormuco_cache.${isHit ? "hits" : "misses"}`, {
        description: `Values that this process has asked its caches for, and that were ${isHit ? "" : "not "}there.`,
        unit: `{${type}}`,
      });
      subscribe(`ormuco-cache:${type}`, () => counter.add(1));
    }
  }

  /** Does work within a span, which is the active one meanwhile: spans that the work makes are parts of it. */
  within<Result>(name: string, options: SpanOptions, work: (span: Span) => Promise<Result>): Promise<Result> {
    return this.#tracer.startActiveSpan(name, options, async (span) => {
      try {
        return await work(span);
      } catch (error) {
        fail(span, errorType(error));
        throw error;
      } finally {
        span.end();
      }
    });
  }

  /** Takes note of how long a call has taken. */
  measured(ms: number, attributes: Attributes): void {
    this.#durations?.record(ms / 1000, attributes);
  }
}

/** Marks what a span stands for as failed. */
export function fail(span: Span, type: string): void {
  span.setAttributes({ "error.type": type });
  span.setStatus(ERROR_STATUS);
}

/** The kind of an error, in a word. Its message may have keys in it. */
export function errorType(error: unknown): string {
  return error instanceof CacheError ? error.code : error instanceof Error ? error.name : "_OTHER";
}

let found: Telemetry | undefined;

/** Returns what makes spans and measurements, from when something is registered for them. */
export function telemetry(): Telemetry | undefined {
  if (found !== undefined) return found;
  const { trace, metrics } = (globalThis as { [REGISTERED]?: Registered })[REGISTERED] ?? {};
  if (trace === undefined && metrics === undefined) return undefined;
  return found = new Telemetry(trace?.getTracer(NAME, VERSION) ?? NO_TRACER, metrics?.getMeter(NAME, VERSION));
}

/** Computes a value, within a span of its own where spans are made. */
export function computed<Value>(compute: () => Promise<Value>): Promise<Value> {
  return telemetry()?.within("compute", { kind: INTERNAL }, compute) ?? compute();
}
