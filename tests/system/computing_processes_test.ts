/** One computation of a key for all processes: also where the one that computes is killed, or stands still. */

import { assert, assertEquals } from "@std/assert";
import { denoArguments, environment, serve } from "../support/processes.ts";

const PROCESSES = Number(Deno.env.get("COMPUTING_PROCESSES") ?? 4);
const CALLERS = Number(Deno.env.get("COMPUTING_CALLERS") ?? 250);

/** What a process has got for its callers. */
interface Got {
  computed: number;
  values: string[];
}

class Worker implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor(options: { servers: string[]; key: string; computeMs: number; timeoutMs?: number }) {
    this.child = new Deno.Command(Deno.execPath(), {
      args: [
        ...denoArguments("tests/support/computing_worker.ts"),
        JSON.stringify({ callers: CALLERS, ...options }),
      ],
      ...environment(),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#lines = this.child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The next line that it prints. */
  async line(): Promise<string> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) return "";
      this.#rest += value;
    }
    const [line, ...rest] = this.#rest.split("\n");
    this.#rest = rest.join("\n");
    return line;
  }

  async begin(): Promise<void> {
    const writer = this.child.stdin.getWriter();
    await writer.write(new Uint8Array(1));
    await writer.close();
  }

  async result(): Promise<Got> {
    for (let line = await this.line(); line !== ""; line = await this.line()) {
      if (line.startsWith("{")) return JSON.parse(line);
    }
    throw new Error("It has ended without a result");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#lines.cancel();
    await this.child.stdin.close().catch(() => {}); // it has been closed with what began the work
    await this.child.status;
  }
}

async function started(options: ConstructorParameters<typeof Worker>[0]): Promise<Worker> {
  const worker = new Worker(options);
  assertEquals(await worker.line(), "ready");
  return worker;
}

Deno.test("many callers in several processes get what one of them computes", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  await using stack = new AsyncDisposableStack();
  const options = { servers: [server.address], key: "cold", computeMs: 300 };
  const workers = await Promise.all(
    Array.from({ length: PROCESSES }, async () => stack.use(await started(options))),
  );
  await Promise.all(workers.map((worker) => worker.begin()));
  const got = await Promise.all(workers.map((worker) => worker.result()));
  assertEquals(got.reduce((sum, { computed }) => sum + computed, 0), 1);
  assertEquals(new Set(got.flatMap(({ values }) => values)).size, 1);
});

Deno.test("where the process that computes is killed another computes, once", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  await using stack = new AsyncDisposableStack();
  const options = { servers: [server.address], key: "cold", computeMs: 1000 };
  const first = stack.use(await started(options));
  const others = await Promise.all(
    Array.from({ length: PROCESSES - 1 }, async () => stack.use(await started(options))),
  );
  await first.begin();
  assertEquals(await first.line(), "computing");
  await Promise.all(others.map((worker) => worker.begin()));
  first.child.kill("SIGKILL");
  const got = await Promise.all(others.map((worker) => worker.result()));
  assertEquals(got.reduce((sum, { computed }) => sum + computed, 0), 1, "and that makes two with the first");
  assertEquals(new Set(got.flatMap(({ values }) => values)).size, 1);
});

Deno.test("where the process that computes stands still another computes when the lease is over", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0"]);
  await using stack = new AsyncDisposableStack();
  // Who computes asks for a lease of this time, and the others wait for longer.
  const first = stack.use(
    await started({ servers: [server.address], key: "cold", computeMs: 1000, timeoutMs: 2000 }),
  );
  const options = { servers: [server.address], key: "cold", computeMs: 100, timeoutMs: 30_000 };
  const others = await Promise.all(
    Array.from({ length: PROCESSES - 1 }, async () => stack.use(await started(options))),
  );
  await first.begin();
  assertEquals(await first.line(), "computing");
  first.child.kill("SIGSTOP");
  await Promise.all(others.map((worker) => worker.begin()));
  const got = await Promise.all(others.map((worker) => worker.result()));
  assertEquals(got.reduce((sum, { computed }) => sum + computed, 0), 1, "and that makes two with the first");
  assertEquals(new Set(got.flatMap(({ values }) => values)).size, 1);
});

Deno.test("callers at two servers that are peers compute a key twice at most", async () => {
  await using one = await serve(["--listen", "127.0.0.1:0"]);
  await using other = await serve(["--listen", "127.0.0.1:0", "--peers", one.address]);
  await using stack = new AsyncDisposableStack();
  const workers = await Promise.all(
    Array.from({ length: PROCESSES }, async (_, i) => {
      const servers = [i % 2 === 0 ? one.address : other.address];
      return stack.use(await started({ servers, key: "cold", computeMs: 300 }));
    }),
  );
  await Promise.all(workers.map((worker) => worker.begin()));
  const got = await Promise.all(workers.map((worker) => worker.result()));
  const computed = got.reduce((sum, { computed }) => sum + computed, 0);
  assert(computed >= 1 && computed <= 2, `${computed} computations`);
});
