import { assertEquals } from "@std/assert";
import { FileWatch, type LookReason, Watched } from "../../lib/server/file_watch.ts";
import { until } from "../support/waiting.ts";

Deno.test("news() tells what a timer has found twice in a row, what is asked for at once, and nothing twice", async () => {
  let content: string | Error = "one";
  const watched = new Watched(
    () => content instanceof Error ? Promise.reject(content) : Promise.resolve({ text: content }),
    ({ text }) => text,
  );
  const gone = new Error("there is no such file");
  const looks: [string | Error, LookReason, string | Error | undefined][] = [
    ["one", "at once", "one"],
    ["one", "timer", undefined],
    ["o", "timer", undefined],
    ["two", "timer", undefined],
    ["two", "timer", "two"],
    ["two", "timer", undefined],
    ["two", "asked", undefined],
    ["one", "asked", "one"],
    ["", "timer", undefined],
    ["", "timer", ""],
    [gone, "timer", undefined],
    [new Error("there is no such file"), "timer", gone],
    [gone, "asked", undefined],
    ["there is no such file", "at once", "there is no such file"],
  ];
  for (const [i, [found, reason, news]] of looks.entries()) {
    content = found;
    const told = await watched.news(reason);
    assertEquals(
      told instanceof Error ? told.message : told?.text,
      news instanceof Error ? news.message : news,
      `${i}`,
    );
  }
});

Deno.test("a watch looks by itself until it is stopped, one look at a time; who asks has a look that begins afterwards", async () => {
  const looks: LookReason[] = [];
  let underWay = 0;
  let end = Promise.withResolvers<void>();
  const watch = new FileWatch(async (reason) => {
    assertEquals(++underWay, 1);
    looks.push(reason);
    await end.promise;
    underWay--;
  });
  watch.start();
  await until("it looks by itself", () => looks.length === 1);
  const [asked, timed] = [watch.look("asked"), watch.look("timer")];
  assertEquals(looks, ["timer"]);
  end.resolve();
  await Promise.all([asked, timed]);
  assertEquals(looks, ["timer", "asked"]);
  end = Promise.withResolvers();
  const last = watch.look("at once");
  let isStopped = false;
  const stopped = watch.stop().then(() => isStopped = true);
  await Promise.resolve();
  assertEquals([isStopped, underWay], [false, 1]);
  end.resolve();
  await Promise.all([last, stopped]);
  assertEquals(underWay, 0);
});
