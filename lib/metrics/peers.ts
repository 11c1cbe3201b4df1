/** The metrics of a server's peers, from their statistics: one sample for each peer in each family. */

import type { PeerStats } from "../base/stats.ts";
import type { Family, Kind, Sample } from "./text.ts";

/** A figure of a peer; `undefined` where there is none. `labels` tell it from others of the same name. */
interface Figure {
  readonly name: string;
  readonly kind: Kind;
  readonly help: string;
  readonly samples: (peer: PeerStats) => readonly Sample[];
}

/** A figure of one sample, which is left out where it is below 0: nothing is known then. */
function one(name: string, kind: Kind, help: string, of: (peer: PeerStats) => number): Figure {
  const samples = (peer: PeerStats) => of(peer) < 0 ? [] : [{ value: of(peer) }];
  return { name: `ormuco_peer_${name}`, kind, help, samples };
}

const FIGURES: readonly Figure[] = [
  {
    name: "ormuco_peer_state",
    kind: "gauge",
    help: "1, with the state that the connection to the peer is in.",
    samples: ({ state }) => [{ labels: { state }, value: 1 }],
  },
  one("connected", "gauge", "Whether messages are exchanged with the peer.", ({ state }) => Number(isUsed(state))),
  one("ready", "gauge", "Whether this server has caught up with the peer.", ({ ready }) => Number(ready)),
  one("round_trip_seconds", "gauge", "Time from a question to the peer's answer.", (peer) => seconds(peer.roundTripMs)),
  one("last_round_age_seconds", "gauge", "Time since the peer last answered.", (peer) => seconds(peer.lastRoundMs)),
  one("lag_writes", "gauge", "Writes held here that the peer has not confirmed to have.", ({ lag }) => lag),
  one("lag_seconds", "gauge", "Age of the oldest of these.", ({ lagMs }) => lagMs / 1000),
  one("catching_up", "gauge", "Whether this server asks the peer for what it lacks.", (peer) => +peer.catchingUp),
  one("received_bytes_total", "counter", "Bytes from the peer on this connection.", (peer) => peer.bytesReceived),
  one("sent_bytes_total", "counter", "Bytes to the peer on this connection.", (peer) => peer.bytesSent),
  one("entries_received_total", "counter", "Writes from the peer that were new here.", (peer) => peer.entriesReceived),
  one("entries_sent_total", "counter", "Writes sent to the peer.", (peer) => peer.entriesSent),
  one(
    "entries_dropped_total",
    "counter",
    "Entries dropped after a catch-up with the peer, which could not confirm them.",
    (peer) => peer.entriesDropped,
  ),
  {
    name: "ormuco_peer_messages_refused_total",
    kind: "counter",
    help: "Messages of the peer that were refused: from the future, or malformed.",
    samples: ({ refusedFuture, refusedBad }) => [
      { labels: { reason: "future" }, value: refusedFuture },
      { labels: { reason: "malformed" }, value: refusedBad },
    ],
  },
  one("messages_dropped_total", "counter", "Messages that the peer did not take in time.", (peer) => peer.droppedFull),
];

/** The metrics of all peers. Two of one address and name would be one to Prometheus: the first is told of. */
export function peerFamilies(peers: readonly PeerStats[]): Family[] {
  const known = new Set<string>();
  const each = peers.filter(({ address, name }) => {
    const label = JSON.stringify([address, name]);
    return !known.has(label) && known.add(label);
  });
  return FIGURES.map(({ name, kind, help, samples }) => ({
    name,
    kind,
    help,
    samples: each.flatMap((peer) =>
      samples(peer).map((sample) => ({ ...sample, labels: { ...labelsOf(peer), ...sample.labels } }))
    ),
  }));
}

function labelsOf({ address, name }: PeerStats): Record<string, string> {
  return name === "" ? { peer: address } : { peer: address, name };
}

function isUsed(state: PeerStats["state"]): boolean {
  return state === "connected" || state === "stopping";
}

function seconds(ms: number): number {
  return ms < 0 ? -1 : ms / 1000;
}
