// Candidate sets of devices for one stage: all single devices, the best pairs and the best sets of four.

/** What the choice of sets looks at. */
export interface SetQuery {
  readonly devices: readonly {
    readonly trusted: boolean;
    /** Seconds for the whole stage, unpruned. */
    readonly seconds: number;
  }[];
  readonly bandwidth: readonly (readonly number[])[];
  readonly source: number;
  /** Bytes that come into the stage. */
  readonly inputBytes: number;
  /** Whether device `d` may be one of `size` devices of this stage. */
  readonly legal: (device: number, size: number) => boolean;
  /** Largest size of a set. */
  readonly most: number;
  readonly pairs: number;
  readonly quads: number;
}

/** Sets larger than one are made of this many devices at most, those best on their own. */
const WIDE = 16;

/**
 * Sets of 1, 2 and 4 devices, ascending indices. A set of several is ranked by its slowest member's time for its share,
 * plus the time to spread the input inside the set and from the source, a tenth more for every untrusted member.
 */
export function candidateSets(query: SetQuery): number[][] {
  const all = query.devices.map((_, device) => device);
  const singles = all.filter((device) => query.legal(device, 1)).map((device) => [device]);
  const larger = ([2, 4] as const)
    .filter((size) => size <= query.most)
    .flatMap((size) => {
      const legal = all
        .filter((device) => query.legal(device, size))
        .map((device) => ({ device, score: score(query, [device]) }))
        .sort((a, b) => a.score - b.score || a.device - b.device)
        .slice(0, WIDE)
        .map(({ device }) => device)
        .sort((a, b) => a - b);
      return subsets(legal, size)
        .map((set) => ({ set, score: score(query, set) }))
        .filter((entry) => Number.isFinite(entry.score))
        .sort((a, b) => a.score - b.score)
        .slice(0, size === 2 ? query.pairs : query.quads)
        .map(({ set }) => set);
    });
  return [...singles, ...larger];
}

function score({ devices, bandwidth, source, inputBytes }: SetQuery, set: readonly number[]): number {
  const size = set.length;
  let slowest = 0;
  let perByte = 0;
  let untrusted = 0;
  for (const to of set) {
    slowest = Math.max(slowest, devices[to]?.seconds ?? Number.POSITIVE_INFINITY);
    if (!devices[to]?.trusted) untrusted++;
    for (const from of set) perByte += from === to ? 0 : 1 / (bandwidth[from]?.[to] ?? 0);
    perByte += source === to ? 0 : 1 / (bandwidth[source]?.[to] ?? 0);
  }
  return (slowest / size + (inputBytes * perByte) / size ** 2) * (1 + 0.1 * untrusted);
}

function subsets(items: readonly number[], size: number): number[][] {
  if (size === 0) return [[]];
  return items.flatMap((first, at) => subsets(items.slice(at + 1), size - 1).map((rest) => [first, ...rest]));
}
