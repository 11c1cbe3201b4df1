/** The name by which messages call the program. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { programName, type Started } from "../../lib/cli/program_name.ts";

function named(facts: Partial<Started>): string {
  return programName({
    isStandalone: false,
    execPath: () => "/usr/bin/deno",
    main: "file:///home/me/cache/cli.ts",
    folder: () => "/home/me/cache",
    ...facts,
  });
}

Deno.test("programName() is that of the file in its folder, and that of the software elsewhere", () => {
  assertStrictEquals(named({}), "cli.ts");
  assertStrictEquals(named({ folder: () => "/home/me" }), "ormuco-cache");
  assertStrictEquals(named({ main: "https://jsr.io/@ormuco/cache/0.1.0/cli.ts" }), "ormuco-cache");
  assertStrictEquals(named({ main: "file:///home/a%20b/cli.ts", folder: () => "/home/a b" }), "cli.ts");
  assertStrictEquals(named({ main: "file:///C:/cache/cli.ts", folder: () => "C:\\cache" }), "cli.ts");
});

Deno.test("programName() is that of the executable when the program was compiled", () => {
  const names = ["/usr/bin/ormuco-cache", "./cached", "C:\\Programs\\cached.exe", "cached"].map((path) =>
    named({ isStandalone: true, execPath: () => path })
  );
  assertEquals(names, ["ormuco-cache", "cached", "cached", "cached"]);
});
