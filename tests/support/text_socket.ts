/** A memcached client by hand, as text. */

import { writeAll } from "../../lib/platform/socket.ts";

/** Sends text and returns the reply, when it is whole or the server hangs up. */
export async function exchange(port: number, asked: string, isWhole: (reply: string) => boolean): Promise<string> {
  using socket = await Deno.connect({ hostname: "127.0.0.1", port });
  await writeAll(socket, new TextEncoder().encode(asked));
  const [buffer, text] = [new Uint8Array(64 * 1024), new TextDecoder()];
  let reply = "";
  while (!isWhole(reply)) {
    const count = await socket.read(buffer);
    if (count === null) break;
    reply += text.decode(buffer.subarray(0, count), { stream: true });
  }
  return reply;
}
