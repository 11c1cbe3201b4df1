/** Whether a command in a packet of memcached's may be answered. It knows opcodes and roles, not what commands do. */

import { ANY_ROLE, needsOf } from "../wire/access.ts";
import type { ByteSpan } from "../base/byte_span.ts";
import { OPCODE } from "./binary_packet.ts";

const BY_NAME = needsOf("binary");
/** The roles, as bits, that may send each opcode, of those that are always answered. Unknown ones any role may send. */
const NEEDS: Uint8Array = new Uint8Array(256).fill(ANY_ROLE);
for (const [name, opcode] of Object.entries(OPCODE)) NEEDS[opcode] = BY_NAME.get(name) ?? ANY_ROLE;

/** The roles that may use a command, as bits; `key` says of which statistics. */
export function needsOfOpcode(opcode: number, key: ByteSpan): number {
  return opcode === OPCODE.stat ? needsOfStat(groupOf(key)) : NEEDS[opcode];
}

/** The group that a `stat` asks for. */
export function groupOf({ bytes, from, to }: ByteSpan): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

/** Whether a group of statistics stands for their being set to 0: as in memcached, its beginning decides. */
export function isReset(group: string): boolean {
  return group.startsWith("reset");
}

/** Whether a group of statistics stands for the counts by prefix: as in memcached, its beginning decides. */
export function isDetail(group: string): boolean {
  return group.startsWith("detail");
}

function needsOfStat(group: string): number {
  const name = isReset(group) ? "reset" : isDetail(group) ? "detail" : group;
  return BY_NAME.get(`stat ${name}`) ?? NEEDS[OPCODE.stat];
}
