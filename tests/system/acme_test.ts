/** Certificates that a server orders from an ACME authority itself: pebble plays Let's Encrypt. */

import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { PREFIX, SETTING_NAMES } from "../../lib/base/settings.ts";
import { resolveAcme, whyNoTls } from "../../lib/base/tls_options.ts";
import { Acme } from "../../lib/server/acme.ts";
import { Encryption } from "../../lib/server/encryption.ts";
import { LimitedLog } from "../../lib/server/limited_log.ts";
import { newCounters } from "../../lib/server/statistics.ts";
import { hasPebble, HOST, Pebble } from "../support/pebble.ts";
import { freePort } from "../support/ports.ts";
import { serve } from "../support/processes.ts";
import { madeServer, reportingClient } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const ignore = !hasPebble || Deno.build.os === "windows";
const MINUTE_MS = 60_000;

/** How a server orders from pebble. */
function orders(pebble: Pebble, port = pebble.challengePort) {
  const listen = `127.0.0.1:${port}`;
  return { host: HOST, email: "ops@example.com", directory: pebble.directory, folder: `${pebble.folder}/kept`, listen };
}

function logged(lines: string[], words: string): number {
  return lines.filter((line) => line.includes(words)).length;
}

Deno.test({
  name:
    "a server orders its certificate while it serves, keeps it where nobody else reads it, and orders none at the next start",
  ignore,
  fn: async () => {
    await using pebble = await Pebble.start();
    const lines: string[] = [];
    const tls = { acme: orders(pebble), caFile: pebble.caFile };
    await using server = madeServer({ tls, log: (line) => lines.push(line) });
    const folder = `${pebble.folder}/kept/${pebble.keptIn}`;
    await Deno.mkdir(folder, { recursive: true, mode: 0o755 });
    await Deno.writeTextFile(`${folder}/${HOST}.pem`, "what a disk has left of it");
    await server.startServer();
    assert(server.stats().certificateOrderMs < Date.now());
    assertEquals(logged(lines, "TLS, as soon as there is a certificate"), 1);
    await using plain = reportingClient([server.address!]).client;
    assert(await plain.store("key", 1), "who may do without TLS is served at once");
    await until("there is a certificate", () => logged(lines, "has been obtained") === 1);
    const { certificateExpiresMs, certificateOrderMs, certificateRenewals } = server.stats();
    const part = (certificateOrderMs - Date.now()) / (certificateExpiresMs - Date.now());
    assert(part > 0.6 && part < 2 / 3, `${part}`);
    assertEquals(certificateRenewals, 0);
    const { client, errors } = reportingClient([server.address!], {
      tls: { caCerts: [await pebble.root()], serverName: HOST },
    });
    await using encrypted = client;
    assertEquals([await encrypted.retrieve("key"), errors], [1, []]);
    assertEquals((await Deno.stat(folder)).mode! & 0o777, 0o700);
    for (const name of ["account.pem", `${HOST}.pem`, "lock"]) {
      assertEquals((await Deno.stat(`${folder}/${name}`)).mode! & 0o777, 0o600, name);
    }
    await assertRejects(
      () => Deno.connect({ hostname: "127.0.0.1", port: pebble.challengePort }),
      Deno.errors.ConnectionRefused,
    );
    await server.stop();
    await pebble.pause();
    await server.startServer();
    await server.reload();
    assertEquals(
      [server.stats().certificateExpiresMs, logged(lines, "ACME")],
      [certificateExpiresMs, 1],
      lines.join("\n"),
    );
  },
});

