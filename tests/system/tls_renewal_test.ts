/** Certificates that are renewed while a server runs, in every way in which files change, and those that cannot be used. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Encryption } from "../../lib/server/encryption.ts";
import { LimitedLog } from "../../lib/server/limited_log.ts";
import { newCounters } from "../../lib/server/statistics.ts";
import { Authority, hasOpenssl, type Issued } from "../support/certificates.ts";
import { portOf } from "../support/ports.ts";
import { serve } from "../support/processes.ts";
import { reportingClient, startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";
import { renewUnderLoad } from "../support/renewals.ts";

const ignore = !hasOpenssl || Deno.build.os === "windows";
const DAY_MS = 86_400_000;

/** A server's encryption whose files a test changes and has looked at; `use` puts a pair there. */
async function watched(authority: Authority, first: Issued, nowMs: () => number = Date.now) {
  const [certFile, keyFile] = [`${authority.folder}/used.pem`, `${authority.folder}/used.key`];
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  const counters = newCounters();
  const use = async ({ cert, key }: Pick<Issued, "cert" | "key">) => {
    await Deno.writeTextFile(certFile, cert);
    await Deno.writeTextFile(keyFile, key);
  };
  await use(first);
  const encryption = new Encryption({
    tls: { certFile, keyFile },
    counters,
    log,
    limitedLog: new LimitedLog(log),
    nowMs,
  });
  await encryption.start();
  return { encryption, lines, counters, use, certFile, keyFile };
}

Deno.test({
  name: "what cannot be used changes nothing, is said once, and counted",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const [one, other] = [await authority.issue(), await authority.issue()];
    const old = await authority.issue("localhost", { days: 1 });
    const ofAuthority = await authority.issue("localhost", { isAuthority: true });
    const soon = () => Date.now() + 2 * DAY_MS; // when that of one day has expired
    const { encryption, lines, counters, use, keyFile } = await watched(authority, one, soon);
    try {
      const before = encryption.expiresMs;
      const faults: [Pick<Issued, "cert" | "key">, string][] = [
        [{ cert: other.cert, key: one.key }, "TLS_KEY is not the key of the certificate in TLS_CERT"],
        [{ cert: other.cert.slice(0, 200), key: other.key }, "only a part is there"],
        [{ cert: "", key: other.key }, "TLS_CERT holds no certificate"],
        [ofAuthority, "CA:FALSE"],
        [old, "TLS_CERT has expired"],
      ];
      for (const [i, [pair, words]] of faults.entries()) {
        await use(pair);
        await encryption.look();
        assertEquals(lines.length, i, "it may be half written");
        await encryption.look();
        await encryption.look();
        assertEquals(lines.length, i + 1);
        assertStringIncludes(lines[i], "stays in use");
        assertStringIncludes(lines[i], words);
        assertEquals([counters.certificateFaults, encryption.expiresMs], [i + 1, before]);
      }
      await Deno.remove(keyFile);
      await encryption.look("asked");
      assertStringIncludes(lines.at(-1)!, "cannot read TLS_KEY");
      await use(one);
      await encryption.look("asked");
      assertStringIncludes(lines.at(-1)!, "that is in use again");
      await use(other);
      await encryption.look("asked");
      assertStringIncludes(lines.at(-1)!, "has been renewed");
      assertEquals([counters.certificateRenewals, counters.certificateFaults], [1, 6]);
    } finally {
      await encryption.stop();
    }
  },
});

Deno.test({
  name:
    "a file that holds certificate and key is read once a look: what is renamed over it meanwhile makes no wrong pair",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const [one, other] = [await authority.issue(), await authority.issue()];
    const file = `${authority.folder}/both.pem`;
    const put = ({ cert, key }: Issued) => {
      Deno.writeTextFileSync(`${file}.new`, `${key}${cert}`);
      Deno.renameSync(`${file}.new`, file);
    };
    put(one);
    const lines: string[] = [];
    const log = (line: string) => void lines.push(line);
    const tls = { certFile: file, keyFile: file };
    const counters = newCounters();
    const encryption = new Encryption({ tls, counters, log, limitedLog: new LimitedLog(log) });
    await encryption.start();
    const real = Deno.readTextFile;
    let reads = 0;
    Deno.readTextFile = (path) => {
      const text = Deno.readTextFileSync(path);
      put(reads++ % 2 === 0 ? other : one);
      return Promise.resolve(text);
    };
    try {
      for (let looks = 1; looks <= 3; looks++) {
        await encryption.look("asked");
        assertEquals([reads, counters.certificateFaults], [looks, 0], lines.join("\n"));
      }
      assertEquals(counters.certificateRenewals, 2);
    } finally {
      Deno.readTextFile = real;
      await encryption.stop();
    }
  },
});

