/** All attacks by name, and the entrances at which they are made. */

import { HANDSHAKES } from "./handshakes.ts";
import { LOAD } from "./load.ts";
import { LOGINS } from "./logins.ts";
import { MACHINE } from "./machine.ts";
import { MEMORY } from "./memory.ts";
import { MUTATIONS } from "./mutations.ts";
import { PEERS } from "./peers.ts";
import type { Attacks, Entrance } from "./scene.ts";
import { STRANGERS } from "./strangers.ts";

/** Attacks that need nobody's trust, and those of clients and peers that have it. */
const BY_ANYBODY: Attacks = { ...MEMORY, ...STRANGERS, ...MUTATIONS };
const BY_MEMBERS: Attacks = { ...LOAD, ...PEERS, ...BY_ANYBODY };

/** Attacks, and how those who make them come in. */
export interface Siege {
  readonly entrance: Entrance;
  readonly attacks: Attacks;
}

/** By the name of the entrance. */
export const SIEGES: Readonly<Record<string, Siege>> = {
  "open": { entrance: {}, attacks: { ...BY_MEMBERS, ...MACHINE } },
  "stranger": { entrance: { asksToken: true }, attacks: { ...BY_ANYBODY, ...LOGINS } },
  "member": { entrance: { asksToken: true, hasToken: true }, attacks: BY_MEMBERS },
  "tls stranger": {
    entrance: { asksToken: true, isEncrypted: true },
    attacks: { ...BY_ANYBODY, ...LOGINS, ...HANDSHAKES },
  },
  "tls member": { entrance: { asksToken: true, hasToken: true, isEncrypted: true }, attacks: BY_MEMBERS },
};
