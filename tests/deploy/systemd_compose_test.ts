/** The unit for systemd and the compose file, judged by their own programs, and by what a server takes. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parse } from "yaml";
import { SERVER_SETTING_NAMES } from "../../lib/base/settings.ts";
import { text } from "../support/examples.ts";
import { execute, has } from "../support/others_clients.ts";

const hasSystemd = await has("systemd", "systemd-analyze", "--version");
const hasCompose = await has("docker-compose", "docker-compose", "--version");

/** Writes a file of its own into a folder of its own for a program. */
async function inFile<Result>(name: string, content: string, use: (path: string) => Promise<Result>): Promise<Result> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/${name}`, content);
    return await use(`${folder}/${name}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "systemd knows all that the unit says, and finds it exposed to no more than 2 of 10",
  ignore: !hasSystemd,
  fn: async () => {
    const unit = text("deploy/ormuco-cache.service").replace("/usr/local/bin/ormuco-cache", Deno.execPath());
    const verify = (unit: string) =>
      inFile("ormuco-cache.service", unit, (path) => execute("systemd-analyze", ["verify", "--man=no", path]));
    assertEquals(await verify(unit), { status: 0, text: "" });
    const misspelt = await verify(unit.replace("ProtectHome", "ProtectHomes"));
    assertStringIncludes(misspelt.text, "'ProtectHomes'");
    const judge = (threshold: number) =>
      inFile(
        "ormuco-cache.service",
        unit,
        (path) =>
          execute("systemd-analyze", ["security", "--offline=true", `--threshold=${threshold}`, "--no-pager", path]),
      );
    const judged = await judge(20);
    assertEquals(judged.status, 0, judged.text);
    assertEquals((await judge(5)).status, 1, "it could be less only without a network");
  },
});

Deno.test("the unit lets V8 write machine code, without which it ends at once", () => {
  assert(!/^MemoryDenyWriteExecute=/m.test(text("deploy/ormuco-cache.service")));
});

Deno.test("in the compose file each server has all as peers, and settings that there are", () => {
  const { services, secrets } = parse(text("deploy/compose.yaml"), { merge: true });
  const names = Object.keys(services);
  assertEquals(names.length, 3);
  for (const { environment, secrets: used } of Object.values<{ environment: object; secrets: string[] }>(services)) {
    const settings: Record<string, string> = { ...environment };
    assertEquals(settings.PEERS.split(","), names);
    for (const name of Object.keys(settings)) assert(SERVER_SETTING_NAMES.includes(name), name);
    assertEquals([used, settings.AUTH_TOKEN_FILE], [Object.keys(secrets), `/run/secrets/${used[0]}`]);
  }
});

Deno.test({
  name: "docker-compose takes the compose file, and refuses one with a misspelt field",
  ignore: !hasCompose,
  fn: async () => {
    const compose = text("deploy/compose.yaml");
    const check = (compose: string) =>
      inFile("compose.yaml", compose, (path) => execute("docker-compose", ["-f", path, "config", "--quiet"]));
    assertEquals(await check(compose), { status: 0, text: "" });
    assertStringIncludes((await check(compose.replace("read_only:", "readonly:"))).text, "readonly");
  },
});
