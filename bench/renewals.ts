/**
 * Renewals of the certificate of a server, in a process of its own, while ten clients make 1,000 calls a second and others connect: no
 * call may fail, no connect be refused. It needs the command openssl.
 *
 * Usage: deno task bench:renewals [RENEWALS]     (100 by default)
 */

import { Authority } from "../tests/support/certificates.ts";
import { serve } from "../tests/support/processes.ts";
import { renewUnderLoad } from "../tests/support/renewals.ts";
import { clientOf } from "../tests/support/servers.ts";

await using authority = await Authority.make();
const [certFile, keyFile] = [`${authority.folder}/used.pem`, `${authority.folder}/used.key`];
const { cert, key } = await authority.issue();
await Deno.writeTextFile(certFile, cert);
await Deno.writeTextFile(keyFile, key);
await using server = await serve(["--listen", "127.0.0.1:0", "--tls-cert", certFile, "--tls-key", keyFile]);
await using client = clientOf(server);
const renewals = Number(Deno.args[0] ?? 100);
const { errors, ...outcome } = await renewUnderLoad({
  address: server.address,
  reload: () => Deno.kill(server.pid, "SIGHUP"),
  takenUp: async () => (await client.stats()).server!.certificateRenewals!,
  authority,
  certFile,
  keyFile,
  renewals,
});
console.log({ renewals, ...outcome, callsASecond: Math.round(outcome.calls / outcome.seconds) });
for (const error of new Set(errors)) console.log(error);
if (outcome.failedCalls + outcome.refusedConnects > 0) Deno.exit(1);
