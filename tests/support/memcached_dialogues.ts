/** What is said in memcached's text protocol, and what memcached answers. */

/** What is asked for, the bytes that ask, and those that answer. */
export type Dialogue = readonly [what: string, asked: string, answer: string];

/** Of lines and blocks. */
export const TEXT_DIALOGUES: readonly Dialogue[] = [
  ["noreply", "set k 0 0 1 noreply\r\n7\r\nincr k 5 noreply\r\nget k\r\n", "VALUE k 0 2\r\n12\r\nEND\r\n"],
  [
    "unknown commands",
    "nonsense\r\nGET k\r\nget\r\nshutdown\r\n",
    "ERROR\r\nERROR\r\nERROR\r\nERROR: shutdown not enabled\r\n",
  ],
  ["a value of another length", "set k 0 0 3\r\nabcde\r\nget k\r\n", "CLIENT_ERROR bad data chunk\r\nERROR\r\nEND\r\n"],
  ["a bad line", "set k x 0 1\r\nget k\r\n", "CLIENT_ERROR bad command line format\r\nEND\r\n"],
  [
    "an item too large",
    "set k 0 0 1\r\na\r\nset k 0 0 1048576\r\n" + "x".repeat(1048576) + "\r\nget k\r\n",
    "STORED\r\nSERVER_ERROR object too large for cache\r\nEND\r\n",
  ],
];

/** Of classic commands. */
export const CLASSIC_DIALOGUES: readonly Dialogue[] = [
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
  ["a key too long", `get ${"k".repeat(251)}\r\n`, "CLIENT_ERROR bad command line format\r\n"],
  ["a key as long as may be", `set ${"k".repeat(250)} 0 0 1\r\nx\r\n`, "STORED\r\n"],
  ["statistics of unknown kind", "stats nonsense\r\nstats reset\r\n", "ERROR\r\nRESET\r\n"],
];

/** Of meta commands. */
export const META_DIALOGUES: readonly Dialogue[] = [
  [
    "for the size of what is stored, or not,",
    "ms k 3 s ME\r\nabc\r\nms k 2 s ME\r\nde\r\nms k 4 s MA\r\nmore\r\nms k 1 s C1\r\nx\r\n",
    "HD s3\r\nNS s2\r\nHD s7\r\nEX s1\r\n",
  ],
  [
    "for an entry whose value is taken out, which keeps its state,",
    "ms k 3 F5 T100 E7\r\nabc\r\nmd k x\r\nmg k v f c t\r\nmd k x E9 T50\r\nmg k c t\r\nmd k x I\r\nmg k v\r\nmd k x T-1\r\nmg k\r\n",
    "HD\r\nHD\r\nVA 0 f0 c7 t-1\r\n\r\nHD\r\nHD c9 t50\r\nHD\r\nVA 0 X W\r\n\r\nHD\r\nEN\r\n",
  ],
  [
    "for a value that its client has already",
    "ms k 1 E7\r\nx\r\nmg k v C7\r\nmg k v C8\r\nmg n v N-1 C0\r\n",
    "HD\r\nHD\r\nVA 1\r\nx\r\nVA 0 W\r\n\r\n",
  ],
  [
    "set and get with opaque and key",
    "ms k 2 F7 Oab k\r\nhi\r\nmg k v f s k Ocd\r\n",
    "HD Oab kk\r\nVA 2 f7 s2 kk Ocd\r\nhi\r\n",
  ],
  ["quiet requests", "ms k 1 q\r\n1\r\nmg x q v\r\nmg k q v\r\nmn\r\n", "VA 1\r\n1\r\nMN\r\n"],
  [
    "requests with modes",
    "ms k 1 MR\r\na\r\nms k 1 ME\r\nb\r\nms k 1 MA\r\nc\r\nms k 1 MP\r\na\r\nmg k v\r\n",
    "NS\r\nHD\r\nHD\r\nHD\r\nVA 3\r\nabc\r\n",
  ],
  [
    "numbers",
    "ma n\r\nma n N0 J5 v\r\nma n D3 v\r\nma n MD D10 v\r\n",
    "NF\r\nVA 1\r\n5\r\nVA 1\r\n8\r\nVA 1\r\n0\r\n",
  ],
  [
    "requests with a base64 key",
    "ms aGkgdGhlcmU= 1 b\r\nx\r\nmg aGkgdGhlcmU= b k v\r\nmd aGkgdGhlcmU= b\r\n",
    "HD\r\nVA 1 kaGkgdGhlcmU= b\r\nx\r\nHD\r\n",
  ],
  [
    "for entries that are stale, won and promised",
    "ms k 1\r\nx\r\nmd k I T30\r\nmg k v\r\nmg k v\r\nms k 1\r\ny\r\nmg k v\r\n",
    "HD\r\nHD\r\nVA 1 X W\r\nx\r\nVA 1 Z X\r\nx\r\nHD\r\nVA 1\r\ny\r\n",
  ],
  ["for entries that are to be made by who asks", "mg k N30 t v\r\nmg k N30 v\r\n", "VA 0 t30 W\r\n\r\nVA 0 Z\r\n\r\n"],
];

/** All of them. */
export const DIALOGUES: readonly Dialogue[] = [...TEXT_DIALOGUES, ...CLASSIC_DIALOGUES, ...META_DIALOGUES];
