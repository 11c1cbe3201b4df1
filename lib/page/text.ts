/** Numbers and others' text as the status page writes them. Its functions are part of the page, and know no document. */

/** A number, in full up to a million. */
export function countText(count: number): string {
  const short: Intl.NumberFormatOptions = { notation: "compact", maximumFractionDigits: 2 };
  return count.toLocaleString("en", count < 1e6 ? { maximumFractionDigits: 0 } : short);
}

/** How often something happens in a second: small numbers with what stands behind the point. */
export function rateText(rate: number | undefined): string {
  if (rate === undefined) return "–";
  if (rate === 0) return "0";
  if (rate < 0.095) return "< 0.1";
  return rate < 9.95 ? rate.toFixed(1) : countText(rate);
}

/** A share of 1 as percent; what is not all is not called 100, and what is not nothing not 0. */
export function percentText(share: number | undefined): string {
  if (share === undefined) return "–";
  const percent = 100 * share;
  if (percent > 0 && percent < 0.1) return "< 0.1 %";
  if (percent < 100 && percent > 99.9) return "99.9 %";
  return `${percent === 0 || percent === 100 ? percent : percent.toFixed(1)} %`;
}

/** A bound of what requests take, by its index; the index behind the last is that of longer ones. */
export function boundText(bounds: readonly number[], index: number | undefined): string {
  if (index === undefined) return "–";
  const ms = 1000 * bounds[Math.min(index, bounds.length - 1)];
  const text = ms >= 1000 ? `${ms / 1000} s` : `${Number(ms.toPrecision(3))} ms`;
  return index < bounds.length ? `≤ ${text}` : `> ${text}`;
}

/** A time of the day, where the page is read. */
export function clockText(timeMs: number): string {
  return new Date(timeMs).toLocaleTimeString("en-GB");
}

/** Text from others such that it can be seen what it is: characters that show nothing, or turn the text around, are named. */
export function visible(text: string, most = 300): string {
  const shown = text.length > most ? `${text.slice(0, most)}…` : text;
  return shown.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** A number and what it counts. */
export function counted(count: number, one: string, more = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : more}`;
}

/** A text as a sentence of its own. */
export function sentenceOf(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;
}