Deno.test({
  name:
    "a server process renews its certificate in time, with the permissions that docs/tls.md names, and ends no connection",
  ignore,
  fn: async () => {
    await using pebble = await Pebble.start({ validitySeconds: 12 });
    const tls = { caCerts: [await pebble.root()], serverName: HOST };
    const { host, email, directory, folder, listen } = orders(pebble);
    const docs = await Deno.readTextFile(new URL("../../docs/tls.md", import.meta.url));
    const [, named] = /^deno run (.*) cli\.ts serve .*--acme cache\.example\.com/m.exec(docs)!;
    const permissions = named.replace("acme-v02.api.letsencrypt.org", new URL(directory).host)
      .replace("0.0.0.0:80", listen).replace("10.0.0.1:11142", "127.0.0.1:0")
      .replace("read=acme", `read=${folder},${pebble.caFile}`).replace("write=acme", `write=${folder}`).split(" ");
    const acme = ["--acme", host, "--acme-email", email, "--acme-directory", directory, "--acme-folder", folder];
    const args = ["--listen", "127.0.0.1:0", ...acme, "--acme-listen", listen, "--tls-ca", pebble.caFile, "--tls"];
    await using server = await serve(args, { permissions });
    await until("there is a certificate", () => logged(server.lines, "has been obtained") === 1);
    await using client = reportingClient([server.address], { tls }).client;
    assert(await client.store("key", 1));
    await until("there is another", async () => {
      assertEquals(await client.retrieve("key"), 1);
      return logged(server.lines, "ACME: the certificate for cache.example.com has been renewed") > 0;
    });
    const { certificateRenewals, tlsHandshakes, certificateFaults } = (await client.stats()).server!;
    assert(certificateRenewals! >= 1);
    assertEquals([tlsHandshakes, certificateFaults], [1, 0]);
    const { out, err } = await server.stop();
    assert(!/ACME: no |not been renewed/.test(out + err), out + err);
    assertEquals(err.split("\n").filter((line) => line !== "" && !/^\S+Z WARN {2}TLS: /.test(line)), []);
  },
});

Deno.test({
  name:
    "a challenge that the authority refuses is said with what to do, is tried again after a pause, and at once where asked",
  ignore,
  fn: async () => {
    await using pebble = await Pebble.start();
    const lines: string[] = [];
    const tls = { acme: orders(pebble, freePort()), caFile: pebble.caFile };
    await using server = madeServer({ tls, log: (line) => lines.push(line) });
    await server.startServer();
    await until("it fails", () => logged(lines, "ACME") === 1);
    const line = lines.find((line) => line.includes("ACME"))!;
    assertMatch(
      line,
      /^ACME: no certificate yet for cache\.example\.com: the authority does not find this server on port 80 /,
    );
    assertMatch(
      line,
      /[Cc]onnection refused.*ACME_LISTEN_ON.*next attempt in (12\d seconds|[23] minutes), or at SIGHUP$/,
    );
    assert(server.stats().certificateOrderMs > Date.now() + MINUTE_MS);
    const { client, errors } = reportingClient([server.address!], { tls: true });
    await using refused = client;
    assertEquals(await refused.store("key", 1), false);
    assertEquals(errors.length, 1);
    assertEquals(logged(lines, "this server has no certificate yet"), 1, lines.join("\n"));
    await server.reload();
    assertEquals(logged(lines, "ACME: no certificate yet"), 2);
    const held = Deno.listen({ hostname: "127.0.0.1", port: Number(tls.acme.listen.split(":")[1]) });
    await server.reload();
    held.close();
    assertStringIncludes(lines.at(-1)!, `cannot listen on ${tls.acme.listen} for the authority`);
  },
});

