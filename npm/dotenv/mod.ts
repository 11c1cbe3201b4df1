/** Stands in for `@std/dotenv` where only npm is reachable, with npm's dotenv. */

export { parse } from "dotenv";
