/** The roles that a credential carries. It does not know which commands they allow. */

/** What a credential is for: to read; to read and write; to share entries as a server; to clear and to look into the server. */
export type Role = "reader" | "client" | "peer" | "admin";

/** All roles. */
export const ROLES: readonly Role[] = ["reader", "client", "peer", "admin"];

/** The roles of a token that has no line of its own to say which: all that a small installation needs. */
export const TOKEN_ROLES: readonly Role[] = ["client", "peer", "admin"];

/** Whether a text names a role. */
export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}

/** Roles as refusals name them. */
export function rolesText(roles: readonly Role[]): string {
  return roles.length === 0 ? "no role" : `${roles.length === 1 ? "role" : "roles"} ${roles.join(", ")}`;
}
