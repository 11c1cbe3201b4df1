/** Memory outside the garbage-collected heap that does not wait for the collector. */

/** Gives the memory of a buffer back; the collector might be a long time coming. All views of it are empty then. */
export function giveBack({ buffer }: { buffer: ArrayBufferLike }): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
