/** Shows readings on the status page: its head, what is to be looked at, the figures and their courses. Its functions are part of the page. */

import { timeInWords } from "../base/words.ts";
import { browser, byId, childrenFor, made, type PageElement, say, set, showRows } from "./document.ts";
import { indexBefore, rememberedSeconds, secondsBetween, spanOf } from "./figures.ts";
import { type Finding, findings, verdictOf } from "./findings.ts";
import { markOf } from "./peer_marks.ts";
import type { Reading } from "./reading.ts";
import { courseOf, outline, tiles } from "./tiles.ts";
import { clockText, visible } from "./text.ts";

/** What the page knows. */
export interface View {
  /** The last minutes, the oldest first. */
  readonly readings: Reading[];
  /** How many seconds ago the moment is of which the figures are shown. */
  secondsBack: number;
  /** Since when nothing has been heard from the server, in milliseconds since 1970; `undefined` while it is heard. */
  silentMs: number | undefined;
  /** When the server was seen to be started anew. */
  restartedMs: number | undefined;
}

/** The index of the reading whose figures are shown. */
export function shownIndex({ readings, secondsBack }: View): number {
  return indexBefore(readings, readings.length - 1, secondsBack);
}

/** Shows whose page it is. */
export function showHead({ address = "not started", stats, timeMs }: Reading): void {
  const { location } = browser();
  const everywhere = /^(0\.0\.0\.0|\[::\])(?=:\d+$)/; // it is known by the name by which the page was asked for
  say(byId("address"), visible(address.replace(everywhere, location.hostname)));
  const leftMs = stats.certificateExpiresMs - timeMs;
  const certificate = stats.certificateExpiresMs === 0
    ? ""
    : leftMs > 0
    ? `, certificate for ${timeInWords(leftMs)} more`
    : ", certificate expired";
  say(byId("facts"), `${visible(stats.server)}, up ${timeInWords(stats.uptimeMs)}${certificate}`);
}

/** Shows what to look at, and in a word how the server is. */
export function showFindings(view: View): void {
  const { readings, silentMs } = view;
  const now = readings.at(-1);
  const all = silentMs === undefined ? [] : [silence(silentMs, now)];
  if (now !== undefined) all.push(...findings(readings[0], now), ...restart(view));
  const isKnown = silentMs === undefined && now !== undefined;
  const verdict = silentMs !== undefined
    ? { word: "No connection", weight: "bad" as const }
    : isKnown
    ? verdictOf(all, now.stats.ready)
    : { word: "Connecting", weight: "note" as const };
  showVerdict(verdict);
  const shown = childrenFor(byId("findings"), all.length, () => {
    const mark = made("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, made("path"));
    return made("li", {}, mark, made("p", {}, made("strong"), " ", made("span")));
  });
  shown.forEach((item, i) => {
    const { weight, text, advice = "" } = all[i];
    set(item, "class", weight);
    showMark(item.children[0], weight);
    say(item.children[1].children[0], text);
    say(item.children[1].children[1], advice);
  });
  byId("no-findings").hidden = all.length > 0 || !isKnown;
}

export function silence(sinceMs: number, last: Reading | undefined): Finding {
  return {
    weight: "bad",
    text: `Nothing has been heard from the server since ${clockText(sinceMs)}.`,
    advice:
      `${
        last === undefined ? "" : "The figures are of then. "
      }It has stopped, does not let you look any more, or too many look already. ` +
      "This page tries again every two seconds.",
  };
}

export function restart({ restartedMs }: View): Finding[] {
  if (restartedMs === undefined) return [];
  return [{
    weight: "note",
    text: `The server was started anew at ${clockText(restartedMs)}; the figures begin there.`,
  }];
}

export function showVerdict({ word, weight }: { word: string; weight: Finding["weight"] | "good" }): void {
  const pill = byId("verdict");
  if (byId("verdict-word").textContent === word && pill.className === weight) return;
  say(byId("verdict-word"), word);
  set(pill, "class", weight);
  showMark(byId("verdict-mark"), weight);
  say(byId("news"), word); // the one place that is read out by itself
  browser().document.title = `${word}: ${byId("address").textContent} – Ormuco Cache`;
}

export function showMark(mark: PageElement, weight: Finding["weight"] | "good"): void {
  const { path, isFilled } = weight === "note"
    ? { path: "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 1 1 0-11zM8 7.5v3.5M8 4.9v.6", isFilled: false }
    : markOf(weight === "good" ? "well" : weight === "bad" ? "away" : "wrong");
  set(mark.children[0], "d", path);
  set(mark.children[0], "class", isFilled ? "filled" : "drawn");
}

/** Shows the figures of the moment that is looked at, and the course of each. */
export function showTiles(view: View): void {
  const { readings } = view;
  const index = shownIndex(view);
  const [to, last] = [readings[index], readings[readings.length - 1]];
  const back = secondsBetween(to, last);
  const span = spanOf(readings);
  set(byId("moment"), "min", String(-span));
  for (const tile of tiles()) {
    const from = readings[indexBefore(readings, index, tile.seconds)];
    say(byId(`${tile.id}-value`), tile.text(tile.value(from, to), to));
    say(byId(`${tile.id}-more`), tile.more(from, to));
    const values = courseOf(tile, readings);
    const known = values.filter((value) => value !== undefined);
    const highest = Math.max(0, ...known);
    const { line, area } = outline(readings, values, tile.most?.(last) ?? highest, span);
    const chart = byId(`${tile.id}-chart`);
    set(chart.children[0], "d", area);
    set(chart.children[1], "d", line);
    set(chart.children[2], "d", back < 1 ? "" : `M${(300 - 300 * back / span).toFixed(1)} 0v100`);
    const range = known.length === 0
      ? "nothing yet"
      : `from ${tile.text(Math.min(...known), last)} to ${tile.text(highest, last)}`;
    set(chart, "aria-label", `${tile.title}, course of the last 5 minutes: ${range}`);
    say(byId(`${tile.id}-most`), tile.most === undefined && highest > 0 ? `up to ${tile.text(highest, last)}` : "");
  }
  const words = back < 1 ? "now" : `${timeInWords(back * 1000)} ago, ${clockText(to.timeMs)}`;
  say(byId("moment-text"), words);
  set(byId("moment"), "aria-valuetext", words);
}

/** Shows the last minutes as a table, for those who do not see the courses. */
export function showMinutes({ readings }: View): void {
  const last = readings.length - 1;
  const rows: string[][] = [];
  for (let minute = 0; minute < rememberedSeconds() / 60; minute++) {
    const index = indexBefore(readings, last, 60 * minute);
    const from = readings[indexBefore(readings, index, 60)];
    const to = readings[index];
    if (secondsBetween(from, to) < 1) break;
    rows.push([`to ${clockText(to.timeMs)}`, ...tiles().map(({ value, text }) => text(value(from, to), to))]);
  }
  showRows(byId("minutes"), rows, tiles().length + 1);
}
