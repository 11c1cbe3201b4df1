/** The value codec beside JSON with UTF-8 conversion, and beside msgpackr. Usage: deno task bench:codec */

import { Packr } from "msgpackr";
import { decodeValue, encodeValue } from "../lib/wire/values.ts";
import { compare, order } from "./compare.ts";

const OPERATIONS = 20_000;
const VARIANTS = 64;

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();
const scratch = new Uint8Array(1 << 20);
/** As MessagePack that others read: with the keys in every object. */
const packr = new Packr({ useRecords: false, moreTypes: true });

const own = (i: number) => ({ ...order, id: i, tags: [...order.tags], address: { ...order.address } });
const row = (id: number) => ({ id, name: `name ${id}`, score: id / 7, active: id % 2 === 0, at: new Date(1e12 + id) });

await bench("an object", own);
await bench("100 such objects", (i) => Array.from({ length: 100 }, () => ({ ...order, id: i })), OPERATIONS / 100);
await bench("an object with a Date", (i) => ({ ...own(i), at: new Date(i) }));
await bench("64 rows with a Date", (i) => Array.from({ length: 64 }, (_, k) => row(64 * i + k)), OPERATIONS / 50);
await bench("an object with a Date and a bigint", (i) => ({ ...own(i), at: new Date(i), total: 10n ** 20n }));

async function bench(what: string, make: (i: number) => object, operations = OPERATIONS): Promise<void> {
  const values = Array.from({ length: VARIANTS }, (_, i) => make(i));
  const encoded = values.map((value) => {
    const { flags, payload } = encodeValue(value);
    return { flags, bytes: typeof payload === "string" ? utf8.encode(payload) : payload };
  });
  const text = (value: unknown) =>
    utf8.encode(JSON.stringify(value, (_, item) => typeof item === "bigint" ? `${item}` : item));
  const isJson = encoded[0].flags === encodeValue({}).flags;
  const json = values.map(text);
  const packed = values.map((value) => packr.pack(value).slice());
  const times = (run: (i: number) => unknown) => () => {
    for (let i = 0; i < operations; i++) run(i % VARIANTS);
  };
  await compare({
    title: `encode ${what}, ${encoded[0].bytes.length} bytes`,
    operations,
    against: "JSON + TextEncoder",
  }, {
    "JSON + TextEncoder": times((i) => isJson ? utf8.encode(JSON.stringify(values[i])) : text(values[i])),
    ...isJson && { "JSON + encodeInto": times((i) => utf8.encodeInto(JSON.stringify(values[i]), scratch)) },
    "encodeValue into a frame": times((i) => {
      const { payload } = encodeValue(values[i]);
      if (typeof payload === "string") utf8.encodeInto(payload, scratch);
      else scratch.set(payload);
    }),
    "msgpackr": times((i) => packr.pack(values[i])),
  });
  await compare({ title: `decode ${what}`, operations, against: "TextDecoder + JSON" }, {
    "TextDecoder + JSON": times((i) => JSON.parse(fromUtf8.decode(json[i]))),
    "decodeValue": times((i) => decodeValue(encoded[i].flags, encoded[i].bytes)),
    "msgpackr": times((i) => packr.unpack(packed[i])),
  });
}
