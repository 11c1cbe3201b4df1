import { assert, assertEquals } from "@std/assert";
import { Session } from "../../lib/server/session.ts";
import { joined, mutate } from "../support/mutate.ts";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { sessionHost, type TestHost } from "../support/session_host.ts";

const utf8 = new TextEncoder();
const latin1 = new TextDecoder("latin1");

/** Gives a session bytes, in pieces of a size, and returns what it says. */
function say(session: Session, bytes: string | Uint8Array, size = Infinity): { text: string; closing: boolean } {
  const all = typeof bytes === "string" ? utf8.encode(bytes) : bytes;
  let [text, closing] = ["", false];
  for (let at = 0; at < all.length; at += size) {
    session.input.push(all.subarray(at, at + size));
    let state = session.run();
    while (true) {
      text += latin1.decode(session.output.taken());
      session.output.reset();
      if (state !== "output-full") break;
      state = session.run();
    }
    closing ||= state === "closing";
  }
  return { text, closing };
}

function ask(text: string, host: TestHost = sessionHost()): string {
  return say(new Session(host), text).text;
}

const ROWS: [what: string, asked: string, answer: string][] = [
  [
    "set, get and delete",
    "set k 5 0 2\r\nhi\r\nget k\r\ndelete k\r\nget k\r\ndelete k\r\n",
    "STORED\r\nVALUE k 5 2\r\nhi\r\nEND\r\nDELETED\r\nEND\r\nNOT_FOUND\r\n",
  ],
  [
    "several keys",
    "set a 0 0 1\r\n1\r\nset b 0 0 1\r\n2\r\nget a x b\r\n",
    "STORED\r\nSTORED\r\nVALUE a 0 1\r\n1\r\nVALUE b 0 1\r\n2\r\nEND\r\n",
  ],
  ["noreply", "set k 0 0 1 noreply\r\n7\r\nincr k 5 noreply\r\nget k\r\n", "VALUE k 0 2\r\n12\r\nEND\r\n"],
  [
    "add and replace",
    "replace k 0 0 1\r\na\r\nadd k 0 0 1\r\nb\r\nadd k 0 0 1\r\nc\r\nreplace k 0 0 1\r\nd\r\nget k\r\n",
    "NOT_STORED\r\nSTORED\r\nNOT_STORED\r\nSTORED\r\nVALUE k 0 1\r\nd\r\nEND\r\n",
  ],
  [
    "append and prepend",
    "append k 0 0 1\r\na\r\nset k 3 0 1\r\nb\r\nappend k 9 0 1\r\nc\r\nprepend k 9 0 1\r\na\r\nget k\r\n",
    "NOT_STORED\r\nSTORED\r\nSTORED\r\nSTORED\r\nVALUE k 3 3\r\nabc\r\nEND\r\n",
  ],
  [
    "numbers",
    "set n 0 0 2\r\n10\r\nincr n 5\r\ndecr n 20\r\nincr n 18446744073709551615\r\nincr n 2\r\nincr x 1\r\nset t 0 0 1\r\nx\r\nincr t 1\r\nincr n x\r\n",
    "STORED\r\n15\r\n0\r\n18446744073709551615\r\n1\r\nNOT_FOUND\r\nSTORED\r\nCLIENT_ERROR cannot increment or decrement non-numeric value\r\nCLIENT_ERROR invalid numeric delta argument\r\n",
  ],
  [
    "the size of what is stored, or not",
    "ms k 3 s ME\r\nabc\r\nms k 2 s ME\r\nde\r\nms k 4 s MA\r\nmore\r\nms k 1 s C1\r\nx\r\n",
    "HD s3\r\nNS s2\r\nHD s7\r\nEX s1\r\n",
  ],
  [
    "an entry whose value is taken out keeps its state",
    "ms k 3 F5 T100 E7\r\nabc\r\nmd k x\r\nmg k v f c t\r\nmd k x E9 T50\r\nmg k c t\r\nmd k x I\r\nmg k v\r\nmd k x T-1\r\nmg k\r\n",
    "HD\r\nHD\r\nVA 0 f0 c7 t-1\r\n\r\nHD\r\nHD c9 t50\r\nHD\r\nVA 0 X W\r\n\r\nHD\r\nEN\r\n",
  ],
  [
    "a value that its client has already",
    "ms k 1 E7\r\nx\r\nmg k v C7\r\nmg k v C8\r\nmg n v N-1 C0\r\n",
    "HD\r\nHD\r\nVA 1\r\nx\r\nVA 0 W\r\n\r\n",
  ],
  [
    "a number that shrinks",
    "set n 0 0 2\r\n10\r\ndecr n 1\r\nget n\r\n",
    "STORED\r\n9\r\nVALUE n 0 2\r\n9 \r\nEND\r\n",
  ],
  [
    "a wrong cas",
    "cas k 0 0 1 9\r\na\r\nset k 0 0 1\r\nb\r\ncas k 0 0 1 9\r\nc\r\n",
    "NOT_FOUND\r\nSTORED\r\nEXISTS\r\n",
  ],
  [
    "touch and gat",
    "touch k 5\r\nset k 0 0 1\r\na\r\ntouch k 5\r\ngat 9 k\r\ngat 9 x\r\n",
    "NOT_FOUND\r\nSTORED\r\nTOUCHED\r\nVALUE k 0 1\r\na\r\nEND\r\nEND\r\n",
  ],
  ["flush_all", "set k 0 0 1\r\na\r\nflush_all\r\nget k\r\nflush_all noreply\r\n", "STORED\r\nOK\r\nEND\r\n"],
  ["a negative time to live", "set k 0 -1 1\r\na\r\nget k\r\n", "STORED\r\nEND\r\n"],
  [
    "unknown commands",
    "nonsense\r\nGET k\r\nget\r\nshutdown\r\n",
    "ERROR\r\nERROR\r\nERROR\r\nERROR: shutdown not enabled\r\n",
  ],
  ["a value of another length", "set k 0 0 3\r\nabcde\r\nget k\r\n", "CLIENT_ERROR bad data chunk\r\nERROR\r\nEND\r\n"],
  ["a bad line", "set k x 0 1\r\nget k\r\n", "CLIENT_ERROR bad command line format\r\nEND\r\n"],
  ["a key too long", `get ${"k".repeat(251)}\r\n`, "CLIENT_ERROR bad command line format\r\n"],
  ["a key as long as may be", `set ${"k".repeat(250)} 0 0 1\r\nx\r\n`, "STORED\r\n"],
  [
    "an item too large",
    "set k 0 0 1\r\na\r\nset k 0 0 1048576\r\n" + "x".repeat(1048576) + "\r\nget k\r\n",
    "STORED\r\nSERVER_ERROR object too large for cache\r\nEND\r\n",
  ],
  [
    "meta: set, get, opaque and key",
    "ms k 2 F7 Oab k\r\nhi\r\nmg k v f s k Ocd\r\n",
    "HD Oab kk\r\nVA 2 f7 s2 kk Ocd\r\nhi\r\n",
  ],
  ["meta: quiet", "ms k 1 q\r\n1\r\nmg x q v\r\nmg k q v\r\nmn\r\n", "VA 1\r\n1\r\nMN\r\n"],
  [
    "meta: modes",
    "ms k 1 MR\r\na\r\nms k 1 ME\r\nb\r\nms k 1 MA\r\nc\r\nms k 1 MP\r\na\r\nmg k v\r\n",
    "NS\r\nHD\r\nHD\r\nHD\r\nVA 3\r\nabc\r\n",
  ],
  [
    "meta: numbers",
    "ma n\r\nma n N0 J5 v\r\nma n D3 v\r\nma n MD D10 v\r\n",
    "NF\r\nVA 1\r\n5\r\nVA 1\r\n8\r\nVA 1\r\n0\r\n",
  ],
  [
    "meta: a base64 key",
    "ms aGkgdGhlcmU= 1 b\r\nx\r\nmg aGkgdGhlcmU= b k v\r\nmd aGkgdGhlcmU= b\r\n",
    "HD\r\nVA 1 kaGkgdGhlcmU= b\r\nx\r\nHD\r\n",
  ],
  [
    "meta: stale, won and promised",
    "ms k 1\r\nx\r\nmd k I T30\r\nmg k v\r\nmg k v\r\nms k 1\r\ny\r\nmg k v\r\n",
    "HD\r\nHD\r\nVA 1 X W\r\nx\r\nVA 1 Z X\r\nx\r\nHD\r\nVA 1\r\ny\r\n",
  ],
  ["meta: vivify", "mg k N30 t v\r\nmg k N30 v\r\n", "VA 0 t30 W\r\n\r\nVA 0 Z\r\n\r\n"],
  ["statistics of unknown kind", "stats nonsense\r\nstats reset\r\n", "ERROR\r\nRESET\r\n"],
];

