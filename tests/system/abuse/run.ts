/**
 * The task `abuse`: attacks server processes in full, ours and, where it is installed and its protocols allow, memcached, and
 * prints a table. Arguments name attacks, by a part of their names; without any all are made. `--door=NAME` makes those at one door
 * only: `open` (a server without credentials), `stranger` (it asks for a token, and the attackers have none), `member` (they have it),
 * `tls stranger`, `tls member`. `--bounded` makes them as small as the tests do, `--ours` leaves memcached out, `--filled=MIB` fills a server with so much memory for entries before
 * the attack, and judges its memory by a little less than the formula of docs/sizing.md gives. "beside" is the longest wait at an idle server during the attack:
 * the machine's part. "worked" and "queued" are parts of the longest wait: how long the server's thread worked in it, and how long it
 * waited for a processor, which others had.
 */

import { hasMemcached, type Kind } from "../../support/victim.ts";
import { SIEGES } from "./attacks.ts";
import { judged, mostBytes, type Outcome } from "./judge.ts";

const COLUMNS = [
  "door",
  "attack",
  "server",
  "idle longest",
  "beside",
  "p99.9",
  "longest",
  "worked",
  "queued",
  "took",
  "before",
  "peak",
  "after",
  "verdict",
];
const WIDTHS = [12, 47, 9, 12, 9, 10, 10, 8, 8, 7, 7, 7, 7, 0];

function row(cells: string[]): string {
  return cells.map((cell, i) => i < 3 || i === WIDTHS.length - 1 ? cell.padEnd(WIDTHS[i]) : cell.padStart(WIDTHS[i]))
    .join("  ");
}

function figures({ idle, beside, attacked, seconds, before, peak, after, note, faults }: Outcome): string[] {
  const { p999Ms, longestMs, workedMs, queuedMs } = attacked;
  const ms = [idle.longestMs, beside.longestMs, p999Ms, longestMs].map((wait) => `${wait.toFixed(1)} ms`);
  ms.push(`${workedMs.toFixed(0)} ms`, `${queuedMs.toFixed(0)} ms`);
  const mib = [before, peak, after].map((bytes) => `${Math.round(bytes / 2 ** 20)}`);
  const verdict = faults.length === 0 ? "holds" : `FAILS: ${faults.join("; ")}`;
  return [...ms, `${seconds.toFixed(1)} s`, ...mib, note === "" ? verdict : `${verdict} (${note})`];
}

const names = Deno.args.filter((argument) => !argument.startsWith("--"));
const isFull = !Deno.args.includes("--bounded");
const withMemcached = !Deno.args.includes("--ours") && hasMemcached();
const filling = Deno.args.find((argument) => argument.startsWith("--filled="));
const filledMib = filling === undefined ? undefined : Number(filling.slice("--filled=".length));
const door = Deno.args.find((argument) => argument.startsWith("--door="))?.slice("--door=".length);
const all = Object.entries(SIEGES).flatMap(([door, { entrance, attacks }]) =>
  Object.entries(attacks).map(([name, attack]) => ({ door, entrance, name, attack }))
);
const chosen = all.filter((each) =>
  (door === undefined || each.door === door) &&
  (names.length === 0 || names.some((part) => each.name.includes(part)))
);
if (chosen.length === 0) {
  console.error(`There is no such attack: there are ${[...new Set(all.map(({ name }) => name))].join(", ")}`);
}
console.log(
  `Memory is in MiB; ${withMemcached ? "memcached stands beside it" : "without memcached"}${
    filledMib === undefined ? "" : `; ${Math.round(mostBytes(filledMib) / 2 ** 20)} at most`
  }\n\n${row(COLUMNS)}`,
);
let failed = 0;
for (const { door, entrance, name, attack } of chosen) {
  const kinds: Kind[] = withMemcached && door === "open" && attack.isForMemcached === true
    ? ["ormuco", "memcached"]
    : ["ormuco"];
  for (const kind of kinds) {
    const outcome = await judged(attack, { kind, isFull, entrance, filledMib });
    console.log(row([door, name, kind, ...figures(outcome)]));
    if (kind === "ormuco" && outcome.faults.length > 0) failed++;
  }
}
console.log(`\n${chosen.length - failed} of ${chosen.length} attacks hold`);
if (failed > 0 || chosen.length === 0) Deno.exit(1);
