/** A server of the tests' own, which says what it should not. */

import { MAX_BODY_BYTES } from "../../lib/base/limits.ts";
import { closeQuietly, writeAll } from "../../lib/platform/socket.ts";
import { FrameReader, FrameWriter, REQUEST } from "../../lib/wire/frame.ts";
import { writeGreeting } from "../../lib/wire/hello.ts";

/** What it says to one request; `hangUp` ends the connection when that is written. `request` is valid meanwhile. */
export type Answer = (code: number, output: FrameWriter, hangUp: () => void, request: FrameReader) => void;

/** A server that greets as ours does, unless told otherwise, and then does as the test says. */
export class FakeServer implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #sockets: Deno.Conn[] = [];
  readonly #serving: Promise<void>[] = [];
  readonly #accepting: Promise<void>;
  /** Requests in each read. */
  readonly requestsPerRead: number[] = [];
  connections = 0;

  /** @param options Whether it greets, and where it listens if not at a free port. */
  constructor(answer: Answer, { greets = true, listen = "127.0.0.1:0" } = {}) {
    const [hostname, port] = listen.split(":");
    this.#listener = Deno.listen({ hostname, port: Number(port) });
    this.#accepting = this.#accept(greets ? greeting(answer) : answer);
  }

  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  async #accept(answer: Answer): Promise<void> {
    for await (const socket of this.#listener) {
      this.connections++;
      this.#sockets.push(socket);
      this.#serving.push(this.#serve(socket, answer).catch(() => {}).finally(() => closeQuietly(socket)));
    }
  }

  async #serve(socket: Deno.Conn, answer: Answer): Promise<void> {
    const reader = new FrameReader();
    reader.maxBodyBytes = MAX_BODY_BYTES;
    let isOver = false;
    while (!isOver) {
      const count = await socket.read(reader.space());
      if (count === null) return;
      reader.received(count);
      const output = new FrameWriter();
      let requests = 0;
      for (; reader.next(); requests++) answer(reader.code, output, () => isOver = true, reader);
      this.requestsPerRead.push(requests);
      await writeAll(socket, output.taken());
    }
  }

  /** Says something unasked, or late, on the first connection. */
  async say(write: (output: FrameWriter) => void): Promise<void> {
    const output = new FrameWriter();
    write(output);
    await writeAll(this.#sockets[0], output.taken());
  }

  /** Ends all connections. */
  cut(): void {
    for (const socket of this.#sockets) closeQuietly(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await this.#accepting;
    await Promise.all(this.#serving);
  }
}

function greeting(answer: Answer): Answer {
  return (code, output, hangUp, request) => {
    if (code !== REQUEST.hello) return answer(code, output, hangUp, request);
    writeGreeting(output, "fake/1", { id: 1 }, {});
  };
}
