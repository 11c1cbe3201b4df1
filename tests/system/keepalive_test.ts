/** Hosts that vanish without a word: the system notices it, for connections of clients and of peers. */

import { assert, assertEquals } from "@std/assert";
import { denoArguments } from "../support/processes.ts";
import { portOf } from "../support/ports.ts";
import { clientOf, startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const isLinux = Deno.build.os === "linux";

/** Which timer of the kernel runs for each established connection of a port, at either end. 2 is that of keepalive. */
function timersOf(port: number): number[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const rows = Deno.readTextFileSync("/proc/net/tcp").split("\n").map((row) => row.trim().split(/\s+/));
  const isOurs = ([, local, remote, state]: string[]) =>
    [local, remote].some((end) => end?.endsWith(`:${hex}`)) && state === "01";
  return rows.filter(isOurs).map((row) => Number(row[5].split(":")[0]));
}

Deno.test({
  name: "keepalive is on at both ends of a client's connection and of a peer's",
  ignore: !isLinux, // elsewhere there is no file that shows it
  fn: async () => {
    await using server = await startedServer();
    await using client = clientOf(server);
    assertEquals(await client.store("key", 1), true);
    // A write that is not acknowledged yet has a timer of its own.
    await until(
      "both ends have it, as those of the server's connection with itself",
      () => `${timersOf(portOf(server.address!))}` === "2,2,2,2",
    );
    await using peer = await startedServer();
    await using other = await startedServer({ peers: [peer.address!], gossipIntervalMs: 60_000 });
    await until("they are connected", () => other.stats().peers[0].state === "connected");
    await until(
      "both ends have it, as those of the server's connection with itself",
      () => `${timersOf(portOf(peer.address!))}` === "2,2,2,2",
    );
  },
});

/** Why there can be no network of the test's own here; empty if there can. */
async function whyNoNetwork(): Promise<string> {
  if (!isLinux) return "only Linux has network namespaces";
  const command =
    "ip link add near type veth peer name far && command -v nsenter bash && echo 1 > /proc/sys/net/ipv4/tcp_keepalive_intvl";
  try {
    const { success, stderr } = await new Deno.Command("unshare", { args: ["-rn", "sh", "-c", command] }).output();
    return success ? "" : new TextDecoder().decode(stderr).trim() || "a command is missing";
  } catch (error) {
    return (error as Error).message;
  }
}

const why = await whyNoNetwork();

Deno.test({
  name: `connections of a host that has vanished are gone after the kernel's times${why && ` (not here: ${why})`}`,
  ignore: why !== "",
  fn: async () => {
    const args = ["-rn", Deno.execPath(), ...denoArguments("tests/support/fixtures/vanishing_host.ts")];
    const { success, stdout, stderr } = await new Deno.Command("unshare", { args }).output();
    assert(success, new TextDecoder().decode(stderr));
    assertEquals(new TextDecoder().decode(stdout), "3\n");
  },
});
