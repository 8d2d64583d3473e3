// The units to keep, checked once and looked up by value.
import { BedsideError } from '../util/index.ts';
import type { Grouping } from './groups.ts';

/** Which units of each group are kept, ascending; a group that is not listed is kept whole. */
export type KeptUnits = ReadonlyMap<number, readonly number[]>;

/**
 * A function that gives the positions that stay on a value's channel axis, or undefined when all stay (or it has no
 * channels). It is made once for a choice of units, which is checked here.
 * @throws BedsideError E_INTERNAL for an unknown group, an empty one, or units out of range or order
 */
export function keptPositions(grouping: Grouping, keep: KeptUnits): (value: string) => number[] | undefined {
  const kept = grouping.groups.map((group) => new Uint8Array(group.channels).fill(1));
  for (const [id, units] of keep) {
    const flags = kept[id];
    if (!flags) throw invalid(`unknown group ${id}`);
    if (units.length === 0) throw invalid(`group ${id} would be emptied`);
    flags.fill(0);
    let last = -1;
    for (const unit of units) {
      if (!Number.isInteger(unit) || unit <= last || unit >= flags.length) {
        throw invalid(`group ${id} has ${flags.length} units; kept unit ${unit} is out of range or order`);
      }
      flags[unit] = 1;
      last = unit;
    }
  }
  return (value) => {
    const channels = grouping.values.get(value);
    if (!channels) return undefined;
    const positions: number[] = [];
    channels.group.forEach((group, position) => {
      if (group < 0 || kept[group]?.[channels.unit[position] as number] === 1) positions.push(position);
    });
    return positions.length === channels.group.length ? undefined : positions;
  };
}

function invalid(what: string): BedsideError {
  return new BedsideError('E_INTERNAL', `internal: units to keep: ${what}`);
}
