/** The thread of a probe: it asks for a known entry every 10 ms, whether or not the answers before have come. */

import { closeQuietly, writeAll } from "../../lib/platform/socket.ts";
import { connectTo, type DoorSocket, textLogin, WELCOME } from "./door.ts";
import { ASK, HIT, MISS, type ProbeTask, SLOTS } from "./probe.ts";

const EVERY_MS = 10;
const question = new TextEncoder().encode(ASK);
const thread = self as unknown as { onmessage: (event: MessageEvent<ProbeTask>) => void };

const now = () => performance.timeOrigin + performance.now();

/** Milliseconds for which a process's first thread has worked, and has waited for a processor; zeros where that is not told. */
function timesOf(pid: number | undefined): [workedMs: number, queuedMs: number] {
  try {
    const [worked, queued] = Deno.readTextFileSync(`/proc/${pid}/schedstat`).split(" ");
    return [Number(worked) / 1e6, Number(queued) / 1e6];
  } catch {
    return [0, 0];
  }
}

thread.onmessage = ({ data: { door, counts, times, pid } }) => {
  const [asked, took, worked, queued] = [0, 1, 2, 3].map((i) => new Float64Array(times, i * 8 * SLOTS, SLOTS));
  const count = new Int32Array(counts);
  /** Whether there has been a connection: before that nothing is asked. */
  let hasBegun = false;
  let socket: DoorSocket | undefined;
  let writing = Promise.resolve();

  /** Takes note that the oldest question that waits has been answered, or never will be. */
  const answered = (isHit: boolean) => {
    const i = count[1];
    took[i] = now() - asked[i];
    const [workedMs, queuedMs] = timesOf(pid);
    [worked[i], queued[i]] = [workedMs - worked[i], queuedMs - queued[i]];
    if (!isHit) count[2]++;
    Atomics.store(count, 1, i + 1);
  };

  const read = async (from: DoorSocket) => {
    const [buffer, text] = [new Uint8Array(64 * 1024), new TextDecoder()];
    let reply = "";
    let welcome = door.token === undefined ? "" : WELCOME;
    for (let n = await from.read(buffer); n !== null; n = await from.read(buffer)) {
      reply += text.decode(buffer.subarray(0, n));
      if (reply.startsWith(welcome)) [reply, welcome] = [reply.slice(welcome.length), ""];
      if (welcome !== "") continue;
      for (let isWhole = true; isWhole;) {
        const found = [HIT, MISS].find((word) => reply.startsWith(word));
        isWhole = found !== undefined && count[1] < count[0];
        if (!isWhole) break;
        reply = reply.slice(found!.length);
        answered(found === HIT);
      }
      if (reply.length > HIT.length) return;
    }
  };

  const connect = async () => {
    const made = await connectTo(door);
    if ("setNoDelay" in made) made.setNoDelay(true);
    if (door.token !== undefined) await writeAll(made, new TextEncoder().encode(textLogin(door.token)));
    socket = made;
    hasBegun = true;
    await read(made);
  };

  let isConnecting = false;
  setInterval(() => {
    if (count[0] >= SLOTS) return;
    if (socket === undefined && !isConnecting) {
      isConnecting = true;
      connect().catch(() => {}).finally(() => {
        if (socket !== undefined) closeQuietly(socket);
        [socket, isConnecting] = [undefined, false];
        while (count[1] < count[0]) answered(false);
      });
    }
    if (!hasBegun) return;
    asked[count[0]] = now();
    [worked[count[0]], queued[count[0]]] = timesOf(pid);
    Atomics.add(count, 0, 1);
    const to = socket;
    if (to === undefined) return count[1] === count[0] - 1 ? answered(false) : undefined;
    writing = writing.then(() => writeAll(to, question)).catch(() => {});
  }, EVERY_MS);
};
