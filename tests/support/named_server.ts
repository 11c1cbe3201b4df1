/**
 * A server in a process in which names lead where a file says: it holds JSON of the addresses by name. The arguments are that
 * file and the server's options. It prints its address.
 */

import dns from "node:dns/promises";

const [file, options] = Deno.args;
const lookup = (name: string) => {
  const addresses = (JSON.parse(Deno.readTextFileSync(file)) as Record<string, string[]>)[name] ?? [];
  if (addresses.length === 0) return Promise.reject(new Error(`getaddrinfo ENOTFOUND ${name}`));
  return Promise.resolve(addresses.map((address) => ({ address, family: 4 })));
};
const resolve = (name: string) => Promise.reject(new Error(`query ENOTFOUND ${name}`));
Object.assign(dns, { lookup, resolve4: resolve, resolve6: resolve });

const { OrmucoCacheServer } = await import("../../server.ts");

const server = new OrmucoCacheServer({ gossipIntervalMs: 50, log: () => {}, ...JSON.parse(options) });
await server.startServer();
console.log(server.address);
for await (const _ of Deno.stdin.readable); // until the test has done with it
await server.stop();
