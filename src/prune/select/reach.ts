// Which block of channels suits a network, and which one lets a budget be reached: small networks have groups of one or two
// blocks.
import type { Grouping } from '../../channels/index.ts';
import { macsCounter } from '../../channels/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { type WeightedLayer, weightedLayers } from '../../onnx/internal.ts';
import { detectBlock } from './block.ts';
import { alignedCount } from './select.ts';

/** Most channels of a block where the engine computes in none. */
const STEP = 8;

/**
 * The block of this processor. The engine has blocks in two-dimensional convolutions alone, so a network with recurrent layers
 * and none of those gets at most 8: an eighth of a usual layer is a step that a budget can be shared by.
 */
export function usualBlock(model: Model, { groups }: Pick<Grouping, 'groups'>): number {
  const block = detectBlock();
  if (!groups.some(({ isRecurrent }) => isRecurrent)) return block;
  const inBlocks = ({ kind, weightDims }: WeightedLayer): boolean =>
    kind !== 'dense' && weightDims.length === 4;
  return weightedLayers(model).some(inBlocks) ? block : Math.min(block, STEP);
}

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
