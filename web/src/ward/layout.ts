// Where devices stand in the graph: the one with the input at the left, the others in columns to its right.
import type { WardModel } from '../../../src/gateway/dashboard/wire-ward.ts';

export const CARD = { width: 190, height: 104 } as const;
const GAP = { x: 130, y: 26 } as const;
const EDGE = 14;
/** Cards above each other at most. */
const MOST_ROWS = 4;

/** The middle of each card, and the size of the drawing. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly at: ReadonlyMap<string, { readonly x: number; readonly y: number }>;
}

/** Places devices. */
export function layoutOf({ devices, source }: Pick<WardModel, 'devices' | 'source'>): Layout {
  const others = devices.map(({ name }) => name).filter((name) => name !== source);
  const columns = Math.max(1, Math.ceil(others.length / MOST_ROWS));
  const rows = Math.max(1, Math.ceil(others.length / columns));
  const height = 2 * EDGE + Math.max(1, rows) * CARD.height + (rows - 1) * GAP.y;
  const width = 2 * EDGE + CARD.width + (others.length > 0 ? columns * (CARD.width + GAP.x) : 0);
  const at = new Map([[source, { x: EDGE + CARD.width / 2, y: height / 2 }]]);
  for (const [i, name] of others.entries()) {
    const column = Math.floor(i / rows);
    const inColumn = Math.min(rows, others.length - column * rows);
    const used = inColumn * CARD.height + (inColumn - 1) * GAP.y;
    // Columns are shifted a little against each other, so that lines to the second do not run behind the first.
    const shift = column % 2 === 1 ? (CARD.height + GAP.y) / 4 : 0;
    const top = Math.min(height - EDGE - used, (height - used) / 2 + shift);
    at.set(name, {
      x: EDGE + CARD.width * 1.5 + GAP.x + column * (CARD.width + GAP.x),
      y: top + CARD.height / 2 + (i % rows) * (CARD.height + GAP.y),
    });
  }
  return { width, height, at };
}

/** What a link carries instead of the output of a stage. */
const INPUT = -1;

/**
 * Which stages' outputs a link carries under the plan, in one direction; `INPUT` where the input leaves the source. The
 * result goes to the source.
 */
export function traffic({ plan, source }: Pick<WardModel, 'plan' | 'source'>): Map<string, number[]> {
  const carried = new Map<string, number[]>();
  const stages = plan?.stages ?? [];
  const [first] = stages[0]?.segments ?? [];
  if (first && first.device !== source) carried.set(`${source}\n${first.device}`, [INPUT]);
  for (const [i, { index, segments }] of stages.entries()) {
    const next = stages[i + 1]?.segments.map(({ device }) => device) ?? [source];
    for (const from of new Set(segments.map(({ device }) => device))) {
      for (const to of new Set(next)) {
        if (from === to) continue;
        const key = `${from}\n${to}`;
        carried.set(key, [...(carried.get(key) ?? []), index]);
      }
    }
  }
  return carried;
}

/** What a link carries, in words and as a tag. */
export function carriedBy(indices: readonly number[]): { readonly text: string; readonly tag: string } {
  const own = indices.filter((index) => index !== INPUT);
  const hasInput = own.length < indices.length;
  const outputs = own.length > 0 ? `output of stage ${ranges(own)}` : '';
  const text = [hasInput ? 'the input' : '', outputs].filter((part) => part !== '').join(', ');
  return { text, tag: hasInput ? 'input' : `S${ranges(own)}` };
}

/** Stages of a device as ranges: `1–3, 5`. Numbers begin at 1, as people count. */
export function ranges(indices: readonly number[]): string {
  const parts: string[] = [];
  let from = 0;
  for (const [i, index] of indices.entries()) {
    if (indices[i + 1] === index + 1) continue;
    const first = indices[from] as number;
    parts.push(first === index ? `${index + 1}` : `${first + 1}–${index + 1}`);
    from = i + 1;
  }
  return parts.join(', ');
}
