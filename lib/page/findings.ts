/** What is not as it should be with a server, and what to do. Its functions are part of the page, and know no document. */

import { isAwaited } from "../base/readiness.ts";
import type { PeerStats, ServerStats } from "../base/stats.ts";
import { sizeInWords, timeInWords } from "../base/words.ts";
import { boundOf, cpuShare, fullness, grown, rate, rememberedSeconds, secondsBetween } from "./figures.ts";
import { peerLook, peerState } from "./peer_marks.ts";
import type { Reading } from "./reading.ts";
import { boundText, counted, countText, percentText, rateText, sentenceOf, visible } from "./text.ts";

/** How much a finding matters: it hinders the service, somebody should look at it, or it is good to know. */
export type Weight = "bad" | "odd" | "note";

/** One thing to know. */
export interface Finding {
  readonly weight: Weight;
  readonly text: string;
  /** What to do. */
  readonly advice?: string;
}

/** All there is to know of a server now, the weightiest first; `before` is some minutes older. */
export function findings(before: Reading, now: Reading): Finding[] {
  const all = [
    ...readinessFindings(now.stats),
    ...now.stats.peers.flatMap(peerFindings),
    ...limitFindings(before, now),
    ...countFindings(before, now),
    ...paceFindings(before, now),
    ...certificateFindings(now),
    ...snapshotFindings(now.stats),
  ];
  const order: Weight[] = ["bad", "odd", "note"];
  return order.flatMap((weight) => all.filter((finding) => finding.weight === weight));
}

export function readinessFindings({ ready, peers }: ServerStats): Finding[] {
  if (ready) return [];
  const awaited = peers.filter(isAwaited).map(({ address }) => visible(address));
  return [{
    weight: "bad",
    text: "This server is not ready.",
    advice: awaited.length === 0
      ? "It has begun a moment ago, or is stopping."
      : `It has not caught up with ${awaited.join(", ")}, so callers may miss what is there.`,
  }];
}

export function peerFindings(peer: PeerStats): Finding[] {
  const name = visible(peer.address);
  const look = peerLook(peer);
  if (look === "away" || look === "wrong") {
    const isOnItsWay = peer.state === "stopping" && peer.ready;
    const advice = peer.error === "" ? undefined : sentenceOf(visible(peer.error));
    return [{ weight: isOnItsWay ? "note" : "bad", text: `Peer ${name} ${peerSentence(peer)}.`, advice }];
  }
  if (peer.lag > 0 && peer.lagMs > 10_000) {
    const text = `Peer ${name} is behind by ${counted(peer.lag, "write")}, the oldest ${timeInWords(peer.lagMs)} old.`;
    return [{ weight: "odd", text, advice: "It does not keep up, or its network does not." }];
  }
  if (peer.roundTripMs > 1000) {
    return [{ weight: "odd", text: `Peer ${name} takes ${timeInWords(peer.roundTripMs)} to answer.` }];
  }
  return [];
}

/** A peer's state as the end of a sentence that it begins. */
export function peerSentence(peer: PeerStats): string {
  const words: Partial<Record<PeerStats["state"], string>> = {
    incompatible: "is of another version, which does not agree with this one",
    stopping: peer.ready ? "is stopping" : "stops before it has given all",
    "other-cluster": "is of another cluster",
    refused: "is not let in, or does not let this server in",
    "not-permitted": "may not be connected to",
    "clocks-differ": "has another time than this server: set both clocks by NTP",
  };
  return words[peer.state] ?? peerState(peer);
}

/** What is near a limit, or at it. */
export function limitFindings(before: Reading, now: Reading): Finding[] {
  const { stats, maxConnections } = now;
  const found: Finding[] = [];
  if (stats.connections >= 0.9 * maxConnections) {
    found.push({
      weight: "odd",
      text: `${countText(stats.connections)} of ${counted(maxConnections, "connection")} are open.`,
      advice: "Raise CACHE_MAX_CONNECTIONS, or look for clients that do not share one.",
    });
  }
  if (stats.maxBuffers > 0 && stats.bufferBytes >= 0.8 * stats.maxBuffers) {
    found.push({
      weight: "odd",
      text: `${sizeInWords(stats.bufferBytes)} of requests and replies wait, of ${
        sizeInWords(stats.maxBuffers)
      } at most.`,
      advice: "Look for clients that do not read, or raise CACHE_MAX_BUFFERS.",
    });
  }
  const evictions = rate(before, now, ({ evictions }) => evictions);
  const { share, byEntries } = fullness(stats);
  if (share >= 0.95 && evictions !== undefined && evictions > 0) {
    found.push({
      weight: "note",
      text: `Full: ${rateText(evictions)} entries a second make room for others.`,
      advice: `That is what a cache does; if hits become rarer, raise ${
        byEntries ? "CACHE_MAX_SIZE" : "CACHE_MAX_BYTES"
      }.`,
    });
  }
  return found;
}

