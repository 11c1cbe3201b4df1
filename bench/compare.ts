/** Times contenders side by side: repeats interleaved, so that a machine's mood meets all alike, and medians. */

/** Something to time: runs `operations` operations. */
export type Contender = () => unknown;

/** How to time. */
export interface CompareOptions {
  title: string;
  /** Operations in one call of a contender. */
  operations: number;
  repeats?: number;
  /** Name of the contender that the others are held against. */
  against: string;
}

const REPEATS = 9;

/** Runs every contender in turn, several times, and prints a row for each: median, least, most, ratio. */
export async function compare(options: CompareOptions, contenders: Record<string, Contender>): Promise<void> {
  const { title, operations, repeats = REPEATS, against } = options;
  const times: Record<string, number[]> = {};
  for (const [name, contender] of Object.entries(contenders)) {
    await contender(); // once to warm up
    times[name] = [];
  }
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const [name, contender] of Object.entries(contenders)) {
      const startMs = performance.now();
      await contender();
      times[name].push(1e6 * (performance.now() - startMs) / operations);
    }
  }
  for (const name in times) times[name].sort((a, b) => a - b);
  const median = (name: string) => times[name][Math.floor(repeats / 2)];
  console.log(`\n${title}\n${"".padEnd(44)} ns/op    least     most  ratio to ${against}`);
  for (const name in times) {
    const cells = [median(name), times[name][0], times[name][repeats - 1]].map((ns) => ns.toFixed(1).padStart(8));
    console.log(`  ${name.padEnd(40)} ${cells.join(" ")}  ${(median(name) / median(against)).toFixed(2)}`);
  }
}

/** Pseudo-random numbers from 0 to 1, the same for the same seed (a linear congruential generator). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** An ordinary object, of 143 bytes as JSON. */
export const order = {
  id: 12345,
  name: "Ada Lovelace",
  email: "ada@example.com",
  tags: ["a", "b", "c"],
  active: true,
  score: 12.5,
  address: { city: "London", zip: "N1" },
};
