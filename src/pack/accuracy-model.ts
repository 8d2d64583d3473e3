// Predicts the accuracy of any mix of levels from measured ones.
import type { AccuracyModel, Variant } from '../bundle/index.ts';
import { fitAdditive, sumOf } from './additive-loss-model.ts';

/** What was measured of a mix. */
export type MeasuredMix = Pick<Variant, 'levels' | 'accuracy'>;

/** Accuracies below this share of the unpruned one say no more than that all is lost. */
const LOST = 0.05;

/**
 * Fits the loss of each group at each level, in nats (`-ln(accuracy / unpruned)`), and checks it on mixes that it was
 * not made from.
 */
export function fitAccuracyModel(
  unpruned: number,
  measure: AccuracyModel['measure'],
  fitted: readonly MeasuredMix[],
  checked: readonly MeasuredMix[],
  levels: number,
): AccuracyModel {
  const groups = fitted[0]?.levels.length ?? 0;
  const observations = fitted.map(({ levels: own, accuracy }) => ({
    levels: own,
    // Where the unpruned network is never right there is nothing to lose.
    value: unpruned > 0 ? Math.max(0, -Math.log(Math.max(accuracy / unpruned, LOST))) : 0,
  }));
  const loss = fitAdditive(observations, groups, levels);
  // Spaces of a few mixes may leave none to check on; no error would read as a perfect model.
  const errors = (checked.length > 0 ? checked : fitted).map(({ levels: own, accuracy }) =>
    Math.abs(unpruned * Math.exp(-sumOf(loss, own)) - accuracy),
  );
  return {
    unpruned,
    measure,
    loss,
    maxError: errors.reduce((a, b) => Math.max(a, b), 0),
    meanError: errors.reduce((a, b) => a + b, 0) / Math.max(1, errors.length),
    fitted: fitted.length,
    checked: checked.length,
  };
}
