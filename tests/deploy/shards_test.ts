/** Shards by twemproxy (Debian's nutcracker) in front of groups of peers, as deploy/nutcracker.yaml has them. */

import { assert, assertEquals } from "@std/assert";
import { text } from "../support/examples.ts";
import { has } from "../support/others_clients.ts";
import { freePort } from "../support/ports.ts";
import { serve, type ServeProcess } from "../support/processes.ts";
import { TcpProxy } from "../support/proxy.ts";
import { clientOf } from "../support/servers.ts";
import { exchange } from "../support/text_socket.ts";
import { until } from "../support/waiting.ts";

const NUTCRACKER = "/usr/sbin/nutcracker";
const hasNutcracker = await has("nutcracker", NUTCRACKER, "-V");
const KEYS = Array.from({ length: 300 }, (_, i) => `key-${i}`);

/** Two peers, and the one address at which either is reached, as a service or a load balancer gives it. */
class Group implements AsyncDisposable {
  readonly #way = new TcpProxy();
  #members: ServeProcess[] = [];

  async start(): Promise<void> {
    const first = await serve(["--listen", "0", "--max-size", "10000"]);
    const second = await serve(["--listen", "0", "--max-size", "10000", "--peers", first.address]);
    this.#members = [first, second];
    this.leadTo(0);
  }

  get address(): string {
    return this.#way.address;
  }

  leadTo(member: number): void {
    this.#way.target = Number(this.#members[member].address.split(":")[1]);
  }

  async kill(members = [0, 1]): Promise<void> {
    await Promise.all(members.map((member) => this.#members[member].stop("SIGKILL")));
  }

  /** The keys that a member holds, in order. */
  async keys(member = 0): Promise<string[]> {
    await using client = clientOf(this.#members[member]);
    const keys: string[] = [];
    for await (const key of client.keys()) keys.push(key);
    return keys.sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((member) => member.stop()));
    await this.#way[Symbol.asyncDispose]();
  }
}

/** twemproxy with deploy/nutcracker.yaml, but for the addresses, and for the time until a group is tried again. */
async function shards(groups: readonly Group[], use: (port: number) => Promise<void>): Promise<void> {
  const [folder, port] = [await Deno.makeTempDir(), freePort()];
  let config = text("deploy/nutcracker.yaml").replace(/127\.0\.0\.1:11211/, `127.0.0.1:${port}`)
    .replace(/(server_retry_timeout:) \d+/, "$1 300");
  const given = [...config.matchAll(/10\.0\.\d\.1:11142/g)].map(([address]) => address);
  assertEquals(given.length, groups.length);
  given.forEach((address, i) => config = config.replace(address, groups[i].address));
  await Deno.writeTextFile(`${folder}/conf`, config);
  const args = ["-c", `${folder}/conf`, "-s", `${freePort()}`, "-a", "127.0.0.1"];
  const child = new Deno.Command(NUTCRACKER, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  try {
    await until("it answers", () => stored(port, KEYS.slice(0, 1)).then(() => true, () => false));
    await use(port);
  } finally {
    child.kill("SIGTERM");
    await child.status;
    await Deno.remove(folder, { recursive: true });
  }
}

/** Stores keys; returns how many were taken. */
async function stored(port: number, keys: readonly string[]): Promise<number> {
  const asked = keys.map((key) => `set ${key} 0 0 ${key.length}\r\n${key}\r\n`).join("");
  const reply = await exchange(port, asked, (reply) => reply.split("\r\n").length > keys.length);
  return reply.match(/^STORED\r$/gm)?.length ?? 0;
}

/** Which of some keys are there, with their values. */
async function found(port: number, keys: readonly string[]): Promise<string[]> {
  const asked = keys.map((key) => `get ${key}\r\n`).join("");
  const answered = (reply: string) => reply.match(/^(END|SERVER_ERROR.*)\r\n/gm)?.length === keys.length;
  const reply = await exchange(port, asked, answered);
  return [...reply.matchAll(/^VALUE (\S+) 0 \d+\r\n\1\r\n/gm)].map(([, key]) => key);
}

Deno.test({
  name:
    "where one of three groups is killed the ring heals: its keys go to the others, and back, and no other key moves",
  ignore: !hasNutcracker,
  fn: async () => {
    await using first = new Group();
    await using second = new Group();
    await using third = new Group();
    const groups = [first, second, third];
    await Promise.all(groups.map((group) => group.start()));
    await shards(groups, async (port) => {
      assertEquals(await stored(port, KEYS), KEYS.length);
      assertEquals(await found(port, KEYS), KEYS);
      const dealt = await Promise.all(groups.map((group) => group.keys()));
      for (const [i, group] of groups.entries()) {
        assert(dealt[i].length > 0);
        await until("its peer has them", async () => `${await group.keys(1)}` === `${dealt[i]}`);
      }
      // One server of a group: the other has its entries, so none is lost.
      first.leadTo(1);
      await first.kill([0]);
      await until("none is lacking", async () => (await found(port, KEYS)).length === KEYS.length);
      // A whole group: its keys are lost, and those of the others are found where they were.
      await second.kill();
      const others = KEYS.filter((key) => !dealt[1].includes(key));
      await until("all are stored", async () => await stored(port, dealt[1]) === dealt[1].length);
      assertEquals(await found(port, others), others);
      assertEquals((await first.keys(1)).filter((key) => dealt[2].includes(key)), []);
      // It is back: the ring deals it the same keys as before, and they are lacking there.
      await second.start();
      await until("it is dealt its keys", async () => {
        await stored(port, KEYS);
        return `${await second.keys()}` === `${dealt[1]}`;
      });
      assertEquals(await found(port, KEYS), KEYS);
    });
  },
});
