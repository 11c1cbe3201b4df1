/** Turns on a real server: whoever asks for little is answered while others have the server do all that it can. */

import { assert } from "@std/assert";
import { writeAll } from "../../lib/platform/socket.ts";
import { portOf } from "../support/ports.ts";
import { serve } from "../support/processes.ts";

const utf8 = new TextEncoder();
/** Bytes of a value that each small request has copied, how many ask for that, and how many times each. */
const [VALUE_BYTES, GREEDY, TIMES] = [500_000, 4, 4000];
/** Parts of the work of the greedy ones between two answers to the modest one, of which half may be larger than one. */
const PARTS = 50;

Deno.test("a modest client is answered again and again while greedy ones have done little", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0", "--max-bytes", "64MiB"]);
  const to = () => Deno.connect({ hostname: "127.0.0.1", port: portOf(server.address) });
  using modest = await to();
  const [buffer, text] = [new Uint8Array(256), new TextDecoder()];
  const ask = async (request: string) => {
    await writeAll(modest, utf8.encode(request));
    let reply = "";
    while (!reply.endsWith("\r\n")) reply += text.decode(buffer.subarray(0, (await modest.read(buffer))!));
    return reply;
  };
  await ask(`set a 0 0 ${VALUE_BYTES}\r\n${"v".repeat(VALUE_BYTES)}\r\n`);
  // All of it lies in the server's sockets before long, so that it always has work, however slow this process is.
  const appends = utf8.encode("append a 0 0 1 noreply\r\nx\r\n".repeat(TIMES));
  const greedy = await Promise.all(Array.from({ length: GREEDY }, to));
  const writing = greedy.map((socket) => writeAll(socket, appends));
  const all = GREEDY * TIMES;
  const between: number[] = [];
  for (let done = 0; done < all;) {
    const now = Number(/^HD s(\d+)/.exec(await ask("mg a s\r\n"))![1]) - VALUE_BYTES;
    if (now > done) between.push(now - done);
    done = now;
  }
  await Promise.all(writing);
  for (const socket of greedy) socket.close();
  const median = between.sort((a, b) => a - b)[between.length >> 1];
  assert(median <= all / PARTS, `of ${all} requests, ${between} were answered between two answers to a modest client`);
});
