/** What is read from standard input: an answer, and a secret, typed on a terminal, which does not show it, or piped. */

/** Bytes of a secret, and of the line that holds it. */
const MAX_BYTES = 1024;
const ENTER = [10, 13];
const [BACKSPACE, DELETE, INTERRUPT, END] = [8, 127, 3, 4];

/** Reads a line, or all that there is. @throws {RangeError} If it is too long for a secret. */
export function readSecret(what: string): string {
  if (!Deno.stdin.isTerminal()) return readLine(() => undefined);
  console.error(`${what}, which is not shown:`);
  Deno.stdin.setRaw(true);
  try {
    return readLine((byte) => {
      if (byte !== INTERRUPT) return;
      Deno.stdin.setRaw(false);
      Deno.exit(130);
    });
  } finally {
    Deno.stdin.setRaw(false);
  }
}

/** Whether somebody is there who can be asked. */
export function canAsk(): boolean {
  return Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
}

/** Asks a question on the terminal. Returns whether the answer is yes. */
export function saysYes(question: string): boolean {
  Deno.stderr.writeSync(new TextEncoder().encode(`${question} [y/N] `));
  return /^y(es)?$/i.test(readLine(() => undefined));
}

function readLine(onByte: (byte: number) => void): string {
  const bytes: number[] = [];
  const one = new Uint8Array(1); // what comes after the line is not ours
  while (Deno.stdin.readSync(one) === 1) {
    const [byte] = one;
    onByte(byte);
    if (ENTER.includes(byte) || byte === END) break;
    if (byte === BACKSPACE || byte === DELETE) bytes.pop();
    else bytes.push(byte);
    if (bytes.length > MAX_BYTES) throw new RangeError(`Cannot read a secret: it has more than ${MAX_BYTES} bytes`);
  }
  return new TextDecoder().decode(Uint8Array.from(bytes)).trim();
}
