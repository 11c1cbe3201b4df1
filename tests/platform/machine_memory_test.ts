/** How much memory a process may use: what files of either version of control groups say, and those above them. */

import { assert, assertEquals } from "@std/assert";
import { machineMemory } from "../../lib/platform/machine_memory.ts";

const GIB = 2 ** 30;

function memoryOf(files: Record<string, string>, total?: number): number | undefined {
  return machineMemory({ read: (path) => files[path], total: () => total });
}

Deno.test("machineMemory() is the least of what the machine has and its control groups allow", () => {
  assertEquals(memoryOf({}, 8 * GIB), 8 * GIB);
  assertEquals(memoryOf({}), undefined);
  assertEquals(memoryOf({ "/sys/fs/cgroup/memory.max": "max\n" }, 8 * GIB), 8 * GIB);
  assertEquals(memoryOf({ "/sys/fs/cgroup/memory.max": `${GIB}\n` }, 8 * GIB), GIB);
  assertEquals(memoryOf({ "/sys/fs/cgroup/memory.max": `${GIB}\n` }), GIB);
  assertEquals(memoryOf({ "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n" }, 8 * GIB), 8 * GIB);
  assertEquals(memoryOf({ "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${2 * GIB}\n` }, 8 * GIB), 2 * GIB);
});

Deno.test("machineMemory() looks at the process's own groups, and at those that they are in", () => {
  const second = { "/proc/self/cgroup": "0::/system.slice/cache.service\n", "/sys/fs/cgroup/memory.max": "max\n" };
  const own = "/sys/fs/cgroup/system.slice/cache.service/memory.max";
  assertEquals(memoryOf({ ...second, [own]: `${GIB}\n` }, 8 * GIB), GIB);
  assertEquals(
    memoryOf({ ...second, [own]: "max\n", "/sys/fs/cgroup/system.slice/memory.max": "1024" }, 8 * GIB),
    1024,
  );
  const first = { "/proc/self/cgroup": "12:cpu,cpuacct:/x\n5:memory:/docker/ab\n0::/\n" };
  assertEquals(memoryOf({ ...first, "/sys/fs/cgroup/memory/docker/ab/memory.limit_in_bytes": "4096\n" }, GIB), 4096);
  assertEquals(memoryOf({ "/proc/self/cgroup": "rubbish\n0::\n:::/\n" }, GIB), GIB);
});

Deno.test("machineMemory() of this process is a number of bytes where it may be asked", () => {
  const bytes = machineMemory();
  assert(bytes !== undefined && bytes > 64 * 2 ** 20, `${bytes} bytes`);
});
