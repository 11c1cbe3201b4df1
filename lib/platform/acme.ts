/** Orders a certificate from an ACME authority (RFC 8555), by npm:acme-client, and writes files as others must find them. It keeps nothing. */

import { setTimeout as pause } from "node:timers/promises";
import type acme from "acme-client";
import { answerChallenge } from "./acme_challenge.ts";

/** What to order, from whom, and where the authority's challenge is answered. */
export interface CertificateOrder {
  readonly host: string;
  readonly email: string | undefined;
  /** The URL of the authority's directory. */
  readonly directory: string;
  /** Authorities that are believed beside those of the system when connecting to the directory, as PEM. */
  readonly caCerts: readonly string[];
  /** The key of the account, as PEM. */
  readonly accountKey: string;
  readonly listen: { readonly hostname: string; readonly port: number };
  /** Ends the order before its time. */
  readonly signal: AbortSignal;
}

/**
 * The library, which deno.json names too, for its types. It is no literal of an `import()`: Deno would download its 50 packages
 * where nobody orders a certificate.
 */
const LIBRARY: string = "npm:acme-client@^5.4.0";

/** Milliseconds that an order may take. */
const LIMIT_MS = 120_000;
/** Milliseconds between looks at an order: at first, and at most. */
const LEAST_LOOK_MS = 250;
const MOST_LOOK_MS = 5000;

let last: Promise<unknown> = Promise.resolve();

/**
 * Orders a certificate, with a new key. One order at a time in this process: the port of the challenge is the same for all,
 * and acme-client has one set of options.
 *
 * @returns The key and the certificates, as PEM.
 * @throws {Error} If there is none; the message says what to do.
 */
export function orderCertificate(order: CertificateOrder): Promise<string> {
  const ordered = last.then(() => ordering(order));
  last = ordered.catch(() => {});
  return ordered;
}

async function ordering(options: CertificateOrder): Promise<string> {
  options.signal.throwIfAborted();
  const library = await loadLibrary();
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new Error(`it has taken ${LIMIT_MS / 1000} s`)), LIMIT_MS);
  const signal = AbortSignal.any([options.signal, limit.signal]);
  using http = Deno.createHttpClient({ caCerts: [...options.caCerts] });
  library.axios.defaults.adapter = adapter(http, signal);
  try {
    const { directory, accountKey, email, host } = options;
    const client = new library.Client({ directoryUrl: directory, accountKey });
    const contact = email === undefined ? undefined : [`mailto:${email}`];
    await client.createAccount({ termsOfServiceAgreed: true, contact });
    const order = await client.createOrder({ identifiers: [{ type: "dns", value: host }] });
    await authorize(client, order, { ...options, signal });
    const [key, csr] = await library.crypto.createCsr(
      { altNames: [host] },
      await library.crypto.createPrivateEcdsaKey(),
    );
    const done = await settled(client, await client.finalizeOrder(order, csr), signal);
    if (done.status !== "valid") throw new Error(`the order is ${done.status}`);
    return `${key}${await client.getCertificate(done)}`;
  } finally {
    clearTimeout(timer);
  }
}

/** Shows the authority that the host is ours. */
async function authorize(client: acme.Client, order: acme.Order, options: CertificateOrder): Promise<void> {
  const { host, listen, signal } = options;
  const [authorization] = await client.getAuthorizations(order);
  if (authorization.status === "valid") return; // it has seen so not long ago
  const challenge = authorization.challenges.find(({ type }) => type === "http-01");
  if (challenge === undefined) throw new Error(`the authority offers no http-01 for ${host}`);
  const answer = await client.getChallengeKeyAuthorization(challenge);
  const stop = answered({ ...listen, token: challenge.token, answer });
  try {
    await client.completeChallenge(challenge);
    if ((await settled(client, order, signal)).status === "ready") return;
  } finally {
    stop();
  }
  const [refused] = await client.getAuthorizations(order);
  const { error } = refused.challenges.find(({ type }) => type === "http-01") ?? {};
  throw new Error(
    `the authority does not find this server on port 80 of ${host}: ` +
      `${(error as { detail?: string } | undefined)?.detail ?? refused.status} ` +
      `(see that the name leads here, and the port to ${listen.hostname}:${listen.port}, ACME_LISTEN_ON)`,
  );
}

