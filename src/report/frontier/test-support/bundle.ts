// A bundle's manifest with variants of given cost and accuracy.
import type { Variant } from '../../../bundle/internal.ts';
import { contentsOf } from '../../../bundle/test-support/contents.ts';
import { randomNet } from '../../../channels/test-support/random-net.ts';
import { must } from '../../../util/index.ts';

/** A bundle with the given multiply-accumulates and accuracies, the unpruned network first. */
export function bundleOf(...points: readonly (readonly [macs: number, accuracy: number])[]) {
  const { manifest } = contentsOf(randomNet(0));
  const like = must(manifest.variants[0], 'a variant');
  const variants = points.map(
    ([macs, accuracy], i): Variant => ({
      ...like,
      levels: like.levels.map((_, group) => Math.floor(i / 4 ** group) % 4),
      macs,
      accuracy,
      lowerBound: accuracy - 0.1,
    }),
  );
  return { ...manifest, name: 'a <b> & c', variants };
}
