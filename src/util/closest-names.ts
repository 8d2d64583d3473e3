// Names that look like a mistyped one.

/** The names with the fewest single-letter changes from `text`, those that contain it first. */
export function nearestNames(text: string, names: readonly string[], count: number): string[] {
  const wanted = text.toLowerCase();
  return names
    .map((name) => {
      const own = name.toLowerCase();
      return { name, far: wanted !== '' && own.includes(wanted) ? 0 : editDistance(own, wanted) };
    })
    .sort((a, b) => a.far - b.far)
    .slice(0, count)
    .map(({ name }) => name);
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
