// Many wards side by side in flat arrays: where each ward's devices and links stand.
import type { Fleet } from '../plan/index.ts';
import type { WardParameters } from './parameters.ts';

/** One ward. */
export interface WardSpec {
  readonly fleet: Fleet;
  readonly parameters: WardParameters;
  readonly seed: number;
}

/** Offsets; each list ends with the total. A link stands for a pair of devices, both ways; squares are [from][to]. */
export interface WardLayout {
  readonly devices: Int32Array;
  readonly links: Int32Array;
  readonly squares: Int32Array;
  /** By link: its devices within the ward, the first below the second. */
  readonly first: Int32Array;
  readonly second: Int32Array;
}

/** Puts wards side by side. */
export function layoutOf(wards: readonly WardSpec[]): WardLayout {
  const sizes = wards.map(({ fleet }) => fleet.devices.length);
  const links = offsets(sizes.map((devices) => (devices * (devices - 1)) / 2));
  const first = new Int32Array(links.at(-1) ?? 0);
  const second = new Int32Array(first.length);
  let at = 0;
  for (const devices of sizes) {
    for (let d = 0; d < devices; d++) {
      for (let e = d + 1; e < devices; e++) {
        first[at] = d;
        second[at] = e;
        at++;
      }
    }
  }
  return {
    devices: offsets(sizes),
    links,
    squares: offsets(sizes.map((devices) => devices * devices)),
    first,
    second,
  };
}

function offsets(sizes: readonly number[]): Int32Array {
  const at = new Int32Array(sizes.length + 1);
  sizes.forEach((size, index) => {
    at[index + 1] = (at[index] ?? 0) + size;
  });
  return at;
}
