/**
 * Finds the addresses to which the names of peers lead: a name with many addresses is many peers. It asks again when the answer
 * is out of date, and when an address does not answer. It calls nobody.
 */

import { type Address, formatAddress } from "../base/address.ts";
import { MAX_TIMER_MS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { isDenied, permits } from "../platform/connect.ts";
import type { LookUp } from "../platform/lookup.ts";
import { awake, pause, type Pausing } from "./pausing.ts";

/** A name, and the port at which its peers listen. */
export interface Name extends Pausing {
  readonly address: Address & { readonly transport: "tcp" };
  readonly text: string;
  /** Why it leads to no address, or not to all. */
  error: string;
  /** Whether that is for want of a permission. */
  isDenied: boolean;
  /** The addresses to which it leads, as text, one after another. */
  found: string;
  /** Whether it is to be looked up as soon as may be. */
  isHurried: boolean;
}

/** Options of {@linkcode PeerNames}. */
export interface PeerNamesOptions {
  readonly names: readonly (Address & { readonly transport: "tcp" })[];
  readonly lookUp: LookUp;
  /** Milliseconds between two look-ups, where it is not known how long an answer holds. */
  readonly intervalMs: number;
  /** Called with the addresses to which a name leads, after each look-up that has found some. */
  readonly onFound: (name: Name, addresses: readonly Address[]) => void;
  /** Called with each line to log; it does not throw. */
  readonly log: Log;
}

/** Milliseconds between two look-ups of a name at least, and after one that has failed. */
const LEAST_MS = 1000;
const FAILED_MS = 4000;
/** Addresses of one name that are used. */
const MAX_ADDRESSES = 256;

/** Looks up the names of peers. */
export class PeerNames {
  names: readonly Name[];
  readonly #options: PeerNamesOptions;

  constructor(options: PeerNamesOptions) {
    this.#options = options;
    this.names = options.names.map((address) => ({
      address,
      text: formatAddress(address),
      error: "",
      isDenied: false,
      found: "",
      isHurried: false,
      wake: awake,
    }));
  }

  /** Looks up the names until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.names.map((name) => this.#keep(name, signal)));
  }

  /** Looks up a name as soon as may be: an address of it does not answer. */
  hurry(text: string): void {
    const name = this.names.find((name) => name.text === text);
    if (name === undefined) return;
    name.isHurried = true;
    name.wake();
  }

  /** Looks up a name no more. Returns it, if there was one. */
  forget(text: string): Name | undefined {
    const name = this.names.find((name) => name.text === text);
    this.names = this.names.filter((other) => other !== name);
    name?.wake();
    return name;
  }

  async #keep(name: Name, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.names.includes(name)) {
      name.isHurried = false;
      const againMs = await this.#look(name);
      await pause({ wake: awake }, LEAST_MS, signal);
      if (!name.isHurried) await pause(name, againMs - LEAST_MS, signal);
    }
  }

  /** Looks up a name. Returns the milliseconds until it is to be looked up again. */
  async #look(name: Name): Promise<number> {
    const { hostname, port } = name.address;
    const { intervalMs } = this.#options;
    try {
      const { addresses, ttlMs = intervalMs } = await this.#options.lookUp(hostname);
      if (addresses.length === 0) throw new Error("it has no address");
      this.#use(name, addresses.slice(0, MAX_ADDRESSES).map((hostname) => ({ transport: "tcp", hostname, port })));
      return Math.max(LEAST_MS, Math.min(ttlMs, MAX_TIMER_MS));
    } catch (error) {
      const isNew = !name.isDenied;
      this.#fail(name, (error as Error).message, isDenied(error));
      // It may be permitted to connect to a name, and not to look it up: then one of its addresses is reached.
      if (name.isDenied && isNew) this.#options.onFound(name, [name.address]);
      return Math.max(LEAST_MS, Math.min(FAILED_MS, intervalMs));
    }
  }

  #use(name: Name, addresses: (Address & { transport: "tcp" })[]): void {
    const [permitted, denied] = [addresses.filter(permits), addresses.filter((address) => !permits(address))];
    const found = addresses.map(formatAddress).sort().join(", ");
    if (found !== name.found) this.#options.log(`Peers ${name.text} are ${found}`);
    name.found = found;
    if (denied.length === 0) [name.error, name.isDenied] = ["", false];
    else if (addresses.length === 1 && permits(name.address)) [name.error, name.isDenied] = ["", false];
    else {
      const flag = `--allow-net=${denied.map(formatAddress).join(",")}`;
      this.#fail(
        name,
        `Cannot connect to ${denied.length} of its ${addresses.length} addresses: it needs ${flag}`,
        true,
      );
    }
    this.#options.onFound(name, denied.length === 0 ? permitted : [...permitted, name.address]);
  }

  /** Logs why a name cannot be used, unless that was so before. */
  #fail(name: Name, error: string, isDenied: boolean): void {
    if (name.error !== error) this.#options.log(`Peers ${name.text} cannot be found: ${error}`, "warn");
    name.error = error;
    name.isDenied = isDenied;
  }
}
