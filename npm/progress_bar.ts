/**
 * Stands in for `@std/cli/unstable-progress-bar` where only npm is reachable, with npm's cli-progress. The formatter gets
 * no times.
 */

import cliProgress from "cli-progress";

export interface ProgressBarFormatter {
  progressBar: string;
  value: number;
  max: number;
}

export interface ProgressBarOptions {
  max: number;
  clear?: boolean;
  interval?: number;
  formatter?: (formatter: ProgressBarFormatter) => string;
}

const BAR_CHARACTERS = 50;

export class ProgressBar {
  readonly #bar: cliProgress.SingleBar;

  constructor({ max, clear, interval = 1000, formatter }: ProgressBarOptions) {
    const format = (_options: unknown, { value }: { value: number }) => {
      const filled = Math.round(BAR_CHARACTERS * Math.min(1, value / max));
      const progressBar = "#".repeat(filled) + "-".repeat(BAR_CHARACTERS - filled);
      return formatter?.({ progressBar, value, max }) ?? progressBar;
    };
    this.#bar = new cliProgress.SingleBar({ format, clearOnComplete: clear, fps: 1000 / interval });
    this.#bar.start(max, 0);
  }

  set value(value: number) {
    this.#bar.update(value);
  }

  stop(): Promise<void> {
    this.#bar.stop();
    return Promise.resolve();
  }
}
