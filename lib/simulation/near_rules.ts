/**
 * The rules of near copies that a simulation can switch off, to show that each is needed, and what a simulated client and
 * server say to each other. The rules are in docs/near.md.
 */

import type { CopyTerms, Remaining } from "../wire/near.ts";

/** Rules, each of which can be switched off. */
export const NEAR_RULES = {
  "marks before replies": "What has changed is told before the next reply, not at the end of the turn alone.",
  "writer too": "The reply to a write drops the writer's own copies of the slot.",
  "absent too": "A removal tells of a key that is not here, too.",
  "of peers too": "A peer's write is told, too.",
  "clears too": "A clear is told.",
  "all that are listed": "Each key of a list is registered.",
  "too many are all": "Marks that are too many become all.",
  "fence": "A copy is used only while a reply shows that it is fresh.",
  "send time": "What a reply shows is counted from the time of its request.",
  "deadline from sending": "So is what remains of an entry.",
  "empty when connected": "A new connection begins without copies.",
  "this connection": "What an earlier connection says does not count.",
  "taken at once": "A copy is taken where the reply is read.",
  "sleep": "After a sleep nothing is known.",
} as const;

/** The name of a rule. */
export type NearRule = keyof typeof NEAR_RULES;

/** The names of all rules. */
export const NEAR_RULE_NAMES: readonly NearRule[] = Object.keys(NEAR_RULES) as NearRule[];

/** What a client asks for. */
export type NearRequest =
  | { readonly kind: "get" | "getMany"; readonly keys: readonly number[] }
  | { readonly kind: "set"; readonly key: number; readonly ttlMs: number; readonly isFixed: boolean }
  | { readonly kind: "delete" | "use"; readonly key: number }
  | { readonly kind: "clear" | "ping" };

/** A hit, as it is answered. */
export interface SentCopy {
  readonly key: number;
  /** The number of the value; 0 for a miss. */
  readonly value: number;
  readonly terms: CopyTerms | undefined;
}

/** What a server says, in the order of a connection. */
export type NearWords =
  | { readonly kind: "reply"; readonly copies?: readonly SentCopy[]; readonly left?: Remaining }
  | { readonly kind: "invalid"; readonly slots: readonly number[] | undefined };
