/**
 * The status page: one file of HTML that a server gives out, with style and script in it. The script is made of the functions of
 * this room, and of some of lib/base, as Deno runs them: they are checked and tested as all others are, and so that each means the same
 * there, their files have nothing beside functions and types, and all of them are exported.
 */

import { isAwaited, isUnreachable } from "../base/readiness.ts";
import { sizeInWords, timeInWords } from "../base/words.ts";
import * as details from "./details.ts";
import * as document from "./document.ts";
import * as figures from "./figures.ts";
import * as findings from "./findings.ts";
import { pageOf } from "./markup.ts";
import * as marks from "./peer_marks.ts";
import * as parts from "./show_parts.ts";
import * as show from "./show.ts";
import * as start from "./start.ts";
import { PAGE_STYLE } from "./style.ts";
import * as text from "./text.ts";
import * as tiles from "./tiles.ts";

const FUNCTIONS = [
  ...[isAwaited, isUnreachable, sizeInWords, timeInWords],
  ...[details, document, figures, findings, marks, parts, show, start, text, tiles].flatMap((of) => Object.values(of)),
];

/** The page, without the indentation that only those who write it need. */
export function statusPage(): string {
  const script = `"use strict";\n${FUNCTIONS.map(String).join("\n")}\n${start.start.name}();\n`;
  return pageOf(PAGE_STYLE, script).replace(/\n +/g, "\n");
}