Deno.test({
  name: "a server that may not load what orders certificates says which permission it needs, and goes on",
  ignore: whyNoTls(Deno.version.deno) !== undefined,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const acme = ["--acme", HOST, "--acme-directory", "https://127.0.0.1:1/dir", "--acme-folder", folder];
    const permissions = ["--no-prompt", "--allow-net=127.0.0.1", `--allow-read=${folder},.env`];
    permissions.push(`--allow-write=${folder}`, `--allow-env=${PREFIX}*,${SETTING_NAMES}`);
    await using server = await serve(["--listen", "127.0.0.1:0", ...acme], { permissions });
    await until("it says so", () => logged(server.lines, "ACME: no certificate yet") === 1);
    assertMatch(
      server.lines.find((line) => line.includes("ACME: no"))!,
      /: cannot load npm:acme-client@\S+: it lists all variables: run with --ignore-env beside --allow-env/,
    );
    await using client = reportingClient([server.address]).client;
    assert(await client.store("key", 1));
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "while the directory is down the old certificate stays, pauses grow, and afterwards it is renewed",
  ignore,
  fn: async () => {
    await using pebble = await Pebble.start();
    const acme = resolveAcme(orders(pebble));
    const lines: string[] = [];
    const log = (line: string) => void lines.push(line);
    let aheadMs = 0;
    const nowMs = () => Date.now() + aheadMs;
    const tls = { acme, certFile: acme.file, keyFile: acme.file, caFile: pebble.caFile };
    const encryption = new Encryption({ tls, counters: newCounters(), log, limitedLog: new LimitedLog(log), nowMs });
    await encryption.start();
    const ordering = new Acme({ acme, encryption, log, nowMs });
    await ordering.start();
    try {
      await ordering.look();
      const before = encryption.validity;
      assert(before.expiresMs > Date.now(), lines.join("\n"));
      await pebble.pause();
      await ordering.look();
      assertEquals(logged(lines, "ACME"), 1, "nothing is due");
      aheadMs = ordering.dueMs - Date.now() + 1;
      const pauses: number[] = [];
      for (let i = 0; i < 10; i++) {
        await ordering.look();
        pauses.push((ordering.dueMs - nowMs()) / MINUTE_MS);
        await ordering.look();
        assertEquals(logged(lines, "has not been renewed"), i + 1, "there is a pause");
        aheadMs += ordering.dueMs - nowMs() + 1;
      }
      assertMatch(lines.at(-1)!, /cannot reach localhost:\d+: .*[Cc]onnection refused/);
      for (const [i, minutes] of pauses.entries()) {
        const least = Math.min(2 ** (i + 1), 360);
        assert(minutes > least - 0.1 && minutes < 1.26 * least, `${pauses}`);
      }
      assertEquals(encryption.validity, before);
      await pebble.resume();
      await ordering.look();
      assertEquals(logged(lines, "ACME: the certificate for cache.example.com has been renewed"), 1, lines.join("\n"));
      assert(encryption.validity.validFromMs >= before.validFromMs && encryption.validity !== before);
    } finally {
      await ordering.stop(1000);
      await encryption.stop();
    }
  },
});

Deno.test({
  name: "of two servers with one folder one orders, and both use what it gets",
  ignore,
  fn: async () => {
    await using pebble = await Pebble.start();
    const lines: string[] = [];
    const options = {
      tls: { acme: orders(pebble), caFile: pebble.caFile },
      log: (line: string) => void lines.push(line),
    };
    await using one = madeServer(options);
    await using other = madeServer(options);
    await Promise.all([one.startServer(), other.startServer()]);
    await until("both have it", () => logged(lines, "TLS: there is a certificate now") === 2);
    await until("it is said", () => logged(lines, "has been obtained") === 1);
    await Promise.all([one.reload(), other.reload()]);
    assertEquals(logged(lines, "ACME"), 1, lines.join("\n"));
    assertEquals(one.stats().certificateExpiresMs, other.stats().certificateExpiresMs);
  },
});

Deno.test({
  name: "a server stops in the middle of an order, and does not start where it cannot keep what it gets",
  ignore,
  fn: async () => {
    using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const folder = await Deno.makeTempDir();
    const directory = `https://127.0.0.1:${silent.addr.port}/dir`;
    const lines: string[] = [];
    const log = (line: string) => void lines.push(line);
    await using server = madeServer({ tls: { acme: { host: HOST, directory, folder } }, log });
    await server.startServer();
    using conn = await silent.accept(); // from here on it waits for us
    assert(conn.remoteAddr !== undefined);
    await server.stop();
    assertEquals(logged(lines, "ACME"), 0);
    await Deno.writeTextFile(`${folder}/file`, "");
    await using nowhere = madeServer({ tls: { acme: { host: HOST, directory, folder: `${folder}/file` } } });
    await assertRejects(() => nowhere.startServer(), Error, "ACME_FOLDER");
    await Deno.remove(folder, { recursive: true });
  },
});
