/** Values of `Temporal` as text, where the runtime has it. It knows nothing of MessagePack. */

import type { DecodingBudget } from "./decoding_budget.ts";

/** Types of `Temporal`; the index stands for the type on the wire. */
const KINDS = [
  "Instant",
  "PlainDate",
  "PlainTime",
  "PlainDateTime",
  "PlainYearMonth",
  "PlainMonthDay",
  "ZonedDateTime",
  "Duration",
];

/** Units, beside those of the text, of what has to be looked up for it. */
const COST = { zone: 9000, calendar: 20_000 } as const;

/** A type of `Temporal`, as far as it is needed here. */
interface TemporalType {
  new (...parts: never[]): object;
  from(text: string): object;
}

/** What is read of a `Temporal.ZonedDateTime`. */
interface Zoned {
  readonly timeZoneId: string;
  readonly calendarId: string;
  toInstant(): object;
}

/** A value of `Temporal`, as it is stored. */
export interface TemporalText {
  readonly kind: number;
  readonly text: string;
}

/** A type of `Temporal` by its name; `undefined` if this runtime has none. */
function typeOf(name: string): TemporalType | undefined {
  // Deno 2.4, whose engine is too old to have the other, ends on some texts of calendars, where a flag gives it a Temporal.
  if (!("fromBase64" in Uint8Array)) return undefined;
  return (globalThis as unknown as { Temporal?: Record<string, TemporalType> }).Temporal?.[name];
}

/** Returns a value of `Temporal` as text from which it can be made again; `undefined` if it is something else. */
export function temporalText(value: object): TemporalText | undefined {
  const name = /^\[object Temporal\.(\w+)\]$/.exec(Object.prototype.toString.call(value))?.[1];
  const kind = name === undefined ? -1 : KINDS.indexOf(name);
  const type = kind === -1 ? undefined : typeOf(KINDS[kind]);
  if (type === undefined || !(value instanceof type)) return undefined;
  return { kind, text: KINDS[kind] === "ZonedDateTime" ? zonedText(value as unknown as Zoned) : String(value) };
}

/** With the instant in place of the local time: that stays the same where a reader has other rules of the time zone. */
function zonedText(value: Zoned): string {
  const { calendarId } = value;
  return `${value.toInstant()}[${value.timeZoneId}]${calendarId === "iso8601" ? "" : `[u-ca=${calendarId}]`}`;
}

/**
 * Makes a value of `Temporal`.
 *
 * @throws {TypeError} If there is no such type, here or at all.
 * @throws {RangeError} If the text is not one of that type.
 */
export function temporalOf({ kind, text }: TemporalText): object {
  const name = KINDS[kind];
  if (name === undefined) throw new TypeError(`unknown kind of Temporal ${kind}`);
  const type = typeOf(name);
  if (type === undefined) throw new TypeError(`this runtime has no Temporal, of which it holds a ${name}`);
  return type.from(text);
}

/** Spends what it costs to look up the time zone or calendar that a text names; those without any cost nothing more. */
export function spendTemporal({ text }: TemporalText, budget: DecodingBudget): void {
  if (!text.includes("[")) return;
  budget.spend(text.includes("u-ca=") ? COST.calendar : COST.zone, "a date of a time zone or calendar");
}
