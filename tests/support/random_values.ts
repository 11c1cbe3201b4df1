/** Values of every kind by chance. */

import { EXT } from "../../lib/wire/msgpack_types.ts";
import { FLAGS } from "../../lib/wire/values.ts";
import { Choices } from "./choices.ts";
import { concat } from "./value_bytes.ts";
import { BOM, LONE, record, TEMPORAL, TYPED_ARRAYS } from "./value_samples.ts";

/** Makes random values of every kind, few levels deep. */
export class RandomValues extends Choices {
  private string(): string {
    const units = ["a", "é", "€", "😀", LONE, "\udc00", BOM, "\0", '"', "\\", "1", "__proto__", "x".repeat(40)];
    return Array.from({ length: this.below(6) }, () => this.pick(units)).join("");
  }

  private number(): number {
    const special = [0, -0, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32, 2 ** 53, Number.MIN_VALUE, Number.MAX_VALUE];
    const size = 2 ** this.below(60);
    return this.pick([this.pick(special), this.below(300), -this.below(size), this.below(size), this.random() * size]);
  }

  private view(): ArrayBufferView | ArrayBuffer {
    const { buffer } = Uint8Array.from({ length: 32 }, () => this.below(256));
    const name = this.pick([...TYPED_ARRAYS, "DataView", "ArrayBuffer"]);
    if (name === "ArrayBuffer") return buffer.slice(0, this.below(32));
    const named = globalThis as unknown as Record<string, { new (...args: unknown[]): ArrayBufferView }>;
    return new named[name](buffer, 8 * this.below(4), this.below(2));
  }

  private error(depth: number): Error {
    const type = this.pick([Error, RangeError, TypeError, SyntaxError]);
    const error = this.below(3) === 0
      ? new AggregateError(this.list(depth), this.string())
      : new type(this.string(), this.below(2) === 0 ? undefined : { cause: this.value(depth) });
    if (this.below(3) === 0) Object.assign(error, { code: this.value(depth), [`p${this.below(3)}`]: this.string() });
    return error;
  }

  private list(depth: number): unknown[] {
    return Array.from({ length: this.below(5) }, () => this.value(depth));
  }

  private leaf(): unknown {
    switch (this.below(10)) {
      case 9:
        return this.pick([
          new Headers({ a: String(this.below(9)), b: "é" }),
          new Headers(),
          ...Object.values(TEMPORAL),
        ]);
      case 0:
        return this.pick([undefined, null, true, false]);
      case 1:
      case 2:
        return this.string();
      case 3:
        return BigInt(this.below(2 ** 40)) ** BigInt(this.below(9)) * this.pick([1n, -1n]);
      case 4:
        return new Date(this.pick([NaN, this.below(2e12), -this.below(2e12)]));
      case 5:
        return this.pick([/a/g, /[/]\u{1f600}?/u, new RegExp(LONE), new URL("http://a/?q#é"), new URL("a:b")]);
      case 6:
        return this.view();
      default:
        return this.number();
    }
  }

  /** A value of so many levels at most, beside those of its leaves. */
  value(depth: number): unknown {
    if (depth === 0) return this.leaf();
    switch (this.below(9)) {
      case 0:
        return this.list(depth - 1);
      case 1:
        return record(this.list(depth - 1).map((item) => [this.string(), item]));
      case 2:
        return new Map(this.list(depth - 1).map((item) => [this.value(depth - 1), item]));
      case 3:
        return new Set(this.list(depth - 1));
      case 4:
        return this.below(4) === 0 ? this.error(depth - 1) : this.list(depth - 1);
      default:
        return this.leaf();
    }
  }

  /** The flags of an encoding, or now and then others. */
  flagsNear(flags: number): number {
    return this.below(10) === 0 ? this.pick(Object.values(FLAGS)) : flags;
  }

  /** The bytes with some damage. */
  mutated(bytes: Uint8Array, other: Uint8Array): Uint8Array {
    const at = this.below(bytes.length + 1);
    switch (this.below(6)) {
      case 0:
        return bytes.subarray(0, at);
      case 1:
        return concat(bytes.subarray(0, at), other.subarray(this.below(other.length + 1)));
      case 2:
        return concat(bytes.subarray(0, at), [this.below(256)], bytes.subarray(at));
      case 3:
        return concat(bytes.subarray(0, at), bytes.subarray(at + 1 + this.below(3)));
      default: {
        const copy = bytes.slice();
        for (let flips = 1 + this.below(3); flips > 0; flips--) {
          const headers = [0x90, 0x9f, 0xdc, 0xdd, 0xdf, 0xc9, 0xc7, 0xd4, 0xd6, 0xa5, 0xff, 0, ...Object.values(EXT)];
          copy[this.below(copy.length)] = this.below(2) === 0 ? this.below(256) : this.pick(headers);
        }
        return copy;
      }
    }
  }
}
