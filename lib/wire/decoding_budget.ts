/**
 * Bounds what it costs to decode a value, which anybody may have written: its parts are weighed by the time and memory
 * that they take. It knows no format, and it measures nothing: the same bytes cost the same on every machine, so that a
 * value which was stored can be read.
 *
 * A unit is a nanosecond on a slow machine (the weights were found with bench/decoding.ts on two cores that had five
 * times their work to do), or half a byte of memory, whichever is more.
 */

/** Units for a value that a client reads: half a second, and 256 MB. */
export const CLIENT_UNITS = 500_000_000;
/** Units for a value in `server.cache`, whose decoding holds up the server's own thread: a tenth of a second. */
export const SERVER_CACHE_UNITS = 100_000_000;

/** Units of a regular expression, of each character of its source, and of each of its Unicode properties. */
const REGEXP = { each: 2000, character: 2500, property: 1_000_000, propertyOfStrings: 20_000_000 } as const;
/** Properties of strings that begin so have thousands of strings; they need the flag `v`. */
const PROPERTY = /\\[pP](?:\{(RGI_|Basic_Emoji|Emoji_Keycap))?/g;
/** What makes V8 compute a class anew from what lies within it, with the flag `v`. */
const CLASS_OPERATION = /\[|--|&&/g;

/** A value costs more to decode than is allowed. */
export class DecodingCostError extends RangeError {}

/** What may still be spent on one value. */
export class DecodingBudget {
  readonly #units: number;
  #left: number;

  constructor(units: number) {
    this.#units = units;
    this.#left = units;
  }

  /** What may still be spent. */
  get left(): number {
    return this.#left;
  }

  /**
   * Whether the parts of a value need no weighing, because there is no room for too many of them in so few bytes. Half
   * of the units is then left for what is spent all the same: on keys that collide, and regular expressions.
   *
   * @throws {DecodingCostError} If more than that has been spent before.
   */
  covers(bytes: number, mostUnitsPerByte: number): boolean {
    if (bytes * mostUnitsPerByte > this.#units / 2) return false;
    this.spend(this.#units / 2);
    return true;
  }

  /** @throws {DecodingCostError} If less is left. */
  spend(units: number, on = "its parts"): void {
    this.#left -= units;
    if (this.#left < 0) {
      throw new DecodingCostError(`too costly to read: ${on} would take more than the ${this.#units / 1e6} ms allowed`);
    }
  }

  /** Spends what it costs to parse a regular expression; what it costs to run one is for its user to know. */
  spendRegExp(source: string, flags: string): void {
    const hasClassOperations = flags.includes("v");
    let units = REGEXP.each + REGEXP.character * source.length;
    this.spend(units, "a RegExp");
    if (!hasClassOperations && !flags.includes("u")) return;
    for (const [, isOfStrings] of source.matchAll(PROPERTY)) {
      units += isOfStrings ? REGEXP.propertyOfStrings : REGEXP.property;
    }
    const operations = hasClassOperations ? source.match(CLASS_OPERATION)?.length ?? 0 : 0;
    this.spend(units * (1 + operations), "a RegExp");
  }
}
