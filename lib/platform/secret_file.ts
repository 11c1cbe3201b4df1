/** Files with secrets: reads them, and says who else can. It does not know what stands in them, and shows none of it. */

/** What was read. */
export interface SecretFile {
  readonly text: string;
  /** Whether every user of this machine can read the file. */
  readonly isReadableByAll: boolean;
}

const WRITABLE_BY_OTHERS = 0o022;
const READABLE_BY_ALL = 0o004;
/** Bytes of a file at most. */
const MAX_BYTES = 1024 * 1024;

/**
 * Reads a file that holds secrets.
 *
 * @throws {Error} If it cannot be read, is no regular file, is too long, or can be written to by others than its owner.
 */
export async function readSecretFile(path: string): Promise<SecretFile> {
  using file = await openRegular(path);
  const { isFile, size, mode } = await file.stat();
  if (!isFile) throw new Error("it is no regular file");
  if (size > MAX_BYTES) throw new Error(`it has ${size} bytes, and may have ${MAX_BYTES}`);
  refuseForeignWriters(mode);
  const bytes = new Uint8Array(MAX_BYTES + 1);
  let length = 0;
  for (let count: number | null = 0; count !== null && length < bytes.length; length += count ?? 0) {
    count = await file.read(bytes.subarray(length));
  }
  if (length > MAX_BYTES) throw new Error(`it has more than ${MAX_BYTES} bytes`);
  const text = new TextDecoder().decode(bytes.subarray(0, length));
  return { text, isReadableByAll: mode !== null && (mode & READABLE_BY_ALL) !== 0 };
}

/** Throws an error if others than the owner of a file with this mode can write to it. */
export function refuseForeignWriters(mode: number | null): void {
  if (mode === null || (mode & WRITABLE_BY_OTHERS) === 0) return;
  throw new Error(`others than its owner can write to it (mode ${(mode & 0o777).toString(8)}): chmod go-w it`);
}

/**
 * Opens a file that nobody has to wait for: opening a pipe would.
 *
 * @throws {Error} If it is no regular file, or cannot be opened; the cause says why.
 */
export async function openRegular(path: string): Promise<Deno.FsFile> {
  try {
    if (!(await Deno.stat(path)).isFile) throw new Error("it is no regular file");
    return await Deno.open(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new Error("there is no such file", { cause: error });
    if (error instanceof Deno.errors.NotCapable) throw new Error(`run with --allow-read=${path}`, { cause: error });
    if (error instanceof Deno.errors.PermissionDenied) throw new Error("it may not be read", { cause: error });
    throw error;
  }
}
