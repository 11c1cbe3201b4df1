/** Debian's certbot renews the certificate of a server that runs, as docs/tls.md shows; pebble plays Let's Encrypt. */

import { assert, assertEquals } from "@std/assert";
import { hasPebble, Pebble } from "../support/pebble.ts";
import { serve } from "../support/processes.ts";
import { reportingClient } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const hasCertbot = hasPebble && await run("certbot --version", ".").then(() => true, () => false);
if (hasPebble && !hasCertbot) {
  console.log("Not tested: renewal by certbot, because certbot (Debian's package) is not installed");
}

/** Runs a line of the document in a folder. */
async function run(line: string, cwd: string, env: Record<string, string> = {}): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command("sh", { args: ["-c", line], cwd, env, stdin: "null" })
    .output();
  const text = new TextDecoder();
  if (code !== 0) throw new Error(`${line}: ${text.decode(stdout)}${text.decode(stderr)}`);
}

Deno.test({
  name:
    "certbot, used as docs/tls.md shows, renews a running server's certificate, and no call and no connection fails",
  ignore: !hasCertbot,
  fn: async () => {
    await using pebble = await Pebble.start();
    const docs = await Deno.readTextFile(new URL("../../docs/tls.md", import.meta.url));
    const lines = [...docs.matchAll(/^certbot .*$/gm)].map(([line]) => line).filter((line) =>
      line.includes("localhost:14000")
    );
    assertEquals(lines.length, 2);
    const [order, renew] = lines.map((line) =>
      line.replace("https://localhost:14000/dir", pebble.directory).replace("5002", `${pebble.challengePort}`)
    );
    const env = { REQUESTS_CA_BUNDLE: pebble.caFile };
    await run(order, pebble.folder, env);
    const live = `${pebble.folder}/certbot/live/localhost`;
    await Deno.chmod(`${live}/privkey.pem`, 0o640);
    const args = ["--tls", "--tls-cert", `${live}/fullchain.pem`, "--tls-key", `${live}/privkey.pem`];
    await using server = await serve(["--listen", "127.0.0.1:0", ...args]);
    const tls = { caCerts: [await pebble.root()], serverName: "localhost" };
    const { client, errors } = reportingClient([server.address], { tls });
    await using one = client;
    assert(await one.store("key", 1));
    let isDone = false;
    const connecting = (async () => {
      for (let i = 0; !isDone; i++) {
        const { client, errors: otherErrors } = reportingClient([server.address], { tls });
        await using other = client;
        const answers = [await other.store("other", i), await one.retrieve("key")];
        assertEquals([...answers, ...otherErrors, ...errors], [true, 1], `the connection ${i}`);
      }
    })();
    connecting.catch(() => {}); // it fails the test below
    await run(renew, pebble.folder, env);
    const renewals = async () => (await one.stats()).server!.certificateRenewals;
    await until("the server has it", async () => await renewals() === 1).finally(() => isDone = true);
    await connecting;
    assertEquals([errors.length, (await one.stats()).server!.tlsFailures], [0, 0]);
    assertEquals((await Deno.stat(`${live}/privkey.pem`)).mode! & 0o777, 0o640, "certbot keeps who may read the key");
    assert((await server.stop()).out.includes("TLS: the certificate has been renewed"));
  },
});
