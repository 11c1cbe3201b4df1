import { assertEquals, assertThrows } from "@std/assert";
import { EnvFileError, readEnvFile } from "../../lib/platform/env_file.ts";

const NAMES = ["CACHE_MAX_SIZE", "PEERS", "AUTH_TOKEN"];

function read(file: string | Uint8Array) {
  const bytes = typeof file === "string" ? new TextEncoder().encode(file) : file;
  const { texts, unknown } = readEnvFile(".env", bytes, NAMES, (name) => name.startsWith("CACHE_"));
  return { ...Object.fromEntries(texts), ...(unknown.length === 0 ? {} : { unknown }) };
}

function utf16(text: string, isBig: boolean): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(2 * text.length));
  for (let i = 0; i < text.length; i++) bytes.setUint16(2 * i, text.charCodeAt(i), !isBig);
  return new Uint8Array(bytes.buffer);
}

/** Files that can be read, and what they say. */
const FILES: [string | Uint8Array, Record<string, unknown>][] = [
  ["", {}],
  ["\n\n", {}],
  ["CACHE_MAX_SIZE=5", { CACHE_MAX_SIZE: "5" }],
  ["CACHE_MAX_SIZE=5\n", { CACHE_MAX_SIZE: "5" }],
  ["CACHE_MAX_SIZE=5\r\nPEERS=a,b\r\n", { CACHE_MAX_SIZE: "5", PEERS: "a,b" }],
  ["CACHE_MAX_SIZE=5\rPEERS=a", { CACHE_MAX_SIZE: "5", PEERS: "a" }],
  ["\uFEFFCACHE_MAX_SIZE=5", { CACHE_MAX_SIZE: "5" }],
  [utf16("\uFEFFCACHE_MAX_SIZE=5\nPEERS=ä", false), { CACHE_MAX_SIZE: "5", PEERS: "ä" }],
  [utf16("\uFEFFCACHE_MAX_SIZE=5", true), { CACHE_MAX_SIZE: "5" }],
  [utf16("PEERS=a", false), { PEERS: "a" }],
  [utf16("PEERS=a", true), { PEERS: "a" }],
  [Uint8Array.of(...new TextEncoder().encode("X=\n"), 0xff, 10, ...new TextEncoder().encode("PEERS=a")), {
    PEERS: "a",
  }],
  ["  export\tCACHE_MAX_SIZE \t= 5  ", { CACHE_MAX_SIZE: "5" }],
  ["CACHE_MAX_SIZE=", { CACHE_MAX_SIZE: "" }],
  ["CACHE_MAX_SIZE=\nPEERS=a", { CACHE_MAX_SIZE: "", PEERS: "a" }],
  ["CACHE_MAX_SIZE=''", { CACHE_MAX_SIZE: "" }],
  ["CACHE_MAX_SIZE=5 # five", { CACHE_MAX_SIZE: "5" }],
  ["CACHE_MAX_SIZE=5# five", { CACHE_MAX_SIZE: "5" }],
  ["CACHE_MAX_SIZE= # $none", { CACHE_MAX_SIZE: "" }],
  ["CACHE_MAX_SIZE='5' # five", { CACHE_MAX_SIZE: "5" }],
  ['CACHE_MAX_SIZE="5"# five', { CACHE_MAX_SIZE: "5" }],
  ["# CACHE_MAX_SIZE=5", {}],
  ["AUTH_TOKEN='pa$word # \\n \" ${x}'", { AUTH_TOKEN: 'pa$word # \\n " ${x}' }],
  ['AUTH_TOKEN="pa$word # \' ${x}"', { AUTH_TOKEN: "pa$word # ' ${x}" }],
  ["AUTH_TOKEN=C:\\new\\token", { AUTH_TOKEN: "C:\\new\\token" }],
  ["AUTH_TOKEN=a=b==", { AUTH_TOKEN: "a=b==" }],
  ["AUTH_TOKEN=a'b\"c", { AUTH_TOKEN: "a'b\"c" }],
  ["PEERS=  a, b ", { PEERS: "a, b" }],
  ["PEERS='  a '", { PEERS: "  a " }],
  ["PEERS=a\nPEERS=b", { PEERS: "b" }],
  ["PEERS=a\nPEERS=", { PEERS: "" }],
  ["PATH=$PATH:/x\nPEERS=a", { PEERS: "a" }],
  ["A=$B\nB=$A\nPEERS=a", { PEERS: "a" }],
  ["SMTP_PASSWORD=pa$sword\nURL=${PORT:-1}\nPEERS=a", { PEERS: "a" }],
  ['KEY="one\nPEERS=b\ntwo\\"\nPEERS=c"\nPEERS=a', { PEERS: "a" }],
  ["KEY='one\nPEERS=b\n'\nPEERS=a", { PEERS: "a" }],
  ['KEY="without an end\nPEERS=a', { PEERS: "a" }],
  ["KEY=it's\nPEERS=a", { PEERS: "a" }],
  ["not an assignment\n=x\n1A=b\nA-B=c\nPEERS=a", { PEERS: "a" }],
  ["XPEERS=a\nPEERS_X=b\npeers=c", {}],
  ["CACHE_MAXSIZE=5\nCACHE_MAXSIZE=6\nPEERS=a", { PEERS: "a", unknown: ["CACHE_MAXSIZE"] }],
];

for (const [file, expected] of FILES) {
  const shown = JSON.stringify(typeof file === "string" ? file : [...file.subarray(0, 8)]);
  Deno.test(`readEnvFile() reads ${shown}`, () => assertEquals(read(file), expected));
}

const REFUSED: [string, string][] = [
  ["\nAUTH_TOKEN=pa$word", ".env, line 2: AUTH_TOKEN: variables are not expanded"],
  ["A='\n\n'\nAUTH_TOKEN=${A}", ".env, line 4: AUTH_TOKEN: variables are not expanded"],
  ["AUTH_TOKEN=`a`", ".env, line 1: AUTH_TOKEN: a value is quoted by"],
  ["AUTH_TOKEN='a", "AUTH_TOKEN: the value has no ' at its end"],
  ['AUTH_TOKEN="a\nb"', 'AUTH_TOKEN: the value has no " at its end'],
  ["AUTH_TOKEN='a' b", "AUTH_TOKEN: there is more after the closing '"],
  ['AUTH_TOKEN="a\\nb"', "AUTH_TOKEN: a \\ stands in single quotes, or in none"],
];

for (const [file, message] of REFUSED) {
  Deno.test(`readEnvFile() refuses ${JSON.stringify(file)}, and shows no secret`, () => {
    const { message: shown } = assertThrows(() => read(file), EnvFileError, message);
    assertEquals(shown.includes("word"), false);
  });
}
