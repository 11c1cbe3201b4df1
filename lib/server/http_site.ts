/**
 * What there is at a server's port of HTTP: whether it is well, its metrics, its page and the events of that. It knows
 * requests and replies, and no connection.
 */

import type { HttpReply } from "../http/reply.ts";
import type { HttpRequest } from "../http/request.ts";
import { partsOf, policyOf } from "../http/policy.ts";
import { METRICS_TYPE } from "../metrics/text.ts";
import { needsOf } from "../wire/access.ts";
import { base64 } from "../wire/scram.ts";
import type { ConnectionAccess } from "./access.ts";
import { admit, type Asking, type GateRules } from "./http_gate.ts";

/** Options of {@linkcode HttpSite}. */
export interface HttpSiteOptions {
  readonly gate: GateRules;
  /** Whether the server is ready, as its statistics say. */
  readonly isReady: () => boolean;
  /** Returns the metrics as text. */
  readonly metrics: () => string;
  /** The status page, one file of HTML: without one there is none. Its scripts and styles stand in it, without attributes. */
  readonly page?: string;
}

/** What is answered. */
export interface Answer {
  readonly reply: HttpReply;
  /** Who has asked, if the gate has let them through. */
  readonly access?: ConnectionAccess;
  /** Whether the reply is a stream of events, which has no body of its own. */
  readonly isEvents?: true;
}

/** The roles that paths ask for; of the others, two are for everybody, and the rest are not there. */
const NEEDS = needsOf("http");
const NOT_FOUND: HttpReply = { status: 404, body: "not found\n" };
const EVENTS: HttpReply = { status: 200, type: "text/event-stream", body: "" };

/** What there is at one server's port of HTTP. */
export class HttpSite {
  readonly #options: HttpSiteOptions;
  #policy: Promise<string> | undefined;

  constructor(options: HttpSiteOptions) {
    this.#options = options;
  }

  /** Answers a request. */
  async answer(request: HttpRequest, stream: Asking["stream"]): Promise<Answer> {
    const { method, path } = request;
    const isPublic = path === "/healthz" || path === "/readyz";
    const needs = NEEDS.get(path);
    if (!isPublic && needs === undefined || path === "/" && this.#options.page === undefined) {
      return { reply: NOT_FOUND };
    }
    if (method !== "GET" && method !== "HEAD") {
      return { reply: { status: 405, fields: [["Allow", "GET, HEAD"]], body: "GET and HEAD are taken here\n" } };
    }
    if (isPublic) return { reply: this.#health(path) };
    const access = await admit(this.#options.gate, { request, stream }, needs!);
    if ("status" in access) return { reply: access };
    if (path === "/events") return { reply: EVENTS, access, isEvents: true };
    const reply = path === "/" ? await this.#page() : this.#metrics();
    return { reply, access };
  }

  #health(path: string): HttpReply {
    const isWell = path === "/healthz" || this.#options.isReady();
    return isWell ? { status: 200, body: "ok" } : { status: 503, body: "not ready" };
  }

  #metrics(): HttpReply {
    return { status: 200, type: METRICS_TYPE, body: this.#options.metrics() };
  }

  async #page(): Promise<HttpReply> {
    const { page = "" } = this.#options;
    const policy = await (this.#policy ??= policyFor(page));
    return { status: 200, type: "text/html; charset=utf-8", fields: [["Content-Security-Policy", policy]], body: page };
  }
}

async function policyFor(page: string): Promise<string> {
  const hashes = (element: "script" | "style") => Promise.all(partsOf(page, element).map(hashOf));
  const [script, style] = await Promise.all([hashes("script"), hashes("style")]);
  return policyOf({ script, style });
}

async function hashOf(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return base64(new Uint8Array(hash));
}
