/** Sizes and times in words, rounded for people. */

const SIZES = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/** A number of bytes in the unit that suits it. */
export function sizeInWords(bytes: number): string {
  let unit = 0;
  for (let left = bytes; left >= 1023.95 && unit < SIZES.length - 1; left /= 1024) unit++;
  return unit === 0 ? `${bytes} bytes` : `${(bytes / 1024 ** unit).toFixed(1)} ${SIZES[unit]}`;
}

/** A time in the two units that suit it. */
export function timeInWords(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const [minutes, hours, days] = [60, 3600, 86_400].map((unit) => Math.floor(seconds / unit));
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
