/**
 * Who is at the other end of a connection and what it may do, as all protocols see it, and the table of commands and roles.
 * It knows no credentials: lib/server decides who is who.
 */

import { type Role, ROLES } from "../base/roles.ts";
import type { REQUEST } from "./frame.ts";

/**
 * What has come of the last credential that was shown: none was, it is still being checked, it was good, it was not, or
 * another one is asked for on this connection (`unwelcome`: it would be readable by others on its way).
 */
export type Attempt = "none" | "checking" | "granted" | "denied" | "unwelcome";

/**
 * One connection's access, asked before any command of any protocol is dispatched. It changes when a credential is shown,
 * and ends with the connection when that credential is withdrawn.
 */
export interface Access {
  /** The roles as bits: a command may be used if its own bits and these have one in common. */
  readonly allowed: number;
  /** Whether every command may be used: then nothing else need be asked. */
  readonly allowsAll: boolean;
  /** Whether a credential may be shown: those who do not are asked for one. */
  readonly wantsCredential: boolean;
  /** Whether a credential has been shown, or none is asked for. Before that a connection may do nothing else. */
  readonly isKnown: boolean;
  /** Whether a secret may be sent as it is: nobody can read it on its way, or that has been allowed. */
  readonly takesSecrets: boolean;
  /** The roles, for refusals. */
  readonly roles: readonly Role[];
  /** What has come of the last credential that was shown. */
  readonly attempt: Attempt;
  /**
   * Begins to check a secret that was sent as it is. While `attempt` is `checking`, the handler returns `waiting`; it is run
   * again when `attempt` says what has come of it.
   */
  authenticate(name: string, secret: string): void;
}

/** Commands that the same roles may use. */
export interface Permission {
  /** What they do. */
  readonly what: string;
  readonly roles: readonly Role[];
  /** Requests of our own protocol. */
  readonly native: readonly (keyof typeof REQUEST | "gossip")[];
  /** memcached's commands; the first word, and a second where it matters: `mg T` is an `mg` with the flag `T`. */
  readonly text: readonly string[];
  /** memcached's commands in packets; a quiet one goes with the one that is answered. */
  readonly binary: readonly string[];
  /** Paths of HTTP. */
  readonly http: readonly string[];
}

/** The table of commands and roles; docs/security.md has it too. A command that is not in it any role may send: it is unknown. */
export const PERMISSIONS: readonly Permission[] = [
  {
    what: "read",
    roles: ["reader", "client"],
    native: ["get", "getMany", "has", "use", "entry", "keys", "insight"],
    text: ["get", "bget", "gets", "mg", "me", "lru_crawler", "stats cachedump"],
    binary: ["get", "getk"],
    http: [],
  },
  {
    what: "write",
    roles: ["client"],
    native: [
      "set",
      "delete",
      "touch",
      "lease",
      "fill",
      "give",
      "take",
      "increment",
      "setIf",
      "setMany",
      "deleteMany",
      "clearPrefix",
    ],
    text: [
      ...["set", "add", "replace", "append", "prepend", "cas", "incr", "decr", "touch", "delete", "gat", "gats"],
      ...["ms", "md", "ma", "mg T", "mg N", "mg R"],
    ],
    binary: [
      ...["set", "add", "replace", "append", "prepend", "increment", "decrement", "touch", "delete", "gat", "gatk"],
    ],
    http: [],
  },
  {
    what: "statistics",
    roles: ["reader", "client", "admin"],
    native: ["stats", "explain"],
    text: ["stats"],
    binary: ["stat"],
    http: ["/metrics", "/", "/events"],
  },
  {
    what: "clear, forget peers, look at who is connected, and count by prefix",
    roles: ["admin"],
    native: ["clear", "forget"],
    text: ["flush_all", "stats conns", "stats reset", "stats detail"],
    binary: ["flush", "stat conns", "stat reset", "stat detail"],
    http: [],
  },
  { what: "share entries as a server", roles: ["peer"], native: ["gossip"], text: [], binary: [], http: [] },
  {
    what: "nothing that matters",
    roles: ROLES,
    native: ["ping"],
    text: ["mn", "version", "verbosity", "quit", "shutdown"],
    binary: ["noop", "version", "quit"],
    http: [],
  },
];

/** The bits of roles. */
export function bitsOf(roles: readonly Role[]): number {
  return roles.reduce((bits, role) => bits | 1 << ROLES.indexOf(role), 0);
}

/** Bits of all roles: what an unknown command asks for. */
export const ANY_ROLE: number = bitsOf(ROLES);

/** The bits that each command of a protocol asks for, by its name. */
export function needsOf(protocol: "native" | "text" | "binary" | "http"): ReadonlyMap<string, number> {
  return new Map(
    PERMISSIONS.flatMap((permission) =>
      permission[protocol].map((command): [string, number] => [command, bitsOf(permission.roles)])
    ),
  );
}

/** Whether roles as bits allow every command there is. */
export function allowsAll(bits: number): boolean {
  return PERMISSIONS.every(({ roles }) => (bits & bitsOf(roles)) !== 0);
}
