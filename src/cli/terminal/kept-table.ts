// Which channels of each group stay, as a table.
import { indent, table } from './tables.ts';

/** A group, and how many of its channels stay. */
interface KeptGroup {
  readonly id: number;
  readonly channels: number;
  readonly kept: number;
  readonly layers: readonly string[];
}

/** A line a group; `levels` adds the level of each. */
export function keptTable(groups: readonly KeptGroup[], levels?: readonly number[]): string {
  const level = (id: number): string[] => (levels ? [String(levels[id])] : []);
  return indent(
    table(
      ['>group', ...(levels ? ['>level'] : []), '>channels', '>kept', 'layers'],
      groups.map(({ id, channels, kept, layers }) => [
        ...[String(id), ...level(id), String(channels), String(kept)],
        layers.join(', '),
      ]),
    ),
  );
}
