/**
 * The greeting at the start of a native connection: what the side that connects says of itself, and what the server
 * answers. It knows the fields, not how bytes travel. The tables are in docs/protocol.md.
 */

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
import { type FrameReader, type FrameWriter, PROTOCOL, REPLY, REQUEST } from "./frame.ts";

/**
 * Version of the messages between peers, raised with each change of one. Peers whose versions differ do not connect.
 */
export const GOSSIP_VERSION = 4;

/** Features of this software beyond version 1 of the protocol; a feature is used only if both sides name it. */
export const FEATURES: readonly string[] = [];

/** What a greeting says of a peer. */
export interface PeerHello {
  /** The peer's number among peers: 1 to 2³² − 1, random, new at each of its starts. */
  readonly id: number;
  /** The port at which the peer listens; `undefined` if it has none. */
  readonly port: number | undefined;
  /** The version of its messages between peers; 0 if it names none. */
  readonly gossip: number;
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
  readonly code: "unsupported-version" | typeof UNSUPPORTED_GOSSIP;
  readonly message: string;
  /** The peer that was refused, if it was one. */
  readonly peer?: PeerHello;
}

const UNSUPPORTED_GOSSIP = "unsupported-gossip";

/** The other side is a peer with another version of the messages between peers: one of the two has to be upgraded. */
export class IncompatiblePeerError extends ProtocolError {
  /** The class's name. */
  override name = "IncompatiblePeerError";
}

/**
 * Writes the greeting of the side that connects; `peer` is its number and port, if it is a peer, and `proves` says that an
 * `AUTH` comes next.
 */
export function writeHello(
  output: FrameWriter,
  software: string,
  peer?: { id: number; port: number | undefined },
  proves = false,
): void {
  const asPeer = peer === undefined ? {} : {
    peer: peer.id,
    gossip: GOSSIP_VERSION,
    ...(peer.port === undefined ? {} : { port: peer.port }),
  };
  const auth = proves ? { auth: true } : {};
  writeControl(output, REQUEST.hello, { protocol: PROTOCOL, client: software, features: FEATURES, ...asPeer, ...auth });
}

/** Reads the greeting of the side that connects, or returns why it is not accepted. */
export function readHello(frame: FrameReader): Hello | HelloRefusal {
  const data = helloData(frame);
  const spoken = typeof data === "string" ? data : protocolOf(data);
  if (typeof data === "string" || spoken !== PROTOCOL) {
    return { code: "unsupported-version", message: `protocol ${PROTOCOL} is spoken here: received ${spoken}` };
  }
  const peer = peerOf(data);
  if (peer !== undefined && peer.gossip !== GOSSIP_VERSION) {
    return { code: UNSUPPORTED_GOSSIP, message: incompatible(peer), peer };
  }
  return { software: textOf(data, "client"), features: featuresOf(data), proves: own(data, "auth") === true, peer };
}

/** Writes a server's answer to a greeting, or to a client's last message of SCRAM; `more` are further fields. */
export function writeGreeting(output: FrameWriter, software: string, id: number, more: ControlData): void {
  const about = { protocol: PROTOCOL, server: software, features: FEATURES, peer: id, gossip: GOSSIP_VERSION };
  writeControl(output, REPLY.data, { ...about, ...more });
}

/** Writes the answer to a greeting of a server that wants to know who connects: to a stranger it says no more of itself. */
export function writeLockedGreeting(output: FrameWriter): void {
  const [name] = SOFTWARE.split("/");
  writeControl(output, REPLY.data, { protocol: PROTOCOL, server: name, features: FEATURES, auth: "required" });
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
 * @throws {IncompatiblePeerError} If it is a peer that refuses us because the versions of our messages differ.
 * @throws {ProtocolError | CacheError} If the other side is no Ormuco Cache server, or refuses the connection.
 */
export function readGreeting(frame: FrameReader): ServerHello {
  if (frame.code === REPLY.closing) {
    const { code, message } = readError(frame);
    throw code === UNSUPPORTED_GOSSIP ? new IncompatiblePeerError(message) : closingError(frame);
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

/** Returns the reason why a peer is refused. */
export function incompatible({ gossip }: PeerHello): string {
  const received = gossip === 0 ? "none" : gossip;
  return `gossip ${GOSSIP_VERSION} is spoken here: received ${received}; peers must run builds that agree`;
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
  if (!isWhole(id, MAX_ORIGIN_ID)) return undefined;
  return {
    id,
    port: isWhole(port, MAX_PORT) ? port : undefined,
    gossip: isWhole(gossip, Number.MAX_SAFE_INTEGER) ? gossip : 0,
  };
}

/** Returns the features in a greeting; what is no list, and items that are no text, are ignored. */
function featuresOf(data: ControlData): string[] {
  const features = own(data, "features");
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
