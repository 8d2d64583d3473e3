// Positions in a stage's arrays. A choice is (level in, inner choice, level out), flattened in this order.
import type { StageInstance } from './instance.ts';

/** Sizes by which the choices of a stage are flattened. */
export type ChoiceSizes = Pick<StageInstance, 'inner' | 'levelsOut'>;

/** Position of a choice in a stage's arrays. */
export function choiceIndex(sizes: ChoiceSizes, levelIn: number, inner: number, levelOut: number): number {
  return (levelIn * sizes.inner + inner) * sizes.levelsOut + levelOut;
}

/** Level in of the choice at a position. */
export function levelInOf({ inner, levelsOut }: ChoiceSizes, index: number): number {
  return Math.floor(index / levelsOut / inner);
}

/** Inner choice of the choice at a position. */
export function innerOf({ inner, levelsOut }: ChoiceSizes, index: number): number {
  return Math.floor(index / levelsOut) % inner;
}

/** Level out of the choice at a position. */
export function levelOutOf({ levelsOut }: ChoiceSizes, index: number): number {
  return index % levelsOut;
}
