/** Shows readings further down on the status page: peers, misses, keys and all other figures. Its functions are part of the page. */

import type { PeerStats } from "../base/stats.ts";
import { sizeInWords, timeInWords } from "../base/words.ts";
import { details, missReasons, otherMemories } from "./details.ts";
import { byId, childrenFor, made, madeBar, type PageElement, say, set, showBar, showRows } from "./document.ts";
import { grown, rate, secondsBetween } from "./figures.ts";
import { markOf, peerLook, peerState } from "./peer_marks.ts";
import type { HotKey, ServerInsight } from "../base/insight.ts";
import type { Reading } from "./reading.ts";
import { counted, countText, percentText, rateText, visible } from "./text.ts";
import { sizeText } from "./tiles.ts";

/** Shows the peers: a table, and the links to them as a picture beside it, one for each row. */
export function showPeers(from: Reading, to: Reading): void {
  const { peers } = to.stats;
  byId("no-peers").hidden = peers.length > 0;
  byId("peer-picture").hidden = peers.length === 0;
  const rows = childrenFor(byId("peers"), peers.length, () => {
    const name = made("th", { scope: "row", role: "rowheader" }, made("b"), made("span"));
    const two = () => made("td", { role: "cell" }, made("span"), made("span"));
    return made("tr", { role: "row" }, name, two(), made("td", { role: "cell" }), two());
  });
  peers.forEach((peer, i) => {
    const [name, lag, answer, traffic] = Array.from(rows[i].children);
    set(rows[i], "class", peerLook(peer));
    say(name.children[0], visible(peer.name === "" ? peer.address : `${peer.address} (${peer.name})`));
    say(name.children[1], peer.error === "" ? peerState(peer) : `${peerState(peer)}: ${visible(peer.error)}`);
    lagTexts(peer).forEach((text, i) => say(lag.children[i], text));
    say(
      answer,
      peer.roundTripMs < 0
        ? "–"
        : `${peer.roundTripMs < 9.95 ? peer.roundTripMs.toFixed(1) : countText(peer.roundTripMs)} ms`,
    );
    const { received, sent } = peerTraffic(peer, from, to);
    say(traffic.children[0], `${sizeText(received)}/s in`);
    say(traffic.children[1], `${sizeText(sent)}/s out`);
  });
  drawLinks(from, to, rows);
}

/** How far a peer is behind: in writes and in time. */
export function lagTexts({ state, lag, lagMs }: PeerStats): [string, string] {
  if (state !== "connected" && state !== "clocks-differ" && state !== "stopping") return ["–", ""];
  return lag === 0 ? ["none", ""] : [counted(lag, "write"), lagMs < 1000 ? "< 1 s" : timeInWords(lagMs)];
}

/** Bytes a second between this server and a peer; those of a new connection count from its beginning. */
export function peerTraffic(
  peer: PeerStats,
  from: Reading,
  to: Reading,
): { received: number | undefined; sent: number | undefined } {
  const seconds = secondsBetween(from, to);
  const old = from.stats.peers.find(({ address, id }) => address === peer.address && id === peer.id);
  if (old === undefined || seconds <= 0) return { received: undefined, sent: undefined };
  const aSecond = (now: number, then: number) => (now < then ? now : now - then) / seconds;
  return { received: aSecond(peer.bytesReceived, old.bytesReceived), sent: aSecond(peer.bytesSent, old.bytesSent) };
}

/** Draws this server at the left, and a line to each row: thicker for more traffic, broken where there is no connection. */
export function drawLinks(from: Reading, to: Reading, rows: readonly PageElement[]): void {
  const picture = byId("links");
  const box = picture.getBoundingClientRect();
  const places = rows.map((row) => row.getBoundingClientRect()).map((row) => row.top + row.height / 2 - box.top);
  const middle = places.length === 0 ? 0 : (places[0] + places[places.length - 1]) / 2;
  const [left, right] = [22, box.width - 14];
  set(byId("hub"), "transform", `translate(${left} ${middle.toFixed(1)})`);
  const links = childrenFor(
    byId("link-lines"),
    rows.length,
    () => made("g", {}, made("path", { class: "link" }), made("path")),
  );
  to.stats.peers.forEach((peer, i) => {
    const look = peerLook(peer);
    const { received = 0, sent = 0 } = peerTraffic(peer, from, to);
    const [line, mark] = Array.from(links[i].children);
    const bend = (left + right) / 2;
    set(links[i], "class", look);
    set(line, "d", `M${left} ${middle}C${bend} ${middle} ${bend} ${places[i]} ${right} ${places[i]}`);
    set(line, "stroke-width", (1.5 + Math.min(5, Math.log10(1 + (received + sent) / 100))).toFixed(1));
    const { path, isFilled } = markOf(look);
    set(mark, "d", path);
    set(mark, "class", isFilled ? "filled mark" : "drawn mark");
    set(mark, "transform", `translate(${right - 8} ${(places[i] - 8).toFixed(1)})`);
  });
}

