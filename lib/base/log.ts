/** The lines that a server logs, as types. It writes none. */

/** How much a line of a log matters: `warn` where somebody should look at it, `error` where something has ended. */
export type LogLevel = "info" | "warn" | "error";

/** Takes a line for the log; without a level it is `info`. */
export type Log = (line: string, level?: LogLevel) => void;
