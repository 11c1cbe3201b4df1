import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { CacheError } from "../../lib/base/errors.ts";
import { tokenSource } from "../../lib/client/token_source.ts";

const SECRET = "a-secret-of-mine";

Deno.test("tokenSource() is none without options, and gives a token with or without a name", async () => {
  assertStrictEquals(tokenSource({}), undefined);
  assertEquals(await tokenSource({ authToken: SECRET })!(), { name: "default", secret: SECRET });
  assertEquals(await tokenSource({ authToken: `app:${SECRET}` })!(), { name: "app", secret: SECRET });
});

Deno.test("tokenSource() refuses what is no token, and two of them, and shows neither", () => {
  for (const authToken of ["", "short", "two words of a secret", `:${SECRET}`, `a:b:${SECRET}`, "x".repeat(300)]) {
    const { message } = assertThrows(() => tokenSource({ authToken }), RangeError, "authToken must be");
    assertStrictEquals(authToken !== "" && message.includes(authToken), false, message);
  }
  const both = { authToken: SECRET, authTokenFile: "token.txt" };
  const { message } = assertThrows(() => tokenSource(both), RangeError, "exclude each other");
  assertStrictEquals(message.includes(SECRET), false);
});

Deno.test("tokenSource() reads a file for each token anew, and says which file it is that cannot be used", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, `app:${SECRET}\n`, { mode: 0o600 });
    const source = tokenSource({ authTokenFile: path })!;
    assertEquals(await source(), { name: "app", secret: SECRET });
    await Deno.writeTextFile(path, `${SECRET}-2`);
    assertEquals(await source(), { name: "default", secret: `${SECRET}-2` });
    await Deno.writeTextFile(path, "two words of a secret");
    const error = await assertRejects(
      async () => void await source(),
      CacheError,
      `the token in ${path} cannot be used`,
    );
    assertStrictEquals(error.message.includes("two words"), false);
  } finally {
    await Deno.remove(path);
  }
  const gone = tokenSource({ authTokenFile: path })!;
  await assertRejects(async () => void await gone(), CacheError, `the token in ${path} cannot be read`);
});
