/** The help text, made from the table of commands. It prints nothing. */

import { SOFTWARE } from "../base/software.ts";
import { type Command, COMMANDS } from "./command_table.ts";
import { programName } from "./program_name.ts";

const UNITS_HELP =
  "BYTES take k, m, g or t, alone or as in 64MB or 64MiB, always powers of 1024; SECONDS take s, m, h or d.";
const EXIT_HELP =
  "Exit status: 0 done or a hit, 1 a miss (not ready, a violation found, no for an answer), 2 usage,\n3 server unreachable, 4 refused, 5 cannot listen.";

/** The help on all commands. */
export function generalHelp(): string {
  return [
    `${SOFTWARE.replace("/", " ")}: a cache server, and commands that talk to one`,
    "",
    `Usage: ${programName()} COMMAND [OPTIONS]`,
    "",
    ...table(COMMANDS.map((command) => [usage(command), command.summary])),
    "",
    ...table([
      ["help COMMAND", "a command's options; as --help after it"],
      ["help, --help, -h", "this text"],
      ["version, --version, -V", "name and version"],
    ]),
    "",
    "Options rank above environment variables, and these above the file .env (or that of --env-file).",
    UNITS_HELP,
    EXIT_HELP,
  ].join("\n");
}

/** Returns the help on one command. */
export function commandHelp(command: Command): string {
  const rows = command.flags.map(({ name, letter, argument, setting, help }): [string, string] => [
    `${letter === undefined ? "" : `-${letter}, `}--${name}${argument === undefined ? "" : ` ${argument}`}`,
    help + (setting === undefined ? "" : ` [${setting}]`),
  ]);
  const also = command.also === undefined ? [] : [`${command.also} is another name of ${command.name}.`];
  return [
    `${command.name}: ${command.summary}`,
    "",
    `Usage: ${programName()} ${[command.name, ...command.operands].join(" ")} [OPTIONS]`,
    "",
    ...table(rows),
    "",
    ...also,
    ...(rows.some(([option]) => /SECONDS|BYTES/.test(option)) ? [UNITS_HELP] : []),
    EXIT_HELP,
  ].join("\n");
}

function usage({ name, also, operands }: Command): string {
  return [also === undefined ? name : `${name}, ${also}`, ...operands].join(" ");
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
