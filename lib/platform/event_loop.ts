/** The event loop of Deno: has it look at sockets. It does not know who waits for that. */

const NOTHING = new Uint8Array(0);

/**
 * Resolves, after some 0.1 ms, when the event loop has looked at all sockets: what has arrived is read then, or about to be. All others
 * have to wait meanwhile.
 *
 * The event loop looks when it has nothing left to do, else every 61 of its steps only, between which it runs timers too. So this waits
 * for another thread, whose work is a digest since no permission is needed for that; and twice, since the first may be there before the
 * event loop has begun to wait. A timer that is not due would do, but takes 1 to 2 ms.
 */
export async function lookAtSockets(): Promise<void> {
  await crypto.subtle.digest("SHA-1", NOTHING);
  await crypto.subtle.digest("SHA-1", NOTHING);
}
