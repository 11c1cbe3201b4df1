/** Whether huge pages could be had, and are not: what the kernel, the C library and the environment say. */

import { assertStrictEquals } from "@std/assert";
import { HUGE_PAGES, lacksHugePages, type PageFacts } from "../../lib/platform/huge_pages.ts";

function lacks(facts: Partial<PageFacts> = {}): boolean {
  const kernel = () => "always [madvise] never\n";
  return lacksHugePages({ os: "linux", library: "gnu", tunables: () => "", kernel, ...facts });
}

Deno.test("lacksHugePages() is true where the kernel gives them to who asks, and nobody has asked", () => {
  assertStrictEquals(lacks(), true);
  assertStrictEquals(lacks({ tunables: () => "glibc.malloc.arena_max=1" }), true);
  assertStrictEquals(lacks({ tunables: () => `glibc.malloc.arena_max=1:${HUGE_PAGES}` }), false);
  assertStrictEquals(lacks({ tunables: () => "glibc.malloc.hugetlb=0" }), false); // somebody has decided
});

Deno.test("lacksHugePages() is false where the kernel gives them to all or to none", () => {
  assertStrictEquals(lacks({ kernel: () => "[always] madvise never\n" }), false);
  assertStrictEquals(lacks({ kernel: () => "always madvise [never]\n" }), false);
});

Deno.test("lacksHugePages() is false where it cannot be told, or the C library does not ask for them", () => {
  assertStrictEquals(lacks({ tunables: () => undefined }), false);
  assertStrictEquals(lacks({ kernel: () => undefined }), false);
  assertStrictEquals(lacks({ os: "darwin", library: undefined }), false);
  assertStrictEquals(lacks({ library: "musl" }), false);
});
