/** Frees memory outside the garbage-collected heap without waiting for the collector. */

/** Frees the memory of a buffer at once. All views of the buffer are empty then. */
export function giveBack({ buffer }: { buffer: ArrayBufferLike }): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
