/** Begins the status page: listens to the server's events, and shows what they tell. Its functions are part of the page. */

import { browser, byId, type PageElement } from "./document.ts";
import { indexBefore, remember, spanOf } from "./figures.ts";
import { showFindings, showHead, showMinutes, showTiles, type View } from "./show.ts";
import { showDetails, showInsight, showMisses, showPeers } from "./show_parts.ts";
import type { Reading } from "./reading.ts";

/** Begins. */
export function start(): void {
  const view: View = { readings: [], secondsBack: 0, silentMs: undefined, restartedMs: undefined };
  listen(view);
  const moment = byId("moment");
  moment.addEventListener("input", () => lookBack(view, -Number(moment.value)));
  followPointer(view, byId("tiles"), moment);
  byId("minutes-shown").addEventListener("toggle", () => show(view));
  browser().addEventListener("resize", () => show(view));
}

/** Listens to the server, again and again, and takes note when it is silent. */
export function listen(view: View): void {
  let heardMs = Date.now();
  const events = new (browser().EventSource)("events");
  const again = () => {
    events.close();
    clearInterval(timer);
    view.silentMs ??= heardMs;
    showFindings(view);
    setTimeout(() => listen(view), 2000);
  };
  const timer = setInterval(() => Date.now() - heardMs > 5000 && again(), 1000);
  events.onerror = again;
  events.onmessage = ({ data }) => {
    heardMs = Date.now();
    hear(view, JSON.parse(data));
  };
}

/** Takes up a reading. A page that is older than the server is loaded anew. */
export function hear(view: View, reading: Reading): void {
  const last = view.readings.at(-1);
  if (last !== undefined && last.stats.server !== reading.stats.server) return browser().location.reload();
  if (remember(view.readings, reading)) view.restartedMs = Date.now();
  view.silentMs = undefined;
  show(view);
}

/** Shows all there is. */
export function show(view: View): void {
  const { readings } = view;
  const last = readings.length - 1;
  if (last < 0) return;
  const to = readings[last];
  const from = readings[indexBefore(readings, last, 10)];
  showHead(to);
  showFindings(view);
  showTiles(view);
  if (byId("minutes-shown").open) showMinutes(view);
  showPeers(from, to);
  showMisses(readings[0], to);
  showInsight(to.insight);
  showDetails(from, to);
}

/** Shows the figures of a moment before now. */
export function lookBack(view: View, seconds: number): void {
  view.secondsBack = seconds;
  if (view.readings.length > 0) showTiles(view);
}

/** A pointer over the courses looks back to where it is. */
export function followPointer(view: View, tiles: PageElement, moment: PageElement): void {
  const to = (seconds: number) => {
    moment.value = String(-seconds);
    lookBack(view, seconds);
  };
  for (const tile of Array.from(tiles.children)) {
    const chart = tile.children[tile.children.length - 1];
    chart.addEventListener("pointermove", ({ clientX }) => {
      if (view.readings.length === 0) return;
      const { left, width } = chart.getBoundingClientRect();
      to(Math.round(spanOf(view.readings) * Math.min(1, Math.max(0, 1 - (clientX - left) / width))));
    });
    chart.addEventListener("pointerleave", () => to(0));
  }
}
