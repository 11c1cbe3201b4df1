/** What peers say to each other, with the messages of a join and the numbers of adopted writes that have left. */

import { MESSAGE, type Message, MORE } from "../../lib/replication/message.ts";
import { TOMB } from "../../lib/store/entry.ts";
import { NO_PAGE } from "../support/gossip_nodes.ts";
import { bareWrite, PEER_MESSAGES } from "../support/peer_messages.ts";

const ME = 0x0a0b0c0d;
const YOU = 0x01020304;
const THIRD = 0xfffffffe;
const WRITER = 0x77777777;
const H = 258_539_520_000_000;
const HEAD = { from: ME, clock: H + 9, cleared: 4096 };
const PAGE = { to: YOU, question: 7, ...NO_PAGE };
const KNOWN = new Map([[ME, H], [THIRD, 5]]);

/** Messages by name. */
export const EXAMPLES: Readonly<Record<string, Message>> = {
  ...PEER_MESSAGES,
  "page, a fingerprint": {
    ...HEAD,
    type: MESSAGE.page,
    ...PAGE,
    departures: [{ hash: 0x89abcdef, upTo: H, id: ME, writer: ME }],
  },
  "page, a last write and fingerprints of several origins": {
    ...HEAD,
    type: MESSAGE.page,
    ...PAGE,
    known: KNOWN,
    upTo: KNOWN,
    writes: [bareWrite("key", { h: H, origin: ME }, TOMB)],
    departures: [
      { hash: 0, upTo: 5, id: THIRD, writer: THIRD },
      { hash: 0xffffffff, upTo: 5, id: ME, writer: ME },
      { hash: 1, upTo: H - 1, id: THIRD, writer: THIRD },
      { hash: 1, upTo: H, id: WRITER, writer: WRITER },
    ],
    cursor: { cell: 425_984, moves: 12 },
  },
  "page, with more fingerprints to come": {
    ...HEAD,
    type: MESSAGE.page,
    ...PAGE,
    known: KNOWN,
    more: MORE.departures,
    departures: [{ hash: 0x01020304, upTo: H, id: ME, writer: ME }],
    cursor: { cell: 1024, moves: 4096 },
  },
  "page, fingerprints of adopted writes": {
    ...HEAD,
    type: MESSAGE.page,
    ...PAGE,
    departures: [
      { hash: 2, upTo: 5, id: THIRD, writer: WRITER },
      { hash: 3, upTo: 6, id: ME, writer: ME },
      { hash: 4, upTo: H, id: THIRD, writer: WRITER },
    ],
  },
  "list, from the newest on": {
    ...HEAD,
    type: MESSAGE.list,
    question: 3,
    before: { h: Number.MAX_SAFE_INTEGER, id: 0 },
  },
  "list, of what is older": { ...HEAD, type: MESSAGE.list, question: 301, before: { h: H, id: THIRD } },
  "listed, nothing": { ...HEAD, type: MESSAGE.listed, to: YOU, question: 3, more: false, places: [] },
  "listed, and there is more": {
    ...HEAD,
    type: MESSAGE.listed,
    to: YOU,
    question: 301,
    more: true,
    places: [{ h: H, id: THIRD }, { h: H, id: ME }, { h: H - 300, id: THIRD }, { h: 5, id: WRITER }],
  },
  "want": {
    ...HEAD,
    type: MESSAGE.want,
    question: 5,
    places: [{ h: H, id: THIRD }, { h: H - 1, id: ME }, { h: 4097, id: THIRD }],
  },
  "want, nothing": { ...HEAD, type: MESSAGE.want, question: 5, places: [] },
};
