import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/base/errors.ts";
import {
  authMessage,
  formatVerifier,
  MAX_ITERATIONS,
  parseVerifier,
  readClientFinal,
  readClientFirst,
  readServerFinal,
  readServerFirst,
  writeClientFinal,
  writeClientFirst,
  writeServerFinal,
  writeServerFirst,
} from "../../lib/wire/scram.ts";
import { RFC7677 } from "../support/rfc7677.ts";

const NONCE = "rOprNGfwEbeRWgbNEkqO";
const HASH = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

Deno.test("the messages of RFC 7677 are read, and written as they stand there", () => {
  const first = readClientFirst(RFC7677.clientFirst);
  assertEquals(first, { name: "user", nonce: NONCE });
  assertStrictEquals(writeClientFirst(first), RFC7677.clientFirst);
  const serverFirst = readServerFirst(RFC7677.serverFirst, NONCE);
  assertStrictEquals(serverFirst.iterations, 4096);
  assertStrictEquals(serverFirst.salt.length, 16);
  assertStrictEquals(writeServerFirst(serverFirst), RFC7677.serverFirst);
  assertStrictEquals(writeClientFinal(readClientFinal(RFC7677.clientFinal)), RFC7677.clientFinal);
  assertStrictEquals(writeServerFinal(readServerFinal(RFC7677.serverFinal)), RFC7677.serverFinal);
  assertStrictEquals(
    authMessage(first, serverFirst),
    [
      "n=user",
      `r=${NONCE}`,
      RFC7677.serverFirst,
      "c=biws",
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    ].join(","),
  );
});

Deno.test("readClientFirst() gives back each name that writeClientFirst() has written", () => {
  for (const name of ["a", "a,b", "a=b", "=2C", "=", ",,", "x".repeat(128), "!~-./:*+"]) {
    const written = writeClientFirst({ name, nonce: NONCE });
    assertEquals(readClientFirst(written), { name, nonce: NONCE }, written);
  }
});

const BAD: Record<string, [read: (text: string) => unknown, texts: string[]]> = {
  "readClientFirst()": [readClientFirst, [
    "",
    `n=user,r=${NONCE}`,
    `y,,n=user,r=${NONCE}`,
    `p=tls-exporter,,n=user,r=${NONCE}`,
    `n,a=admin,n=user,r=${NONCE}`,
    `n,,n=,r=${NONCE}`,
    `n,,n=us=er,r=${NONCE}`,
    `n,,n=us=2cer,r=${NONCE}`,
    `n,,n=us er,r=${NONCE}`,
    `n,,n=usér,r=${NONCE}`,
    `n,,m=x,n=user,r=${NONCE}`,
    `n,,n=user,r=${NONCE},x=y`,
    `n,,n=user,r=${NONCE}\n`,
    `n,,n=user,r=${"x".repeat(15)}`,
    `n,,n=user,r=${"x".repeat(257)}`,
    `n,,n=${"u".repeat(129)},r=${NONCE}`,
    `n,,n=${"u".repeat(1_000_000)},r=${NONCE}`,
    `n,,n=${"=2C".repeat(300_000)}=,r=${NONCE}`,
  ]],
  "readServerFirst()": [(text) => readServerFirst(text, NONCE), [
    "",
    `r=${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`,
    `r=${NONCE}short,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`,
    `r=another${"x".repeat(40)},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`,
    ...["0", "1", "4095", "04096", "-4096", "4096.0", "4e3", `${MAX_ITERATIONS + 1}`, "2147483648", "9".repeat(400)]
      .map(
        (iterations) => `r=${NONCE}${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=${iterations}`,
      ),
    ...["", "W22ZaJ0SNY7soEsUEjb6gQ", "W22ZaJ0SNY7soEsUEjb6gR==", "W22Z aJ0SNY7soEsUEjb6gQ==", "AAAA", "A".repeat(88)]
      .map(
        (salt) => `r=${NONCE}${NONCE},s=${salt},i=4096`,
      ),
    `m=x,r=${NONCE}${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`,
    `r=${NONCE}${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,x=y`,
    `r=${NONCE}${NONCE.repeat(100_000)},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`,
  ]],
  "readClientFinal()": [readClientFinal, [
    "",
    `c=eSws,r=${NONCE},p=${HASH}`,
    `c=biws,r=${NONCE}`,
    `c=biws,r=${NONCE},p=`,
    `c=biws,r=${NONCE},p=AAAA`,
    `c=biws,r=${NONCE},x=y,p=${HASH}`,
    `c=biws,r=${NONCE},p=${HASH},x=y`,
    `c=biws,r=${NONCE},p=${"A".repeat(1_000_000)}`,
  ]],
  "readServerFinal()": [readServerFinal, ["", "v=", "v=AAAA", "e=invalid-proof", `v=${HASH},x=y`, `v=${HASH}\n`]],
};

for (const [name, [read, texts]] of Object.entries(BAD)) {
  Deno.test(`${name} throws ProtocolError for what breaks the rules, and does not repeat it`, () => {
    for (const text of texts) {
      const { message } = assertThrows(() => read(text), ProtocolError, "of SCRAM that cannot be used");
      assertStrictEquals(message.length < 150, true, message);
    }
  });
}

Deno.test("parseVerifier() reads what formatVerifier() has written, which is PostgreSQL's form", () => {
  const text = `SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:${HASH}`;
  const verifier = parseVerifier(text)!;
  assertStrictEquals(verifier.iterations, 4096);
  assertStrictEquals(formatVerifier(verifier), text);
  for (
    const other of [
      "",
      "secret",
      text.slice(1),
      `${text} `,
      text.replace("4096", "4095"),
      text.replace("4096", "600001"),
      text.replace(HASH, "AAAA"),
      text.replace("SCRAM-SHA-256", "SCRAM-SHA-1"),
      text.replace("gQ==", "gQ"),
    ]
  ) assertStrictEquals(parseVerifier(other), undefined, other);
});