function answered(challenge: Parameters<typeof answerChallenge>[0]): () => void {
  try {
    return answerChallenge(challenge);
  } catch (error) {
    const { hostname, port } = challenge;
    throw new Error(
      `cannot listen on ${hostname}:${port} for the authority: ${(error as Error).message} ` +
        "(ACME_LISTEN_ON names another port, to which port 80 has to lead then)",
      { cause: error },
    );
  }
}

/** Waits until the authority has done its part of an order. */
async function settled(client: acme.Client, order: acme.Order, signal: AbortSignal): Promise<acme.Order> {
  let found = order;
  for (let ms = LEAST_LOOK_MS;; ms = Math.min(2 * ms, MOST_LOOK_MS)) { // the signal ends it
    found = await client.getOrder(found);
    if (found.status !== "pending" && found.status !== "processing") return found;
    await pause(ms, undefined, { signal });
  }
}

/**
 * Sends acme-client's requests with `fetch`: it takes the authorities of `http`, ends with `signal`, and its errors say what
 * has happened. acme-client's own way replaces those by one about "config", and waits for minutes before.
 */
function adapter(http: Deno.HttpClient, signal: AbortSignal): typeof acme.axios.defaults.adapter {
  return async (config) => {
    const { url = "", method, data } = config;
    const headers = Object.entries(config.headers).map(([name, value]): [string, string] => [name, String(value)]);
    const request = { method: method?.toUpperCase(), headers, body: data, client: http, signal };
    const response = await fetch(url, request).catch(({ message, cause }: Error) => {
      const why = cause instanceof Error ? cause.message : message; // "fetch failed" alone helps nobody
      throw new Error(`cannot reach ${new URL(url).host}: ${why} (ACME_DIRECTORY, TLS_CA)`, { cause });
    });
    const { status, statusText } = response;
    const found = Object.fromEntries(response.headers);
    return { status, statusText, headers: found, data: await response.text(), config, request: undefined };
  };
}

/**
 * Loads what orders certificates, which takes half a second, and a download the first time.
 *
 * @throws {Error} If it cannot be had; the message says what to do.
 */
export async function loadLibrary(): Promise<typeof acme> {
  try {
    return (await import(LIBRARY)).default;
  } catch (error) {
    const isDenied = error instanceof Deno.errors.NotCapable;
    const why = isDenied
      ? "it lists all variables: run with --ignore-env beside --allow-env"
      : (error as Error).message;
    throw new Error(`cannot load ${LIBRARY}: ${why} (docs/tls.md)`, { cause: error });
  }
}

/** Returns a new key of an account, as PEM. */
export async function newAccountKey(): Promise<string> {
  const library = await loadLibrary();
  return String(await library.crypto.createPrivateEcdsaKey());
}

/** Writes a file that this user alone may read, so that others find the old content or the new, and never a part. */
export async function writeSecret(path: string, text: string): Promise<void> {
  const beside = `${path}.new`;
  await Deno.remove(beside).catch(() => {}); // what a process has left that was ended in the middle
  {
    using file = await Deno.open(beside, { write: true, createNew: true, mode: 0o600 });
    const bytes = new TextEncoder().encode(text);
    for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
    await file.syncData();
  }
  await Deno.rename(beside, path);
}

/** What Deno has since 2.5, and this project's oldest lacks in its types; TLS needs a later one. */
interface TryLock {
  tryLock(exclusive: boolean): Promise<boolean>;
}

/** Opens and locks a file. The lock ends with this process at the latest. Returns `undefined` while another holds it. */
export async function lockFile(path: string): Promise<Deno.FsFile | undefined> {
  const file = await Deno.open(path, { create: true, write: true, mode: 0o600 }) as Deno.FsFile & TryLock;
  const isLocked = await file.tryLock(true).catch((error) => {
    file.close();
    throw error;
  });
  if (isLocked) return file;
  file.close();
  return undefined;
}
