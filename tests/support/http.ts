/** HTTP by hand: what is sent is written as it is, and what comes back is taken apart. */

import { writeAll } from "../../lib/platform/socket.ts";
import { Buffers } from "../../lib/server/buffers.ts";
import { Http, type HttpOptions } from "../../lib/server/http.ts";
import { LimitedLog } from "../../lib/server/limited_log.ts";
import { Turns } from "../../lib/server/turns.ts";
import { openRules } from "./access.ts";
import { connectTo, type Door, type DoorSocket } from "./door.ts";
import { sessionHost, type TestHost } from "./session_host.ts";

/** A reply. */
export interface HttpAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** A request without a body. */
export function requestOf(path: string, fields: readonly string[] = [], method = "GET"): string {
  return [`${method} ${path} HTTP/1.1`, "Host: 127.0.0.1", ...fields, "", ""].join("\r\n");
}

/** A client of one connection. */
export class HttpTalk implements Disposable {
  readonly socket: DoorSocket;
  #text = "";

  private constructor(socket: DoorSocket) {
    this.socket = socket;
  }

  static async with(to: number | Door): Promise<HttpTalk> {
    return new HttpTalk(await connectTo(typeof to === "number" ? { port: to } : to));
  }

  /** Sends a text as it is. */
  async send(text: string): Promise<void> {
    await writeAll(this.socket, Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
  }

  /** Reads the next reply, by its length; `isHead` if there is no body. `undefined` at the end. */
  async next(isHead = false): Promise<HttpAnswer | undefined> {
    for (;;) {
      const [head, rest] = splitAt(this.#text, "\r\n\r\n");
      const length = isHead ? 0 : Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
      if (rest !== undefined && rest.length >= length) {
        this.#text = rest.slice(length);
        return { status: Number(head.split(" ")[1]), head, body: rest.slice(0, length) };
      }
      if (!await this.#more()) return undefined;
    }
  }

  /** Sends a request, and returns the reply to it. */
  async ask(path: string, fields?: readonly string[], method = "GET"): Promise<HttpAnswer | undefined> {
    await this.send(requestOf(path, fields, method));
    return await this.next(method === "HEAD");
  }

  /** Reads the next event of a stream of them. `undefined` at the end. */
  async event(): Promise<string | undefined> {
    for (;;) {
      const [event, rest] = splitAt(this.#text, "\n\n");
      if (rest !== undefined) {
        this.#text = rest;
        return event.replace(/^data: /, "");
      }
      if (!await this.#more()) return undefined;
    }
  }

  async #more(): Promise<boolean> {
    const space = new Uint8Array(64 * 1024);
    const count = await this.socket.read(space).catch(() => null);
    if (count !== null) this.#text += String.fromCharCode(...space.subarray(0, count));
    return count !== null;
  }

  [Symbol.dispose](): void {
    try {
      this.socket.close();
    } catch {
      // The test has closed it.
    }
  }
}

function splitAt(text: string, end: string): [string, string | undefined] {
  const at = text.indexOf(end);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + end.length)];
}

/** Asks on a connection of its own. */
export async function askHttp(
  to: number | Door,
  path: string,
  fields?: readonly string[],
  method?: string,
): Promise<HttpAnswer | undefined> {
  using talk = await HttpTalk.with(to);
  return await talk.ask(path, fields, method);
}

/** A port of HTTP that belongs to no server; it is open until it is disposed of. For its limits time passes when a test says so. */
export interface TestHttp extends AsyncDisposable {
  readonly http: Http;
  readonly session: TestHost;
  readonly buffers: Buffers;
  readonly port: number;
  readonly lines: string[];
}

/** Opens one, with the lines of an AUTH_FILE if there are any. */
export async function openHttp(lines = "", options: Partial<HttpOptions> = {}): Promise<TestHttp> {
  const session = sessionHost();
  const buffers = new Buffers({ maxBytes: 2 ** 26, onCut: () => {} });
  const said: string[] = [];
  const turns = new Turns();
  const http = new Http({
    listen: { transport: "tcp", hostname: "127.0.0.1", port: 0 },
    isUnref: false,
    access: openRules(lines),
    encryption: undefined,
    session,
    turns,
    buffers,
    log: new LimitedLog((line) => said.push(line)),
    ...options,
  });
  const look = http.look.bind(http);
  Object.assign(http, { look: (passedMs?: number) => passedMs === undefined || look(passedMs) });
  await http.start();
  return {
    http,
    session,
    buffers,
    port: (http.address as { port: number }).port,
    lines: said,
    async [Symbol.asyncDispose]() {
      await http.stop(1000);
      await turns.stop();
    },
  };
}
