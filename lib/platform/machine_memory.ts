/** How much memory this process may use: that of the machine, or less where a control group (of a container, say) limits it. */

/** Where the system says so. */
export interface MemoryFacts {
  /** The text of a file, if there is one that may be read. */
  readonly read: (path: string) => string | undefined;
  /** Bytes of memory that the machine has, if that may be asked. */
  readonly total: () => number | undefined;
}

const CGROUPS = "/sys/fs/cgroup";

/** Bytes of memory that this process may use, or `undefined` where nothing says so. Deno is not asked for permissions. */
export function machineMemory({ read, total }: MemoryFacts = systemFacts): number | undefined {
  const limits = [total(), ...limitFiles(read("/proc/self/cgroup") ?? "").map((path) => bytesIn(read(path)))];
  const known = limits.filter((bytes) => bytes !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** Files with the limits of the groups that a process is in, of both versions, its own and those above it. */
function limitFiles(groups: string): string[] {
  const files = [`${CGROUPS}/memory.max`, `${CGROUPS}/memory/memory.limit_in_bytes`];
  for (const line of groups.split("\n")) {
    const [, controllers, path = ""] = /^\d+:([^:]*):\/(.*)$/.exec(line) ?? [];
    const parts = path.split("/").filter((part) => part !== "" && part !== "..");
    for (let i = 1; i <= parts.length; i++) {
      const group = parts.slice(0, i).join("/");
      if (controllers === "") files.push(`${CGROUPS}/${group}/memory.max`);
      else if (controllers?.split(",").includes("memory")) {
        files.push(`${CGROUPS}/memory/${group}/memory.limit_in_bytes`);
      }
    }
  }
  return files;
}

/** The number in such a file; there is none in one that sets no limit, and one without meaning in the first version. */
function bytesIn(text: string | undefined): number | undefined {
  const bytes = Number.parseInt(text ?? "", 10);
  return bytes > 0 ? bytes : undefined;
}

const systemFacts: MemoryFacts = {
  read: (path) => isGranted({ name: "read", path }) ? attempt(() => Deno.readTextFileSync(path)) : undefined,
  total: () => {
    return isGranted({ name: "sys", kind: "systemMemoryInfo" })
      ? attempt(() => Deno.systemMemoryInfo().total)
      : undefined;
  },
};

/** Whether a permission is there, without asking for it. */
export function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}

/** What reading a file returns, or nothing where it fails. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // there is no such file on this system
  }
}
