/** Choices by chance, for what makes random input. */

/** Chooses by numbers from 0 up to 1. */
export class Choices {
  protected readonly random: () => number;

  constructor(random: () => number) {
    this.random = random;
  }

  /** A whole number from 0 to below `count`. */
  protected below(count: number): number {
    return Math.floor(count * this.random());
  }

  /** One of some. */
  protected pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }

  /** True with a probability. */
  protected chance(probability: number): boolean {
    return this.random() < probability;
  }
}
