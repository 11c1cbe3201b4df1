/** Checks the options of every class: their names, types and ranges. It does not know what an option is for. */

import { MAX_TTL_MS } from "./limits.ts";

/** What one option may be. A rule is shown in messages as "must be" and its words. */
export interface OptionRule {
  /** The allowed values in words. */
  readonly allowed: string;
  /** Whether a value is of the right type. */
  readonly isType: (value: unknown) => boolean;
  /** Whether a value of the right type is allowed; every one is by default. */
  readonly accepts?: (value: never) => boolean;
  /** Whether messages must not show the value. */
  readonly isSecret?: boolean;
  /** The rule for each item, if the value is a list. */
  readonly items?: OptionRule;
  /** The rules for its own options, if the value is an object. */
  readonly fields?: Readonly<Record<string, OptionRule>>;
}

/** A rule for each option of `Options`. */
export type OptionRules<Options> = { readonly [Name in keyof Options]-?: OptionRule };

/** Bounds of a number. */
export interface NumberBounds {
  readonly least: number;
  readonly most?: number;
  readonly isWhole?: boolean;
  /** Whether `Infinity` is allowed beside what the bounds allow. */
  readonly orInfinity?: boolean;
}

/** A rule for a number. */
export function numberOption(
  { least, most = Infinity, isWhole = false, orInfinity = false }: NumberBounds,
): OptionRule {
  const range = most === Infinity ? `${least} or more` : `${least} to ${most}`;
  const kind = !isWhole ? "" : most === Infinity ? "a whole number of " : "a whole number from ";
  return {
    allowed: `${kind}${range}${orInfinity ? ", or Infinity" : ""}`,
    isType: (value) => typeof value === "number",
    accepts: (value: number) => {
      if (value === Infinity && orInfinity) return true;
      return value >= least && value <= most && (!isWhole || Number.isInteger(value));
    },
  };
}

/** A rule for a time to live. */
export const TTL_OPTION: OptionRule = numberOption({ least: 0, most: MAX_TTL_MS, orInfinity: true });

/** A rule for the time that a caller waits. */
export const TIMEOUT_OPTION: OptionRule = {
  allowed: "more than 0 and below 2³⁰",
  isType: (value) => typeof value === "number",
  accepts: (value: number) => value > 0 && value < 2 ** 31 / 2, // timers of twice the time must fit
};

/** A rule for what ends a wait. */
export const SIGNAL_OPTION: OptionRule = {
  allowed: "an AbortSignal",
  isType: (value) => value instanceof AbortSignal,
};

/** A rule for true or false. */
export const BOOLEAN_OPTION: OptionRule = { allowed: "true or false", isType: (value) => typeof value === "boolean" };

/** A rule for a function. */
export const FUNCTION_OPTION: OptionRule = { allowed: "a function", isType: (value) => typeof value === "function" };

/** A rule for text. */
export function textOption(allowed: string, accepts: (text: string) => boolean, isSecret = false): OptionRule {
  return { allowed, isType: (value) => typeof value === "string", accepts, isSecret };
}

/** A rule for an address as text, or a port as a number. */
export function portOption(allowed: string, accepts: (text: string) => boolean): OptionRule {
  return {
    allowed,
    isType: (value) => typeof value === "string" || typeof value === "number",
    accepts: (value: string | number) =>
      accepts(String(value)) && (typeof value === "string" || Number.isInteger(value)),
  };
}

/** A rule for the name of a file. */
export const FILE_OPTION: OptionRule = textOption("the name of a file", (text) => text !== "");

/** A rule for an array whose items follow another rule. */
export function listOption(allowed: string, items: OptionRule): OptionRule {
  return { allowed, isType: Array.isArray, items };
}

/** A rule for an object of options. */
export function objectOption<Options>(fields: OptionRules<Options>): OptionRule {
  return { allowed: "an object", isType: isObject, fields: fields as Record<string, OptionRule> };
}

/**
 * Returns a copy of options that holds those given; one that is `null` stands for its default, like one that is absent.
 *
 * @param what What cannot be made where an option is wrong, for messages.
 * @throws {TypeError} If they are no object, there is no option of that name, or one has to be an object or an array.
 * @throws {RangeError} If an option is of another type than it has to be, or out of range.
 */
