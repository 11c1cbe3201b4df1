/** What happens to processes: they are stopped, signalled, denied their output, and many. */

import { denoArguments, environment, run } from "../../support/processes.ts";
import { until } from "../../support/waiting.ts";
import { badPeer } from "./peers.ts";
import { type Attacks, inParallel, type Scene } from "./scene.ts";

const FIXTURE = "tests/support/fixtures/many_clients.ts";

/** Makes the server log some lines, and lets a client use it after that. */
async function makeItSpeak(scene: Scene): Promise<void> {
  await inParallel(20, 4, (i) => scene.pour(badPeer(i)));
  await useIt(scene);
}

async function useIt(scene: Scene): Promise<void> {
  await using client = scene.client(1000);
  await until("a client is served", async () => await client.store("used", 1) && await client.retrieve("used") === 1);
}

/** A process of clients that never rest, and tells each time it has done some more. */
class BusyClients implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  steps = 0;

  constructor(address: string) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...denoArguments(FIXTURE), address, "10", "for ever"],
      ...environment(),
      stdout: "piped",
    }).spawn();
    this.#reading = this.#read();
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async #read(): Promise<void> {
    for await (const _ of this.#child.stdout) this.steps++;
  }

  async goesOn(): Promise<void> {
    const { steps } = this;
    await until("the clients go on", () => this.steps > steps + 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGCONT");
    this.signal("SIGKILL");
    await this.#child.status;
    await this.#reading;
  }
}

export const MACHINE: Attacks = {
  "a client that is stopped": {
    run: async (scene) => {
      await using clients = new BusyClients(scene.victim.address);
      await clients.goesOn();
      clients.signal("SIGSTOP");
      await scene.lasts(0.5, 60);
      await useIt(scene);
      clients.signal("SIGCONT");
      await clients.goesOn();
    },
  },
  "a server that is stopped": {
    stopsServer: true,
    run: async (scene) => {
      await using client = scene.client(200);
      if (!await client.store("before", 1)) throw new Error("a client is not served");
      scene.victim.signal("SIGSTOP");
      const calls = await Promise.all(Array.from({ length: 100 }, () => client.retrieve("before")));
      if (calls.some((found) => found !== undefined)) {
        throw new Error("a call was answered by a server that is stopped");
      }
      await scene.lasts(0.5, 60);
      scene.victim.signal("SIGCONT");
      await until("the client is served again", async () => await client.retrieve("before") === 1);
    },
  },
  "SIGHUP": {
    run: async (scene) => {
      for (let i = 0; i < 3; i++) {
        scene.victim.signal("SIGHUP");
        await scene.lasts(0.2, 1);
      }
      if (scene.victim.isAlive) await useIt(scene);
    },
  },
  "standard output on a full disk": { start: { output: "/dev/full" }, run: makeItSpeak },
  "standard output in a closed pipe": { start: { closesOutput: true }, run: makeItSpeak },
  "a read-only directory": { start: { cwd: "/proc" }, run: makeItSpeak },
  "10,000 clients in one process": {
    run: async (scene) => {
      const count = scene.of(100, 10_000);
      const { out, err, status } = await run(FIXTURE, [scene.victim.address, `${count}`]);
      if (status !== 0) throw new Error(`the clients' process failed: ${err.slice(0, 300)}`);
      const { stored, ms, mib } = JSON.parse(out);
      return `${stored} of ${count} stored in ${(ms / 1000).toFixed(1)} s, the clients took ${mib} MiB`;
    },
  },
};