/** Shows misses by their reasons, most of those of these minutes first. */
export function showMisses(from: Reading, to: Reading): void {
  const all = missReasons().map(({ reason, meaning }) => {
    const recent = grown(from, to, ({ missesByReason }) => missesByReason[reason]);
    return { reason, meaning, recent, ever: to.stats.missesByReason[reason] };
  });
  const sum = all.reduce((sum, { recent }) => sum + recent, 0);
  const rows = childrenFor(byId("misses"), all.length, () => {
    const name = made("th", { scope: "row" }, made("b"), made("span"));
    return made("tr", {}, name, made("td", {}, made("span"), madeBar()), made("td"), made("td"));
  });
  all.forEach(({ reason, meaning, recent, ever }, i) => {
    const [name, share, now, total] = Array.from(rows[i].children);
    say(name.children[0], reason);
    say(name.children[1], meaning);
    say(share.children[0], sum === 0 ? "–" : percentText(recent / sum));
    showBar(share.children[1], sum === 0 ? 0 : recent / sum);
    say(now, countText(recent));
    say(total, countText(ever));
  });
}

/** Shows what was learned of the keys. */
export function showInsight(insight: ServerInsight | undefined): void {
  const { hottestByReads = [], hottestByBytes = [], hitRatio, countedMs = 0, sampledKeys = 0, isSettled } = insight ??
    {};
  const hasKeys = hottestByReads.length + hottestByBytes.length > 0;
  byId("no-keys").hidden = hasKeys;
  byId("keys").hidden = !hasKeys;
  byId("no-memories").hidden = hitRatio !== undefined;
  byId("memories").hidden = hitRatio === undefined;
  showKeys(byId("by-reads"), hottestByReads);
  showKeys(byId("by-bytes"), hottestByBytes);
  const known = otherMemories().filter(({ name }) => hitRatio?.[name] !== undefined);
  showShares(byId("memory-rows"), known.map(({ name, label }) => ({ label, share: hitRatio?.[name] })), 1);
  const early = isSettled || hitRatio === undefined
    ? ""
    : " This is early: more memory may give more, and half of it less.";
  const sample = `Counted for ${timeInWords(countedMs)}, by a sample of ${counted(sampledKeys, "key")}.`;
  say(byId("counted"), insight === undefined ? "" : sample + early);
}

export function showKeys(body: PageElement, keys: readonly HotKey[]): void {
  const most = Math.max(0, ...keys.map(({ share }) => share));
  showShares(body, keys.map(({ key, share }) => ({ label: visible(key), share })), most);
}

/** Shows shares, with bars of which the longest is as long as `most`. */
export function showShares(
  body: PageElement,
  shares: readonly { label: string; share: number | undefined }[],
  most: number,
): void {
  const make = () => made("tr", {}, made("th", { scope: "row" }), made("td", {}, made("span"), madeBar()));
  const rows = childrenFor(body, shares.length, make);
  shares.forEach(({ label, share }, i) => {
    const [name, value] = Array.from(rows[i].children);
    say(name, label);
    say(value.children[0], percentText(share));
    showBar(value.children[1], most === 0 ? 0 : (share ?? 0) / most);
  });
}

/** Shows all other figures: how often in a second, and how often since the start. */
export function showDetails(from: Reading, to: Reading): void {
  for (const { id, rows } of details()) {
    const texts = rows.map(({ label, count, text, isSize }) => {
      if (count === undefined) return [label, text!(to)];
      const aSecond = rate(from, to, count);
      const total = count(to.stats);
      return isSize ? [label, sizeText(aSecond), sizeInWords(total)] : [label, rateText(aSecond), countText(total)];
    });
    showRows(byId(id), texts, 3);
  }
}
