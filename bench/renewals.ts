/**
 * Renewals of a server's certificate while ten clients make 1,000 calls a second and others connect: no call may fail, no connect be
 * refused. It needs the command openssl.
 *
 * Usage: deno task bench:renewals [RENEWALS]     (100 by default)
 */

import { OrmucoCacheServer } from "../mod.ts";
import { Authority } from "../tests/support/certificates.ts";
import { renewUnderLoad } from "../tests/support/renewals.ts";

await using authority = await Authority.make();
const [certFile, keyFile] = [`${authority.folder}/used.pem`, `${authority.folder}/used.key`];
const { cert, key } = await authority.issue();
await Deno.writeTextFile(certFile, cert);
await Deno.writeTextFile(keyFile, key);
await using server = new OrmucoCacheServer({ listen: "127.0.0.1:0", log: () => {}, tls: { certFile, keyFile } });
await server.startServer();
const startMs = performance.now();
const renewals = Number(Deno.args[0] ?? 100);
const { errors, ...outcome } = await renewUnderLoad({ server, authority, certFile, keyFile, renewals });
console.log({ renewals, seconds: (performance.now() - startMs) / 1000, ...outcome });
for (const error of new Set(errors)) console.log(error);
if (outcome.failedCalls + outcome.refusedConnects > 0) Deno.exit(1);
