/** Packets of memcached's binary protocol, put together and taken apart by hand, not by the code that is tested. */

import type { CasNumbers } from "./memcached_oracle.ts";
import { bytesOf, textOf } from "./memcached_oracle.ts";
import { joined } from "./mutate.ts";

/** First bytes of requests and of replies. */
export const [REQUEST, REPLY] = [0x80, 0x81];
const HEADER_BYTES = 24;

/** What a packet says besides its opcode; text is one byte per character. */
export interface Packet {
  extras?: Uint8Array;
  key?: string;
  value?: string;
  status?: number;
  opaque?: number;
  cas?: bigint;
  /** Kind of data, which means nothing. */
  kind?: number;
  /** Length of the body, if it is to be a wrong one. */
  bodyBytes?: number;
}

/** The bytes of a packet. */
export function packetOf(magic: number, opcode: number, packet: Packet = {}): Uint8Array {
  const { extras = new Uint8Array(0), key = "", value = "", status = 0, opaque = 0xfedcba98, cas = 0n } = packet;
  const body = joined(extras, bytesOf(key), bytesOf(value));
  const head = new Uint8Array(HEADER_BYTES);
  const view = new DataView(head.buffer);
  view.setUint8(0, magic);
  view.setUint8(1, opcode);
  view.setUint16(2, key.length);
  view.setUint8(4, extras.length);
  view.setUint8(5, packet.kind ?? 0);
  view.setUint16(6, status);
  view.setUint32(8, packet.bodyBytes ?? body.length);
  view.setUint32(12, opaque);
  view.setBigUint64(16, cas);
  return joined(head, body);
}

/** Numbers of 32 bits. */
export function u32(...numbers: number[]): Uint8Array {
  const bytes = new Uint8Array(4 * numbers.length);
  const view = new DataView(bytes.buffer);
  numbers.forEach((number, i) => view.setUint32(4 * i, number));
  return bytes;
}

/** Numbers of 64 bits. */
export function u64(...numbers: bigint[]): Uint8Array {
  return u32(...numbers.flatMap((number) => [Number(number >> 32n), Number(number & 0xffffffffn)]));
}

/** A reply as it is compared. */
export interface Told {
  opaque: number;
  /** The place of the state that it tells in `cas`; `undefined` if it tells none. */
  place: number | undefined;
  /** All of it, in words. */
  text: string;
}

/** Replies one by one, their states as places in `cas`; what is no packet comes last, as it is. */
export function toldIn(bytes: Uint8Array, cas: CasNumbers): Told[] {
  const all: Told[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length;) {
    const end = bytes.length - at < HEADER_BYTES ? Infinity : at + HEADER_BYTES + view.getUint32(at + 8);
    if (view.getUint8(at) !== REPLY || end > bytes.length) {
      all.push({ opaque: -1, place: undefined, text: `no packet: ${textOf(bytes.subarray(at))}` });
      break;
    }
    all.push(toldBy(bytes.subarray(at, end), cas));
    at = end;
  }
  return all;
}

function toldBy(bytes: Uint8Array, cas: CasNumbers): Told {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const opcode = view.getUint8(1);
  const [keyBytes, extrasBytes, kind, status] = [
    view.getUint16(2),
    view.getUint8(4),
    view.getUint8(5),
    view.getUint16(6),
  ];
  const opaque = view.getUint32(12);
  const state = cas.placeOf(`${view.getBigUint64(16)}`);
  const body = textOf(bytes.subarray(HEADER_BYTES));
  const head = `opcode ${hex(opcode)} status ${status} kind ${kind} opaque ${hex(opaque)} cas ${state}`;
  const lengths = `key ${keyBytes} extras ${extrasBytes}`;
  const text = `${head} ${lengths} body ${body}`;
  return { opaque, place: state === "0" ? undefined : Number(state.slice(1)), text };
}

/** A number as people read it in packets. */
export function hex(number: number): string {
  return number.toString(16).padStart(2, "0");
}
