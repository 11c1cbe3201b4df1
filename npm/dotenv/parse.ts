/** Stands in for `@std/dotenv/parse` where only npm is reachable, with npm's dotenv. */

export { parse } from "dotenv";
