/** The bill of materials: what stands in it for what a lock file has, and that the command line's lock file can be read. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { billOfMaterials, type Lock } from "../../tools/bill_of_materials.ts";
import { CONFIG, runDeno } from "../support/processes.ts";

const ROOT = new URL("../../", import.meta.url);
const SUBJECT = { version: "1.2.3", deno: "2.9.6", v8: "15.0", time: "2026-01-31T12:00:00Z" };
const SHA512 = `sha512-${btoa("x".repeat(64))}`;
const LOCK: Lock = {
  version: "5",
  specifiers: { "jsr:@std/msgpack@^1.0.3": "1.0.3", "npm:one@^1": "1.0.0_peer@3.0.0", "npm:@scope/two@2": "2.0.0" },
  jsr: {
    "@std/bytes@1.0.6": { integrity: "ab".repeat(32) },
    "@std/msgpack@1.0.3": { integrity: "cd".repeat(32), dependencies: ["jsr:@std/bytes"] },
  },
  npm: {
    "one@1.0.0_peer@3.0.0": { integrity: SHA512, dependencies: ["peer", "@scope/two@2.0.0", "@scope/two@2.0.0"] },
    "peer@3.0.0": { integrity: SHA512 },
    "@scope/two@1.0.0": { integrity: SHA512 },
    "@scope/two@2.0.0": { integrity: SHA512 },
  },
};

interface Bill {
  components: Record<string, unknown>[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

const bill = (lock: Lock): Bill => billOfMaterials(lock, SUBJECT) as Bill;

Deno.test("a bill of materials names each package with its digest, and Deno", () => {
  const { components } = bill(LOCK);
  const one = components.find(({ name }) => name === "one");
  assertEquals(one, {
    type: "library",
    "bom-ref": "npm:one@1.0.0_peer@3.0.0",
    name: "one",
    version: "1.0.0",
    purl: "pkg:npm/one@1.0.0",
    hashes: [{ alg: "SHA-512", content: "78".repeat(64) }],
  });
  const two = components.find(({ "bom-ref": ref }) => ref === "npm:@scope/two@2.0.0")!;
  assertEquals([two.group, two.name, two.purl], ["@scope", "two", "pkg:npm/%40scope/two@2.0.0"]);
  assertEquals(components.find(({ name }) => name === "bytes")?.externalReferences, [{
    type: "distribution",
    url: "https://jsr.io/@std/bytes/1.0.6_meta.json",
    hashes: [{ alg: "SHA-256", content: "ab".repeat(32) }],
  }]);
  assertEquals(components.find(({ name }) => name === "deno")?.version, "2.9.6");
});

Deno.test("a bill of materials says what depends on what", () => {
  const dependencies = new Map(bill(LOCK).dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
  assertEquals(dependencies.get("ormuco-cache"), [
    "deno",
    "jsr:@std/msgpack@1.0.3",
    "npm:one@1.0.0_peer@3.0.0",
    "npm:@scope/two@2.0.0",
  ]);
  assertEquals(dependencies.get("jsr:@std/msgpack@1.0.3"), ["jsr:@std/bytes@1.0.6"]);
  assertEquals(dependencies.get("npm:one@1.0.0_peer@3.0.0"), ["npm:peer@3.0.0", "npm:@scope/two@2.0.0"]);
});

Deno.test("a bill of materials is not made of what cannot be read", () => {
  assertThrows(() => bill({ ...LOCK, version: "6" }), RangeError, "version must be 5: received 6");
  const npm = { ...LOCK.npm, "one@1.0.0_peer@3.0.0": { integrity: SHA512, dependencies: ["@scope/two"] } };
  assertThrows(() => bill({ ...LOCK, npm }), RangeError, "npm:@scope/two must be one package of it: received 2");
});

Deno.test("a bill of materials can be made of what the command line loads", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const lock = `${folder}/deno.lock`;
    const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
    const args = ["cache", "-c", CONFIG, "--quiet", "--lock", lock, "cli.ts", imports["acme-client"]];
    const { status, err } = await runDeno(args, { cwd: ROOT.pathname });
    assertEquals(status, 0, err);
    const { components, dependencies } = bill(JSON.parse(await Deno.readTextFile(lock)));
    const refs = components.map(({ "bom-ref": ref }) => ref as string);
    assert(refs.some((ref) => ref.startsWith("npm:acme-client@")) && new Set(refs).size === refs.length);
    for (const { dependsOn } of dependencies) for (const ref of dependsOn) assert(refs.includes(ref), ref);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
