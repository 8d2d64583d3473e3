// Maps with a bounded number of entries.

/** Deletes the entry of a map that was inserted first, among those that `may` allows; nothing if there is none. */
export function deleteOldest<K>(map: Map<K, unknown>, may: (key: K) => boolean = () => true): void {
  for (const key of map.keys()) {
    if (!may(key)) continue;
    map.delete(key);
    return;
  }
}