Deno.test({
  name: "a server says once that a third of its certificate's time is left, and once that it is over",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const from = Date.now();
    let day = 0;
    const first = await authority.issue("localhost", { days: 90 });
    const { encryption, lines, use } = await watched(authority, first, () => from + day * DAY_MS);
    try {
      for (
        const [at, count, words] of [[59, 0, /^$/], [61, 1, /in 2[89] days/], [70, 1, /in/], [
          91,
          2,
          /has expired/,
        ]] as const
      ) {
        day = at;
        for (let looks = 0; looks < 3; looks++) await encryption.look();
        assertEquals(lines.length, count, `day ${at}`);
        assertMatch(lines.at(-1) ?? "", words);
      }
      day = 0;
      await use(await authority.issue("localhost", { days: 6 }));
      await encryption.look("asked");
      day = 5;
      await encryption.look();
      assertMatch(lines.at(-1)!, /in 2[34] hours/);
    } finally {
      await encryption.stop();
    }
  },
});

Deno.test({
  name:
    "a server process takes up certificates that are rewritten, renamed over, and changed behind a symbolic link; SIGHUP is heard",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const { folder } = authority;
    // As Kubernetes mounts a secret: cert.pem → ..data/cert.pem, and ..data → a folder that is replaced.
    const put = async (name: string) => {
      await Deno.mkdir(`${folder}/${name}`);
      const { cert, key } = await authority.issue(name);
      await Deno.writeTextFile(`${folder}/${name}/cert.pem`, cert);
      await Deno.writeTextFile(`${folder}/${name}/key.pem`, key);
      await Deno.symlink(name, `${folder}/..new`);
      await Deno.rename(`${folder}/..new`, `${folder}/..data`);
    };
    await put("one");
    for (const file of ["cert.pem", "key.pem"]) await Deno.symlink(`..data/${file}`, `${folder}/${file}`);
    const args = ["--tls-cert", `${folder}/cert.pem`, "--tls-key", `${folder}/key.pem`];
    await using server = await serve(["--listen", "127.0.0.1:0", ...args]);
    await using client = reportingClient([server.address], { tls: { caCerts: [authority.ca] } }).client;
    assertEquals(await client.store("key", 1), true);
    const renewals = async () => Number((await client.stats()).server?.certificateRenewals);
    await put("two");
    await until("it follows the link", async () => await renewals() === 1);
    const { cert, key } = await authority.issue("three");
    await Deno.writeTextFile(`${folder}/two/cert.pem`, cert);
    await Deno.writeTextFile(`${folder}/two/key.pem`, key);
    await until("it finds what was rewritten", async () => await renewals() === 2);
    const four = await authority.issue("four");
    await Deno.rename(four.keyFile, `${folder}/two/key.pem`);
    await Deno.rename(four.certFile, `${folder}/two/cert.pem`);
    Deno.kill(server.pid, "SIGHUP");
    await until("it finds what was renamed", async () => await renewals() === 3);
    assertEquals((await client.stats()).server?.tlsHandshakes, 1, "the client's connection is still the first");
    assertEquals(await client.retrieve("key"), 1);
    const { out } = await server.stop();
    assertEquals(out.match(/ TLS: the certificate has been renewed/g)?.length, 3);
  },
});

Deno.test({
  name: "renewals under load fail no call and refuse no connection",
  ignore,
  fn: async () => {
    await using authority = await Authority.make();
    const [certFile, keyFile] = [`${authority.folder}/used.pem`, `${authority.folder}/used.key`];
    const { cert, key } = await authority.issue();
    await Deno.writeTextFile(certFile, cert);
    await Deno.writeTextFile(keyFile, key);
    await using server = await startedServer({ tls: { certFile, keyFile } });
    const outcome = await renewUnderLoad({
      address: server.address!,
      reload: () => server.reload(),
      takenUp: () => server.stats().certificateRenewals,
      authority,
      certFile,
      keyFile,
      renewals: 3,
    });
    assertEquals([outcome.failedCalls, outcome.refusedConnects], [0, 0], outcome.errors.join("\n"));
    assert(outcome.calls > 100 && outcome.connects > 3, JSON.stringify(outcome));
    assertEquals(server.stats().tlsFailures, 0);
    assertEquals(portOf(server.address!) > 0, true);
  },
});
