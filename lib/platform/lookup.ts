/** Looks up the addresses of a name. It does not know what they are for. */

/** What is known of a name. */
export interface Found {
  /** Its addresses of IPv4 and IPv6. */
  readonly addresses: readonly string[];
  /** Milliseconds for which that holds; `undefined` where it cannot be known. */
  readonly ttlMs: number | undefined;
}

/**
 * Looks up a name.
 *
 * @throws {Deno.errors.NotCapable} If Deno does not permit it.
 */
export type LookUp = (hostname: string) => Promise<Found>;

/** Looks up a name as the system does; how long that holds is known only where Deno permits to connect to any address. */
export const lookUp: LookUp = async (hostname) => {
  const { default: dns } = await import("node:dns/promises"); // dynamic: it takes 20 ms to load
  try {
    const found = await dns.lookup(hostname, { all: true });
    return { addresses: [...new Set(found.map(({ address }) => address))], ttlMs: await ttlOf(hostname, dns) };
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EPERM") throw error;
    throw new Deno.errors.NotCapable(`Cannot look up ${hostname}: it needs --allow-net=${hostname}`, { cause: error });
  }
};

/** The least of the times for which a name server says that the addresses hold. */
async function ttlOf(
  hostname: string,
  dns: Pick<typeof import("node:dns/promises"), "resolve4" | "resolve6">,
): Promise<number | undefined> {
  if ((await Deno.permissions.query({ name: "net" })).state !== "granted") return undefined;
  const ttl = { ttl: true } as const;
  const answers = await Promise.allSettled([dns.resolve4(hostname, ttl), dns.resolve6(hostname, ttl)]);
  const ttls = answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value.map(({ ttl }) => ttl) : []);
  return ttls.length === 0 ? undefined : 1000 * Math.min(...ttls);
}
