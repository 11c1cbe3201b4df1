/**
 * The greeting at the start of a native connection: what the side that connects says of itself, and what the server
 * answers. It knows the fields, not how bytes travel. The tables are in docs/protocol.md.
 */

import { formatAddress, isReachable, isUnspecified, parseAddress } from "../base/address.ts";
import { MAX_ORIGIN_ID, MAX_PORT } from "../base/limits.ts";
import { SOFTWARE } from "../base/software.ts";
import { ProtocolError } from "../base/errors.ts";
import {
  closingError,
  type ControlData,
  readControl,
  readData,
  readError,
  unexpectedReply,
  writeControl,
} from "./control.ts";
import { type FrameReader, type FrameWriter, PEERS, PROTOCOL, REPLY, REQUEST } from "./frame.ts";

/**
 * Version of the messages between peers. Peers whose versions differ do not connect, so it is raised only with a change
 * that can be no feature.
 */
export const GOSSIP_VERSION = 4;

/** Features of this software beyond version 1 of the protocol; a feature is used only if both sides name it. */
export const FEATURES: readonly string[] = ["stopping"];

/** The feature of clients that keep near copies, and of servers that tell them of changes. */
export const NEAR = "near";

/** The feature of clients that compute what a cache lacks, one at a time, and of servers that say whose turn it is. */
export const LEASE = "lease";

/** Features that a server names beside those, and a client where it is to use them. */
export const SERVER_FEATURES: readonly string[] = [NEAR, LEASE];

/** Whether the side that named these features can be told that this one stops. */
export function hearsOfStop(features: readonly string[]): boolean {
  return features.includes("stopping");
}

/** Features of this software as a peer, beyond the messages of {@linkcode GOSSIP_VERSION}; docs/protocol.md says what each is. */
export const PEER_FEATURES = [
  "skip-unknown",
  "peers",
  "page-window",
  "forgotten-in-common",
] as const;

/** Those without which this software cannot be a peer's peer. */
const NEEDED: readonly PeerFeature[] = [];

/** Letters of a cluster's name that are looked at: more than any name has. */
const MOST_CLUSTER_LETTERS = 100;

/** The name of a feature of peers. */
export type PeerFeature = typeof PEER_FEATURES[number];

/** What a peer says of itself when it connects. */
export interface OwnHello {
  /** The peer's number among peers: 1 to 2³² − 1, random, new at each of its starts. */
  readonly id: number;
  /** The port at which the peer listens; `undefined` if it has none. */
  readonly port: number | undefined;
  /** The name of its cluster; empty by default, for one without a name. */
  readonly cluster?: string;
  /** Where others reach it, if that is another address than the one from which it connects. */
  readonly advertise?: string;
}

/** What a greeting says of a peer. */
export interface PeerHello extends OwnHello {
  readonly cluster: string;
  /** The version of its messages between peers; 0 if it names none. */
  readonly gossip: number;
  /** Its features. */
  readonly features: readonly string[];
  /** The features without which it does not connect. */
  readonly needs: readonly string[];
}

/** What the side that connects says of itself. */
export interface Hello {
  /** Name and version of its software. */
  readonly software: string;
  /** Its features; items that are not text are left out. */
  readonly features: readonly string[];
  /** Whether an `AUTH` comes next. */
  readonly proves: boolean;
  /** The side that connects as a peer; `undefined` if it is a client. */
  readonly peer: PeerHello | undefined;
}

/** What a server says of itself. */
export interface ServerHello {
  /** Name and version of its software. */
  readonly software: string;
  /** Its features. */
  readonly features: readonly string[];
  /** The server as a peer; `undefined` where it takes no peers. */
  readonly peer: PeerHello | undefined;
  /** Whether it wants to know who connects, before it says more of itself and answers anything. */
  readonly wantsToken: boolean;
  /** SCRAM's last message of the server, if this is its answer to the client's last. */
  readonly proof: string | undefined;
}

/** Why a greeting is not accepted: code and message of the `CLOSING` that answers it. */
export interface HelloRefusal {
  readonly code: "unsupported-version" | Disagreement["code"];
  readonly message: string;
  /** The peer that was refused, if it was one. */
  readonly peer?: PeerHello;
}

/** Addresses of peers in one frame, and letters in one of them: a host's name has 253 at most. */
export const MAX_TOLD_PEERS = 64;
const MAX_ADDRESS_LETTERS = 262;

/**
 * Why two servers cannot be peers: their builds do not agree on the messages between peers, so that one has to be upgraded, or
 * they belong to clusters of different names.
 */
export interface Disagreement {
  readonly code: "unsupported-gossip" | "other-cluster";
  readonly message: string;
}

