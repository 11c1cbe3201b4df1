/**
 * Files that only this user may read, which are written beside what they replace, so that others find the old content or the new
 * and never a part, and are read from any place. It does not know what stands in them.
 */

import { openRegular, refuseForeignWriters } from "./secret_file.ts";

/** A file that is being written, to take the place of another. */
export class ReplacingFile {
  readonly #path: string;
  readonly #file: Deno.FsFile;

  constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /** Writes bytes behind those written before. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length;) written += await this.#file.write(bytes.subarray(written));
  }

  /** Writes bytes over the first ones, sees to it that all are on the disk, and puts the file in its place. */
  async finish(head: Uint8Array): Promise<void> {
    await this.#file.syncData(); // before the head, which says that all is there
    await this.#file.seek(0, Deno.SeekMode.Start);
    await this.write(head);
    await this.#file.syncData();
    if (!(await this.#isInPlace())) throw new Error("another process writes to the same file");
    await Deno.rename(besideOf(this.#path), this.#path);
    this.#file.close();
  }

  /** Gives up: what stands at the path stays there. */
  async drop(): Promise<void> {
    try {
      if (await this.#isInPlace()) await Deno.remove(besideOf(this.#path));
    } finally {
      this.#file.close();
    }
  }

  /** Whether this is still the file that is written beside the other. */
  async #isInPlace(): Promise<boolean> {
    const [own, beside] = [await this.#file.stat(), await Deno.stat(besideOf(this.#path)).catch(() => undefined)];
    return beside !== undefined && beside.ino === own.ino;
  }
}

/**
 * Begins to write a file that is to stand at a path.
 *
 * @throws {Error} If something else than a file stands there: a device, a folder, a pipe.
 */
export async function replaceFile(path: string): Promise<ReplacingFile> {
  if (!((await found(path))?.isFile ?? true)) throw new Error("it is no regular file");
  await Deno.remove(besideOf(path)).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }); // what a process has left that was ended in the middle
  return new ReplacingFile(path, await Deno.open(besideOf(path), { write: true, createNew: true, mode: 0o600 }));
}

/** Throws an error if no file can be made beside a path; one that another process writes there is left alone. */
export async function tryBeside(path: string): Promise<void> {
  try {
    (await Deno.open(besideOf(path), { write: true, createNew: true, mode: 0o600 })).close();
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    throw error;
  }
  await Deno.remove(besideOf(path));
}

/** Keeps a file under another name, where nothing takes its place, and returns what to say of it behind a message. */
export async function putAside(path: string): Promise<string> {
  const aside = asideOf(path);
  try {
    if (!(await Deno.lstat(path)).isFile) return "";
    if ((await found(aside)) !== undefined) return `: not kept, as there is ${aside}`;
    await Deno.rename(path, aside);
    return `: kept as ${aside}`;
  } catch {
    return ""; // then it cannot be replaced either, or is gone
  }
}

async function found(path: string): Promise<Deno.FileInfo | undefined> {
  return await Deno.stat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
}

/** What has to be allowed to read a file, to replace it and to put it aside, if anything is missing. */
export function missingPermissions(path: string): string | undefined {
  const paths = [path, besideOf(path), asideOf(path)];
  const isGranted = (["read", "write"] as const).every((name) =>
    paths.every((path) => Deno.permissions.querySync({ name, path }).state === "granted")
  );
  return isGranted ? undefined : `--allow-read=${paths.join()} --allow-write=${paths.join()}`;
}

function besideOf(path: string): string {
  return `${path}.new`;
}

function asideOf(path: string): string {
  return `${path}.refused`;
}

/** A file that is read from any place. */
export class ReadFile implements Disposable {
  /** Bytes in it. */
  readonly size: number;
  readonly #file: Deno.FsFile;
  #bytes = new Uint8Array(0);

  constructor(file: Deno.FsFile, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** Reads bytes from a place on; fewer at the end of the file. They are valid until the next call. */
  async read(at: number, length: number): Promise<Uint8Array> {
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(length);
    this.#file.seekSync(at, Deno.SeekMode.Start); // it waits for no disk, and another thread would be woken for it
    let filled = 0;
    for (let count: number | null = 0; count !== null && filled < length; filled += count ?? 0) {
      count = await this.#file.read(this.#bytes.subarray(filled, length));
    }
    return this.#bytes.subarray(0, filled);
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/**
 * Opens a file to read it; returns `undefined` if there is none.
 *
 * @throws {Error} If it is no regular file, may not be read, or can be written to by others than its owner.
 */
export async function openToRead(path: string): Promise<ReadFile | undefined> {
  const file = await openRegular(path).catch((error: Error) => {
    if (error.cause instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const { size, mode } = await file.stat();
    refuseForeignWriters(mode);
    return new ReadFile(file, size);
  } catch (error) {
    file.close();
    throw error;
  }
}
