/** That servers and clients with credentials, TLS and peers run with the permissions that docs/security.md names, and no others. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SETTING_NAMES } from "../../lib/base/settings.ts";
import { whyNoTls } from "../../lib/base/tls_options.ts";
import { Authority, hasOpenssl } from "../support/certificates.ts";
import { freePort } from "../support/ports.ts";
import { run, serve } from "../support/processes.ts";
import { until } from "../support/waiting.ts";

const SECRET = "secret-of-all-of-them";

Deno.test({
  name:
    "servers with credentials, certificates of both sides and a peer need the permissions that docs/security.md names",
  ignore: !hasOpenssl || whyNoTls(Deno.version.deno) !== undefined,
  fn: async () => {
    const page = await Deno.readTextFile(new URL("../../docs/security.md", import.meta.url));
    const named = page.split("## Permissions")[1].split("\n## ")[0];
    for (
      const words of [
        "`--allow-read=FILE`",
        "`--allow-read=CERT,KEY`",
        "`--allow-read=CA`",
        "`--allow-net=HOST:PORT`",
        "`--allow-sys`",
      ]
    ) {
      assertStringIncludes(named, words);
    }
    await using authority = await Authority.make();
    const { certFile, keyFile } = await authority.issue();
    const [tokenFile, authFile] = [`${authority.folder}/token`, `${authority.folder}/auth`];
    await Deno.writeTextFile(tokenFile, SECRET, { mode: 0o600 });
    await Deno.writeTextFile(authFile, `ops:admin:${SECRET}2\n`, { mode: 0o600 });
    const tls = ["--tls-cert", certFile, "--tls-key", keyFile, "--tls-ca", authority.caFile];
    const read = [certFile, keyFile, authority.caFile, tokenFile];
    const [first, second] = [0, 0].map(freePort).map((port) => `127.0.0.1:${port}`);
    const permissions = (net: string[], files: string[]) => [
      ...[
        "--no-prompt",
        `--allow-net=${net}`,
        `--allow-read=${[".env", ...files]}`,
        `--allow-env=${SETTING_NAMES}`,
        "--allow-sys",
      ],
    ];
    const own = ["--token-file", tokenFile, "--auth-file", authFile, ...tls, "--tls-client-ca", authority.caFile];
    const files = [...read, authFile];
    await using one = await serve(["--listen", first, ...own], { permissions: permissions([first], files) });
    await using other = await serve(["--listen", second, "--peers", first, ...own], {
      permissions: permissions([second, first], files),
    });
    const ask = (command: string[], server: string) =>
      run("cli.ts", [...command, "--server", server, "--token-file", tokenFile, ...tls], {
        permissions: permissions([server], read),
      });
    assertEquals(await ask(["store", "k", "v"], one.address), { status: 0, out: "Stored\n", err: "" });
    let looks = 0;
    await until("the peer has it", async () => {
      const { out, err } = await ask(["retrieve", "k"], other.address);
      assertEquals([err, looks++ < 60], ["", true]); // each is a process
      return out === "v";
    });
    for (const server of [one, other]) {
      const { status, out, err } = await server.stop();
      assertEquals([status, err], [0, ""]);
      assertMatch(out, /is connected$/m);
    }
  },
});