/** The other side is a peer with which this one cannot agree. */
export class DisagreementError extends ProtocolError {
  /** The class's name. */
  override name = "DisagreementError";
  /** What the two do not agree on. */
  readonly code: Disagreement["code"];

  /** Makes an error of why the two cannot agree. */
  constructor({ code, message }: Disagreement) {
    super(message);
    this.code = code;
  }
}

/**
 * Writes the greeting of the side that connects.
 *
 * @param peer What it says of itself as a peer, if it is one.
 * @param proves Whether an `AUTH` comes next.
 * @param more Features that it names beyond {@linkcode FEATURES}; of a client only.
 */
export function writeHello(
  output: FrameWriter,
  software: string,
  peer?: OwnHello,
  proves = false,
  more: readonly string[] = [],
): void {
  const asPeer = peer === undefined ? {} : {
    ...termsOf(peer),
    ...(peer.port === undefined ? {} : { port: peer.port }),
    ...(peer.advertise === undefined ? {} : { advertise: peer.advertise }),
  };
  const auth = proves ? { auth: true } : {};
  const features = [...FEATURES, ...more];
  writeControl(output, REQUEST.hello, { protocol: PROTOCOL, client: software, features, ...asPeer, ...auth });
}

/** What a peer says of itself, on either side. */
function termsOf({ id, cluster = "" }: Omit<OwnHello, "port">): ControlData {
  return {
    features: [...FEATURES, ...PEER_FEATURES],
    peer: id,
    gossip: GOSSIP_VERSION,
    ...(NEEDED.length === 0 ? {} : { needs: NEEDED }),
    ...(cluster === "" ? {} : { cluster }),
  };
}

/** Reads the greeting of the side that connects, or returns why a server of the cluster `cluster` does not accept it. */
export function readHello(frame: FrameReader, cluster = ""): Hello | HelloRefusal {
  const data = helloData(frame);
  const spoken = typeof data === "string" ? data : protocolOf(data);
  if (typeof data === "string" || spoken !== PROTOCOL) {
    return { code: "unsupported-version", message: `protocol ${PROTOCOL} is spoken here: received ${spoken}` };
  }
  const peer = peerOf(data);
  const refusal = peer && disagreement(peer, cluster);
  if (refusal !== undefined) return { ...refusal, peer };
  return { software: textOf(data, "client"), features: featuresOf(data), proves: own(data, "auth") === true, peer };
}

/** Writes a server's answer to a greeting, or to a client's last message of SCRAM; `more` are further fields. */
export function writeGreeting(
  output: FrameWriter,
  software: string,
  own: Omit<OwnHello, "port">,
  more: ControlData,
): void {
  const features = [...FEATURES, ...SERVER_FEATURES, ...PEER_FEATURES];
  writeControl(output, REPLY.data, { protocol: PROTOCOL, server: software, ...termsOf(own), features, ...more });
}

/** Writes the answer to a greeting of a server that wants to know who connects: to a stranger it says no more of itself. */
export function writeLockedGreeting(output: FrameWriter): void {
  const [name] = SOFTWARE.split("/");
  writeControl(output, REPLY.data, { protocol: PROTOCOL, server: name, features: [], auth: "required" });
}

/** Writes one of SCRAM's messages; the server's last one is part of its greeting. */
export function writeScram(output: FrameWriter, code: number, message: string): void {
  output.begin(code);
  output.text(message);
  output.end();
}

/**
 * Reads one of SCRAM's messages.
 *
 * @throws {ProtocolError} If the frame has a key, so that the message would have two parts.
 */
export function readScram(frame: FrameReader): string {
  if (frame.keyBytes > 0) throw new ProtocolError("a message of SCRAM with a key");
  return frame.buffer.toString("latin1", frame.start, frame.end); // SCRAM is ASCII: other bytes do not fit
}

/**
 * Reads a server's first message of SCRAM.
 *
 * @throws {ProtocolError | CacheError} If the frame is another one, or the server refuses the connection.
 */
export function readChallenge(frame: FrameReader): string {
  if (frame.code === REPLY.closing) throw closingError(frame);
  if (frame.code !== REPLY.challenge) throw unexpectedReply(frame);
  return readScram(frame);
}

/**
 * Reads a server's answer to a greeting.
 *
 * @throws {DisagreementError} If it is a peer that refuses us because the two cannot agree.
 * @throws {ProtocolError | CacheError} If the other side is no Ormuco Cache server, or refuses the connection.
 */
export function readGreeting(frame: FrameReader): ServerHello {
  if (frame.code === REPLY.closing) {
    const { code, message } = readError(frame);
    throw isDisagreement(code) ? new DisagreementError({ code, message }) : closingError(frame);
  }
  const data = readData(frame);
  if (data.protocol !== PROTOCOL) {
    throw new ProtocolError(`the server speaks protocol ${data.protocol}, not ${PROTOCOL}`);
  }
  const [auth, proof] = [own(data, "auth"), own(data, "proof")];
  return {
    software: textOf(data, "server"),
    features: featuresOf(data),
    peer: peerOf(data),
    wantsToken: auth === "required",
    proof: typeof proof === "string" ? proof : undefined,
  };
}