for (const [what, asked, answer] of ROWS) {
  Deno.test(`TextHandler answers ${what} as memcached does`, () => {
    assertEquals(ask(asked), answer);
    if (asked.length > 10_000) return;
    for (let size = 1; size < 9; size++) {
      assertEquals(say(new Session(sessionHost()), asked, size).text, answer, `in pieces of ${size}`);
    }
  });
}

Deno.test("TextHandler lets entries expire when their client said, and a get does not renew them", () => {
  let now = 1_800_000_000_000;
  const host = sessionHost({ clock: { now: () => now } });
  const session = new Session(host);
  say(
    session,
    `set r 0 10 1\r\na\r\nset f 0 0 1\r\nb\r\nset a 0 ${now / 1000 + 20} 1\r\nc\r\nset p 0 ${
      now / 1000 - 1
    } 1\r\nd\r\n`,
  );
  const keys = () => [...say(session, "get r f a p\r\n").text.matchAll(/VALUE (.)/g)].map(([, key]) => key).join("");
  assertEquals(keys(), "rfa");
  now += 9_000;
  assertEquals(keys(), "rfa");
  now += 2_000;
  assertEquals(keys(), "fa");
  say(session, "touch a 60\r\n");
  now += 30_000;
  assertEquals(keys(), "fa");
});

