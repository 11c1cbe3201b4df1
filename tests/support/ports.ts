/** Ports of this machine. */

/** A port that is free, and that no outgoing connection takes: it is below those that the system gives away. */
export function freePort(): number {
  for (let tries = 0; tries < 1000; tries++) {
    const port = 20_000 + Math.floor(10_000 * Math.random());
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error("No port is free");
}

/** Where nobody listens. */
export function freeAddress(): string {
  return `127.0.0.1:${freePort()}`;
}

/** The port in an address. */
export function portOf(address: string): number {
  return Number(/:(\d+)$/.exec(address)![1]);
}