/** Writes the addresses of peers that have answered, for a peer to which they may be new. */
export function writePeers(output: FrameWriter, peers: readonly string[]): void {
  writeControl(output, PEERS, { peers });
}

/**
 * Reads the addresses of peers.
 *
 * @throws {ProtocolError} If there are more than may be told, or other things among them.
 */
export function readPeers(frame: FrameReader): string[] {
  const peers = own(readControl(frame), "peers");
  if (Array.isArray(peers) && peers.length <= MAX_TOLD_PEERS && peers.every(isPeerAddress)) return peers;
  throw new ProtocolError(`a list of peers must have at most ${MAX_TOLD_PEERS} addresses`);
}

/** Whether a value is the address of a peer as text. */
function isPeerAddress(value: unknown): value is string {
  if (typeof value !== "string" || value.length > MAX_ADDRESS_LETTERS) return false;
  const address = parseAddress(value);
  return isReachable(address) && address.transport === "tcp";
}

/** Why a server of the cluster `cluster` and a peer cannot agree; `undefined` if they can. */
export function disagreement(peer: PeerHello, cluster: string): Disagreement | undefined {
  if (peer.cluster !== cluster) {
    const [one, other] = [cluster, peer.cluster].sort().map((name) => name === "" ? "no name" : `"${name}"`); // alike on both sides
    return { code: "other-cluster", message: `peers have one CLUSTER: one of the two has ${one}, the other ${other}` };
  }
  const { gossip, features, needs } = peer;
  const [code, why] = ["unsupported-gossip", "peers must run builds that agree"] as const;
  if (gossip !== GOSSIP_VERSION) {
    const received = gossip === 0 ? "none" : gossip;
    return { code, message: `gossip ${GOSSIP_VERSION} is spoken here: received ${received}; ${why}` };
  }
  const known: readonly string[] = [...FEATURES, ...PEER_FEATURES];
  const lacking = NEEDED.find((name) => !features.includes(name)) ?? needs.find((name) => !known.includes(name));
  return lacking === undefined
    ? undefined
    : { code, message: `one needs the feature "${lacking}", the other has it not; ${why}` };
}

/** The features that this software and a peer both have. */
export function agreed({ features }: Pick<PeerHello, "features">): PeerFeature[] {
  return PEER_FEATURES.filter((name) => features.includes(name));
}

function isDisagreement(code: string): code is Disagreement["code"] {
  return code === "unsupported-gossip" || code === "other-cluster";
}

/** Returns the map in a greeting, or a word for what is there instead. */
function helloData(frame: FrameReader): ControlData | string {
  try {
    return readControl(frame);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error.cause === undefined ? "none" : "no MessagePack";
  }
}

/** Returns the protocol version in a greeting, or a word for what is there instead. */
function protocolOf(data: ControlData): number | string {
  if (!Object.hasOwn(data, "protocol")) return "none";
  return typeof data.protocol === "number" ? data.protocol : `a ${typeof data.protocol}`;
}

function peerOf(data: ControlData): PeerHello | undefined {
  const [id, port, gossip] = [own(data, "peer"), own(data, "port"), own(data, "gossip")];
  const advertise = own(data, "advertise");
  if (!isWhole(id, MAX_ORIGIN_ID)) return undefined;
  return {
    id,
    port: isWhole(port, MAX_PORT) ? port : undefined,
    cluster: textOf(data, "cluster").slice(0, MOST_CLUSTER_LETTERS),
    gossip: isWhole(gossip, Number.MAX_SAFE_INTEGER) ? gossip : 0,
    features: featuresOf(data),
    needs: featuresOf(data, "needs"),
    ...(isPeerAddress(advertise) && !isUnspecified(parseAddress(advertise)!)
      ? { advertise: formatAddress(parseAddress(advertise)!) }
      : {}),
  };
}

/** Returns the features in a greeting; what is no list, and items that are no text, are ignored. */
function featuresOf(data: ControlData, field = "features"): string[] {
  const features = own(data, field);
  return Array.isArray(features) ? features.filter((feature) => typeof feature === "string") : [];
}

/** A field as text; what is none is passed over. */
function textOf(data: ControlData, name: string): string {
  const text = own(data, name);
  return typeof text === "string" ? text : "";
}

function own(data: ControlData, name: string): unknown {
  return Object.hasOwn(data, name) ? data[name] : undefined;
}

function isWhole(value: unknown, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most;
}
