/** What the options of near copies have in common, those of a client and those of a server: their checks and their defaults. */

import { MAX_ENTRIES } from "./limits.ts";
import { BOOLEAN_OPTION, isObject, numberOption, objectOption, type OptionRule, type OptionRules } from "./options.ts";

/** How many copies are kept, and who shares them. */
export interface CopyLimits {
  /** Copies at most. */
  readonly maxSize: number;
  /** Bytes at most, as they came: values, keys, and 128 for each copy. */
  readonly maxTotalSize: number;
  /** Whether each reader gets a value of its own. */
  readonly copies: boolean;
}

/** Limits where none are given. */
export const COPY_DEFAULTS: CopyLimits = { maxSize: 1000, maxTotalSize: 64 * 1024 * 1024, copies: false };

/** The rules of these options. */
export const COPY_RULES: OptionRules<CopyLimits> = {
  maxSize: numberOption({ least: 1, most: MAX_ENTRIES, isWhole: true, orInfinity: true }),
  maxTotalSize: {
    allowed: "a number greater than 0",
    isType: (value) => typeof value === "number",
    accepts: (value: number) => value > 0,
  },
  copies: BOOLEAN_OPTION,
};

/** A rule for `near`: `true`, which is all defaults, or options. */
export function nearOption<Options>(fields: OptionRules<Options>): OptionRule {
  return {
    ...objectOption(fields),
    allowed: "true or an object",
    isType: (value) => value === true || isObject(value),
  };
}
