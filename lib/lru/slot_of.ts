/** Looks a key up in a `Map` and, where it is not there, puts it there: at once, where the platform can. */

/** What V8 has since 14.5: one search where `get` and `set` take two. */
interface Upserting<K> {
  getOrInsert(key: K, slot: number): number;
}

/** Returns the slot of a key, which is `free` from now on if it has had none. */
export type SlotOf = <K>(slots: Map<K, number>, key: K, free: number) => number;

/** The same by what every platform has. */
export const bySearchingTwice: SlotOf = (slots, key, free) => {
  const slot = slots.get(key);
  if (slot === undefined) slots.set(key, free);
  return slot ?? free;
};

/** The quicker of what there is. */
export const slotOf: SlotOf = "getOrInsert" in Map.prototype
  ? <K>(slots: Map<K, number>, key: K, free: number) => (slots as unknown as Upserting<K>).getOrInsert(key, free)
  : bySearchingTwice;