/** What should not have happened in these minutes, and has. */
export function countFindings(before: Reading, now: Reading): Finding[] {
  const when = secondsBetween(before, now) > rememberedSeconds() - 5 ? "in the last 5 minutes" : "since you look";
  const kinds: [Weight, (stats: ServerStats) => number, string, string, string?][] = [
    [
      "bad",
      (s) => s.connectionsRefused,
      "connection was refused",
      "connections were refused",
      "All places are taken: raise CACHE_MAX_CONNECTIONS, or look for clients that do not share one.",
    ],
    [
      "bad",
      (s) => s.connectionsCut,
      "connection was cut for want of buffers",
      "connections were cut for want of buffers",
      "Raise CACHE_MAX_BUFFERS.",
    ],
    [
      "bad",
      (s) => s.certificateFaults,
      "certificate could not be used",
      "certificates could not be used",
      "The log says what is wrong with the files.",
    ],
    [
      "odd",
      (s) => s.loginsFailed,
      "credential was not good",
      "credentials were not good",
      "A token that was changed here and not there, or somebody who guesses: the log has the address.",
    ],
    ["odd", (s) => s.tlsFailures, "handshake of TLS failed", "handshakes of TLS failed", "The log says why."],
    ["odd", (s) => s.connectionsSlow, "connection was too slow, and ended", "connections were too slow, and ended"],
    [
      "odd",
      (s) => s.protocolErrors,
      "breach of a protocol",
      "breaches of a protocol",
      "Something else than a client talks to this port: the log says what.",
    ],
    [
      "odd",
      (s) => s.gossip.unconfirmed + s.gossip.covered,
      "entry was dropped as nobody could confirm it",
      "entries were dropped as nobody could confirm them",
      "Raise CACHE_MAX_FORGOTTEN.",
    ],
  ];
  return kinds.flatMap(([weight, count, one, more, advice]) => {
    const times = grown(before, now, count);
    return times === 0 ? [] : [{ weight, text: `${counted(times, one, more)} ${when}.`, advice }];
  });
}

/** What is slow or busy. */
export function paceFindings(before: Reading, now: Reading): Finding[] {
  const { bounds } = now.durations;
  const found: Finding[] = [];
  const most = boundOf(before, now, 0.99);
  if (most !== undefined && (most >= bounds.length || bounds[most] > 0.1)) {
    const time = boundText(bounds, most - 1).slice(2);
    found.push({
      weight: "odd",
      text: `One of 100 requests takes longer than ${time}.`,
      advice: "The server is busy, or clients take their replies slowly.",
    });
  }
  const cpu = cpuShare(before, now);
  if (cpu !== undefined && cpu >= 0.9) {
    found.push({
      weight: "odd",
      text: `The process takes ${percentText(cpu)} of a processor.`,
      advice: "One process cannot do much more: share the load among several servers.",
    });
  }
  return found;
}

export function certificateFindings({ timeMs, stats }: Reading): Finding[] {
  const { certificateExpiresMs: endMs, certificateOrderMs: orderMs } = stats;
  if (endMs === 0) return [];
  const [leftMs, hourMs] = [endMs - timeMs, 3_600_000];
  if (leftMs <= 0) {
    return [{ weight: "bad", text: `The certificate expired ${timeInWords(-leftMs)} ago.`, advice: "Renew it now." }];
  }
  const isOverdue = orderMs > 0 && timeMs > orderMs + hourMs;
  if (!isOverdue && (orderMs > 0 || leftMs > 7 * 24 * hourMs)) return [];
  return [{
    weight: leftMs < 24 * hourMs ? "bad" : "odd",
    text: `The certificate expires in ${timeInWords(leftMs)}.`,
    advice: "Its renewal does not work: the log says why.",
  }];
}

export function snapshotFindings({ snapshotError }: ServerStats): Finding[] {
  if (snapshotError === "") return [];
  const advice = sentenceOf(visible(snapshotError));
  return [{ weight: "odd", text: "The last snapshot could not be written, or not be loaded as a whole.", advice }];
}

/** The one word for all of it. */
export function verdictOf(all: readonly Finding[], isReady: boolean): { word: string; weight: Weight | "good" } {
  if (!isReady) return { word: "Not ready", weight: "bad" };
  if (all.some(({ weight }) => weight === "bad")) return { word: "In trouble", weight: "bad" };
  if (all.some(({ weight }) => weight === "odd")) return { word: "Worth a look", weight: "odd" };
  return { word: "Healthy", weight: "good" };
}
