/** The status page as a file: what is in it, what is not, and that its script has all that it calls. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { partsOf } from "../../lib/http/policy.ts";
import { statusPage } from "../../lib/page/page.ts";

const FOLDER = new URL("../../lib/page/", import.meta.url);
/** The files that stand in the script, and those that do not. */
const NOT_IN_SCRIPT = ["markup.ts", "page.ts", "reading.ts", "style.ts"];
const PAGE = statusPage();
const [SCRIPT] = partsOf(PAGE, "script");
const sources = new Map(
  [...Deno.readDirSync(FOLDER)].filter(({ name }) => !NOT_IN_SCRIPT.includes(name))
    .map(({ name }) => [name, Deno.readTextFileSync(new URL(name, FOLDER))]),
);

Deno.test("the page is one file of 60,000 bytes at most, with one style and one script", () => {
  const size = new TextEncoder().encode(PAGE).length;
  assert(size <= 60_000, `it has ${size}`);
  for (const element of ["script", "style"] as const) {
    assertEquals(partsOf(PAGE, element).length, 1);
    assertEquals(PAGE.match(new RegExp(`<${element}|</${element}`, "g"))?.length, 2, `one ${element}`);
  }
});

Deno.test("the page names no address but the server's own, and has neither styles nor scripts in attributes", () => {
  assertEquals(PAGE.match(/https?:\/\/(?!www\.w3\.org\/2000\/svg['"])[^\s"']*/g), null);
  assertEquals(PAGE.replace(SCRIPT, "").match(/\s(style|on\w+)=/g), null);
  for (const [, address] of PAGE.matchAll(/(?:href|src)="([^"]*)"/g)) {
    assert(/^(data:|metrics$)/.test(address), address);
  }
});

Deno.test("the page sets text as text alone", () => {
  assertEquals(SCRIPT.match(/innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|srcdoc/g), null);
});

Deno.test("the script can be read, and begins with its last line", () => {
  new Function(SCRIPT);
  assert(SCRIPT.endsWith("\nstart();\n"));
});

Deno.test("what the script calls is in it: its files have exported functions and types alone, and import such", () => {
  for (const [file, text] of sources) {
    const others = text.split("\n").filter((line) =>
      /^(async |abstract )?(function|const|let|var|class|enum)\b/.test(line)
    );
    assertEquals(others, [], `${file} has what is not exported`);
    assertEquals(text.match(/^export (?!function |interface |type ).*/gm), null, `${file} exports more than functions`);
    for (const [, names] of text.matchAll(/^import \{([^}]*)\} from/gm)) {
      const values = names.split(",").map((name) => name.trim()).filter((name) =>
        name !== "" && !name.startsWith("type ")
      );
      for (const name of values) assertStringIncludes(SCRIPT, `\nfunction ${name}(`, `${file} uses ${name}`);
    }
    for (const [, name] of text.matchAll(/^export function (\w+)/gm)) {
      assertStringIncludes(SCRIPT, `\nfunction ${name}(`, `${name} of ${file}`);
      assertEquals(SCRIPT.split(`\nfunction ${name}(`).length, 2, `one function has the name ${name}`);
    }
  }
  assert(sources.size >= 10);
});

Deno.test("every part that the script asks for by name is in the page once", () => {
  const ids = [...PAGE.replace(SCRIPT, "").matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id);
  assertEquals(ids.length, new Set(ids).size);
  for (const [, id] of SCRIPT.matchAll(/byId\("([^"]*)"\)/g)) assert(ids.includes(id), id);
});
