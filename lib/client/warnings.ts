/** Warnings of clients, each said once in a process. It does not know what they are about. */

/** Warnings remembered at most; after that none is said, so that they cannot fill a log. */
const MAX_SAID = 100;

const said = new Set<string>();

/** Says something by `console.warn`, unless it, or another warning with its `key`, has been said before. */
export function warnOnce(warning: string, key: string = warning): void {
  if (said.size >= MAX_SAID || said.has(key)) return;
  said.add(key);
  console.warn(warning);
}
