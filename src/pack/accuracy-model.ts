// Predicts the accuracy of any level vector from measured variants.
import type { AccuracyModel, Variant } from '../bundle/internal.ts';
import { additiveValue, fitAdditiveModel } from './additive-loss-model.ts';

/** The measurement of one level vector. */
export type MeasuredLevels = Pick<Variant, 'levels' | 'accuracy'>;

/** Accuracies below this share of the unpruned accuracy only say that all is lost. */
const LOST = 0.05;

/**
 * Fits the loss of each group at each level, in nats (`-ln(accuracy / unpruned)`), and checks the fit on other level
 * vectors.
 * @param levels number of levels
 */
export function fitAccuracyModel(
  unpruned: number,
  measure: AccuracyModel['measure'],
  fitted: readonly MeasuredLevels[],
  checked: readonly MeasuredLevels[],
  levels: number,
): AccuracyModel {
  const groups = fitted[0]?.levels.length ?? 0;
  const observations = fitted.map(({ levels: own, accuracy }) => ({
    levels: own,
    // A network that is never right has nothing to lose.
    value: unpruned > 0 ? Math.max(0, -Math.log(Math.max(accuracy / unpruned, LOST))) : 0,
  }));
  const loss = fitAdditiveModel(observations, groups, levels);
  // Small bundles may leave no vector to check on, and an error of 0 would read as a perfect model.
  const errors = (checked.length > 0 ? checked : fitted).map(({ levels: own, accuracy }) =>
    Math.abs(unpruned * Math.exp(-additiveValue(loss, own)) - accuracy),
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
