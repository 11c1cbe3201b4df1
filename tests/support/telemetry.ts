/** What OpenTelemetry hears, in this process: it is registered as Deno or a program would, from the import of this file on. */

import { AsyncLocalStorage } from "node:async_hooks";
import type { Attributes, Span } from "../../lib/platform/telemetry.ts";

/** A span that has begun. */
export interface HeardSpan {
  readonly name: string;
  /** The name of the span of which it is a part. */
  readonly parent: string | undefined;
  readonly kind: number;
  readonly attributes: Attributes;
  readonly hasFailed: boolean;
  readonly hasEnded: boolean;
}

const active = new AsyncLocalStorage<string>();
const spans: HeardSpan[] = [];
const durations: { readonly seconds: number; readonly attributes: Attributes }[] = [];

/** The name of the span that is active. */
export function activeSpan(): string | undefined {
  return active.getStore();
}

/** Returns what was heard since it was called before. */
export function heard(): { spans: HeardSpan[]; durations: typeof durations } {
  return { spans: spans.splice(0), durations: durations.splice(0) };
}

type Start = Parameters<typeof startActiveSpan>;

function startActiveSpan(
  name: string,
  { kind, attributes }: { kind: number; attributes?: Attributes },
  work: (span: Span) => unknown,
): unknown {
  const span = { name, parent: activeSpan(), kind, attributes: { ...attributes }, hasFailed: false, hasEnded: false };
  spans.push(span);
  return active.run(name, () =>
    work({
      setAttributes: (more) => Object.assign(span.attributes, more),
      setStatus: ({ code }) => span.hasFailed = code === 2,
      end: () => span.hasEnded = true,
    }));
}

Object.assign(globalThis, {
  [Symbol.for("opentelemetry.js.api.1")]: {
    trace: { getTracer: () => ({ startActiveSpan: (...start: Start) => startActiveSpan(...start) }) },
    metrics: {
      getMeter: () => ({
        createCounter: () => ({ add: () => {} }),
        createHistogram: () => ({
          record: (seconds: number, attributes: Attributes) => durations.push({ seconds, attributes }),
        }),
      }),
    },
  },
});
