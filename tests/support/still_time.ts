/** The machine's time, held still. */

/** Time that stands still, for everything in this process, until it is moved on; it goes on when this is disposed of. */
export function stillTime(): Disposable & { nowMs: number } {
  const RealDate = Date;
  const time = {
    nowMs: RealDate.now(),
    [Symbol.dispose]() {
      globalThis.Date = RealDate;
    },
  };
  globalThis.Date = class extends RealDate {
    static override now = () => time.nowMs;
  } as DateConstructor;
  return time;
}
