// Which block of channels lets a budget be reached: small networks have groups of one or two blocks.
import type { Grouping } from '../../channels/index.ts';
import { macsCounter } from '../../channels/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { alignedCount } from './select.ts';

/**
 * The largest of `block`, its half, its quarter and so on with which some selection reaches a share of the
 * multiply-accumulates; `block` itself where none does.
 * @param macsFraction the share that may be left, in (0, 1]
 * @param protect ids of groups that keep all units
 */
export function reachingBlock(
  model: Model,
  { groups, ...grouping }: Grouping,
  macsFraction: number,
  block: number,
  protect: ReadonlySet<number> = new Set(),
): number {
  const count = macsCounter(model, { groups, ...grouping });
  const most = count(new Map()) * macsFraction;
  for (let own = block; own >= 1; own = Math.floor(own / 2)) {
    const least = new Map(
      groups
        .filter(({ id }) => !protect.has(id))
        .map((group) => [group.id, Array.from({ length: alignedCount(group, 0, own) }, (_, unit) => unit)]),
    );
    if (count(least) <= most) return own;
  }
  return block;
}
