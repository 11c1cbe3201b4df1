/**
 * A server in a process whose wall clock is wrong: by as many milliseconds as the first argument says, and then by as many
 * as each line of the input says. The other arguments are the addresses of its peers. It prints its address.
 */

let wrongByMs = Number(Deno.args[0]);
const realNow = Date.now;
Date.now = () => realNow() + wrongByMs;

const { OrmucoCacheServer } = await import("../../server.ts");

const server = new OrmucoCacheServer({
  listen: "127.0.0.1:0",
  peers: Deno.args.slice(1),
  gossipIntervalMs: 50,
  log: () => {},
});
await server.startServer();
console.log(server.address);
for await (const line of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) wrongByMs = Number(line);
await server.stop();
