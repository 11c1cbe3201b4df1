/** Whether a command line of memcached's text protocol may be answered. It knows words and roles, not what commands do. */

import { type Access, ANY_ROLE, needsOf } from "../wire/access.ts";
import type { TextLine } from "./text_line.ts";

const NEEDS = needsOf("text");
/** The roles that may retrieve. */
export const GET_NEEDS: number = NEEDS.get("get")!;

/** Whether a connection may use the command of a line. A line that is no command any role may send. */
export function mayUse(access: Access, line: TextLine): boolean {
  return (access.allowed & needsOfLine(line)) !== 0;
}

function needsOfLine(line: TextLine): number {
  const name = line.text(0);
  if (name === "mg") {
    for (let word = 2; word < line.count; word++) {
      const needs = NEEDS.get(`mg ${String.fromCharCode(line.first(word))}`);
      if (needs !== undefined) return needs;
    }
  }
  if (name === "stats" && line.count > 1) {
    const needs = NEEDS.get(`stats ${line.text(1)}`);
    if (needs !== undefined) return needs;
  }
  return NEEDS.get(name) ?? ANY_ROLE;
}
