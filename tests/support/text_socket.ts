/** A memcached client by hand, as text. */

import { connectTo, type Door, textLogin, WELCOME } from "./door.ts";
import { writeAll } from "../../lib/platform/socket.ts";

/**
 * Sends text and returns the reply, when it is whole or the server hangs up; where the server asks for a token, it is shown before.
 *
 * @param to The server's port, or the way to it.
 */
export async function exchange(
  to: number | Door,
  asked: string,
  isWhole: (reply: string) => boolean,
): Promise<string> {
  const door = typeof to === "number" ? { port: to } : to;
  using socket = await connectTo(door);
  const [login, welcome] = door.token === undefined ? ["", ""] : [textLogin(door.token), WELCOME];
  await writeAll(socket, new TextEncoder().encode(login + asked));
  const [buffer, text] = [new Uint8Array(64 * 1024), new TextDecoder()];
  let reply = "";
  while (!reply.startsWith(welcome) || !isWhole(reply.slice(welcome.length))) {
    const count = await socket.read(buffer);
    if (count === null) break;
    reply += text.decode(buffer.subarray(0, count), { stream: true });
  }
  return reply.startsWith(welcome) ? reply.slice(welcome.length) : reply;
}
