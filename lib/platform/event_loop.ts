/** The event loop of Deno: has it look at sockets. It does not know who waits for that. */

const NOTHING = new Uint8Array(0);
/** Looks of which one takes 1 to 2 ms, for which nobody works. */
const LOOKS_PER_TIMER = 12;

let looks = 0;

/**
 * Resolves when the event loop has looked at all sockets, most of the time: what has arrived is read then, or about to be. Those who could
 * go on have to wait meanwhile.
 *
 * The event loop looks when it has nothing left to do, else every 61 of its steps only, between which it runs timers too. So this waits
 * for another thread, some 0.1 ms, whose work is a digest since no permission is needed for that; and twice, since the first may be there
 * before the event loop has begun to wait. On a busy machine the second may be so, too; so now and then this waits for a timer, which is
 * sure.
 */
export async function lookAtSockets(): Promise<void> {
  if (++looks % LOOKS_PER_TIMER === 0) return await new Promise((resolve) => setTimeout(resolve, 0));
  await crypto.subtle.digest("SHA-1", NOTHING);
  await crypto.subtle.digest("SHA-1", NOTHING);
}
