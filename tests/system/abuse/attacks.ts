/** All attacks by name. */

import { LOAD } from "./load.ts";
import { MACHINE } from "./machine.ts";
import { MEMORY } from "./memory.ts";
import { MUTATIONS } from "./mutations.ts";
import { PEERS } from "./peers.ts";
import type { Attacks } from "./scene.ts";
import { STRANGERS } from "./strangers.ts";

export const ATTACKS: Attacks = { ...LOAD, ...PEERS, ...MEMORY, ...STRANGERS, ...MUTATIONS, ...MACHINE };
