/** Whether the memory of this process could lie in huge pages, and does not, since nobody has asked for them. */

import { attempt, isGranted } from "./machine_memory.ts";

/** Where the system says so. */
export interface PageFacts {
  /** The system, its C library, if that is known, and what that library has been told, if it may be asked. */
  readonly os: string;
  readonly library: string | undefined;
  readonly tunables: () => string | undefined;
  /** What the kernel gives huge pages for, as it says itself, if that may be read. */
  readonly kernel: () => string | undefined;
}

/** What has glibc 2.35 or later ask for huge pages. */
export const HUGE_PAGES = "glibc.malloc.hugetlb=1";
const KERNEL_FILE = "/sys/kernel/mm/transparent_hugepage/enabled";

/** Whether {@linkcode HUGE_PAGES} would make a difference; false where that cannot be told. Deno is not asked for permissions. */
export function lacksHugePages({ os, library, tunables, kernel }: PageFacts = systemFacts): boolean {
  if (os !== "linux" || library !== "gnu") return false;
  const told = tunables();
  return told !== undefined && !told.includes("glibc.malloc.hugetlb") && kernel()?.includes("[madvise]") === true;
}

const systemFacts: PageFacts = {
  os: Deno.build.os,
  library: Deno.build.env,
  tunables: () => {
    return isGranted({ name: "env", variable: "GLIBC_TUNABLES" }) ? Deno.env.get("GLIBC_TUNABLES") ?? "" : undefined;
  },
  kernel: () => {
    return isGranted({ name: "read", path: KERNEL_FILE })
      ? attempt(() => Deno.readTextFileSync(KERNEL_FILE))
      : undefined;
  },
};