export function checkOptions<Options extends object>(
  what: string,
  options: Options,
  rules: OptionRules<Options>,
): Options {
  if (!isObject(options)) throw new TypeError(`Cannot ${what}: options must be an object: received ${shown(options)}`);
  return checkFields(what, "", options, rules as Record<string, OptionRule>) as Options;
}

/** Tells whether options are right as they are, so that they need no copy: what `checkOptions` would take may not be. */
export function areAllowed<Options extends object>(options: Options, rules: OptionRules<Options>): boolean {
  if (!isObject(options)) return false;
  for (const name in options) {
    if (!Object.hasOwn(rules, name)) return false;
    const { isType, accepts } = rules[name];
    const value = options[name];
    if (value === undefined) continue;
    if (!isType(value) || (accepts !== undefined && !accepts(value as never))) return false;
  }
  return true;
}

/** Checks options that stand in another one, if the path to it is not empty. */
function checkFields(what: string, path: string, options: object, rules: Readonly<Record<string, OptionRule>>): object {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(rules, name)) throw unknownOption(what, path, name, Object.keys(rules));
  }
  const checked: Record<string, unknown> = {};
  for (const name in rules) {
    const value = (options as Record<string, unknown>)[name];
    if (value !== undefined && value !== null) checked[name] = checkValue(what, path + name, value, rules[name]);
  }
  return checked;
}

function checkValue(what: string, name: string, value: unknown, rule: OptionRule): unknown {
  const { allowed, isType, accepts, isSecret = false, items, fields } = rule;
  if (!isType(value) || (accepts !== undefined && !accepts(value as never))) {
    const received = isSecret ? "" : `: received ${shown(value)}`;
    const isShape = items !== undefined || fields !== undefined;
    throw new (isShape ? TypeError : RangeError)(`Cannot ${what}: ${name} must be ${allowed}${received}`);
  }
  if (items !== undefined) return (value as unknown[]).map((item) => checkValue(what, name, item, items));
  return fields === undefined || !isObject(value) ? value : checkFields(what, `${name}.`, value, fields);
}

function unknownOption(what: string, path: string, name: string, names: readonly string[]): TypeError {
  const near = nearestName(name, names);
  const hint = near === undefined
    ? `there are ${names.map((known) => path + known).join(", ")}`
    : `did you mean ${path}${near}?`;
  return new TypeError(`Cannot ${what}: unknown option ${path}${name}: ${hint}`);
}

/** The known name that a name was probably meant to be; `undefined` if none is near. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const least = { name: undefined as string | undefined, steps: Infinity };
  const text = name.toLowerCase();
  for (const candidate of known) {
    const other = candidate.toLowerCase();
    const isPart = text.length > 1 && (other.startsWith(text) || text.startsWith(other));
    const steps = isPart ? 1 : distance(text, other);
    if (steps <= Math.max(1, Math.floor(text.length / 3)) && steps < least.steps) {
      Object.assign(least, { name: candidate, steps });
    }
  }
  return least.name;
}

/** Levenshtein's distance: insertions, deletions, replacements and swaps of neighbours that make one text of the other. */
function distance(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > 8 || one.length > 64) return Infinity;
  const rows = [Array.from({ length: other.length + 1 }, (_, i) => i)];
  for (let i = 0; i < one.length; i++) {
    const row = rows[i];
    const next = [i + 1];
    for (let j = 0; j < other.length; j++) {
      const isSwap = i > 0 && j > 0 && one[i] === other[j - 1] && one[i - 1] === other[j];
      const swapped = isSwap ? rows[i - 1][j - 1] + 1 : Infinity;
      next.push(Math.min(next[j] + 1, row[j + 1] + 1, row[j] + Number(one[i] !== other[j]), swapped));
    }
    rows.push(next);
  }
  return rows[one.length][other.length];
}

const MAX_SHOWN = 80;

/** A value as a message shows it: text in quotes, and of what is large only what it is. */
export function shown(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value);
  }
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" ? "a function" : String(value);
}

/** Whether a value is an object of options. */
export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
