/**
 * The rules of leases that a simulation can switch off, to show that each is needed, and what a simulated client and server say to
 * each other. The rules are in docs/near.md.
 */

import type { LeaseToken } from "../wire/leases.ts";

/** Rules, each of which can be switched off. */
export const LEASE_RULES = {
  "tokens are checked": "What is filled in with a token that is not valid changes nothing.",
  "changes end leases": "A write, a removal, a clear and what a peer writes end the lease of a key.",
  "one at a time": "While somebody has the lease of a key others wait.",
  "handed over at the end": "The end of a connection ends its leases.",
  "handed over in time": "Who waits is told when a lease has run out.",
  "asked again when lost": "Who waits asks again when the connection is another one.",
  "late ones are not used": "A lease whose time is over when it arrives is not used.",
} as const;

/** The name of a rule. */
export type LeaseRule = keyof typeof LEASE_RULES;

/** The names of all rules. */
export const LEASE_RULE_NAMES: readonly LeaseRule[] = Object.keys(LEASE_RULES) as LeaseRule[];

/** What a client asks for. */
export type LeaseRequest =
  | { readonly kind: "lease"; readonly key: number; readonly leaseMs: number }
  | { readonly kind: "fill" | "give"; readonly key: number; readonly token: LeaseToken }
  | { readonly kind: "set" | "delete"; readonly key: number };

/** What a server says, in the order of a connection. */
export type LeaseWords =
  | { readonly kind: "reply"; readonly answer: "fresh" | "wait" | "done" | LeaseToken }
  | { readonly kind: "again"; readonly key: number | undefined };