Deno.test("TextHandler runs a delayed flush_all when its time has come, and the last one counts", () => {
  const host = sessionHost();
  const session = new Session(host);
  say(session, "set k 0 0 1\r\na\r\nflush_all 10\r\n");
  assertEquals([say(session, "get k\r\n").text, host.later?.ms], ["VALUE k 0 1\r\na\r\nEND\r\n", 10_000]);
  host.later!.run();
  assertEquals(say(session, "get k\r\n").text, "END\r\n");
});

Deno.test("TextHandler: flush_all for a time before the server's clears nothing, and undoes one that waits", () => {
  const startSeconds = 1_800_000_000;
  let now = 1000 * startSeconds;
  const host = sessionHost({ clock: { now: () => now } });
  const session = new Session(host);
  const gets = (text: string) => say(session, `set k 0 0 1\r\na\r\n${text}\r\nget k\r\n`).text;
  const [here, gone] = ["STORED\r\nOK\r\nVALUE k 0 1\r\na\r\nEND\r\n", "STORED\r\nOK\r\nEND\r\n"];
  now += 10_000;
  gets("flush_all 10");
  // memcached's time begins 61 seconds before it starts.
  for (const seconds of [2_592_001, startSeconds - 61]) {
    assertEquals([gets(`flush_all ${seconds}`), host.later?.ms], [here, Infinity]);
  }
  for (const seconds of [startSeconds - 60, startSeconds + 10, -1, -2_592_001]) {
    assertEquals(gets(`flush_all ${seconds}`), gone, `${seconds}`);
  }
});

Deno.test("TextHandler: a cas that has been seen stores once, and touch leaves it as it is", () => {
  const host = sessionHost();
  const session = new Session(host);
  const seen = () => /VALUE k 0 1 (\d+)/.exec(say(session, "gets k\r\n").text)![1];
  say(session, "set k 0 0 1\r\na\r\n");
  const cas = seen();
  say(session, "touch k 100\r\n");
  assertEquals(seen(), cas);
  assertEquals(say(session, `cas k 0 0 1 ${cas}\r\nb\r\ncas k 0 0 1 ${cas}\r\nc\r\n`).text, "STORED\r\nEXISTS\r\n");
});

for (
  const [what, bytes] of [
    ["an HTTP request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a line that does not end", "x".repeat(3000)],
    ["quit", "quit\r\n"],
  ]
) {
  Deno.test(`TextHandler closes without a word after ${what}`, () => {
    assertEquals(say(new Session(sessionHost()), bytes), { text: "", closing: true });
  });
}

Deno.test("TextHandler holds no memory for a value that is too large to be taken", () => {
  const session = new Session(sessionHost());
  assertEquals(say(session, "set k 0 0 2000000000\r\n").text, "SERVER_ERROR object too large for cache\r\n");
  for (let i = 0; i < 100; i++) say(session, new Uint8Array(60_000));
  assertEquals(session.input.pendingBytes, 0);
});

Deno.test("TextHandler searches a line that arrives slowly for its end once", () => {
  const session = new Session(sessionHost());
  const end = ask("set k 0 0 1\r\nv\r\nget k\r\n").slice("STORED\r\n".length);
  assertEquals(say(session, "set k 0 0 1\r\nv\r\n", 1).text, "STORED\r\n");
  assertEquals(
    say(session, "get k\r\nget k k\r\ngets\r\nget k\r\n", 1).text,
    `${end}${end.slice(0, -5)}${end}ERROR\r\n${end}`,
  );
  say(session, `get ${"x ".repeat(250_000)}`);
  const { input } = session;
  const { bytes } = input;
  let reads = 0;
  input.bytes = new Proxy(bytes, {
    get(target, at) {
      reads++;
      const value = Reflect.get(target, at);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const { to } = input;
  bytes.set(utf8.encode("x "), to);
  input.received(2);
  session.run();
  input.bytes = bytes;
  assert(reads < 1000, `${reads} reads for 2 bytes`);
  assertEquals(say(session, "k\r\n").text, end);
});

Deno.test("TextHandler survives 100,000 damaged commands, and the next connection is served", () => {
  const seed = 20261125;
  const random = generator(seed);
  const below = (n: number) => Math.floor(random() * n);
  const parts = ROWS.filter(([, asked]) => asked.length < 10_000).map(([, asked]) => utf8.encode(asked));
  const host = sessionHost({ maxSize: 50 });
  for (let done = 0; done < 100_000;) {
    const batch = Array.from({ length: 1 + below(8) }, () => mutate(parts[below(parts.length)], below));
    done += batch.length;
    const bytes = joined(...batch);
    if (bytes[0] <= 0x16 || bytes[0] === 0x80) continue; // another protocol
    try {
      say(new Session(host), bytes, 1 + below(bytes.length));
    } catch (error) {
      throw new Error(`seed ${seed}, after ${done} commands`, { cause: error });
    }
  }
  assert(host.store.stats().entries <= 50);
  assertEquals(ask("set k 0 0 1\r\na\r\nget k\r\n", host), "STORED\r\nVALUE k 0 1\r\na\r\nEND\r\n");
});
