/** Formats any value as JSON text for the command line. It prints nothing. */

/** Returns any value as JSON; a value that JSON cannot hold becomes the nearest that it can. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, marked) ?? "null";
}

/** A replacer for `JSON.stringify`; `this[key]` is the value before its `toJSON` was called. */
function marked(this: unknown, key: string, value: unknown): unknown {
  const original = (this as Record<string, unknown>)[key];
  if (typeof original === "bigint" || (typeof original === "number" && !Number.isFinite(original))) {
    return String(original);
  }
  if (original instanceof Map) return [...original];
  if (original instanceof Set || original instanceof Headers) return [...original];
  if (original instanceof Error) return { name: original.name, message: original.message };
  if (original instanceof RegExp) return String(original);
  if (ArrayBuffer.isView(original)) return base64(original);
  if (original instanceof ArrayBuffer) return base64(new Uint8Array(original));
  return value;
}

function base64({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return btoa(Array.from(new Uint8Array(buffer, byteOffset, byteLength), (byte) => String.fromCharCode(byte)).join(""));
}

/** Returns bytes as text if they are UTF-8, or else unchanged. */
export function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return bytes;
  }
}
