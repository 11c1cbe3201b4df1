import { assertEquals, assertRejects } from "@std/assert";
import { Derivations } from "../../lib/server/derivations.ts";
import { settled } from "../support/memory_stream.ts";

/** Derivations that end when the test says so. */
function fixture() {
  let nowMs = 0;
  const derivations = new Derivations(() => nowMs);
  const [begun, ended, ends] = [[] as string[], [] as string[], [] as (() => void)[]];
  const run = (host: string, name: string) =>
    derivations.run(host, () => {
      begun.push(name);
      return new Promise<boolean>((resolve) => ends.push(() => resolve(true)));
    }).then((result) => void ended.push(`${name} ${result}`));
  const end = async () => {
    ends.shift()!();
    await settled();
  };
  return { run, end, begun, ended, pass: (ms: number) => nowMs += ms };
}

Deno.test("one derivation is made at a time, and each host has its turn", async () => {
  const { run, end, begun, ended } = fixture();
  const all = [run("a", "a1"), run("a", "a2"), run("a", "a3"), run("b", "b1"), run("c", "c1")];
  assertEquals(begun, ["a1"]);
  for (let i = 0; i < all.length; i++) {
    assertEquals(begun.length, i + 1);
    await end();
  }
  await Promise.all(all);
  assertEquals(begun, ["a1", "a2", "b1", "c1", "a3"]);
  assertEquals(ended, begun.map((name) => `${name} true`));
});

Deno.test("a derivation for which nobody waits any more is not made", async () => {
  const { run, end, begun, ended, pass } = fixture();
  const all = [run("a", "a1"), run("a", "a2"), run("b", "b1")];
  pass(5001);
  all.push(run("b", "b2"));
  await end();
  assertEquals(begun, ["a1", "b2"]);
  await end();
  await Promise.all(all);
  assertEquals(ended, ["a1 true", "a2 false", "b1 false", "b2 true"]);
});

Deno.test("a host with too many derivations that wait is told no at once, and others are not", async () => {
  const { run, end, ended } = fixture();
  const all = Array.from({ length: 1025 }, (_, i) => run("a", `a${i}`));
  await run("a", "one more");
  const other = run("b", "b");
  assertEquals(ended, ["one more false"]);
  for (let i = 0; i < 3; i++) await end();
  await other;
  assertEquals(ended, ["one more false", "a0 true", "a1 true", "b true"]);
  for (let i = 0; i < 1023; i++) await end();
  await Promise.all(all);
});

Deno.test("a derivation that fails ends no other", async () => {
  const derivations = new Derivations();
  const failing = assertRejects(
    () => derivations.run("a", () => Promise.reject(new Error("no memory"))),
    Error,
    "no memory",
  );
  assertEquals(await derivations.run("a", () => Promise.resolve(true)), true);
  await failing;
});
